"""Processes and locks, as the operating system sees them."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path

import psutil


def end_process(process: psutil.Process | None, stop_signal: signal.Signals) -> bool:
    """End a server, kindly at first; returns whether it ran."""
    if process is None or not is_alive(process):
        return False
    for number, seconds in ((stop_signal, 30), (signal.SIGKILL, 10)):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            break
        if wait_gone(process, seconds):
            break
    return True


def process_of(pid_file: Path, name: str, data: Path) -> psutil.Process | None:
    """The running process whose id is on the first line of ``pid_file``, if it is that server over ``data``.

    An id alone proves nothing: after a crash another process may have it.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if process.status() == psutil.STATUS_ZOMBIE:
            # While its last threads end, it still has its data and its port.
            wait_gone(process, 10)
        elif process.name() == name and str(data) in process.cmdline():
            return process
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still does or holds anything.

    A dead one that its parent has not yet seen does not, once the last of its threads has ended.
    """
    try:
        return process.is_running() and (
            process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
        )
    except psutil.NoSuchProcess:
        return False


def wait_gone(process: psutil.Process, seconds: float) -> bool:
    """Wait until the process has ended; returns whether it has."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def lock_file(path: Path, kind: int) -> int | None:
    """An open file, locked; None when others hold it in a way that excludes this one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def how_it_ended(name: str, code: int) -> str:
    """A program's end in words, from :func:`subprocess.run`'s code."""
    if code == -signal.SIGILL:
        return f"{name} was ended by SIGILL: this processor lacks instructions that it needs (AVX)"
    return f"{name} was ended by signal {-code}" if code < 0 else f"{name} ended with code {code}"
