"""An open snapshot of PostgreSQL: what it says of the tables, and how they are cut, read and totalled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pyarrow as pa

from shopsight.audit.control_totals import Totals
from shopsight.contract import Kind, Table
from shopsight.extract.csv_lines import read_lines
from shopsight.extract.dialect import Source
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import Family, is_sent_bare
from shopsight.extract.postgresql.control_totals import read_totals
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.lines import line_query
from shopsight.extract.postgresql.locks import locked_snapshot
from shopsight.extract.postgresql.packed import Pages, bytes_of, packed_query, unpack
from shopsight.extract.postgresql.session import Session

# Parts are small enough that all connections end at about the same time, and large enough for a file.
_PARTS_PER_CONNECTION = 4
_LEAST_PAGES_PER_PART, _MOST_PAGES_PER_PART = 512, 8192

_SERVER = """
    SELECT current_setting('server_version'), current_setting('server_version_num')::bigint >= 140000,
           getdatabaseencoding()::text
"""

# A table's pages, and whether it has values that are too large for a page and are stored apart.
_EXTENT = """
    SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint,
           coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)) > 0, false)
    FROM pg_class c WHERE c.oid = $1::oid
"""


@dataclass(frozen=True)
class Extent:
    """The number of a table's pages, and whether it has values that are larger than a page."""

    pages: int
    has_large_values: bool


@dataclass
class PostgresSnapshot:
    """See :class:`shopsight.extract.dialect.OpenSnapshot`.

    Attributes:
        is_utf8: whether the database's encoding is UTF-8.
        relations: by the contract's names, those not read by pages first, then the largest.
        extents: by the contract's names, for the tables that are read by their pages.
    """

    id: str
    as_of: datetime
    server_version: str
    connections: list[Session]
    source: Source
    is_utf8: bool
    relations: dict[str, Relation]
    extents: dict[str, Extent]
    hashes_bytes: bool = True

    @property
    def column_types(self) -> dict[str, dict[str, str]]:
        """The database's name of each column's type."""
        return {
            table: {name: column.declared for name, column in relation.columns.items()}
            for table, relation in self.relations.items()
        }

    def never_native(self, table: str) -> frozenset[str]:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        columns = self.relations[table].columns
        return frozenset(
            column.name
            for column in self.relations[table].contract.columns
            if column.kind is not Kind.TEXT and not is_sent_bare(columns[column.name], column.kind)
        )

    def parts(self, table: str) -> Sequence[Pages | None]:
        """The table's ranges of pages; a single None for what has no pages."""
        extent = self.extents.get(table)
        if extent is None:
            return [None]
        even = extent.pages // (_PARTS_PER_CONNECTION * len(self.connections))
        length = max(_LEAST_PAGES_PER_PART, min(even, _MOST_PAGES_PER_PART))
        starts = range(0, max(extent.pages, 1), length)
        return [
            Pages(start, min(start + length, extent.pages), is_last=start == starts[-1]) for start in starts
        ]

    def read(
        self, connection: Session, table: str, part: Pages | None, as_text: frozenset[str], batch_bytes: int
    ) -> Generator[Callable[[], pa.Table]]:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        relation, extent = self.relations[table], self.extents.get(table)
        # As text, a number of a few bytes may have more than a hundred thousand digits.
        is_long = any(relation.columns[name].family in (Family.NUMERIC, Family.FLOAT) for name in as_text)
        decode: Callable[[pa.RecordBatch], pa.Table]
        if part is None or extent is None or extent.has_large_values or is_long:
            # The values of a few pages together might exceed the gigabyte that one value may have.
            query = line_query(relation, part, as_text)
            decode = partial(_decode_lines, relation.contract, as_text)
        else:
            query = packed_query(relation, part, as_text, is_utf8=self.is_utf8)
            decode = partial(unpack, relation=relation, as_text=as_text, is_utf8=self.is_utf8)
        with translated(self.source, f"reading {relation.shown}"):
            for batch in connection.batches(query, batch_bytes):
                yield partial(decode, batch)

    def control_totals(self, connection: Session, table: str, as_text: frozenset[str]) -> Totals:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        relation = self.relations[table]
        with translated(self.source, f"counting {relation.shown}"):
            return read_totals(connection, relation, as_text, is_utf8=self.is_utf8)


def _decode_lines(table: Table, as_text: frozenset[str], batch: pa.RecordBatch) -> pa.Table:
    return read_lines(bytes_of(batch.column(0)), table, as_text)


@contextmanager
def open_snapshot(source: Source, connections: int) -> Iterator[PostgresSnapshot]:
    """See :class:`shopsight.extract.dialect.Dialect`."""
    with locked_snapshot(source, connections) as (sessions, snapshot_id, as_of, relations):
        with translated(source, "measuring the tables"):
            ((version, has_range_scans, encoding),) = sessions[0].rows(_SERVER)
            extents = {
                name: Extent(*sessions[0].rows(_EXTENT, (relation.oid,))[0])
                for name, relation in relations.items()
                # Before version 14 each range of pages would read the whole table.
                if relation.has_pages and has_range_scans
            }

        def size(table: str) -> float:
            return extents[table].pages if table in extents else float("inf")

        yield PostgresSnapshot(
            snapshot_id,
            as_of,
            version,
            sessions,
            source,
            is_utf8=encoding == "UTF8",
            relations={name: relations[name] for name in sorted(relations, key=size, reverse=True)},
            extents=extents,
        )
