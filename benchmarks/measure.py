"""A command in a process of its own: how long it takes, and how much memory its tree of processes has."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05

_PR_SET_CHILD_SUBREAPER = 36
#: How long what a command left behind may take to end.
_ORPHAN_SECONDS = 30


@dataclass(frozen=True)
class Measurement:
    """One run of one command.

    Attributes:
        seconds: from its start to its end, interpreter and imports included.
        cpu_seconds: what the process and its children computed; the database servers' work is not in it.
        peak_bytes: the greatest sum, at one moment, of the resident memory of the process and its children.
            Pages that several of them share are counted in each.
        peak_anonymous_bytes: the same without the pages of mapped files, which the system may drop at will.
        said: its output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_anonymous_bytes: int
    said: str


class CommandFailed(Exception):
    """A measured command ended with an error; its output is the message."""


def measure(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path, *, cwd: Path
) -> Measurement:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: what it gets beside the caller's own.
        log: where its output goes.
        cwd: where it runs.

    Raises:
        CommandFailed: it ended with another code than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Spark's JVM ends after the process that started it. What it computed is told to its new parent.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with log.open("w+") as output:
        computed = _children_cpu()
        started = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # Compiled modules are kept, as where shopsight is installed; the first turn compiles them.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
            cwd=cwd,
        )
        with _Sampling(process.pid) as sampling:
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            seconds = time.perf_counter() - started
        deadline = time.monotonic() + _ORPHAN_SECONDS
        for orphan in sampling.seen - {process.pid}:
            with suppress(ChildProcessError):
                while os.waitpid(orphan, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                    time.sleep(0.05)
        computed = _children_cpu() - computed
        output.seek(0)
        said = output.read()
    if code:
        raise CommandFailed(f"{command[-1]} ended with code {code}:\n{said[-4000:]}")
    return Measurement(seconds, computed, sampling.peak, sampling.peak_anonymous, said)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Sampling(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = self.peak_anonymous = 0
        self.seen: set[int] = set()
        self._root = psutil.Process(pid)
        self._done = threading.Event()

    def __enter__(self) -> _Sampling:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while True:
            resident = anonymous = 0
            for process in self._tree():
                self.seen.add(process.pid)
                try:
                    memory = process.memory_info()
                except psutil.Error:
                    continue
                resident += memory.rss
                anonymous += memory.rss - memory.shared
            self.peak = max(self.peak, resident)
            self.peak_anonymous = max(self.peak_anonymous, anonymous)
            if self._done.wait(SAMPLE_SECONDS):
                return

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []
