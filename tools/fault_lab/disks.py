"""Small disks that can be filled: tmpfs, which only root may mount."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[bool]:
    """A folder that is a disk of its own while the context lasts; whether it could be made one."""
    place.mkdir(parents=True)
    mounted = os.geteuid() == 0 and _mount(
        "-t", "tmpfs", "-o", f"size={size_bytes},mode=0755", "tmpfs", str(place)
    )
    try:
        yield mounted
    finally:
        if mounted:
            release(place)


def release(place: Path) -> None:
    """Let go of a disk, if it is one."""
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


def resize(place: Path, size_bytes: int) -> None:
    """Give the disk another size."""
    if not _mount("-o", f"remount,size={size_bytes}", str(place)):
        raise RuntimeError(f"{place} cannot be given another size")


def fill(place: Path, leave_bytes: int) -> Path:
    """Fill the disk but for so many bytes; returns the file that does."""
    ballast = place / "ballast"
    with ballast.open("wb") as stream:
        while (room := shutil.disk_usage(place).free - leave_bytes) > 0:
            try:
                os.posix_fallocate(stream.fileno(), os.fstat(stream.fileno()).st_size, room)
            except OSError as error:
                # Whoever else writes to the disk was faster.
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
