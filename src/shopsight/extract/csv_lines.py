"""Rows as lines of CSV, decoded by Arrow: the general way to read, which any dialect can use.

The database formats each row as one line. Values are their own text: bare where they cannot hold a comma or a
quote, else in double quotes. Null is nothing at all, and an empty text is ``""``. A line is one value for the
driver, however many columns it has, and Arrow decodes lines much faster than a driver reads columns
(docs/adr/0004-values-travel-together.md).

No value is probed. One that cannot be decoded without loss (a NaN, an infinite date, a third decimal) raises
:class:`ValuesDoNotFit`, which names its column.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from shopsight.contract import Kind, Table
from shopsight.extract.raw_parquet import LIMITS, ValuesDoNotFit, arrow_schema


def read_lines(lines: pa.Buffer, table: Table, as_text: Collection[str]) -> pa.Table:
    """Decode lines of CSV in the contract's columns and order into a table of :func:`arrow_schema`.

    Every line needs its line end, the last one too: Arrow takes an empty value at the very end for a text.

    Native are whole numbers of 64 bits (counts: below 10^18), amounts below 10^15 with at most two decimals,
    and days from 0001-01-01 to 9999-12-31. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        ValuesDoNotFit: names every column, not in ``as_text``, with a value that does not fit.
    """
    schema = arrow_schema(table, as_text)
    if lines.size == 0:
        return schema.empty_table()
    typed = [c for c in table.columns if c.kind is not Kind.TEXT and c.name not in as_text]
    try:
        rows = _parse(lines, schema, schema.names)
    except pa.ArrowInvalid as error:
        if "invalid UTF8" in str(error):
            mended = lines.to_pybytes().decode("utf-8", "replace").encode()
            return read_lines(pa.py_buffer(mended), table, as_text)
        if unfit := [column.name for column in typed if not _is_parsed(lines, schema, column.name)]:
            raise ValuesDoNotFit(table.name, unfit) from None
        raise
    if unfit := [column.name for column in typed if not _is_within_limits(rows[column.name], column.kind)]:
        raise ValuesDoNotFit(table.name, unfit)
    return rows


def _parse(lines: pa.Buffer, schema: pa.Schema, columns: Collection[str]) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(lines),
        # One block, decoded by the calling thread: each connection has a thread already.
        read_options=csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=lines.size + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            include_columns=list(columns),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _is_parsed(lines: pa.Buffer, schema: pa.Schema, column: str) -> bool:
    try:
        _parse(lines, schema, [column])
    except pa.ArrowInvalid:
        return False
    return True


def _is_within_limits(values: pa.ChunkedArray, kind: Kind) -> bool:
    limit = LIMITS.get(kind)
    if limit is None:
        return True
    extremes = pc.min_max(values.cast(pa.int32()) if kind is Kind.DATE else values).as_py()
    return extremes["min"] is None or (limit[0] < extremes["min"] and extremes["max"] < limit[1])
