"""The command line as its users have it: in this process where that will do, else in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from shopsight.cli import main

PATIENCE_SECONDS = 120.0

#: Starts the command line in a process of its own; at one moment of the run it says so and then dawdles.
_DAWDLING = """
import os, sys, time
from shopsight import cli
from shopsight.pipeline import run as pipeline
moment, said, seconds = sys.argv[1], int(sys.argv[2]), [float(sys.argv[3])]
sys.argv[1:4] = []
plain = pipeline.run
def run(settings, *, on_progress, **given):
    def progress(stage, table, rows):
        if stage == moment and rows:
            os.write(said, b"here\\n")
            time.sleep(seconds.pop() if seconds else 0)
    return plain(settings, on_progress=progress, **given)
if moment != "-":
    pipeline.run = run
cli.main()
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What ``--json`` printed: one document and nothing else."""
        return json.loads(self.out)

    @property
    def said(self) -> list[str]:
        """The lines on stderr that are meant for people: without the log's."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]


def shopsight(*arguments: object, **environment: str) -> Ended:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "200", **environment}),
        mock.patch.object(sys, "argv", ["shopsight", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _signals_restored(),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _signals_restored() -> Any:
    import signal

    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


class Started:
    """A command in a process of its own, which may be made to dawdle in a stage so as to be met there."""

    def __init__(
        self,
        *arguments: object,
        cwd: Path,
        dawdle_in: str = "-",
        for_seconds: float = 3.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._said, theirs = os.pipe()
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _DAWDLING,
                    dawdle_in,
                    str(theirs),
                    str(for_seconds),
                    *map(str, arguments),
                ],
                cwd=cwd,
                env={**os.environ, "COLUMNS": "200", **(environment or {})},
                pass_fds=[theirs],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        finally:
            os.close(theirs)

    def wait_until_there(self) -> None:
        """Wait until it has come to the stage in which it dawdles."""
        said = os.read(self._said, 5)
        assert said, self.end().err

    def end(self) -> Ended:
        """Wait for its end."""
        try:
            out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        os.close(self._said)
        return Ended(self.process.returncode, out, err)
