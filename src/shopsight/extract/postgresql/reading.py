"""Reading the tables of a shared snapshot with all its connections at once.

A table that has pages is cut into ranges of them, a task each; any other (a view, a partitioned or a foreign
table) is one task. So are the table's figures, which the database works out for the proof, over the whole
table and apart from the reading.

Within a task, rows come a batch at a time. Of a range of pages the database makes one text, which costs the
driver next to nothing; how many pages make a batch is learnt on the way.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from adbc_driver_manager import Error as DriverError

from shopsight.extract.dialect import OnRows, Source
from shopsight.extract.postgresql import sql
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.session import Session
from shopsight.extract.postgresql.snapshot import SAVEPOINT, SharedSnapshot
from shopsight.extract.postgresql.tasks import Task, run_tasks
from shopsight.extract.rows import PartWriter, ValuesDoNotFit
from shopsight.measures import as_measure
from shopsight.tables import TABLES, Kind
from shopsight.workspace import translated_disk_errors

Lines = Generator[pa.Buffer, None, None]

# Lines are seldom longer; a batch of longer ones has fewer of them.
_BYTES_PER_ROW = 256
# Where the database has no estimate yet.
_ROWS_PER_PAGE = 64
# Parts are small enough that all connections end at about the same time, and large enough for a file.
_BATCHES_PER_PART = 8
_PARTS_PER_CONNECTION = 4
_TOO_LARGE_FOR_A_VALUE = "54000"
_LINE_END = sql.quote_text("\n")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class Figures:
    """What the database itself says of a table."""

    rows: int
    measure: Decimal | None


@dataclass(frozen=True)
class Pages:
    """A range of a table's pages, of which ``step`` make about a batch; the table's last range is open."""

    start: int
    end: int
    is_open: bool
    step: int


def ask_figures(session: Session, relation: Relation, *, is_utf8: bool) -> Figures:
    """A table's rows and measure, worked out by the database.

    Raises:
        adbc_driver_manager.Error: the query failed.
    """
    for is_guarded in (False, True):
        query = sql.figures(
            relation.table, relation.quoted, relation.columns, is_utf8=is_utf8, is_guarded=is_guarded
        )
        ((rows, measure),) = session.rows(query)
        if measure not in _NOT_FINITE:
            break
    if measure is None:
        return Figures(int(rows), None)
    return Figures(int(rows), as_measure(relation.table, Decimal(measure)))


class Reading:
    """Reads a shared snapshot's tables into a folder, all connections at work.

    Attributes:
        figures: by table, what the database says of it.
        as_text: by table, the columns that arrive as text though the contract has another type.
    """

    def __init__(
        self, source: Source, snapshot: SharedSnapshot, folder: Path, batch_rows: int, on_rows: OnRows | None
    ) -> None:
        self.figures: dict[str, Figures] = {}
        self.as_text = {name: _never_native(relation) for name, relation in snapshot.relations.items()}
        self._source = source
        self._snapshot = snapshot
        self._folder = folder
        self._batch_rows = batch_rows
        self._on_rows = on_rows
        self._lock = threading.Lock()
        self._rows_read = dict.fromkeys(snapshot.relations, 0)
        self._unfit: dict[str, frozenset[str]] = {}

    def run(self) -> None:
        """Read everything; a table of which a value does not fit its native type is read again.

        Raises:
            SourceError: the first error of any connection; the others are stopped.
            WorkspaceError: the disk is full or cannot be written.
        """
        longest_first = sorted(self._snapshot.relations.values(), key=self._size, reverse=True)
        figures = [self._figures_task(relation) for relation in longest_first]
        run_tasks(figures + self._part_tasks(longest_first), self._snapshot.sessions)
        while self._unfit:
            again = [relation for relation in longest_first if relation.table in self._unfit]
            for relation in again:
                self._discard(relation.table)
                self.as_text[relation.table] |= self._unfit.pop(relation.table)
            run_tasks(self._part_tasks(again), self._snapshot.sessions)

    def _size(self, relation: Relation) -> float:
        """A table's size in pages; what has none comes first, as its size is not known."""
        return self._snapshot.pages.get(relation.table, float("inf"))

    def _figures_task(self, relation: Relation) -> Task:
        def task(session: Session, _: threading.Event) -> None:
            with translated(self._source, f"counting {relation.shown}"):
                self.figures[relation.table] = ask_figures(session, relation, is_utf8=self._snapshot.is_utf8)

        return task

    def _part_tasks(self, relations: Sequence[Relation]) -> list[Task]:
        return [
            self._part_task(relation, pages, self._folder / relation.table / f"part-{number:05}.parquet")
            for relation in relations
            for number, pages in enumerate(self._ranges(relation))
        ]

    def _ranges(self, relation: Relation) -> list[Pages | None]:
        """The ranges into which a table is cut; one of None for what has no pages."""
        total = self._snapshot.pages.get(relation.table)
        if total is None:
            return [None]
        step = max(1, round(self._batch_rows / (relation.rows_per_page or _ROWS_PER_PAGE)))
        even = total // (_PARTS_PER_CONNECTION * len(self._snapshot.sessions))
        length = max(step, min(even, step * _BATCHES_PER_PART))
        return [
            Pages(start, min(start + length, total), start + length >= total, step)
            for start in range(0, max(total, 1), length)
        ]

    def _part_task(self, relation: Relation, pages: Pages | None, path: Path) -> Task:
        def task(session: Session, stop: threading.Event) -> None:
            if relation.table in self._unfit:
                return
            try:
                with translated(self._source, f"reading {relation.shown}"):
                    self._read_part(session, stop, relation, pages, path)
            except ValuesDoNotFit as misfit:
                with self._lock:
                    known = self._unfit.get(relation.table, frozenset())
                    self._unfit[relation.table] = known | misfit.columns

        return task

    def _read_part(
        self, session: Session, stop: threading.Event, relation: Relation, pages: Pages | None, path: Path
    ) -> None:
        def on_rows(rows: int) -> None:
            self._count(relation.table, rows)

        with PartWriter(path, TABLES[relation.table], self.as_text[relation.table], on_rows) as part:
            if pages is not None:
                self._read_pages(session, stop, relation, pages, part)
                return
            with closing(self._lines(session, relation)) as batches:
                for lines in batches:
                    if stop.is_set():
                        return
                    part.write(lines)

    def _read_pages(
        self, session: Session, stop: threading.Event, relation: Relation, pages: Pages, part: PartWriter
    ) -> None:
        start, step = pages.start, pages.step
        while not stop.is_set():
            end = min(start + step, pages.end)
            is_last = end >= pages.end
            # What lies behind the last page that was counted is not in the snapshot, and costs nothing.
            until = "" if is_last and pages.is_open else f" AND ctid < '({end},0)'"
            where = f" WHERE ctid >= '({start},0)'{until}"
            size = 0
            with closing(self._lines_of_pages(session, relation, where)) as batches:
                for lines in batches:
                    size += lines.size
                    part.write(lines)
            if is_last:
                return
            start, step = end, self._next_step(step, size, part)

    def _next_step(self, step: int, size: int, part: PartWriter) -> int:
        """How many pages to take next, so that they make a batch; at most four times as many as before.

        Args:
            step: how many were taken.
            size: the bytes of their lines.
            part: knows how long a line is.
        """
        rows = size * part.rows / part.size if part.size else self._batch_rows
        share = max(rows / self._batch_rows, size / (self._batch_rows * _BYTES_PER_ROW), 0.25)
        return max(1, int(step / share))

    def _lines_of_pages(self, session: Session, relation: Relation, where: str) -> Lines:
        lines = f"string_agg({_line(relation)}, {_LINE_END}) || {_LINE_END}"
        query = f"SELECT coalesce({lines}, '') FROM {relation.quoted}{where}"
        try:
            batch = session.text(query)
        except DriverError as error:
            if error.sqlstate != _TOO_LARGE_FOR_A_VALUE:
                raise
            session.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            yield from self._lines(session, relation, where)
        else:
            yield batch

    def _lines(self, session: Session, relation: Relation, where: str = "") -> Lines:
        query = f"SELECT {_line(relation)} || {_LINE_END} FROM {relation.quoted}{where}"
        return session.texts(query, self._batch_rows * _BYTES_PER_ROW // 4)

    def _count(self, table: str, rows: int) -> None:
        with self._lock:
            self._rows_read[table] += rows
            if self._on_rows is not None and rows:
                self._on_rows(table, rows)

    def _discard(self, table: str) -> None:
        """Remove what was read of a table."""
        with translated_disk_errors(self._folder):
            for path in (self._folder / table).glob("*.parquet"):
                path.unlink()
        self._count(table, -self._rows_read[table])


def _line(relation: Relation) -> str:
    return sql.line(relation.table, list(relation.columns.values()))


def _never_native(relation: Relation) -> frozenset[str]:
    """The columns whose type is not like the contract's, so that no value needs to be tried."""
    return frozenset(
        column.name
        for column in TABLES[relation.table].columns
        if column.kind is not Kind.TEXT and not sql.is_sent_bare(relation.columns[column.name], column.kind)
    )
