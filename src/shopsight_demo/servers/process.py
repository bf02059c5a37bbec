"""Processes, locks and private files, as the operating system sees them."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil


def find_process(name: str, data: Path) -> psutil.Process | None:
    """The running server of this name over this data; None if there is none.

    A program counts only if the owner of the folder above the data runs it.
    """
    try:
        owner = data.parent.lstat().st_uid
    except FileNotFoundError:
        return None
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() != name or process.uids().real != owner:
                continue
            command = process.cmdline()
        except psutil.ZombieProcess:
            command = []
        except psutil.Error:
            continue
        if not command:
            # It was killed. Until its last thread has ended, it holds its data and its port.
            wait_gone(process, 10)
        elif str(data) in command:
            found.append(process)
    # A child that was just forked still has its parent's command line.
    return min(found, key=psutil.Process.create_time, default=None)


def end_process(process: psutil.Process | None, stop_signal: signal.Signals) -> bool:
    """End a server: ask first, kill it if it does not comply. Returns whether it ran."""
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


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still does or holds anything.

    A zombie holds nothing once the last of its threads has ended.
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


def how_it_ended(name: str, code: int | None) -> str:
    """Describe a program's end by its return code; None is unknown, a negative one a signal."""
    if code == -signal.SIGILL:
        return f"{name} was ended by SIGILL: this processor lacks instructions that it needs (AVX)"
    if code is None:
        return f"{name} ended"
    return f"{name} was ended by signal {-code}" if code < 0 else f"{name} ended with code {code}"


def lock_file(path: Path, kind: int) -> int | None:
    """Open and lock a file; None if another process holds a lock that excludes this one."""
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


def write_private(path: Path, content: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content)
    Path(draft).replace(path)
