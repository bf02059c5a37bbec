"""Which process holds a lease, said so that another process on the same machine can tell if it is dead."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """This process, as the lease names it.

    Returns:
        host and pid for people; realm and started for :func:`is_surely_dead`.
    """
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "realm": _realm(), "started": _state(pid)[1]}


def is_surely_dead(holder: Mapping[str, Any]) -> bool:
    """Whether the process is known to have ended: only this machine's, since its last start, can be.

    A process that is merely stopped is alive. A pid that was given to another process since is told apart by
    the moment at which that process started.
    """
    if not holder.get("realm") or holder["realm"] != _realm():
        return False
    pid = int(holder["pid"])
    state, started = _state(pid)
    if state is not None:
        return state in "ZX" or started != holder.get("started")
    try:
        os.kill(
            pid, 0
        )  # sends nothing, but tells a process that is not there from one that is hidden from us
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@cache
def _realm() -> str | None:
    """What makes a pid mean something: this start of this kernel, and the namespace that counts the pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _state(pid: int) -> tuple[str, int] | tuple[None, None]:
    """The process's state, and the kernel's tick at which it started; nothing where that cannot be read.

    Read from the kernel itself: a moment reckoned from the wall clock shifts when that clock is set.
    """
    try:
        # The second field is the program's name in parentheses and may hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None, None
    return fields[0], int(fields[19])
