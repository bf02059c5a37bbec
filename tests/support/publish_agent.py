"""Another process that does what it is told on its standard input: for tests of who may publish when.

Commands, one a line, each answered by one line: ``skew SECONDS`` sets this process's clock wrong;
``connect URL DATABASE``; ``hold RUN SECONDS`` takes the lease and keeps it; ``may`` asks in each way whether
it may publish; ``release``.

``publish URL DATABASE FOLDER RUN SECONDS AT SIGNAL`` publishes a shop's files from a process of its own, and
that sends itself a signal when the flip comes to ``AT``: a step of :func:`shopsight.publish.flip`, or
``in:<view>`` for the moment between the last look at the lease and the change of that view. Two answers: the
process's id, and how it ended.
"""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support import publish_shop

from shopsight import publish
from shopsight.errors import ShopsightError
from shopsight.publish import generations


class Agent:
    """The parent's side."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.publish_agent"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": root},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def send(self, *command: object) -> None:
        """Give a command and go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, command)) + "\n")

    def answer(self) -> str:
        """The next answer; empty when the process is gone."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, *command: object) -> str:
        """Give a command and wait for its answer."""
        self.send(*command)
        return self.answer()

    def end(self) -> None:
        """SIGKILL, for those that it started as well, stopped or not."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


class _Commands:
    """The agent's side."""

    def __init__(self) -> None:
        self.connection = ExitStack()
        self.holding = ExitStack()

    def skew(self, seconds: str) -> str:
        off, real = float(seconds), time.time

        class Skewed(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Any:
                return super().now(tz) + datetime.timedelta(seconds=off)

        time.time = lambda: real() + off
        datetime.datetime = Skewed  # type: ignore[misc]
        return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"

    def connect(self, url: str, database: str) -> str:
        self.release()
        self.connection.close()
        opened = publish.connect(url, database, datetime.timedelta(seconds=5))
        self.target = self.connection.enter_context(opened)
        return "connected"

    def hold(self, run_id: str, seconds: str) -> str:
        duration = datetime.timedelta(seconds=float(seconds))
        self.lease = self.holding.enter_context(publish.hold_lease(self.target, run_id, duration))
        return f"token {self.lease.token}"

    def may(self) -> str:
        answers = []
        for asked in (self.lease.guard, self.lease.check, self.lease.take_generation):
            try:
                asked()
                answers.append("yes")
            except ShopsightError as error:
                answers.append(type(error).__name__)
        return " ".join(answers)

    def release(self) -> str:
        self.holding.close()
        return "released"

    def publish(self, *arguments: str) -> str:
        # Forked rather than started: importing everything anew takes most of a second.
        child = os.fork()
        if child == 0:
            try:
                print(_publish(*arguments), flush=True)
            except ShopsightError as error:
                print(type(error).__name__, flush=True)
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        return f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else ""


def _publish(url: str, database: str, folder: str, run_id: str, seconds: str, at: str, number: str) -> str:
    def step(name: str) -> None:
        if name == at:
            os.kill(os.getpid(), int(number))

    pointing = generations.point_view

    def point_view(target: publish.Target, view: str, collection: str) -> None:
        step(f"in:{view}")
        pointing(target, view, collection)

    generations.point_view = point_view
    record, duration = publish_shop.record_of(run_id), datetime.timedelta(seconds=float(seconds))
    with (
        publish_shop.opened_publisher(url, database) as publisher,
        publish.hold_lease(publisher.target, run_id, duration) as lease,
    ):
        written = publisher.write(lease, publish_shop.ShopFolders(Path(folder)), record)
        publish.flip(publisher.target, lease, written, record, valid_for=publish_shop.VALID_FOR, on_step=step)
        return f"published {written.generation}"


def main() -> None:
    """Obey until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    commands = _Commands()
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            answer = getattr(commands, name)(*arguments)
        except ShopsightError as error:
            answer = type(error).__name__
        if answer:
            print(answer, flush=True)


if __name__ == "__main__":
    main()
