"""PostgreSQL as others install it, instead of the demo's; over TCP and TLS, too, and PgBouncer before it."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from shopsight_demo.servers import PostgresServer
from shopsight_demo.servers.places import becoming
from shopsight_demo.servers.postgres import DATABASE, USER

#: The folder of the programs that `make versions` tests; otherwise the newest that Debian has installed.
GIVEN = os.environ.get("POSTGRES_PROGRAMS")
DEBIAN = Path("/usr/lib/postgresql")


def installed_programs() -> Path:
    """The folder of PostgreSQL's programs."""
    found = [Path(GIVEN)] if GIVEN else sorted(DEBIAN.glob("*/bin/"), key=lambda path: int(path.parent.name))
    assert found, "PostgreSQL is not installed (Debian: sudo apt-get install postgresql)"
    return found[-1]


class InstalledPostgres(PostgresServer):
    """A PostgreSQL server with the programs of a folder."""

    initdb_options = ("--locale", "C.UTF-8")  # what version 13 knows, too

    def __init__(self, folder: Path, options: Mapping[str, str], programs: Path | None = None) -> None:
        super().__init__(folder, options=options)
        self._installed = programs or installed_programs()

    def program(self, name: str) -> Path:
        """One of its programs; the demo's if the package has only some."""
        path = self._installed / name
        return path if path.exists() else super().program(name)

    def programs(self) -> Path:
        """Where the server's user can execute them."""
        base = self._installed.parent
        parts = [Path(name) for name in ("bin", "lib", "share") if (base / name).exists()]
        return self.usable(base, *parts) / "bin"

    @property
    def user(self) -> pwd.struct_passwd | None:
        """The user that root runs it as."""
        return self._user

    def write(self, name: str, content: str) -> Path:
        """A private file of the server's user."""
        path = self.home / name
        self.run(["sh", "-c", 'cat > "$0"', path], given=content)
        return path

    def again(self, **options: str) -> None:
        """Start it again with more options."""
        self.end()
        self.options.update(options)
        self.start()


class Standby(InstalledPostgres):
    """A hot standby of a server."""

    def __init__(self, folder: Path, primary: InstalledPostgres, options: Mapping[str, str]) -> None:
        super().__init__(folder, {**primary.options, **options})
        self._primary = primary

    @property
    def password(self) -> str:
        """The primary's."""
        return self._primary.password

    def _make_data(self, programs: Path) -> None:
        backup = programs / "pg_basebackup"
        if not backup.exists():
            backup = PostgresServer.programs(self) / "pg_basebackup"
        source = ["--host", self._primary.socket_folder, "--username", USER]
        target = ["--pgdata", self.data, "--checkpoint", "fast"]
        self.run(["env", f"PGPASSWORD={self.password}", backup, *source, *target])
        # Not by --write-recovery-conf: an older server does not know all options of a newer program.
        primary = f"host={self._primary.socket_folder} user={USER} password={self.password}"
        follow = 'touch "$0/standby.signal" && cat >> "$0/postgresql.auto.conf"'
        self.run(["sh", "-c", follow, self.data], given=f"primary_conninfo = '{primary}'\n")

    def wait_for(self, primary_url: str) -> None:
        """Until it has replayed what the primary has written."""
        with psycopg.connect(primary_url) as primary, psycopg.connect(self.url, autocommit=True) as here:
            [written] = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or ()
            deadline = time.monotonic() + 60
            while here.execute("SELECT pg_last_wal_replay_lsn() >= %s", (written,)).fetchone() != (True,):
                assert time.monotonic() < deadline
                time.sleep(0.05)


def free_address(port: int) -> str:
    """An address of this machine's loopback on which nobody listens on this port."""
    for last in range(2, 250):
        with socket.socket() as probe:
            address = f"127.0.54.{last}"
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return address
    raise AssertionError("no address is free")


@contextmanager
def pgbouncer(server: InstalledPostgres, **settings: Any) -> Iterator[str]:
    """PgBouncer in transaction mode before a server: the URL through it."""
    address, port = free_address(6432), 6432
    values = {
        "listen_addr": address,
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": server.write("users.txt", f'"{USER}" "{server.password}"\n'),
        "pool_mode": "transaction",
        **settings,
    }
    lines = ["[databases]", f"{DATABASE} = host={server.socket_folder} port=5432", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in values.items()]
    configuration = server.write("pgbouncer.ini", "\n".join(lines) + "\n")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", "--quiet", configuration], stderr=log, **becoming(server.user)
        )
        try:
            deadline = time.monotonic() + 60
            while not _accepts(address, port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(log.read().decode())
                time.sleep(0.05)
            yield f"postgresql://{USER}:{server.password}@{address}:{port}/{DATABASE}"
        finally:
            process.terminate()
            process.wait(30)


def _accepts(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
