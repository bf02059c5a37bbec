"""Rows as the databases send them, read into Arrow and written as a part of raw Parquet.

Any dialect can let the database write its rows as lines of CSV: values as their own text, bare where they
cannot hold a comma or a quote, else in double quotes; null is nothing at all, and an empty text is ``""``. A
line is one value for the driver, however many columns it has, and Arrow reads lines much faster than a driver
reads columns (docs/adr/0004-values-travel-together.md).

A value is native only if it is read without loss. So nothing is probed: a NaN, an infinite date, a third
decimal or a number of twenty digits is simply not read; :class:`ValuesDoNotFit` names its column, and the
table is read again with that column as text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from shopsight.audit.control_totals import AMOUNT_LIMIT, COUNT_LIMIT
from shopsight.contract import MONEY_PRECISION, MONEY_SCALE, Kind, Table
from shopsight.errors import translated_disk_errors

NATIVE = "native"
TEXT = "text"

_NATIVE_TYPES = {
    Kind.KEY: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.MONEY: pa.decimal128(MONEY_PRECISION, MONEY_SCALE),
    Kind.COUNT: pa.int64(),
}
# Texts of which a shop has few different ones. All others, and numbers, are slower with a dictionary.
_REPETITIVE = ("status", "country")
_EPOCH = date(1970, 1, 1)
#: Between which values, themselves excluded, a native one is: days since 1970, amounts, counts.
LIMITS = {
    Kind.DATE: ((date.min - _EPOCH).days - 1, (date.max - _EPOCH).days + 1),
    Kind.MONEY: (-AMOUNT_LIMIT, AMOUNT_LIMIT),
    Kind.COUNT: (-COUNT_LIMIT, COUNT_LIMIT),
}


class ValuesDoNotFit(Exception):
    """Columns hold values that their native type does not: the table is to be read again, these as text."""

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


def read_lines(lines: pa.Buffer, table: Table, as_text: Collection[str]) -> pa.Table:
    """Lines of CSV, in the contract's columns and order, as one table of :func:`arrow_schema`.

    Each line has its end, the last one, too: Arrow takes an empty value before the end of all for a text.

    Native are whole numbers of 64 bits (counts: below 10^18), amounts below 10^15 with two decimals at most,
    and days from 0001-01-01 to 9999-12-31. Text that is not UTF-8 keeps what can be read of it; any other
    byte becomes U+FFFD.

    Raises:
        ValuesDoNotFit: naming every column, not in ``as_text``, of which a value does not fit.
    """
    schema = arrow_schema(table, as_text)
    if lines.size == 0:
        return schema.empty_table()
    try:
        rows = _parse(lines, table, schema.names, as_text)
    except pa.ArrowInvalid as error:
        if "invalid UTF8" in str(error):
            return read_lines(_mended(lines), table, as_text)
        if unfit := _unfit_columns(lines, table, as_text):
            raise ValuesDoNotFit(table.name, unfit) from None
        raise
    unfit = [
        name for name in _typed_columns(table, as_text) if not _is_within_limits(rows[name], table, name)
    ]
    if unfit:
        raise ValuesDoNotFit(table.name, unfit)
    return rows


def bytes_of(values: pa.Array) -> pa.Buffer:
    """The bytes of all values of an array of text or bytes, one after the other, without a copy."""
    offsets, data = values.buffers()[1], values.buffers()[2]
    if not len(values) or data is None:
        return pa.py_buffer(b"")
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    return data.slice(int(ends[0]), int(ends[-1] - ends[0]))


def _parse(lines: pa.Buffer, table: Table, columns: Collection[str], as_text: Collection[str]) -> pa.Table:
    types = arrow_schema(table, as_text)
    return csv.read_csv(
        pa.BufferReader(lines),
        # The lines are one block, and the threads are the connections'.
        read_options=csv.ReadOptions(column_names=types.names, use_threads=False, block_size=lines.size + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types,
            include_columns=list(columns),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _is_text(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type))


def _typed_columns(table: Table, as_text: Collection[str]) -> list[str]:
    return [c.name for c in table.columns if c.kind is not Kind.TEXT and c.name not in as_text]


def _unfit_columns(lines: pa.Buffer, table: Table, as_text: Collection[str]) -> list[str]:
    unfit = []
    for name in _typed_columns(table, as_text):
        try:
            _parse(lines, table, [name], as_text)
        except pa.ArrowInvalid:
            unfit.append(name)
    return unfit


def _is_within_limits(values: pa.ChunkedArray, table: Table, name: str) -> bool:
    limit = LIMITS.get(table.column(name).kind)
    if limit is None:
        return True
    extremes = pc.min_max(values.cast(pa.int32()) if pa.types.is_date32(values.type) else values).as_py()
    return extremes["min"] is None or (limit[0] < extremes["min"] and extremes["max"] < limit[1])


def _mended(lines: pa.Buffer) -> pa.Buffer:
    return pa.py_buffer(lines.to_pybytes().decode("utf-8", "replace").encode())


class PartWriter(AbstractContextManager["PartWriter"]):
    """One Parquet file of a table's raw folder, written a batch at a time: a row group each.

    A batch is made into rows and written while the caller fetches the next one; no more than one waits. What
    goes wrong with it is raised by the next call, or at the end. Money is kept as whole cents (INT64
    DECIMAL). Numbers, days and money are written as differences, which takes less time than plain values, to
    write and to read, and less than half of their space.

    Args:
        path: the file.
        table: the contract's table.
        as_text: its columns that arrive as text.
        on_rows: told how many rows of each batch are written; by another thread.

    Attributes:
        rows: how many rows are written.

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
        repetitive = [name for name in _REPETITIVE if name in schema.names]
        with translated_disk_errors(path.parent):
            self._writer = pq.ParquetWriter(
                path,
                schema,
                compression="lz4",
                use_dictionary=repetitive,
                column_encoding={
                    name: "DELTA_BINARY_PACKED" for name in schema.names if not _is_text(schema.field(name))
                },
                store_decimal_as_integer=True,
                # By these, cleaning reads only the row groups of the keys it is at.
                write_statistics=[column.name for column in table.columns if column.kind is Kind.KEY],
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def write(self, read: Callable[[], pa.Table]) -> None:
        """Append the rows that ``read`` gives, in another thread, as a row group; nothing for no rows."""
        self._finish()
        self._waiting = self._thread.submit(self._write, read)

    def _write(self, read: Callable[[], pa.Table]) -> None:
        rows = read()
        if rows.num_rows:
            with translated_disk_errors(self._path.parent):
                self._writer.write_table(rows, row_group_size=rows.num_rows)
            self.rows += rows.num_rows
            if self._on_rows is not None:
                self._on_rows(rows.num_rows)

    def _finish(self) -> None:
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
                self._finish()
        finally:
            self._thread.shutdown()
            with translated_disk_errors(self._path.parent):
                self._writer.close()
