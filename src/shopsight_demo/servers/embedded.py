"""What both embedded servers have in common: who uses them, who starts and ends them, and their folder.

::

    <folder>/              0700
        data/              the server's own
        password           0600, generated
        server.log         of the last start; the one before is server.log.1
        lock               held while the server is started or ended
        users              a shared lock of every process that uses the server
        keep               there while the server is to outlive its users (`shopsight up`)

A server ends when its last user leaves: users hold a lock that the operating system takes back when they die,
however they die. So no user loses a server that another one started, and a server left behind by a killed
process is taken over, and ended, by the next user. Which process is the server is read from the file that the
server itself writes, and believed only if that process's command line names this folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

from shopsight.errors import ShopsightError, WorkspaceError, translated_disk_errors
from shopsight_demo.servers.account import Account, server_account
from shopsight_demo.servers.process import end_process, how_it_ended, lock_file

START_SECONDS = 60.0
_LOG_TAIL_LINES = 15


class EmbeddedServer(ABC):
    """A real database server of one's own, in a folder.

    Args:
        folder: where it keeps everything; made if need be.
        keep_running: let the server outlive this process; :meth:`end` ends it.
    """

    title: ClassVar[str]
    unavailable: ClassVar[type[ShopsightError]]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, folder: Path, *, keep_running: bool = False) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self._keep_running = keep_running
        self._use: int | None = None
        self._known: psutil.Process | None = None
        self.account: Account | None = None

    def start(self) -> str:
        """Start the server, or join those who use the running one; returns its URL, credentials included.

        Called again after the server died, it starts it again.

        Raises:
            ConfigurationError: the server's programs are not installed.
            WorkspaceError: the folder cannot be used.
            ShopsightError: the server does not start; the message ends with the tail of its log.
        """
        with translated_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        self.account = server_account(self.data)
        with self._exclusively():
            self._prepare()
            try:
                self._launch_or_join()
            except BaseException:
                self._end_if_unused()
                raise
            self._known = self.process()
            if self._use is None:
                self._use = lock_file(self.folder / "users", fcntl.LOCK_SH)
            if self._keep_running:
                (self.folder / "keep").touch()
        return self.url

    def _launch_or_join(self) -> None:
        if self.process() is not None:
            try:
                self._initialise()
            except ShopsightError:
                if self.process() is not None:
                    raise
                # It was about to end when we joined it.
            else:
                return
        self._launch()
        self._initialise()

    def stop(self) -> None:
        """Leave the server; it ends if nobody else uses it and nobody asked to keep it."""
        if self._use is None:
            return
        use, self._use = self._use, None
        if not self.folder.is_dir():
            # Somebody removed it under the running server, which is of no use to anybody now.
            os.close(use)
            end_process(self._known, self.stop_signal)
            return
        with self._exclusively():
            os.close(use)
            self._end_if_unused()

    def end(self) -> bool:
        """End the server, whoever uses it; returns whether it ran."""
        if not self.folder.is_dir():
            return False
        with self._exclusively():
            (self.folder / "keep").unlink(missing_ok=True)
            return self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def password(self) -> str:
        """The generated password."""
        with translated_disk_errors(self.folder / "password"):
            return (self.folder / "password").read_text().strip()

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL to connect with, credentials included. The server must have been started once."""

    @abstractmethod
    def process(self) -> psutil.Process | None:
        """The server's process; None when it does not run."""

    @abstractmethod
    def _launch(self) -> None:
        """Start the server's process, having made its data if there is none; returns when it takes calls."""

    @abstractmethod
    def _initialise(self) -> None:
        """Bring a running server into its wanted state; does nothing the second time."""

    def _prepare(self) -> None:
        """Make what must be there before the server starts, and let its account at it."""
        self.make_secret("password", secrets.token_hex(24))
        if self.account:
            self.account.own(self.folder)
            self.account.let_pass(self.folder / "data")

    def make_secret(self, name: str, content: str) -> Path:
        """A file of the folder that its owner alone can read; kept when it is there."""
        path = self.folder / name
        with translated_disk_errors(path):
            if not path.exists() or not path.stat().st_size:
                draft, draft_path = tempfile.mkstemp(dir=self.folder)  # made with mode 0600
                with os.fdopen(draft, "w") as stream:
                    stream.write(content)
                if self.account:
                    self.account.own(Path(draft_path))
                Path(draft_path).replace(path)
        return path

    def run(self, command: list[str | Path], *, given: str | None = None, **environment: str) -> None:
        """Run one of the server's programs as the server's account.

        Raises:
            ShopsightError: it failed.
        """
        # Variables such as PGPORT or PGOPTIONS of the caller's shell are not meant for this server.
        kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
        # A file, for a server that keeps a pipe open would keep us waiting at its end.
        with tempfile.TemporaryFile("w+") as output:
            try:
                done = subprocess.run(
                    list(map(str, command)),
                    input=given,
                    stdin=None if given is not None else subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                    cwd=self.folder,
                    env={**kept, "LC_ALL": "C", **environment},
                    umask=0o077,
                    timeout=START_SECONDS,
                    check=False,
                    **(self.account.subprocess_options if self.account else {}),
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise self.failed(f"{Path(command[0]).name}: {error}") from error
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise self.failed(how_it_ended(Path(command[0]).name, done.returncode), said)

    def failed(self, what: str, said: str = "") -> ShopsightError:
        """The error for a server that does not start, with the tails of what it said and logged."""
        log = self.log.read_text(errors="replace") if self.log.exists() else ""
        tails = [line for text in (said, log) for line in text.strip().splitlines()[-_LOG_TAIL_LINES:]]
        listed = "".join(f"\n    {line[:500]}" for line in tails)
        return self.unavailable(
            f"The embedded {self.title} in {self.folder} does not start: {what}.{listed}",
            remedy=f"Mend what its log says ({self.log}), or give your own server's URL."
            f" Removing {self.folder} makes a new, empty server at the next start.",
        )

    def rotate_log(self) -> None:
        """Keep the log of the start before."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        deadline = time.monotonic() + 2 * START_SECONDS
        with translated_disk_errors(self.folder):
            while (lock := lock_file(self.folder / "lock", fcntl.LOCK_EX)) is None:
                if time.monotonic() > deadline:
                    raise WorkspaceError(
                        f"Another process has been starting or ending {self.folder}'s server for minutes.",
                        remedy="See what holds its file `lock` (`fuser lock`), and end that process.",
                    )
                time.sleep(0.05)
        try:
            yield
        finally:
            os.close(lock)

    def _end_if_unused(self) -> None:
        if (self.folder / "keep").exists():
            return
        alone = lock_file(self.folder / "users", fcntl.LOCK_EX)
        if alone is not None:
            try:
                self._end()
            finally:
                os.close(alone)

    def _end(self) -> bool:
        return end_process(self.process(), self.stop_signal)
