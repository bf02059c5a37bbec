"""The interface to a SQL database that is seeded; each kind adds what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import pyarrow as pa

from shopsight.errors import ConfigurationError, SourceError


def quote(name: str) -> str:
    """An identifier quoted for SQL; it may hold any characters.

    >>> print(quote('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'


class Database(ABC):
    """One connection to a SQL database, in one transaction that :meth:`commit` ends.

    Closing without a commit leaves the database as it was.

    Attributes:
        connection: the driver's own, as DB-API 2 has it.
        constrains_late: whether constraints can be added to a table that exists.
        table_options: what follows the columns when a table is created.
    """

    driver_error: ClassVar[type[Exception]]
    constrains_late: ClassVar[bool]
    connection: Any
    table_options: str = ""

    @abstractmethod
    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that exist, views included."""

    @abstractmethod
    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch; its types fit the table's columns exactly."""

    @abstractmethod
    def translate(self, doing: str, error: Exception) -> SourceError | ConfigurationError:
        """The error that says what the driver's error means."""

    def quoted(self, table: str) -> str:
        """The table's name as SQL, quoted and with its schema."""
        return quote(table)

    def drop(self, tables: Iterable[str]) -> None:
        """Drop those of the tables that exist; refused while anything else depends on them."""
        for table in tables:
            self.execute(f"DROP TABLE IF EXISTS {self.quoted(table)}")

    def create(self, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table of these columns (name to SQL type and column constraints)."""
        lines = [*(f"{quote(name)} {kind}" for name, kind in columns.items()), *constraints]
        self.execute(f"CREATE TABLE {self.quoted(table)} ({', '.join(lines)}) {self.table_options}")

    def analyze(self, tables: Iterable[str]) -> None:
        """Let the database gather its statistics of these tables."""
        for table in tables:
            self.execute(f"ANALYZE {self.quoted(table)}")

    def execute(self, statement: str) -> None:
        """One SQL statement without a result."""
        with self.cursor("preparing the tables") as cursor:
            cursor.execute(statement)

    def commit(self) -> None:
        """Make everything since the start visible."""
        with self.translated("committing"):
            self.connection.commit()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextmanager
    def cursor(self, doing: str) -> Iterator[Any]:
        """A cursor whose errors are translated."""
        with self.translated(doing), closing(self.connection.cursor()) as cursor:
            yield cursor

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into shopsight's.

        Raises:
            SourceUnavailable: the database does not answer or went away.
            ConfigurationError: it refused the user, or the URL cannot be read.
            SourceError: it refused the statement.
        """
        try:
            yield
        except self.driver_error as error:
            raise self.translate(doing, error) from error
