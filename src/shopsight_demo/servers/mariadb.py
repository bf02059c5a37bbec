"""A private MariaDB server: unix socket only, a generated password."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path
from urllib.parse import quote

import psutil

from shopsight.errors import ConfigurationError, SourceUnavailable
from shopsight_demo.servers.embedded import EmbeddedServer

USER = "root"
DATABASE = "shop"
# Debian keeps servers outside an ordinary user's PATH.
_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class MariaDBServer(EmbeddedServer):
    """The machine's own MariaDB in a folder, with one empty database ``shop``; the options are its settings.

    PyPI has no MariaDB: the programs are Debian's mariadb-server-core and mariadb-client-core, or others on
    the PATH.
    """

    title = "MariaDB"
    program_name = "mariadbd"
    unavailable = SourceUnavailable
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """The URL of database ``shop``, for its administrator."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of a database of this server, credentials included."""
        path = quote(str(self.socket_path), safe="")
        return f"mariadb://{USER}:{self.password}@/{quote(database, safe='')}?unix_socket={path}"

    @property
    def socket_path(self) -> Path:
        """The server's socket."""
        return self.socket_folder / "mariadb.sock"

    def _launch(self) -> None:
        if not os.path.lexists(self.data):
            self._make_data()
        self.make_socket_folder()
        settings = {
            "socket": str(self.socket_path),
            "character-set-server": "utf8mb4",
            # The caller's files, not the system's.
            "pid-file": str(self.home / "pid"),
            "tmpdir": str(self.home),
            **self.options,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        program = _program("mariadbd")
        command: list[str | Path] = [program, "--no-defaults", f"--basedir={program.resolve().parents[1]}"]
        self.spawn([*command, "--datadir", self.data, "--skip-networking", *options])

    def _is_ready(self, _process: psutil.Process) -> bool:
        """Whether it greets who connects."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                return bool(client.recv(1))
            except OSError:
                return False

    def _initialise(self) -> None:
        """There is nothing to do: the data are made with the database and the password in them."""

    def _make_data(self) -> None:
        """Make the data beside their place and move them there whole, so that a crash leaves none or all."""
        program = _program("mariadb-install-db")
        options = [
            "--no-defaults",
            f"--basedir={program.resolve().parents[1]}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        added = (
            "FLUSH PRIVILEGES;\n"  # without it, accounts cannot be changed while data are made
            f"ALTER USER {USER}@localhost IDENTIFIED BY '{self.password}';\n"
            "DELETE FROM mysql.global_priv WHERE Host <> 'localhost';\n"
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        )
        make = """
            program="$1" data="$2" draft="$2.new" first="$2.sql"; shift 2
            rm -rf "$draft" && cat > "$first" &&
            "$program" "$@" --datadir="$draft" --extra-file="$first" && rm "$first" && mv "$draft" "$data"
        """
        self.run(["sh", "-c", make, "make", program, self.data, *options], given=added)


def _program(name: str) -> Path:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    if found := shutil.which(name, path=path):
        return Path(found)
    raise ConfigurationError(
        f"MariaDB's program {name} is not installed.",
        remedy="Debian: sudo apt-get install mariadb-server-core mariadb-client-core. Or give your own server"
        " with --source mariadb://…",
    )
