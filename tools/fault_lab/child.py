"""The side of :mod:`workers` that runs the pipeline: started as a program, forks for each job."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from shopsight import publish
from shopsight.errors import ShopsightError
from shopsight.pipeline import run as pipeline
from shopsight.pipeline.workspace import Stage
from shopsight.publish import load
from shopsight.settings import load_settings

#: So few that a small shop's documents go in many inserts.
INSERT_DOCUMENTS = 25
_DURATIONS = ("connect_timeout", "lease_duration", "retry_delay")


class Moments:
    """Says where the run is, and waits at the gates."""

    def __init__(self, channel: socket.socket, gates: list[str]) -> None:
        self._channel = channel
        self._answers = channel.makefile("r")
        self._gates = set(gates)
        self._progress: Counter[str] = Counter()

    def reach(self, moment: str) -> None:
        """Announce a moment, and wait if it is a gate."""
        self.say({"at": moment})
        if moment in self._gates:
            self._gates.remove(moment)
            if not self._answers.readline():
                os._exit(1)  # nobody is there any more to tell us to go on

    def say(self, message: dict[str, Any]) -> None:
        """Send a line."""
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def progress(self, stage: str, table: str, _rows: int) -> None:
        """Announce that rows of a table are done: ``rows:<stage>:<n>``, counted from 1."""
        if table:
            self._progress[stage] += 1
            self.reach(f"rows:{stage}:{self._progress[stage]}")

    def around(self, owner: Any, name: str, before: str | None, after: str | None) -> None:
        """Announce a moment before and after a function of the pipeline; ``{}`` is the stage's name."""
        original: Callable[..., Any] = getattr(owner, name)

        @wraps(original)
        def announced(*given: Any, **named: Any) -> Any:
            stage = _stage_of(given)
            if before is not None:
                self.reach(before.format(stage))
            result = original(*given, **named)
            if after is not None:
                self.reach(after.format(stage))
            return result

        setattr(owner, name, announced)


def _stage_of(given: tuple[Any, ...]) -> str:
    """The stage that a method is called for: of its object, or its first argument."""
    if given and isinstance(given[0], Stage):
        return given[0].name
    return str(given[1]) if len(given) > 1 and isinstance(given[1], str) else ""


def _put_on(moments: Moments) -> None:
    moments.around(pipeline, "run_stage", "before:{}", "after:{}")
    moments.around(Stage, "begin", None, "begun:{}")
    moments.around(Stage, "close", "closing:{}", "closed:{}")
    moments.around(publish, "write_generation", None, "written")
    moments.around(publish, "flip", "proven", "flipped")
    moments.around(publish, "sweep", None, "swept")
    moments.around(pipeline, "sweep_runs", "opened", None)
    moments.around(publish, "heal_views", None, "healed")
    load.INSERT_DOCUMENTS = INSERT_DOCUMENTS


def _run(job: dict[str, Any], moments: Moments) -> dict[str, Any]:
    given = {
        name: timedelta(seconds=value) if name in _DURATIONS else value
        for name, value in job["settings"].items()
    }
    try:
        record = pipeline.run(
            load_settings(**given), run_id=job["run_id"], resume=job["resume"], on_progress=moments.progress
        )
    except ShopsightError as error:
        return {"outcome": type(error).__name__, "exit_code": int(error.exit_code), "message": str(error)}
    return {
        "outcome": "published",
        "exit_code": 0,
        "generation": record.generation,
        "snapshot": record.snapshot.snapshot_id if record.snapshot else None,
        "stages": {report.name: report.outcome for report in record.stages},
        "seconds": {report.name: report.seconds for report in record.stages},
    }


def _work(job: dict[str, Any], channel: socket.socket) -> None:
    moments = Moments(channel, job["gates"])
    _put_on(moments)
    moments.say(_run(job, moments))


def main() -> None:
    """Fork for each job until whoever asks is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65_536, 1)
        if not message:
            return
        job = json.loads(message)
        if "reap" in job:
            control.send(str(os.waitpid(job["reap"], 0)[1]).encode())
            continue
        child = os.fork()
        if child == 0:
            control.close()
            code = 1
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                _work(job, socket.socket(fileno=descriptors[0]))
                code = 0
            finally:
                if code:
                    sys.excepthook(*sys.exc_info())
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        os.close(descriptors[0])
        control.send(str(child).encode())


if __name__ == "__main__":
    main()
