"""Reading the tables of a shared snapshot with all its connections at once.

A table that has pages is cut into ranges of them, a task and a file each; any other (a view, a partitioned or
a foreign table) is one task. So are the table's figures, which the database works out for the proof, over the
whole table and apart from the reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa

from shopsight.contract import TABLES, Kind
from shopsight.errors import translated_disk_errors
from shopsight.extract.dialect import OnRows, Source
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import Family, is_sent_bare
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.figures import Figures, ask_figures
from shopsight.extract.postgresql.lines import line_query
from shopsight.extract.postgresql.packed import packed_query, unpack
from shopsight.extract.postgresql.pages import Pages
from shopsight.extract.postgresql.session import Session
from shopsight.extract.postgresql.snapshot import SharedSnapshot
from shopsight.extract.postgresql.tasks import Task, run_tasks
from shopsight.extract.rows import PartWriter, ValuesDoNotFit, bytes_of, read_lines

# The usual length of a row. Longer ones make smaller batches.
_BYTES_PER_ROW = 32
# Parts are small enough that all connections end at about the same time, and large enough for a file.
_PARTS_PER_CONNECTION = 4
_LEAST_PAGES_PER_PART, _MOST_PAGES_PER_PART = 512, 8192


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
        extent = self._snapshot.extents.get(relation.table)
        return float("inf") if extent is None else extent.pages

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
        extent = self._snapshot.extents.get(relation.table)
        if extent is None:
            return [None]
        even = extent.pages // (_PARTS_PER_CONNECTION * len(self._snapshot.sessions))
        length = max(_LEAST_PAGES_PER_PART, min(even, _MOST_PAGES_PER_PART))
        starts = range(0, max(extent.pages, 1), length)
        return [
            Pages(start, min(start + length, extent.pages), is_last=start == starts[-1]) for start in starts
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

        table, as_text = TABLES[relation.table], self.as_text[relation.table]
        query, read = self._way(relation, pages, as_text)
        with (
            PartWriter(path, table, as_text, on_rows) as part,
            closing(session.batches(query, self._batch_rows * _BYTES_PER_ROW)) as batches,
        ):
            for batch in batches:
                if stop.is_set():
                    return
                part.write(partial(read, batch))

    def _way(
        self, relation: Relation, pages: Pages | None, as_text: frozenset[str]
    ) -> tuple[str, Callable[[pa.RecordBatch], pa.Table]]:
        """What to ask for the rows of these pages, and what makes rows of a batch of the answer."""
        table, is_utf8 = TABLES[relation.table], self._snapshot.is_utf8
        extent = self._snapshot.extents.get(relation.table)
        # A number of a few bytes may have more than a hundred thousand digits.
        is_long = any(relation.columns[name].family in (Family.NUMERIC, Family.FLOAT) for name in as_text)
        if pages is None or extent is None or extent.has_large_values or is_long:
            return line_query(relation, pages, as_text), lambda batch: read_lines(
                bytes_of(batch.column(0)), table, as_text
            )
        query = packed_query(relation, pages, as_text, is_utf8=is_utf8)
        return query, lambda batch: unpack(batch, relation, as_text, is_utf8=is_utf8)

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


def _never_native(relation: Relation) -> frozenset[str]:
    """The columns whose type is not like the contract's, so that no value needs to be tried."""
    return frozenset(
        column.name
        for column in TABLES[relation.table].columns
        if column.kind is not Kind.TEXT and not is_sent_bare(relation.columns[column.name], column.kind)
    )
