"""A run in a process of its own, so that a stage can be timed out and killed, whatever it hangs in.

An orchestrator's own timeout raises an exception in a thread; a thread that waits inside a driver or a query
engine never gets to see it. A process can be ended. It also keeps drivers' and engines' memory out of the
scheduler, and a stage that dies takes nothing with it.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import IO, Any, Self

import structlog

from shopsight.errors import RunCrashed, ShopsightError, StageTimeout, error_from_document
from shopsight.logs import as_line
from shopsight.orchestration.environment import settings_environment
from shopsight.record import StageReport
from shopsight.settings import Settings

#: How long a process may take to load its libraries. A stage's own time begins after that.
START_SECONDS = 300.0
#: How long a stage may take to stop when asked to: to release its lease and note how the run ended. One that
#: is deep in a driver or an engine does not hear it, and is killed then.
STOP_SECONDS = 5.0
#: How long a publication may take to come to its end when the run is stopped; then it is dropped whole.
PUBLISH_STOP_SECONDS = 60.0

Answer = dict[str, Any]

log = structlog.stdlib.get_logger("shopsight.stage")


class StageProcess:
    """One run's stages, each asked for by name. A context manager: leaving it ends the run and its process.

    After a stage has failed the process is gone; asking for a stage again starts another one, which finds
    the whole stages of the same snapshot and does the rest.

    Args:
        settings: handed on by environment.
        run_id: the run; it is gone on with when it is known already.
        allow_shrink: let the shrink guard pass once.
    """

    def __init__(self, settings: Settings, run_id: str, *, allow_shrink: bool = False) -> None:
        self.settings = settings
        self.run_id = run_id
        self._allow_shrink = allow_shrink
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        # Orchestrators keep in context variables which task a log line belongs to.
        self._context = contextvars.copy_context()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.stop()

    @property
    def pid(self) -> int | None:
        """The process that works; None while there is none."""
        return self._process.pid if self._process is not None else None

    def run_stage(self, stage: str, timeout: timedelta | None = None) -> StageReport:
        """Do one stage and wait for it.

        When the caller is interrupted meanwhile (a signal, an orchestrator's timeout), the stage is stopped;
        a publication comes to its end first, and if that was a good one, the interruption is over with it.

        Raises:
            StageTimeout: it took longer and was killed.
            RunCrashed: its process was killed by somebody else, or failed by a defect.
            ShopsightError: what the stage itself raised.
        """
        self._context = contextvars.copy_context()
        try:
            self._ask(self._started(stage), stage)
            return self._report(self._wait(timeout), stage)
        except ShopsightError:
            self._reap()
            raise
        except BaseException as interruption:
            answer = self._stop(PUBLISH_STOP_SECONDS if stage == "publish" else STOP_SECONDS)
            if stage == "publish" and answer is not None and "report" in answer:
                return self._report(answer, stage)
            if isinstance(interruption, queue.Empty):
                seconds = timeout.total_seconds() if timeout is not None else START_SECONDS
                raise StageTimeout.after(stage, seconds, self.run_id) from None
            raise

    def finish(self) -> None:
        """End the run as it stands: after the last stage it is marked as succeeded.

        Raises:
            ShopsightError: the end itself failed.
        """
        process = self._process
        if process is None:
            return
        self._close_input(process)
        try:
            answer = self._wait(timedelta(seconds=PUBLISH_STOP_SECONDS))
        except queue.Empty:
            process.kill()
            answer = None
        if answer is None or "error" in answer:
            raise self._error(answer, None)
        self._reap()

    def stop(self) -> None:
        """Stop whatever is done; the run is marked as stopped."""
        if self._process is not None:
            self._stop(STOP_SECONDS)

    def _started(self, stage: str) -> subprocess.Popen[str]:
        """The process, ready for a stage."""
        if self._process is not None:
            return self._process
        process = self._process = self._start()
        answer = self._wait(timedelta(seconds=START_SECONDS))
        if answer is None or "ready" not in answer:
            raise self._error(answer, stage)
        return process

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "shopsight.orchestration.stage_worker", self.run_id]
        if self._allow_shrink:
            command.append("--allow-shrink")
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **settings_environment(self.settings)},
            # Ctrl-C in the terminal must reach it through us, or a publication would be cut.
            start_new_session=True,
        )
        self._answers = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(process.stdout, self._answers), daemon=True).start()
        threading.Thread(target=self._read_noise, args=(process.stderr,), daemon=True).start()
        return process

    def _read(self, stream: IO[str], answers: queue.SimpleQueue[Answer | None]) -> None:
        """Hand on the child's answers, and log again what it logs, as of the task that waits for it."""
        for line in stream:
            document = json.loads(line)
            if "logger" in document:
                self._context.copy().run(_log_again, document)
            else:
                answers.put(document)
        answers.put(None)

    def _read_noise(self, stream: IO[str]) -> None:
        """What is not shopsight's own log: a library's warning, an interpreter's last words."""
        for line in stream:
            self._context.copy().run(log.warning, "output", line=line.rstrip())

    def _ask(self, process: subprocess.Popen[str], stage: str) -> None:
        assert process.stdin is not None  # noqa: S101 - it was opened as a pipe
        with suppress(BrokenPipeError):  # it is gone already: its answer, or the lack of one, says why
            process.stdin.write(f"{stage}\n")
            process.stdin.flush()

    def _wait(self, timeout: timedelta | None) -> Answer | None:
        """The next answer; None when the process ended without one.

        Raises:
            queue.Empty: none came in time.
        """
        return self._answers.get(timeout=timeout.total_seconds() if timeout is not None else None)

    def _report(self, answer: Answer | None, stage: str) -> StageReport:
        if answer is None or "report" not in answer:
            raise self._error(answer, stage)
        report = answer["report"]
        return StageReport(**{**report, "started_at": datetime.fromisoformat(report["started_at"])})

    def _error(self, answer: Answer | None, stage: str | None) -> ShopsightError:
        if answer is not None and "error" in answer:
            error = error_from_document(answer["error"])
        else:
            code = self._reap()
            reason = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            error = RunCrashed.because(f"it ended by {reason}", stage=stage, run_id=self.run_id)
        return error.located(stage, self.run_id) if stage is not None else error

    def _stop(self, seconds: float) -> Answer | None:
        """Ask the process to stop, wait, and kill it when it does not; its answer if it gave one."""
        process = self._process
        if process is None:
            return None
        answer: Answer | None = None
        with _deafened():
            process.terminate()
            self._close_input(process)
            try:
                answer = self._wait(timedelta(seconds=seconds))
                process.wait(STOP_SECONDS)
            except (queue.Empty, subprocess.TimeoutExpired):
                self._kill()
            self._process = None
        return answer

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._reap()

    def _reap(self) -> int | None:
        """Wait for the end of a process that has said its last word."""
        process, self._process = self._process, None
        if process is None:
            return None
        self._close_input(process)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    @staticmethod
    def _close_input(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None  # noqa: S101 - it was opened as a pipe
        with suppress(BrokenPipeError):
            process.stdin.close()


def _log_again(event: dict[str, Any]) -> None:
    logger = logging.getLogger(event.pop("logger"))
    level = logging.getLevelNamesMapping()[event.pop("level").upper()]
    event.pop("timestamp", None)
    if logger.isEnabledFor(level):
        logger.log(level, as_line(event), extra={"event": event})


@contextmanager
def _deafened() -> Iterator[None]:
    """A stretch in which this process does not hear its stop signals: it is doing what they ask already."""
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            handlers[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for deafened, handler in handlers.items():
            signal.signal(deafened, handler)
