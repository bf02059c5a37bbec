"""How much memory a stage took: the process's greatest resident set since it began.

Linux alone lets a process set its high-water mark back (``/proc/self/clear_refs``); elsewhere none is known.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa

_RESET_PEAK = "5"


def reset_peak() -> None:
    """Reset the peak, where the system allows it, and give back what the stage before has freed."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)


def peak_bytes() -> int | None:
    """The greatest resident set of this process since :func:`reset_peak`; None where it is not known."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
