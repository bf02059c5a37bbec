"""A real PostgreSQL and a real MongoDB, started in the working directory, for the demo and the tests.

Nothing is faked: these are the servers' own programs, from PyPI (docs/adr/0001-embedded-servers.md). They
listen on a unix socket and on 127.0.0.1, with generated passwords that only their owner can read.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from shopsight.settings import EMBEDDED
from shopsight_demo.servers.embedded import EmbeddedServer
from shopsight_demo.servers.mongo import MongoServer
from shopsight_demo.servers.postgres import PostgresServer

__all__ = [
    "KINDS",
    "EmbeddedServer",
    "MongoServer",
    "PostgresServer",
    "connection_help",
    "end_servers",
    "resolve",
    "server",
]

Kind = Literal["source", "target"]
KINDS: tuple[Kind, ...] = ("source", "target")


def server(kind: Kind, workdir: Path, *, keep_running: bool = False) -> EmbeddedServer:
    """The embedded server of a working directory, not yet started: the source's or the target's."""
    if kind == "source":
        return PostgresServer(workdir / "postgres", keep_running=keep_running)
    return MongoServer(workdir / "mongo", keep_running=keep_running)


@contextmanager
def resolve(url: SecretStr | str, kind: Kind, workdir: Path) -> Iterator[str]:
    """The URL to connect with, while the context lasts: of the embedded server, or the one that is given.

    Raises:
        ConfigurationError: the embedded servers are not installed.
        WorkspaceError: the working directory cannot be used.
        SourceUnavailable: the embedded PostgreSQL does not start.
        TargetUnavailable: the embedded MongoDB does not start.
    """
    plain = url.get_secret_value() if isinstance(url, SecretStr) else url
    if plain != EMBEDDED:
        yield plain
        return
    with server(kind, workdir) as started:
        yield started.url


def end_servers(workdir: Path) -> list[str]:
    """End a working directory's servers, whoever uses them; returns the titles of those that ran."""
    return [s.title for s in (server("source", workdir), server("target", workdir)) if s.end()]


def connection_help(workdir: Path) -> list[str]:
    """Command lines that connect to the embedded servers, taking the passwords from their files.

    The servers must have been started once; ``shopsight up`` keeps them running.
    """
    postgres, mongo = PostgresServer(workdir / "postgres"), MongoServer(workdir / "mongo")
    quoted = shlex.quote
    lines = []
    if (postgres.folder / "pgpass").exists():
        psql = "psql" if shutil.which("psql") else quoted(str(postgres.program("psql")))
        passwords, host = quoted(str(postgres.folder / "pgpass")), quoted(str(postgres.socket_folder))
        lines.append(f"PGPASSFILE={passwords} {psql} -h {host} -U postgres shop")
    if (mongo.folder / "port").exists():
        password = quoted(str(mongo.folder / "password"))
        lines.append(
            f'mongosh --username shopsight --password "$(cat {password})" --authenticationDatabase admin'
            f" 'mongodb://127.0.0.1:{mongo.port}/shopsight?directConnection=true'"
        )
    return lines
