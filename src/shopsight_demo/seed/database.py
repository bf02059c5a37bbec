"""What the seeding asks of a SQL database, and which database a URL means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa

from shopsight.errors import ConfigurationError

#: The scheme of a SQLite URL; what follows is the path, absolute when it starts with a fourth slash.
SQLITE_SCHEME = "sqlite:///"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class Database(Protocol):
    """One connection to a SQL database, in one transaction that :meth:`commit` ends.

    Closing without a commit leaves the database as it was.
    """

    dialect: str

    def create_schema(self) -> None:
        """Create the schema that was named, if there is none; nothing where none was named."""

    def existing(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that are there, be it as views."""

    def rows(self, table: str) -> int:
        """How many rows the table has."""

    def drop(self, tables: Iterable[str]) -> None:
        """Drop those of the tables that are there; refused while anything else depends on them."""

    def create(self, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table of these columns (name to SQL type and column constraints)."""

    def insert(self, table: str, column_types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of Python values, few."""

    def ingest(self, table: str, batch: pa.RecordBatch) -> None:
        """Append a batch, many rows; its types fit the table's columns exactly."""

    def execute(self, statement: str) -> None:
        """One SQL statement without a result."""

    def quoted(self, table: str) -> str:
        """The table's name as SQL, quoted and with its schema."""

    def analyze(self, tables: Iterable[str]) -> None:
        """Let the database gather its statistics of these tables."""

    def commit(self) -> None:
        """Make everything since the start or the last commit visible."""


def quote(name: str) -> str:
    """An identifier as SQL has it, whatever is in it.

    >>> print(quote('a"b'))
    "a""b"
    """
    return '"' + name.replace('"', '""') + '"'


def open_database(url: str, schema: str | None = None) -> AbstractContextManager[Database]:
    """The database that a URL means: ``postgresql://…`` or ``sqlite:///path``.

    Raises:
        ConfigurationError: another kind of URL, or a schema for SQLite, which has none.
        SourceUnavailable: the database does not answer.
    """
    if url.startswith(SQLITE_SCHEME):
        from shopsight_demo.seed.sqlite import open_sqlite  # noqa: PLC0415 (only the driver that is asked for)

        if schema is not None:
            raise ConfigurationError(
                f"SQLite has no schemas, and {schema!r} was asked for.", remedy="Leave the schema out."
            )
        return open_sqlite(url.removeprefix(SQLITE_SCHEME))
    if url.startswith(POSTGRES_SCHEMES):
        from shopsight_demo.seed.postgresql import open_postgresql  # noqa: PLC0415

        return open_postgresql(url, schema)
    raise ConfigurationError(
        f"The source {url!r} is not a database that can be filled.",
        remedy="Give postgresql://user@host/database or sqlite:///path.",
    )
