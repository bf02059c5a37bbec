"""Child processes that do not outlive their parent, even if the parent is killed.

The operating system closes a dead parent's end of a pipe. A child therefore reads its input, on which
nothing is ever written, and stops itself at the end of it. Run as a program, this module does that for
another one: ``python -m shopsight.orchestration.child SECONDS MODULE …``
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import psutil


def start_child(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    patience: float,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``python -m …`` in a session of its own, so that Ctrl-C in a terminal reaches the parent alone.

    Args:
        arguments: the module and its arguments.
        environment: set on top of this process's own.
        patience: the seconds that the child gets to stop by itself after this process died.
        stdout: where its output goes; by default where this process's goes.
        stderr: where its log goes; by default where this process's goes.
    """
    return subprocess.Popen(
        # -P: no module of the working directory's, where others may write, is taken for an installed one.
        [sys.executable, "-P", "-m", "shopsight.orchestration.child", str(patience), *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def end_child(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM, then SIGKILL after ``seconds``; processes that it started and left behind are killed too."""
    with signals_ignored():
        family = _descendants(process.pid)
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            family += _descendants(process.pid)
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        for left in family:
            try:
                left.kill()
            except psutil.NoSuchProcess:
                continue


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore stop signals, because the process is stopping already."""
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            handlers[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for ignored, handler in handlers.items():
            signal.signal(ignored, handler)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _stop_at_end_of_input(patience: float) -> None:
    os.read(0, 1)
    # The main thread alone runs signal handlers, and only a signal to itself ends its waits.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(patience)
    os._exit(1)


def main() -> None:
    """Run the module in this process, and stop with the parent."""
    patience, module = float(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_stop_at_end_of_input, args=(patience,), daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
