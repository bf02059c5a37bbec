"""One stage in its own process, ``shopsight stage``, so that a timeout or a stop really ends it.

An orchestrator's own timeout raises an exception in a thread. A thread that waits inside a driver or a query
engine does not see it, but a process can be killed.
"""

from __future__ import annotations

import contextvars
import json
import logging
import signal
import subprocess
import tempfile
import threading
from datetime import datetime
from typing import IO, Any

import structlog

from shopsight.errors import RunCrashed, StageTimeout, error_from_document
from shopsight.logs import as_line
from shopsight.orchestration.child import end_child, start_child
from shopsight.orchestration.environment import settings_environment
from shopsight.record import StageReport
from shopsight.settings import Settings

#: How long a stage may take to stop when it is asked to.
STOP_SECONDS = 5.0
#: How long a publication may take to finish when the run is stopped; then it is killed.
PUBLISH_STOP_SECONDS = 60.0

log = structlog.stdlib.get_logger("shopsight.stage")


def run_stage_process(
    settings: Settings, run_id: str, stage: str, *, allow_shrink: bool = False
) -> StageReport:
    """Do one stage and wait for it; its log lines are logged again here.

    If this process is interrupted meanwhile (a signal, an orchestrator's timeout), the stage is stopped. A
    publication ends by itself first; one that succeeds overrules the interruption.

    Raises:
        StageTimeout: the stage took longer than ``stage_timeout`` and was stopped.
        RunCrashed: its process was killed by somebody else.
        ShopsightError: what the stage itself raised.
    """
    command = ["shopsight", "stage", stage, "--run-id", run_id, *(["--allow-shrink"] * allow_shrink)]
    grace = PUBLISH_STOP_SECONDS if stage == "publish" else STOP_SECONDS
    with tempfile.TemporaryFile() as answer:
        process = start_child(
            command,
            environment=settings_environment(settings),
            patience=grace,
            stdout=answer,
            stderr=subprocess.PIPE,
        )
        # Orchestrators keep in context variables which task a log line belongs to.
        context = contextvars.copy_context()
        reader = threading.Thread(target=context.run, args=(_log_again, process.stderr), daemon=True)
        reader.start()
        try:
            process.wait(settings.stage_timeout.total_seconds())
        except BaseException as interruption:
            end_child(process, grace)
            if stage != "publish" or process.returncode != 0:
                if isinstance(interruption, subprocess.TimeoutExpired):
                    seconds = settings.stage_timeout.total_seconds()
                    raise StageTimeout.after(stage, seconds, run_id) from None
                raise
        finally:
            reader.join(STOP_SECONDS)
            for pipe in (process.stdin, process.stderr):
                if pipe is not None:
                    pipe.close()
        answer.seek(0)
        return _report(answer.read(), process.returncode, stage, run_id)


def _report(answer: bytes, code: int, stage: str, run_id: str) -> StageReport:
    try:
        document: dict[str, Any] = json.loads(answer)
    except ValueError:
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise RunCrashed.because(f"it ended by {reason}", stage=stage, run_id=run_id) from None
    if "error" in document:
        raise error_from_document(document["error"]).located(stage, run_id)
    return StageReport(**{**document, "started_at": datetime.fromisoformat(document["started_at"])})


def _log_again(lines: IO[bytes]) -> None:
    """Log the child's JSON lines here; other lines are a library's warning, or a traceback."""
    for line in lines:
        try:
            event = json.loads(line)
            logger = logging.getLogger(event.pop("logger"))
            level = logging.getLevelNamesMapping()[event.pop("level").upper()]
        except (ValueError, KeyError, AttributeError, TypeError):
            log.warning("output", line=line.decode(errors="replace").rstrip())
            continue
        event.pop("timestamp", None)
        if logger.isEnabledFor(level):
            logger.log(level, as_line(event), extra={"event": event})
