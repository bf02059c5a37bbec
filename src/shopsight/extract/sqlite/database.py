"""An SQLite file: opened read-only, its tables looked up, its errors translated."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from shopsight.errors import SchemaMismatch, SourceError, SourceUnavailable
from shopsight.extract.dialect import (
    STATE,
    Source,
    as_configuration_error,
    matching_name,
    quote_name,
)
from shopsight.extract.mapping import MappedTable, Place, cannot_be_read, choose, table_missing

_SCHEMA = "main"
# Prefixes of SQLite's names for errors.
_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")
_UNUSABLE = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")


@dataclass(frozen=True)
class Relation(MappedTable[str]):
    """A table of the contract as the file has it; ``base`` is the table, or the SELECT in its place.

    Attributes:
        types: the declared type of each column, by the contract's name; none for an expression.
    """

    types: dict[str, str]


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


class Catalog:
    """The tables and views of a file.

    Raises:
        SchemaMismatch: the settings name a schema other than the only one of a file.
    """

    quote = staticmethod(quote_name)

    def __init__(self, connection: sqlite3.Connection, source: Source) -> None:
        if source.schema is not None and source.schema.lower() != _SCHEMA:
            remedy = "Leave --source-schema out for SQLite."
            raise SchemaMismatch.missing(
                "schema", [source.schema], [_SCHEMA], where=source.shown, remedy=remedy
            )
        self._connection = connection
        self._source = source
        found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        self._names = [name for (name,) in found]

    def tables(self) -> dict[str, list[str]]:
        """The columns of all tables."""
        return {name: list(column_types(self._connection, name)) for name in self._names}

    def relation(self, table: str) -> Relation:
        """A table of the contract as the file has it: decides what is read for it, and for each column.

        Raises:
            SchemaMismatch: it, or a column of it, is missing, or its mapping cannot be read.
        """
        try:
            choice = choose(self._source, table, self)
            types = self.columns(choice.place) if choice.place else {}
            own = {name: types.get(str(column), "") for name, column in choice.columns.items()}
            if choice.renamed is not None:
                return Relation(table, choice.shown, choice.base, choice.renamed, own)
            base = f"({choice.select('')}) AS mapped"
            self._connection.execute(f"SELECT * FROM {base} LIMIT 0").close()
            return Relation(table, choice.shown, base, {name: name for name in own}, own)
        except sqlite3.Error as error:
            # Python's own errors, such as that of a second statement, have no name.
            if getattr(error, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
                raise
            raise cannot_be_read(table, str(error), where=self._source.shown) from error

    def query_columns(self, table: str, base: str) -> list[str]:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        del table  # relation() says of which one it cannot be read
        with closing(self._connection.execute(f"SELECT * FROM {base} LIMIT 0")) as cursor:
            return _unnumbered([column[0] for column in cursor.description])

    def find(self, wanted: str) -> Place | None:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        schema, dot, rest = wanted.partition(".")
        name = rest if dot and schema.lower() == _SCHEMA else wanted
        if name.lower() not in (known.lower() for known in self._names):
            return None
        return (matching_name("table", name, self._names, where=self._source.shown),)

    def columns(self, place: Place) -> dict[str, str]:
        """See :class:`shopsight.extract.mapping.Catalog`; with their declared types."""
        return column_types(self._connection, place[-1])

    def missing(self, table: str, wanted: str) -> SchemaMismatch:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        del wanted
        columns = partial(column_types, self._connection)
        return table_missing(self._source, table, self._names, columns, where=self._source.shown)


def column_types(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """The declared type of each column of a table."""
    return dict(connection.execute("SELECT name, type FROM pragma_table_xinfo(?)", (name,)))


def _unnumbered(names: list[str]) -> list[str]:
    """The names that a query gave; SQLite numbers the second ``id`` as ``id:1``."""
    return [base if (base := name.partition(":")[0]) in names else name for name in names]


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
