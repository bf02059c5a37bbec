"""Reading the tables of a snapshot into raw Parquet, with all its connections at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.control_totals import Totals
from shopsight.audit.parquet import read_batches
from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch, translated_disk_errors
from shopsight.extract.dialect import STATE, Connection, OnRows, OpenSnapshot
from shopsight.extract.raw_parquet import PartWriter, ValuesDoNotFit

# A text that may be read as a whole number.
_DIGITS = r"^[^\p{L}]*[0-9][^\p{L}]*$"
# The usual length of a row. Longer ones make smaller batches.
_BYTES_PER_ROW = 32

Task = Callable[[Connection], None]


class Reader:
    """Reads a snapshot's tables and their control totals: one task each, and one for each part of a table.

    Attributes:
        totals: by table, the control totals as the database reports them.
        as_text: by table, the columns that arrive as text though the contract has another type.
    """

    def __init__(
        self, snapshot: OpenSnapshot, folder: Path, batch_rows: int, on_rows: OnRows | None = None
    ) -> None:
        self.totals: dict[str, Totals] = {}
        self.as_text = {table: snapshot.never_native(table) for table in snapshot.column_types}
        self._snapshot = snapshot
        self._folder = folder
        self._batch_bytes = batch_rows * _BYTES_PER_ROW
        self._on_rows = on_rows
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._rows_read = dict.fromkeys(TABLES, 0)
        self._unfit: dict[str, frozenset[str]] = {}

    def read_tables(self) -> None:
        """Read everything; a table with a value that does not fit its native type is read again.

        Raises:
            SourceError: the first error of any connection; the others are stopped.
            WorkspaceError: the disk is full or cannot be written.
        """
        with translated_disk_errors(self._folder):
            for table in self.as_text:
                (self._folder / table).mkdir(parents=True, exist_ok=True)
        was_utf8 = self._snapshot.is_utf8
        self._run(self._tasks(self.as_text))
        while self._unfit:
            unfit, self._unfit = self._unfit, {}
            for table, columns in unfit.items():
                self._discard(table)
                self.as_text[table] |= columns
            self._run(self._tasks(unfit))
        if was_utf8 and not self._snapshot.is_utf8:
            # The database hashed bytes that no file holds: now only the ASCII characters of texts count.
            self._run([partial(self._ask_totals, table) for table in self.as_text])

    def _ask_totals(self, table: str, connection: Connection) -> None:
        if table not in self._unfit:
            self.totals[table] = self._snapshot.control_totals(connection, table, self.as_text[table])

    def _tasks(self, tables: Collection[str]) -> list[Task]:
        parts: list[Task] = [
            partial(self._read_part, table, part, self._folder / table / f"part-{number:05}.parquet")
            for table in tables
            for number, part in enumerate(self._snapshot.parts(table))
        ]
        # Last, because by then it is mostly known which columns arrive as text.
        return parts + [partial(self._ask_totals, table) for table in tables]

    def _read_part(self, table: str, part: object, path: Path, connection: Connection) -> None:
        if table in self._unfit:
            return
        as_text, contract = self.as_text[table], TABLES[table].having(self._snapshot.column_types[table])
        batches = self._snapshot.read(connection, table, part, as_text, self._batch_bytes)
        try:
            with (
                PartWriter(path, contract, as_text, partial(self._count, table)) as writer,
                closing(batches),
            ):
                for decode in batches:
                    if self._stop.is_set():
                        return
                    writer.write(partial(self._decoded, decode))
        except ValuesDoNotFit as misfit:
            with self._lock:
                self._unfit[table] = self._unfit.get(table, frozenset()) | misfit.columns

    def _decoded(self, decode: Callable[[], pa.Table]) -> pa.Table:
        """The rows, noting if a text holds what stands for bytes that are not Unicode."""
        rows = decode()
        if self._snapshot.is_utf8 and self._snapshot.hashes_bytes:
            texts = (column for column in rows.columns if pa.types.is_string(column.type))
            if any(pc.any(pc.match_substring(text, "\ufffd")).as_py() for text in texts):
                self._snapshot.is_utf8 = False
        return rows

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

    def _run(self, tasks: list[Task]) -> None:
        """Do all tasks, a thread per connection (drivers and Arrow release the interpreter's lock).

        The first error, or an interruption from outside, stops the other threads and is raised when they have
        ended.
        """
        waiting = deque(tasks)

        def work(connection: Connection) -> None:
            while waiting and not self._stop.is_set():
                try:
                    task = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                task(connection)

        connections = self._snapshot.connections
        with ThreadPoolExecutor(len(connections), thread_name_prefix="extract") as pool:
            futures = [pool.submit(work, connection) for connection in connections]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                self._stop.set()
                # Repeatedly, because a connection may be between two queries at any one moment.
                while wait(futures, timeout=0.1).not_done:
                    for connection in connections:
                        connection.cancel()
                raise


def refuse_text_keys(folder: Path, as_text: Mapping[str, Collection[str]]) -> None:
    """Refuse a table whose keys are all names or UUIDs: cleaning would reject every row of it.

    Args:
        folder: the stage's folder.
        as_text: by table, the columns that arrived as text.

    Raises:
        SchemaMismatch: naming the first such table, with one of its keys.
    """
    for table in TABLES.values():
        example = _only_texts(folder / table.name, table.key) if table.key in as_text[table.name] else None
        if example is not None:
            raise SchemaMismatch(
                f"{table.name}.{table.key} holds texts such as {example[:40]!r}. Keys must be whole numbers;"
                f" texts and UUIDs are not supported as keys. {STATE}",
                remedy=f"Map a column of whole numbers: columns.{table.key} under [tables.{table.name}] in"
                " shopsight.toml, and the same wherever other tables refer to it.",
            )


def _only_texts(folder: Path, column: str) -> str | None:
    """One of a column's values if none of them can be a whole number; else None."""
    example: str | None = None
    for batch in read_batches(folder, [column]):
        if pc.any(pc.match_substring_regex(batch[0], _DIGITS)).as_py():
            return None
        written = batch[0].filter(pc.match_substring_regex(batch[0], r"\p{L}"))
        example = example or (written[0].as_py() if len(written) else None)
    return example
