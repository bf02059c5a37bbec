"""Filling PostgreSQL: ADBC, whose ingestion is a binary COPY."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa

from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight_demo.seed.database import quote

# libpq gives no SQLSTATE for a refused connection, only words.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|(role|database) .* does not exist|invalid (URI|connection option|port)|percent-encod|missing \"=\""
)
_CONNECTION_LOST = ("08", "57P0")
_NOT_ALLOWED = "42501"


class PostgresDatabase:
    """One connection and its transaction; see :class:`shopsight_demo.seed.database.Database`."""

    dialect = "postgresql"

    def __init__(self, connection: adbc_driver_postgresql.dbapi.Connection, schema: str | None) -> None:
        self._connection = connection
        self._schema = schema

    def quoted(self, table: str) -> str:
        """The table's name, with its schema if one was named."""
        return quote(table) if self._schema is None else f"{quote(self._schema)}.{quote(table)}"

    def create_schema(self) -> None:
        """Create the named schema if there is none."""
        if self._schema is not None:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(self._schema)}")

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that the schema, or the search path, has."""
        return [
            table
            for table in tables
            if self._value("SELECT to_regclass($1::text) IS NOT NULL", self.quoted(table))
        ]

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        return int(self._value(f"SELECT count(*) FROM {self.quoted(table)}"))

    def drop(self, tables: Iterable[str]) -> None:
        """Drop those of the tables that are there, all at once, as they refer to one another."""
        self.execute(f"DROP TABLE IF EXISTS {', '.join(map(self.quoted, tables))}")

    def analyze(self, tables: Iterable[str]) -> None:
        """Gather the planner's statistics."""
        self.execute(f"ANALYZE {', '.join(map(self.quoted, tables))}")

    def create(self, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table."""
        lines = [*(f"{quote(name)} {kind}" for name, kind in columns.items()), *constraints]
        self.execute(f"CREATE TABLE {self.quoted(table)} ({', '.join(lines)})")

    def insert(self, table: str, column_types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of Python values; each is bound as text and read by the column's own type."""
        if not rows:
            return
        casts = ", ".join(
            f"CAST(${place}::text AS {kind})" for place, kind in enumerate(column_types.values(), start=1)
        )
        names = ", ".join(map(quote, column_types))
        columns = [
            pa.array([None if value is None else str(value) for value in column], pa.string())
            for column in zip(*rows, strict=True)
        ]
        batch = pa.record_batch(columns, names=list(column_types))
        with translated(f"filling {table}"), self._connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {self.quoted(table)} ({names}) VALUES ({casts})", batch)

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch by COPY."""
        with translated(f"filling {table}"), self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, batch, mode="append", db_schema_name=self._schema)

    def execute(self, statement: str) -> None:
        """One statement without a result."""
        with translated("preparing the tables"), self._connection.cursor() as cursor:
            cursor.execute(statement)

    def commit(self) -> None:
        """End the transaction and begin the next."""
        with translated("committing"):
            self._connection.commit()

    def _value(self, query: str, *parameters: str) -> Any:
        with translated("asking for the tables"), self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            row = cursor.fetchone()
        return row[0] if row else None


@contextmanager
def open_postgresql(url: str, schema: str | None) -> Iterator[PostgresDatabase]:
    """A connection whose transaction is rolled back unless it was committed.

    Raises:
        SourceUnavailable: the server does not answer.
        ConfigurationError: it refused the user, the password or the database.
    """
    with translated("connecting"):
        connection = adbc_driver_postgresql.dbapi.connect(url)
    try:
        yield PostgresDatabase(connection, schema)
    finally:
        connection.close()


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        SourceUnavailable: the server does not answer or went away.
        ConfigurationError: it refused us, or the URL cannot be read.
        SourceError: it refused the statement.
    """
    try:
        yield
    except adbc_driver_manager.Error as error:
        raise _translation(doing, error) from error


def _translation(doing: str, error: adbc_driver_manager.Error) -> SourceError | ConfigurationError:
    state = error.sqlstate or ""
    said = " ".join(str(error).split())
    if state == _NOT_ALLOWED:
        return ConfigurationError(
            f"PostgreSQL, {doing}: not allowed: {said}",
            remedy="Grant CREATE on the schema to this user, or use the owner.",
        )
    if not state and _REFUSED.search(said):
        return ConfigurationError(
            f"PostgreSQL refused the connection: {said}",
            remedy="Check user, password, host and database in the URL.",
        )
    if not state or state.startswith(_CONNECTION_LOST):
        return SourceUnavailable(
            f"PostgreSQL, {doing}, does not answer: {said} Nothing was loaded.",
            remedy="Check that the server runs and that host and port are right; then seed again.",
        )
    return SourceError(f"PostgreSQL, {doing}: {said} Nothing was loaded.", remedy="See the server's message.")
