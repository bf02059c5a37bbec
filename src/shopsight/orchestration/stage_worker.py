"""The process that does a run's stages, started by :mod:`shopsight.orchestration.stage_process`.

It reads a stage's name a line on its input and writes a JSON document a line to its output: that it is ready,
what it logs, each stage's report, an error. The end of the input is the end of the run, and the death of
whoever started it: so no stage goes on without its orchestrator. SIGTERM ends a stage at once, except
``publish``, which comes to its own end.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from types import FrameType
from typing import Any, TextIO

import structlog

from shopsight.errors import RunStopped, ShopsightError
from shopsight.logs import JsonFormatter, bind_structlog
from shopsight.orchestration import STAGES
from shopsight.orchestration.child import ask_to_stop
from shopsight.settings import load_settings

#: How long a stage may go on after its orchestrator died; then the process ends, whatever it does.
ORPHAN_SECONDS = 60.0

log = structlog.stdlib.get_logger("shopsight.stage")


class Inbox:
    """The commands on the input, read by a thread, so that the end of the input is seen during a stage."""

    def __init__(self, stream: TextIO) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._unfinished = 0
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: TextIO) -> None:
        for line in stream:
            self._unfinished += 1
            self._lines.put(line.strip())
        self._lines.put(None)
        if self._unfinished:
            ask_to_stop()
            last_resort = threading.Timer(ORPHAN_SECONDS, os._exit, (1,))
            last_resort.daemon = True
            last_resort.start()

    def __iter__(self) -> Iterator[str]:
        while (line := self._lines.get()) is not None:
            yield line
            self._unfinished -= 1


class Outbox(logging.Handler):
    """The output for documents alone, one a line: answers, and log records in order with them.

    Whatever a library prints goes to stderr instead. That an earlier stage was found whole, which was not
    asked for, is not worth a line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stream = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self.asked = ""
        self.setFormatter(JsonFormatter())

    def answer(self, **document: Any) -> None:
        """Write one document."""
        with self.lock or nullcontext():
            self._write(json.dumps(document, default=str))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; the caller holds the lock."""
        event = getattr(record, "event", {})
        if event.get("outcome") != "kept" or event.get("stage") == self.asked:
            self._write(self.format(record))

    def _write(self, line: str) -> None:
        # Unbuffered: what could not be written to a reader that died would be tried again at the very end.
        with suppress(BrokenPipeError):
            self._stream.write(f"{line}\n".encode())


class StopSignal:
    """SIGTERM and SIGINT end the run by one SystemExit, until :meth:`defer`."""

    def __init__(self) -> None:
        self._is_deferred = False
        self._is_asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        is_first, self._is_asked = not self._is_asked, True
        if is_first and not self._is_deferred:
            raise SystemExit(1)

    def defer(self) -> None:
        """From here on the run comes to its own end; whoever asks to stop waits, and closes the input."""
        self._is_deferred = True


def main() -> int:
    """Do the stages that are asked for, in one opened run."""
    arguments = _arguments()
    run_id: str = arguments.run_id
    outbox, stop = Outbox(), StopSignal()
    bind_structlog()
    logging.getLogger("shopsight").addHandler(outbox)
    try:
        status = _work(arguments, Inbox(sys.stdin), outbox, stop)
        outbox.answer(status=status)
    except ShopsightError as error:
        outbox.answer(error=error.as_document())
        return int(error.exit_code)
    except SystemExit:
        outbox.answer(error=RunStopped.from_outside(run_id).as_document())
        return 1
    except Exception as error:
        log.exception("defect", run_id=run_id)
        reason = "".join(traceback.format_exception_only(error)).strip()
        remedy = "This is a defect of shopsight: please report it with the run's directory."
        outbox.answer(error=ShopsightError(reason, remedy=remedy, run_id=run_id).as_document())
        return 1
    return 0


def _work(arguments: argparse.Namespace, inbox: Inbox, outbox: Outbox, stop: StopSignal) -> str:
    """Do what is asked for; the stages before it are looked at first and found whole. Returns the status."""
    from shopsight.pipeline import run as pipeline  # noqa: PLC0415 - takes a second, in which a stop signal must be heard

    outbox.answer(ready=True)
    with pipeline.open_run(load_settings(), arguments.run_id, allow_shrink=arguments.allow_shrink) as opened:
        done = 0
        for stage in inbox:
            outbox.asked = stage
            place = STAGES.index(stage)
            for name in STAGES[done:place]:
                pipeline.run_stage(opened, name)
            if stage == "publish":
                stop.defer()
            report = pipeline.run_stage(opened, stage)
            done = max(done, place + 1)
            outbox.answer(report={**vars(report), "started_at": report.started_at.isoformat()})
    return opened.record.status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shopsight.orchestration.stage_worker")
    parser.add_argument("run_id")
    parser.add_argument("--allow-shrink", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
