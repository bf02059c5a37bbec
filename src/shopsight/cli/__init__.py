"""The command line: reads options, calls the package, prints. No logic of its own.

stdout carries the answer (with ``--json`` one JSON document and nothing else), stderr everything else. Exit
codes: 0 done, 1 failed, 2 wrong usage or settings, 3 refused (proof, guard, lease), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys

from shopsight.cli import application, databases, reading, running, tracing
from shopsight.cli.output import print_error
from shopsight.errors import ShopsightError

__all__ = ["application", "databases", "main", "reading", "running", "tracing"]


def main() -> None:
    """The ``shopsight`` command."""
    try:
        application.app()
    except ShopsightError as error:
        if application.state.debug:
            raise
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("Stopped. The last generation is still served.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`shopsight show | head`): that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
