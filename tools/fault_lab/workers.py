"""Runs in processes of their own, forked from one that has imported everything, and told from outside.

Importing shopsight takes a second or more and there are hundreds of runs. So one process imports it, does
nothing else, and forks a child for each run. The child says over a socket where it is; at moments that its
job names as gates it waits there until it is told to go on. It is told so by wrappers around the pipeline's
own functions, put on in the child alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        settings: by name, as JSON values.
        gates: moments at which it waits to be told to go on; each holds once. See :mod:`moments`.
    """

    settings: dict[str, Any]
    run_id: str
    resume: bool = False
    gates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        signal: what killed it; None when it came to an end of its own.
        said: what it reported at its end: outcome, type, exit_code, stages, snapshot, generation.
        moments: all that it announced, in their order.
    """

    signal: int | None
    said: dict[str, Any]
    moments: list[str]

    @property
    def outcome(self) -> str:
        """In a word: ``published``, ``killed``, or the type of its error."""
        if self.signal is not None:
            return "killed"
        return str(self.said.get("outcome", "gone without a word"))

    @property
    def stage(self) -> str:
        """The stage in which it was last."""
        begun = [moment for moment in self.moments if moment.startswith("before:")]
        return begun[-1].removeprefix("before:") if begun else "start"


class Worker:
    """A run that is under way, seen from outside."""

    def __init__(self, pid: int, channel: socket.socket, reap: Callable[[int], int]) -> None:
        self.pid = pid
        self._channel = channel
        self._lines = channel.makefile("r")
        self._reap = reap
        self._moments: list[str] = []
        self._said: dict[str, Any] = {}

    def wait_for(self, moment: str) -> bool:
        """Read on until it announces this moment; False when it ended without."""
        while (message := self._next()) is not None:
            if message.get("at") == moment:
                return True
        return False

    def go(self) -> None:
        """Let it go on from a gate."""
        self._channel.sendall(b"go\n")

    def send_signal(self, number: int) -> None:
        """As ``kill`` does; one that is gone already is let be."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def end(self) -> Ending:
        """Wait for its end."""
        try:
            while self._next() is not None:
                pass
        except TimeoutError:
            # Hanging is a finding of its own: where it hangs is asked before it is ended.
            self.send_signal(signal.SIGABRT)
            self._said = {"outcome": "hung"}
        status = self._reap(self.pid)
        self._channel.close()
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        hung = self._said.get("outcome") == "hung"
        return Ending(None if hung else killed, self._said, self._moments)

    def _next(self) -> dict[str, Any] | None:
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            return None
        if not line.endswith("\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        if "at" in message:
            self._moments.append(message["at"])
        else:
            self._said = message
        return message


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("SHOPSIGHT_")}


@dataclass
class Zygote:
    """The process that has imported everything and forks; a context manager.

    Args:
        log: where its children's own output goes.
    """

    log: Path
    _control: socket.socket = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE_SECONDS)
        with self.log.open("ab") as log, theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-X",
                    "faulthandler",
                    Path(__file__).with_name("child.py"),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Nobody's settings but the job's.
                cwd=self.log.parent,
                env={**_without_settings(os.environ), "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait(30)

    def start(self, job: Job) -> Worker:
        """Begin a run."""
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECONDS)
        with theirs:
            socket.send_fds(self._control, [json.dumps(asdict(job)).encode()], [theirs.fileno()])
        return Worker(int(self._control.recv(64)), ours, self._reaped)

    def _reaped(self, pid: int) -> int:
        self._control.send(json.dumps({"reap": pid}).encode())
        return int(self._control.recv(64))
