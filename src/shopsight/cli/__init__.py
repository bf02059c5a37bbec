"""The command line: reads options, calls the package, prints. No logic of its own.

stdout carries the answer (with ``--json`` one JSON document and nothing else), stderr everything else. Exit
codes: 0 done, 1 failed, 2 wrong usage or settings, 3 refused (proof, guard, lease), 4 changes found by
``plan --exit-code``, 130 stopped by Ctrl-C, 143 by SIGTERM.

Polars, Arrow, the drivers and the stages take longer to import than most commands take to answer. So the
modules that declare commands import the declarations at their top, and each command imports what does its
work: ``--help`` and ``--version`` load none of it. :func:`main` needs no import, so a Ctrl-C during the
imports ends like any other.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from shopsight.errors import RunStopped, ShopsightError, defect

__all__ = ["main", "program"]

#: What Arrow and Polars read when they are loaded: memory goes back to the system soon after it was freed,
#: also while Polars does nothing. With Polars' own choice handed down by a parent, a run at five million
#: orders took 767 MB; with these it took 658, and the same CPU.
ALLOCATORS = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0",
}
# Also over what a process that has loaded Polars hands down: Polars puts its own choice into the environment.
os.environ.update(ALLOCATORS)


class _Stop:
    """Makes the first SIGINT or SIGTERM a KeyboardInterrupt and does nothing at later ones.

    On the way out servers are stopped and the lease is released, which a second signal must not cut short.
    The handler stays: put away while a second signal waits for it, Python would report that on stderr.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
            raise KeyboardInterrupt


def program() -> NoReturn:
    """:func:`main` as a process of its own, which ends at once.

    As an interpreter ends, MongoDB's driver waits for threads of its own that only sleep: half a second of
    the 7.8 that a run on half a million orders took.
    """
    try:
        main()
        code: str | int | None = 0
    except SystemExit as ended:
        code = ended.code
    # Prefect sends its last log lines as the interpreter ends.
    if not isinstance(code, int) or "prefect" in sys.modules:
        sys.exit(code)
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """The ``shopsight`` command."""
    stop = _Stop()
    try:
        from shopsight.cli.commands import app  # noqa: PLC0415 - see above

        app()
    except BrokenPipeError:
        # The reader of our output ended first (`shopsight show | head`): no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from shopsight.cli.application import state  # noqa: PLC0415 - see above
        from shopsight.cli.output import print_error  # noqa: PLC0415 - see above

        if state.debug:
            raise
        shown = error if isinstance(error, ShopsightError) else defect(error)
        print_error(shown)
        sys.exit(shown.exit_code)
    except (SystemExit, KeyboardInterrupt) as ended:
        if stop.signal is None or (isinstance(ended, SystemExit) and not ended.code):
            raise  # `serve` ends well when it is stopped
        from shopsight.cli.output import answer_failure  # noqa: PLC0415 - see above

        answer_failure(RunStopped.from_outside())
        print("Stopped. No generation was published in part.", file=sys.stderr)
        sys.exit(128 + stop.signal)
