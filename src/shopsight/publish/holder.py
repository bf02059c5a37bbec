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
    return {"host": socket.gethostname(), "pid": pid, "realm": _realm(), "started": _started(pid)}


def is_surely_dead(holder: Mapping[str, Any]) -> bool:
    """Whether the process is known to have ended: only this machine's, since its last start, can be.

    A process that is merely stopped is alive. A pid that was given to another process since is told apart by
    the moment at which that process started.
    """
    if not holder.get("realm") or holder["realm"] != _realm():
        return False
    return _started(int(holder["pid"])) != holder.get("started")


@cache
def _realm() -> str | None:
    """What makes a pid mean something: this start of this kernel, and the namespace that counts the pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """The kernel's tick at which the process started; None when there is none, or only its remains.

    Read from the kernel itself: a moment reckoned from the wall clock shifts when that clock is set.
    """
    try:
        # The second field is the program's name in parentheses and may hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], int(fields[19])
    return None if state in "ZX" else started
