"""A table's raw Parquet: its schema, the limits of native values, and the writer of one file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from shopsight.audit.control_totals import AMOUNT_LIMIT, COUNT_LIMIT
from shopsight.contract import MONEY_PRECISION, MONEY_SCALE, Kind, Table
from shopsight.errors import translated_disk_errors

_NATIVE_TYPES = {
    Kind.KEY: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.MONEY: pa.decimal128(MONEY_PRECISION, MONEY_SCALE),
    Kind.COUNT: pa.int64(),
}
# Text columns with few distinct values. A dictionary slows the others down, and numbers too.
_REPETITIVE = ("status", "country", "currency")
_EPOCH = date(1970, 1, 1)
#: Exclusive bounds of native values: days since 1970, amounts, counts.
LIMITS = {
    Kind.DATE: ((date.min - _EPOCH).days - 1, (date.max - _EPOCH).days + 1),
    Kind.MONEY: (-AMOUNT_LIMIT, AMOUNT_LIMIT),
    Kind.COUNT: (-COUNT_LIMIT, COUNT_LIMIT),
}


class ValuesDoNotFit(Exception):
    """Columns hold values that their native type cannot: read the table again with them as text."""

    def __init__(self, table: str, columns: Collection[str]) -> None:
        super().__init__(f"{table}: {', '.join(sorted(columns))}")
        self.table = table
        self.columns = frozenset(columns)


def arrow_schema(table: Table, as_text: Collection[str]) -> pa.Schema:
    """The schema of a table's raw files: the contract's columns in order, those in ``as_text`` as strings."""
    return pa.schema(
        [
            (column.name, pa.string() if column.name in as_text else _NATIVE_TYPES[column.kind])
            for column in table.columns
        ]
    )


class PartWriter(AbstractContextManager["PartWriter"]):
    """Writes one Parquet file, a row group per batch.

    Another thread decodes and writes a batch while the caller fetches the next one; at most one waits. An
    error in it is raised by the next call, or at the end. Money is stored as cents (INT64 DECIMAL). Numbers,
    days and money are delta-encoded, which takes half the space and less time to write and read.

    Args:
        path: the file.
        table: the contract's table.
        as_text: its columns that arrive as text.
        on_rows: called by the writing thread with the number of rows in each written batch.

    Attributes:
        rows: rows written so far.

    Raises:
        ValuesDoNotFit: a value does not fit its column's type.
        WorkspaceError: the disk is full or cannot be written.
    """

    def __init__(
        self, path: Path, table: Table, as_text: Collection[str], on_rows: Callable[[int], None] | None = None
    ) -> None:
        self.rows = 0
        self._path = path
        self._on_rows = on_rows
        self._waiting: Future[None] | None = None
        schema = arrow_schema(table, as_text)
        with translated_disk_errors(path.parent):
            self._writer = pq.ParquetWriter(
                path,
                schema,
                compression="lz4",
                use_dictionary=[name for name in _REPETITIVE if name in schema.names],
                column_encoding={
                    field.name: "DELTA_BINARY_PACKED"
                    for field in schema
                    if not pa.types.is_string(field.type)
                },
                store_decimal_as_integer=True,
                # Cleaning uses these to skip row groups outside its range of keys.
                write_statistics=[column.name for column in table.columns if column.kind is Kind.KEY],
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def write(self, decode: Callable[[], pa.Table]) -> None:
        """Append the rows that ``decode`` returns, in another thread; no row group for no rows."""
        self._flush()
        self._waiting = self._thread.submit(self._write, decode)

    def _write(self, decode: Callable[[], pa.Table]) -> None:
        rows = decode()
        if rows.num_rows:
            with translated_disk_errors(self._path.parent):
                self._writer.write_table(rows, row_group_size=rows.num_rows)
            self.rows += rows.num_rows
            if self._on_rows is not None:
                self._on_rows(rows.num_rows)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
        finally:
            self._thread.shutdown()
            with translated_disk_errors(self._path.parent):
                self._writer.close()
