"""Real servers, started in the working directory, for the demo and the tests: PostgreSQL, MariaDB, MongoDB.

These are the servers' own programs, from PyPI (docs/adr/0001-embedded-servers.md); MariaDB's are Debian's.
They listen on a unix socket or on 127.0.0.1, with generated passwords that only the caller can read.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Literal

from shopsight_demo.servers.embedded import EmbeddedServer
from shopsight_demo.servers.mariadb import MariaDBServer
from shopsight_demo.servers.mongo import MongoServer
from shopsight_demo.servers.postgres import PostgresServer

__all__ = [
    "KINDS",
    "EmbeddedServer",
    "MariaDBServer",
    "MongoServer",
    "PostgresServer",
    "connection_help",
    "server",
    "servers_in",
]

Kind = Literal["source", "target"]
KINDS: tuple[Kind, ...] = ("source", "target")


def server(kind: Kind, workdir: Path, *, keep_running: bool = False) -> EmbeddedServer:
    """The embedded server of a working directory, not yet started: the source's or the target's."""
    if kind == "source":
        return PostgresServer(workdir / "postgres", keep_running=keep_running)
    return MongoServer(workdir / "mongo", keep_running=keep_running)


def servers_in(workdir: Path, *, keep_running: bool = False) -> list[EmbeddedServer]:
    """The source and the target of a working directory, and MariaDB if a demo has started one there."""
    found = [server(kind, workdir, keep_running=keep_running) for kind in KINDS]
    mariadb = MariaDBServer(workdir / "mariadb", keep_running=keep_running)
    return [*found, mariadb] if mariadb.folder.is_dir() else found


def connection_help(workdir: Path) -> list[str]:
    """Command lines that connect to the embedded servers and take the passwords from their files.

    A server that was never started has none. ``shopsight up`` keeps them running.
    """
    postgres, mongo = PostgresServer(workdir / "postgres"), MongoServer(workdir / "mongo")
    quoted = shlex.quote
    lines = []
    if (postgres.folder / "pgpass").exists():
        psql = "psql" if shutil.which("psql") else quoted(str(postgres.program("psql")))
        passwords, host = quoted(str(postgres.folder / "pgpass")), quoted(str(postgres.socket_folder))
        lines.append(f"PGPASSFILE={passwords} {psql} -h {host} -U postgres shop")
    mariadb = MariaDBServer(workdir / "mariadb")
    if (mariadb.folder / "password").exists():
        password, path = quoted(str(mariadb.folder / "password")), quoted(str(mariadb.socket_path))
        lines.append(f'MYSQL_PWD="$(cat {password})" mariadb --no-defaults --socket={path} --user=root shop')
    if (mongo.folder / "port").exists():
        password = quoted(str(mongo.folder / "password"))
        host = f"127.0.0.1:{mongo.port}"
        options = "authSource=admin&directConnection=true"
        lines.append(f'mongosh "mongodb://shopsight:$(cat {password})@{host}/shopsight?{options}"')
    return lines
