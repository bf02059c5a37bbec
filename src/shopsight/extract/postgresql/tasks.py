"""Many tasks, done by several sessions at once: each takes the next one when it is done with one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from shopsight.extract.postgresql.session import Session

#: Given a session and what says that all is to end, does one thing.
Task = Callable[[Session, threading.Event], None]


def run_tasks(tasks: Sequence[Task], sessions: Sequence[Session]) -> None:
    """Do all tasks, a thread a session (the driver and Arrow release the interpreter's lock).

    The first error, or an interruption from outside, stops the others where they are and is raised when all
    threads have ended.
    """
    waiting = deque(tasks)
    stop = threading.Event()

    def work(session: Session) -> None:
        while not stop.is_set():
            try:
                task = waiting.popleft()
            except IndexError:
                return
            task(session, stop)

    with ThreadPoolExecutor(len(sessions), thread_name_prefix="extract") as pool:
        futures = [pool.submit(work, session) for session in sessions]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            stop.set()
            for session in sessions:
                session.cancel()
            # Again and again, as one may be between two queries just now.
            while wait(futures, timeout=0.1).not_done:
                for session in sessions:
                    session.cancel()
            raise
