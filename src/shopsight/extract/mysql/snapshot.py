"""An open snapshot of MySQL or MariaDB: what it says of the tables, how they are cut, read and totalled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import pyarrow as pa

from shopsight.audit.control_totals import Totals
from shopsight.contract import Kind
from shopsight.extract.csv_lines import read_lines
from shopsight.extract.dialect import Source
from shopsight.extract.mysql.catalog import Relation, look_up_tables
from shopsight.extract.mysql.columns import is_native
from shopsight.extract.mysql.control_totals import read_totals
from shopsight.extract.mysql.errors import row_too_long, translated
from shopsight.extract.mysql.lines import condition, line_query, range_query
from shopsight.extract.mysql.session import Session

_PARTS_PER_CONNECTION = 4
_TRIES = 10
_FIRST_RANGE = 1000

#: A range of keys, both ends included.
Range = tuple[int, int]


@dataclass
class MySQLSnapshot:
    """See :class:`shopsight.extract.dialect.OpenSnapshot`.

    Attributes:
        relations: by the contract's names.
        ranges: by the contract's names, all keys of the tables that are read by ranges; None for no row.
    """

    id: str
    as_of: datetime
    server_version: str
    connections: list[Session]
    source: Source
    relations: dict[str, Relation]
    ranges: dict[str, Range | None]
    hashes_bytes: bool
    is_utf8: bool = True

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
            if column.kind is not Kind.TEXT and not is_native(columns[column.name], column.kind)
        )

    def parts(self, table: str) -> Sequence[Range | None]:
        """Ranges of the table's keys; a single None for what is read as a whole."""
        whole = self.ranges.get(table)
        if whole is None or len(self.connections) == 1:
            return [whole]
        low, high = whole
        count = min(_PARTS_PER_CONNECTION * len(self.connections), high - low + 1)
        edges = [low + (high - low + 1) * n // count for n in range(count + 1)]
        return [(start, end - 1) for start, end in pairwise(edges)]

    def read(
        self, connection: Session, table: str, part: Range | None, as_text: frozenset[str], batch_bytes: int
    ) -> Generator[Callable[[], pa.Table]]:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        relation = self.relations[table]
        if part is None:
            batches = connection.lines(line_query(relation, as_text), batch_bytes)
        else:
            batches = _read_ranges(connection, relation, part, as_text, batch_bytes)
        with translated(self.source, f"reading {relation.shown}"), closing(batches):
            for count, lines in batches:
                yield partial(_decode, relation, as_text, count, lines)

    def control_totals(self, connection: Session, table: str, as_text: frozenset[str]) -> Totals:
        """See :class:`shopsight.extract.dialect.OpenSnapshot`."""
        relation = self.relations[table]
        with translated(self.source, f"counting {relation.shown}"):
            return read_totals(connection, relation, as_text, is_utf8=self.is_utf8)


def _read_ranges(
    connection: Session, relation: Relation, part: Range, as_text: frozenset[str], batch_bytes: int
) -> Generator[tuple[int, bytes]]:
    """A part in ranges of as many keys as make up about ``batch_bytes``: how many rows, and their lines."""
    (low, last), size = part, _FIRST_RANGE
    while low <= last:
        high = min(low + size - 1, last)
        where = condition(relation, low, high)
        count, lines = connection.values(range_query(relation, as_text, where))
        length = len(lines or b"")
        # The server cuts a text that is too long, at the end of a character, and says so in a warning only.
        if length <= connection.longest - 4:
            if count:
                yield count, (lines or b"") + b"\n"
        elif low < high:
            size = max(1, (high - low) // 2)
            continue
        else:
            yield from connection.lines(line_query(relation, as_text, where), batch_bytes)
        low = high + 1
        size = max(1, min(8 * size, size * batch_bytes // max(length, 1)))


def _decode(relation: Relation, as_text: frozenset[str], count: int, lines: bytes) -> pa.Table:
    rows = read_lines(pa.py_buffer(lines), relation.contract, as_text)
    if rows.num_rows != count:
        raise row_too_long(relation.shown)
    return rows


@contextmanager
def open_snapshot(source: Source, connections: int) -> Iterator[MySQLSnapshot]:
    """See :class:`shopsight.extract.dialect.Dialect`."""
    with ExitStack() as stack:
        first = stack.enter_context(closing(Session(source)))
        with translated(source, "taking a snapshot"):
            sessions = [first]
            if connections > 1 and _binary_log(first):
                sessions += [stack.enter_context(closing(Session(source))) for _ in range(connections - 1)]
            sessions = _in_one_state(sessions)
            ((connection_id, as_of),) = first.rows("SELECT CONNECTION_ID(), UTC_TIMESTAMP(6)")
        with translated(source, "looking up the tables"):
            relations = look_up_tables(first, source)
        with translated(source, "measuring the tables"):
            ranges = {name: _keys(first, one) for name, one in relations.items() if one.range_key}
        yield MySQLSnapshot(
            id=_binary_log(first) or f"{connection_id}-{as_of.timestamp()}",
            as_of=as_of.replace(tzinfo=UTC),
            server_version=first.version,
            connections=sessions,
            source=source,
            relations={name: relations[name] for name in sorted(relations, key=_size(ranges), reverse=True)},
            ranges=ranges,
            # MariaDB's UTF-8 may hold surrogates, which are no Unicode; MySQL's may not.
            hashes_bytes="MariaDB" in first.version,
        )


def _size(ranges: dict[str, Range | None]) -> Callable[[str], float]:
    """A table's apparent size, by its range of keys; one without keys counts as the largest."""

    def size(table: str) -> float:
        keys = ranges.get(table, (0, float("inf")))
        return keys[1] - keys[0] if keys else 0

    return size


def _keys(session: Session, relation: Relation) -> Range | None:
    key = relation.range_key
    ((low, high),) = session.rows(f"SELECT MIN({key}), MAX({key}) FROM {relation.base}")
    return None if low is None else (low, high)


def _in_one_state(sessions: list[Session]) -> list[Session]:
    """Begin a snapshot in all sessions; returns those that see the same state, the first one at least.

    MariaDB with a binary log says which state a snapshot is of. Snapshots taken one after the other differ if
    somebody wrote in between; then they are taken again.
    """
    for session in sessions:
        session.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for _ in range(_TRIES):
        for session in sessions:
            session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        if len({_binary_log(session) for session in sessions}) == 1:
            return sessions
    for unused in sessions[1:]:
        unused.close()
    return sessions[:1]


def _binary_log(session: Session) -> str:
    """The place in MariaDB's binary log that the snapshot is of; "" where the server has none."""
    found = session.rows("SHOW STATUS LIKE 'binlog_snapshot_%%'")
    return ":".join(value for _, value in sorted(found)) if all(value for _, value in found) else ""
