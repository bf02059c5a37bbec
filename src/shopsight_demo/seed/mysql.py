"""Filling MySQL and MariaDB: INSERT statements of many rows, written by Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pymysql

from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight.extract.dialect import Source
from shopsight.extract.mysql.session import driver_options
from shopsight_demo.seed.database import Database, quote

# Rows of a statement: well below the megabyte that the strictest server takes.
_ROWS_PER_INSERT = 4096
_REFUSED = (1044, 1045, 1049, 1130, 1142, 1227, 1698)
_CONNECTION_LOST = (1053, 1927, 2003, 2006, 2013)


class MySQLDatabase(Database):
    """A database of MySQL or MariaDB; a named one is created if there is none.

    These servers commit whatever creates or drops a table. So new tables have other names until the commit.
    """

    driver_error = pymysql.MySQLError
    constrains_late = False

    def __init__(self, url: str, schema: str | None) -> None:
        options = driver_options(Source(url, schema, timedelta(seconds=10)))
        database = options.pop("database") if schema is not None else None
        self._made: list[str] = []
        self._replaced: list[str] = []
        with self.translated("connecting"):
            self.connection = pymysql.connect(**{**options, "autocommit": False, "read_timeout": None})
            # Names are quoted as standard SQL has it, and a backslash is one.
            mode = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES"
            self.execute(f"SET SESSION sql_mode = '{mode}', unique_checks = 0, time_zone = '+00:00'")
            # Texts are the same only if all their bytes are, as in the other databases.
            is_mariadb = "MariaDB" in self.connection.get_server_info()
            collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
            self.table_options = f"CHARACTER SET utf8mb4 COLLATE {collation}"
            if database is not None:
                self.execute(f"CREATE DATABASE IF NOT EXISTS {quote(database)} CHARACTER SET utf8mb4")
                self.connection.select_db(database)

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that the database has."""
        with self.cursor("asking for the tables") as cursor:
            cursor.execute(
                "SELECT LOWER(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
            )
            names = {name.decode() for (name,) in cursor}
        return [table for table in tables if table.lower() in names]

    def quoted(self, table: str) -> str:
        """The table's name until the commit."""
        return quote(f"{table}_being_loaded")

    def drop(self, tables: Iterable[str]) -> None:
        """Drop those of the tables that exist, at the commit."""
        # Those that refer to others first.
        self._replaced = list(reversed(list(tables)))

    def create(self, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table that gets its name at the commit."""
        self._drop_unfinished([table])
        super().create(table, columns, constraints)
        self._made.append(table)

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        names = ", ".join(map(quote, batch.schema.names))
        values = pc.binary_join_element_wise(*map(_literals, batch.columns), ",")
        with self.cursor(f"filling {table}") as cursor:
            for start in range(0, len(values), _ROWS_PER_INSERT):
                rows = "),(".join(values.slice(start, _ROWS_PER_INSERT).to_pylist())
                cursor.execute(f"INSERT INTO {self.quoted(table)} ({names}) VALUES ({rows})")

    def analyze(self, tables: Iterable[str]) -> None:
        """Let the server gather its statistics of these tables."""
        self.execute(f"ANALYZE TABLE {', '.join(map(self.quoted, tables))}")

    def commit(self) -> None:
        """Put the new tables in the place of the old ones."""
        super().commit()
        if self._replaced:
            self.execute(f"DROP TABLE IF EXISTS {', '.join(map(quote, self._replaced))}")
        if self._made:
            renamed = [f"{self.quoted(table)} TO {quote(table)}" for table in self._made]
            self.execute(f"RENAME TABLE {', '.join(renamed)}")
        self._replaced, self._made = [], []

    def close(self) -> None:
        """Close the connection; without a commit, the new tables go."""
        try:
            with suppress(SourceError):
                self._drop_unfinished(self._made)
        finally:
            self.connection.close()

    def _drop_unfinished(self, tables: list[str]) -> None:
        for table in tables:
            self.execute("SET foreign_key_checks = 0")
            self.execute(f"DROP TABLE IF EXISTS {self.quoted(table)}")
            self.execute("SET foreign_key_checks = 1")

    def translate(self, doing: str, error: Exception) -> SourceError | ConfigurationError:
        """By the server's error number."""
        code = error.args[0] if error.args else 0
        said = f"MySQL, {doing}: {' '.join(str(error.args[-1]).split()) if error.args else error}."
        if code in _REFUSED:
            return ConfigurationError(
                said, remedy="Check user, password, host and database in the URL, and what the user may do."
            )
        if code in _CONNECTION_LOST:
            return SourceUnavailable(
                f"{said} Nothing was loaded.",
                remedy="Check that the server runs and that host and port are right; then seed again.",
            )
        return SourceError(f"{said} Nothing was loaded.", remedy="See the server's message.")


def _literals(column: pa.Array) -> pa.Array:
    """Each value as SQL."""
    texts = pc.cast(column, pa.string())
    if not (pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)):
        quoted = pc.replace_substring(texts, "'", "''")
        texts = pc.binary_join_element_wise("'", quoted, "'", "")
    return pc.fill_null(texts, "NULL")
