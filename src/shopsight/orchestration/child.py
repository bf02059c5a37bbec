"""Processes that do not outlive whoever started them, however that one ended.

A parent that is killed can tell nobody; but the operating system closes its end of a pipe. So a child reads
its input, which never says anything, to its end, and then asks itself to stop.

Run as a program, it does so around another module:
``python -m shopsight.orchestration.child SECONDS MODULE …``
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil


def start_child(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    patience: float,
    output: IO[str] | None = None,
    lifelines: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start ``python -m …`` as a child of this process alone, in a session of its own.

    A session of its own, so that Ctrl-C in a terminal reaches only the parent, which then ends its children
    in the right order.

    Args:
        arguments: the module and its arguments.
        environment: goes on top of this process's own.
        patience: the seconds that it gets to stop by itself after the parent died.
        output: where stdout and stderr go; by default where the parent's go.
        lifelines: other children's inputs, which this one holds open too: they do not end before it does.
    """
    command = [sys.executable, "-m", "shopsight.orchestration.child", str(patience), *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env={**os.environ, **environment},
        start_new_session=True,
        pass_fds=lifelines,
    )


def end_child(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM, then SIGKILL after so many seconds; whatever it had started and left behind is killed too."""
    family = descendants(process.pid)
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        family += descendants(process.pid)
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
    for left in family:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue


def ask_to_stop() -> None:
    """SIGTERM to the main thread: it alone runs handlers, and only a signal to itself ends its waits."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def follow_parent() -> None:
    """Ask this process to stop (SIGTERM) when its parent is gone; for one whose input is not ours to read."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        ask_to_stop()

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()


def read_text(path: Path, lines: int) -> str:
    """The last lines of a child's output; empty when there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def descendants(pid: int) -> list[psutil.Process]:
    """The processes that a process has started, and those that they have; none when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _stop_at_end_of_input(patience: float) -> None:
    os.read(0, 1)
    ask_to_stop()
    time.sleep(patience)
    os._exit(1)


def main() -> None:
    """Run the module in this process, following the parent."""
    patience, module = float(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_stop_at_end_of_input, args=(patience,), daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
