"""Filling SQLite: the standard library's driver, one transaction, many rows a call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight_demo.seed.database import Database, quote

#: How long to wait while another program writes the file.
WAIT_SECONDS = 5.0


class SqliteDatabase(Database):
    """A SQLite file, which is made if there is none."""

    driver_error = sqlite3.Error
    constrains_late = False

    def __init__(self, path: str) -> None:
        if not path:
            raise ConfigurationError(
                "The SQLite URL names no file.", remedy="Give sqlite:///path/to/shop.db."
            )
        with self.translated(f"opening {path}"):
            self.connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
            try:
                # The default page cache of 2 MB is too small for a bulk load.
                self.connection.execute("PRAGMA cache_size = -64000")
                self.connection.execute("BEGIN IMMEDIATE")
            except BaseException:
                self.connection.close()
                raise

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that the file has."""
        with self.cursor("asking for the tables") as cursor:
            cursor.execute("SELECT lower(name) FROM sqlite_master WHERE type IN ('table', 'view')")
            names = {name for (name,) in cursor}
        return [table for table in tables if table.lower() in names]

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        columns = [_storable(column).to_pylist() for column in batch.columns]
        names, places = ", ".join(map(quote, batch.schema.names)), ", ".join("?" * len(columns))
        with self.cursor(f"filling {table}") as cursor:
            cursor.executemany(
                f"INSERT INTO {quote(table)} ({names}) VALUES ({places})", zip(*columns, strict=True)
            )

    def translate(self, doing: str, error: Exception) -> SourceError | ConfigurationError:
        """By SQLite's error code."""
        code = getattr(error, "sqlite_errorcode", None)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return SourceUnavailable(
                f"SQLite, {doing}: another program is writing the file. Nothing was loaded.",
                remedy="Wait until it is done, then seed again.",
            )
        if code in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_READONLY,
        ):
            return ConfigurationError(
                f"SQLite, {doing}: {error}.", remedy="Name a file in a folder that exists and can be written."
            )
        return SourceError(
            f"SQLite, {doing}: {error}. Nothing was loaded.", remedy="See the database's message."
        )


def _storable(column: pa.Array) -> pa.Array:
    """SQLite has no dates and no decimals: ISO text, and digits that the column's affinity reads."""
    is_text = pa.types.is_date(column.type) or pa.types.is_decimal(column.type)
    return pc.cast(column, pa.string()) if is_text else column
