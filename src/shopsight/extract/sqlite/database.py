"""An SQLite file: opened read-only, its tables looked up, its errors translated."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from shopsight.errors import SchemaMismatch, SourceError, SourceUnavailable
from shopsight.extract.dialect import (
    STATE,
    Source,
    as_configuration_error,
    matching_columns,
    matching_name,
    quote_name,
)

_SCHEMA = "main"
# Prefixes of SQLite's names for errors.
_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")
_UNUSABLE = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")


@dataclass(frozen=True)
class Relation:
    """A table of the contract as the file has it.

    Attributes:
        table: the contract's name.
        name: the file's name.
        columns: the file's name of each column, by the contract's name.
        types: the declared type of each column, by the contract's name.
    """

    table: str
    name: str
    columns: dict[str, str]
    types: dict[str, str]

    @property
    def quoted(self) -> str:
        """The name as SQL, used wherever the table is read."""
        return quote_name(self.name)


@contextmanager
def opened(source: Source) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    Raises:
        ConfigurationError: there is no such file.
    """
    path = Path(unquote(source.url.partition("://")[2].partition("?")[0].removeprefix("/")))
    if not path.is_file():
        raise as_configuration_error(
            f"There is no SQLite file {path}.",
            "Give --source sqlite:///relative/path or sqlite:////absolute/path of a file that is there.",
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    timeout = source.connect_timeout.total_seconds()
    # One thread at a time uses the connection, but not always the one that opened it.
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    with closing(connection):
        yield connection


def change_counter(connection: sqlite3.Connection) -> int:
    """How many transactions have changed the file, without those that are still in a write-ahead log."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with Path(path).open("rb") as file:
        return int.from_bytes(file.read(28)[24:], "big")


def table_names(connection: sqlite3.Connection, source: Source) -> list[str]:
    """The names of the file's tables and views.

    Raises:
        SchemaMismatch: the settings name a schema other than the only one of a file.
    """
    if source.schema is not None and source.schema.lower() != _SCHEMA:
        remedy = "Leave --source-schema out for SQLite."
        raise SchemaMismatch.missing("schema", source.schema, [_SCHEMA], where=source.shown, remedy=remedy)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return [name for (name,) in found]


def find_table(connection: sqlite3.Connection, table: str, names: list[str], source: Source) -> Relation:
    """A table of the contract as the file has it: decides what is read for it, and for each column.

    Raises:
        SchemaMismatch: it, or a column of it, is missing.
    """
    name = matching_name("table", table, names, where=source.shown)
    types = dict(connection.execute("SELECT name, type FROM pragma_table_xinfo(?)", (name,)))
    columns = matching_columns(table, types, where=name)
    return Relation(table, name, columns, {expected: types[own] for expected, own in columns.items()})


@contextmanager
def texts_as_bytes(connection: sqlite3.Connection) -> Iterator[None]:
    """Within this context, texts are returned as bytes, UTF-8 or not."""
    connection.text_factory = bytes
    try:
        yield
    finally:
        connection.text_factory = str


@contextmanager
def translated(source: Source) -> Iterator[None]:
    """Turn the driver's errors into shopsight's.

    Raises:
        SourceUnavailable: trying again can help.
        ConfigurationError: it is no database, or may not be read.
        SourceError: the file is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        told = f"{source.shown}: {error}."
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_TRANSIENT):
            raise SourceUnavailable(
                f"{told} {STATE}",
                remedy="Another process holds the file: run again, or give it PRAGMA journal_mode=WAL.",
            ) from error
        if name.startswith(_UNUSABLE):
            raise as_configuration_error(
                told,
                "Give an SQLite 3 database that may be read; beside a write-ahead log, a writable folder.",
            ) from error
        raise SourceError(f"{told} {STATE}", remedy="Check the file with PRAGMA integrity_check.") from error
