"""Filling PostgreSQL: ADBC, whose ingestion is a binary COPY."""

from __future__ import annotations

import re
from collections.abc import Iterable

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa

from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight_demo.seed.database import Database, quote

# libpq gives no SQLSTATE for a refused connection, only words.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|(role|database) .* does not exist|invalid (URI|connection option|port)|percent-encod|missing \"=\""
)
_CONNECTION_LOST = ("08", "57P0")
_NOT_ALLOWED = "42501"


class PostgresDatabase(Database):
    """A PostgreSQL database; a named schema is created if there is none."""

    driver_error = adbc_driver_manager.Error
    constrains_late = True

    def __init__(self, url: str, schema: str | None) -> None:
        self._schema = schema
        with self.translated("connecting"):
            self.connection = adbc_driver_postgresql.dbapi.connect(url)
        if schema is not None:
            try:
                self.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
            except BaseException:
                self.connection.close()
                raise

    def quoted(self, table: str) -> str:
        """The table's name, with its schema if one was named."""
        return quote(table) if self._schema is None else f"{quote(self._schema)}.{quote(table)}"

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that the schema, or the search path, has."""
        found = []
        for table in tables:
            with self.cursor("asking for the tables") as cursor:
                cursor.execute("SELECT to_regclass($1::text) IS NOT NULL", (self.quoted(table),))
                if cursor.fetchone()[0]:
                    found.append(table)
        return found

    def drop(self, tables: Iterable[str]) -> None:
        """Drop the tables all at once, as they refer to one another."""
        self.execute(f"DROP TABLE IF EXISTS {', '.join(map(self.quoted, tables))}")

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch by COPY."""
        with self.cursor(f"filling {table}") as cursor:
            cursor.adbc_ingest(table, batch, mode="append", db_schema_name=self._schema)

    def translate(self, doing: str, error: Exception) -> SourceError | ConfigurationError:
        """By SQLSTATE, and by libpq's words where there is none."""
        state = getattr(error, "sqlstate", None) or ""
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
        return SourceError(
            f"PostgreSQL, {doing}: {said} Nothing was loaded.", remedy="See the server's message."
        )
