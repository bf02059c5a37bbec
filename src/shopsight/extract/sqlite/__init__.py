r"""SQLite: one connection, one read transaction.

With a write-ahead log (``PRAGMA journal_mode=WAL``) writers continue meanwhile. Without one, their next
commit waits; enable it for a database in use.

A value has a type in SQLite, a column only a preference. An integer is sent by its digits; a real by 15
significant digits, which give back what people entered; a text as it is; a blob as ``\x`` and hexadecimal. A
number is native only where it is stored as one, and a day where it is an ISO date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from shopsight.audit.control_totals import Totals
from shopsight.contract import TABLES, Table
from shopsight.errors import ShopsightError
from shopsight.extract.csv_lines import read_lines
from shopsight.extract.dialect import Source, SourceCheck, check
from shopsight.extract.mapping import look_up_all
from shopsight.extract.sqlite.control_totals import read_totals, register_functions
from shopsight.extract.sqlite.database import (
    Catalog,
    Relation,
    change_counter,
    opened,
    texts_as_bytes,
    translated,
)
from shopsight.extract.sqlite.sql import line


@dataclass(frozen=True)
class FileConnection:
    """See :class:`shopsight.extract.dialect.Connection`."""

    driver: sqlite3.Connection

    def cancel(self) -> None:
        """Stop the running query; may be called by another thread."""
        self.driver.interrupt()


@dataclass
class FileSnapshot:
    """See :class:`shopsight.extract.dialect.OpenSnapshot`."""

    id: str
    as_of: datetime
    server_version: str
    connections: list[FileConnection]
    source: Source
    relations: dict[str, Relation]
    is_utf8: bool = True
    hashes_bytes: bool = False

    @property
    def column_types(self) -> dict[str, dict[str, str]]:
        """The declared type of each column."""
        return {table: relation.types for table, relation in self.relations.items()}

    def never_native(self, table: str) -> frozenset[str]:  # noqa: ARG002 - a column only has a preference
        """None: any column may hold values of any type."""
        return frozenset()

    def parts(self, table: str) -> Sequence[None]:  # noqa: ARG002 - one connection reads all
        """The whole table."""
        return [None]

    def read(
        self, connection: FileConnection, table: str, part: None, as_text: frozenset[str], batch_bytes: int
    ) -> Generator[Callable[[], pa.Table]]:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        del part
        relation = self.relations[table]
        query = f"SELECT {line(relation.contract, relation.columns, as_text)} FROM {relation.base}"
        batch, size = [], 0
        with (
            translated(self.source),
            texts_as_bytes(connection.driver),
            closing(connection.driver.execute(query)) as cursor,
        ):
            for (text,) in cursor:
                batch.append(text)
                size += len(text)
                if size >= batch_bytes:
                    yield partial(_decode, relation.contract, as_text, batch)
                    batch, size = [], 0
            yield partial(_decode, relation.contract, as_text, batch)

    def control_totals(self, connection: FileConnection, table: str, as_text: frozenset[str]) -> Totals:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        relation = self.relations[table]
        with translated(self.source):
            return read_totals(connection.driver, relation, as_text)


def _decode(table: Table, as_text: frozenset[str], batch: list[bytes]) -> pa.Table:
    return read_lines(pa.py_buffer(b"".join(batch)), table, as_text)


class SQLite:
    """See :class:`shopsight.extract.dialect.Dialect`."""

    name = "sqlite"

    @contextmanager
    def snapshot(self, source: Source, connections: int) -> Iterator[FileSnapshot]:
        """See :class:`shopsight.extract.dialect.Dialect`; a read transaction belongs to one connection."""
        del connections
        with translated(source), opened(source) as driver:
            driver.execute("BEGIN")
            as_of = datetime.now(UTC)
            # The first read takes the snapshot.
            catalog = Catalog(driver, source)
            (version,) = driver.execute("PRAGMA data_version").fetchone()
            relations = look_up_all(catalog.relation)
            register_functions(driver)
            yield FileSnapshot(
                f"{change_counter(driver)}-{version}",
                as_of,
                sqlite3.sqlite_version,
                [FileConnection(driver)],
                source,
                relations,
            )

    def tables(self, source: Source) -> dict[str, list[str]]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        with translated(source), opened(source) as driver:
            return Catalog(driver, source).tables()

    def describe(self, source: Source) -> list[SourceCheck]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        try:
            with translated(source), opened(source) as driver:
                catalog = Catalog(driver, source)
                connected = SourceCheck(
                    "connection", True, f"SQLite {sqlite3.sqlite_version}, {source.shown}"
                )
                return [
                    connected,
                    *(check(table, partial(_look, driver, catalog, table)) for table in TABLES),
                ]
        except ShopsightError as error:
            return [SourceCheck.failed("connection", error)]


def _look(driver: sqlite3.Connection, catalog: Catalog, table: str) -> str:
    relation = catalog.relation(table)
    driver.execute(f"SELECT * FROM {relation.base} LIMIT 0")
    return f"{relation.shown} can be read"
