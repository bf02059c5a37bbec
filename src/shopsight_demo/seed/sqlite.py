"""Filling SQLite: the standard library's driver, one transaction, many rows a call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight_demo.seed.database import quote

#: How long to wait for another program to finish writing the file.
WAIT_SECONDS = 5.0


class SqliteDatabase:
    """One connection and its transaction; see :class:`shopsight_demo.seed.database.Database`."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def quoted(self, table: str) -> str:
        """The table's name."""
        return quote(table)

    def create_schema(self) -> None:
        """SQLite has no schemas."""

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that the file has."""
        with _translated("asking for the tables"):
            found = self._connection.execute(
                "SELECT lower(name) FROM sqlite_master WHERE type IN ('table', 'view')"
            )
            names = {name for (name,) in found}
        return [table for table in tables if table.lower() in names]

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        with _translated("counting"):
            (count,) = self._connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()
        return int(count)

    def drop(self, tables: Iterable[str]) -> None:
        """Drop those of the tables that are there."""
        for table in tables:
            self.execute(f"DROP TABLE IF EXISTS {quote(table)}")

    def analyze(self, tables: Iterable[str]) -> None:
        """Gather the planner's statistics."""
        for table in tables:
            self.execute(f"ANALYZE {quote(table)}")

    def create(self, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table."""
        lines = [*(f"{quote(name)} {kind}" for name, kind in columns.items()), *constraints]
        self.execute(f"CREATE TABLE {quote(table)} ({', '.join(lines)})")

    def insert(self, table: str, column_types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of Python values; the columns' affinities read them."""
        self._insert(table, list(column_types), ([_storable(value) for value in row] for row in rows))

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        columns = [_storable_column(column).to_pylist() for column in batch.columns]
        self._insert(table, batch.schema.names, zip(*columns, strict=True))

    def execute(self, statement: str) -> None:
        """One statement without a result."""
        with _translated("preparing the tables"):
            self._connection.execute(statement)

    def commit(self) -> None:
        """End the transaction and begin the next."""
        with _translated("committing"):
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN IMMEDIATE")

    def _insert(self, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        columns = ", ".join(map(quote, names))
        places = ", ".join("?" * len(names))
        with _translated(f"filling {table}"):
            self._connection.executemany(f"INSERT INTO {quote(table)} ({columns}) VALUES ({places})", rows)


@contextmanager
def open_sqlite(path: str) -> Iterator[SqliteDatabase]:
    """A connection whose transaction is rolled back unless it was committed; the file is made if need be.

    Raises:
        SourceUnavailable: another program holds the file's write lock.
        ConfigurationError: the path cannot be opened, or is no SQLite file.
    """
    if not path:
        raise ConfigurationError("The SQLite URL names no file.", remedy="Give sqlite:///path/to/shop.db.")
    with _translated(f"opening {path}"):
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    with closing(connection):
        with _translated(f"opening {path}"):
            # The references are checked by whoever reads: foreign keys are off by default anyway, and a
            # bulk load into a database of its own needs no page cache of the default 2 MB.
            connection.execute("PRAGMA cache_size = -64000")
            connection.execute("BEGIN IMMEDIATE")
        yield SqliteDatabase(connection)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(doing, error) from error


def _translation(doing: str, error: sqlite3.Error) -> SourceError | ConfigurationError:
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SourceUnavailable(
            f"SQLite, {doing}: another program is writing the file. Nothing was loaded.",
            remedy="Wait until it is done, then seed again.",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
        return ConfigurationError(
            f"SQLite, {doing}: {error}.", remedy="Name a file in a folder that exists and can be written."
        )
    return SourceError(f"SQLite, {doing}: {error}. Nothing was loaded.", remedy="See the database's message.")


def _storable(value: Any) -> Any:
    """SQLite has no dates and no decimals: ISO text, and digits that the column's affinity reads."""
    return str(value) if isinstance(value, date | Decimal) else value


def _storable_column(column: pa.Array) -> pa.Array:
    if pa.types.is_date(column.type) or pa.types.is_decimal(column.type):
        return pc.cast(column, pa.string())
    return column
