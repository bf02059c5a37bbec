"""The command line: reads options, calls the package, prints. No logic of its own.

stdout carries the answer (with ``--json`` one JSON document and nothing else), stderr everything else. Exit
codes: 0 done, 1 failed, 2 wrong usage or settings, 3 refused (proof, guard, lease), 130 stopped by Ctrl-C,
143 by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from shopsight.cli import application, databases, reading, running, tracing
from shopsight.cli.output import answer_failure, print_error
from shopsight.errors import ExitCode, RunStopped, ShopsightError, defect

__all__ = ["application", "databases", "main", "reading", "running", "tracing"]


class _Stop:
    """Makes the first SIGINT or SIGTERM a KeyboardInterrupt; later ones change nothing, the end is under way.

    Servers are stopped and the lease is given back on the way out, which a second signal must not cut short.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: FrameType | None) -> NoReturn:
        self.signal = number
        for later in (signal.SIGINT, signal.SIGTERM):
            signal.signal(later, signal.SIG_IGN)
        raise KeyboardInterrupt


def main() -> None:
    """The ``shopsight`` command."""
    stop = _Stop()
    try:
        application.app()
    except ShopsightError as error:
        if application.state.debug:
            raise
        print_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`shopsight show | head`): that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if application.state.debug:
            raise
        print_error(defect(error))
        sys.exit(ExitCode.FAILED)
    except SystemExit:
        if stop.signal is None:
            raise
        answer_failure(RunStopped.from_outside())
        print("Stopped. The last generation is still served.", file=sys.stderr)
        sys.exit(128 + stop.signal)
