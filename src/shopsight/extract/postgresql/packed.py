"""Columns as the server packs them: of a few pages' rows, all values of a column as the bytes of one value.

A row of a result costs the driver far more than the values in it. So the server strings the values of each
column together, in their binary form, and NumPy reads them where they lie:

* numbers and days as integers of 4 or 8 bytes, money in cents; two of 4 bytes without nulls as one of 8. A
  value that its native type does not hold is left out, and is missed when the bytes are counted, or is seen
  to be beyond the type's limits;
* everything else as text, with the length of each beside it, -1 for a null.

Where a number may be null, a byte beside it says whether it is. The parts of a row stay together because each
column's values come in the order in which the rows do: one pass over the pages fills all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shopsight.audit.control_totals import AMOUNT_LIMIT
from shopsight.contract import MONEY_PRECISION, MONEY_SCALE, TABLES, Kind
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import (
    Family,
    SourceColumn,
    as_number,
    as_sent,
    quote_name,
)
from shopsight.extract.postgresql.pages import Pages
from shopsight.extract.rows import LIMITS, ValuesDoNotFit, arrow_schema, bytes_of

#: So many pages' values make about 50 kB a column, which the processor's cache holds while they are strung
#: together. With a megabyte the server needs a third longer; with a tenth of it, the driver.
PAGES_PER_VALUE = 64

_CENTS = 10**MONEY_SCALE
#: PostgreSQL counts days from 2000-01-01, Arrow from 1970-01-01.
_DAYS_TO_2000 = 10_957

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def packed_query(relation: Relation, pages: Pages, as_text: Collection[str], *, is_utf8: bool) -> str:
    """The query for the rows of a range of pages, :data:`PAGES_PER_VALUE` pages a row.

    Grain: one row per such group of pages with at least one row: how many rows it has, and their columns'
    values in the form of :func:`packings`.
    """
    start, end = "from_page.number", f"from_page.number + {PAGES_PER_VALUE}"
    values = [value for packing in packings(relation, as_text, is_utf8=is_utf8) for value in packing.values]
    return (
        f"SELECT packed.* FROM generate_series({pages.start}::bigint, {max(pages.start, pages.end - 1)},"
        f" {PAGES_PER_VALUE}) AS from_page(number), LATERAL (SELECT count(*), {', '.join(values)}"
        f" FROM {relation.quoted} WHERE {pages.condition(start, end)} HAVING count(*) > 0) AS packed"
    )


def unpack(batch: pa.RecordBatch, relation: Relation, as_text: Collection[str], *, is_utf8: bool) -> pa.Table:
    """What :func:`packed_query` gave, as rows in the contract's columns and order.

    Raises:
        ValuesDoNotFit: naming every column, not in ``as_text``, of which a value does not fit.
        ValueError: the lengths of texts are not those of their bytes, which no server should send.
    """
    table = TABLES[relation.table]
    rows = sum(batch.column(0).to_pylist())
    parts = iter(map(bytes_of, batch.columns[1:]))
    columns: dict[str, pa.Array | None] = {}
    for packing in packings(relation, as_text, is_utf8=is_utf8):
        arrays = packing.unpacked(rows, *(next(parts) for _ in packing.values))
        columns.update(zip(packing.names, arrays, strict=True))
    if unfit := [name for name, array in columns.items() if array is None]:
        raise ValuesDoNotFit(table.name, unfit)
    schema = arrow_schema(table, as_text)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


class Packing(Protocol):
    """How a column, or two, are packed: what the server is asked for, and what is made of its answer."""

    @property
    def names(self) -> list[str]:
        """The contract's names of the columns."""

    @property
    def values(self) -> list[str]:
        """The aggregates to ask for, as SQL."""

    def unpacked(self, rows: int, *parts: pa.Buffer) -> list[pa.Array | None]:
        """The columns, of the aggregates' bytes; None for one of which a value does not fit."""


def packings(relation: Relation, as_text: Collection[str], *, is_utf8: bool) -> list[Packing]:
    """How the contract's columns are packed."""
    packed: list[Packing] = []
    small: list[_Numbers] = []
    for expected, column in zip(TABLES[relation.table].columns, relation.columns.values(), strict=True):
        name, kind = expected.name, expected.kind
        if kind is Kind.TEXT or name in as_text:
            packed.append(_Texts(name, as_sent(column, kind), is_utf8))
        elif (numbers := _Numbers(name, column, kind)).is_small and not column.is_nullable:
            small.append(numbers)
        else:
            packed.append(numbers)
    pairs = [_Pair(*pair) for pair in zip(small[::2], small[1::2], strict=False)]
    return [*packed, *pairs, *small[2 * len(pairs) :]]


@dataclass(frozen=True)
class _Numbers:
    """Whole numbers, days, or money in cents."""

    name: str
    column: SourceColumn
    kind: Kind

    @property
    def names(self) -> list[str]:
        return [self.name]

    @property
    def values(self) -> list[str]:
        values = [f"string_agg({self._bytes}, ''::bytea)"]
        if self.column.is_nullable:
            values.append(f"string_agg(boolsend({quote_name(self.column.name)} IS NULL), ''::bytea)")
        return values

    @property
    def _width(self) -> int:
        return 4 if self.kind is Kind.DATE or self.is_small else 8

    @property
    def is_small(self) -> bool:
        """Whether every value is a whole number of 4 bytes at most."""
        return self.kind is not Kind.MONEY and self.column.base in ("int2", "int4")

    @property
    def _bytes(self) -> str:
        """A value's bytes; null if it does not fit."""
        number = as_number(self.column, self.kind)
        if self.kind is Kind.DATE:
            return f"date_send({number})"
        return f"int4send({number})" if self.is_small else f"int8send({self._fitting(number)})"

    def _fitting(self, number: str) -> str:
        if self.column.family is Family.INTEGER and self.kind is not Kind.MONEY:
            return number
        if self.kind is not Kind.MONEY:
            is_whole = (
                f"scale({number}) = 0 AND {number} BETWEEN -9223372036854775808 AND 9223372036854775807"
            )
            return f"CASE WHEN {is_whole} THEN {number}::bigint END"
        if self.column.family is Family.INTEGER:
            number = f"{number}::numeric"
        fits = f"abs({number}) < {AMOUNT_LIMIT} AND {number} = round({number}, {MONEY_SCALE})"
        if self.column.is_always_amount:
            # Of NaN, which every numeric type admits, the scale is null.
            fits = f"scale({number}) <= {MONEY_SCALE}"
        return f"CASE WHEN {fits} THEN ({number} * {_CENTS})::bigint END"

    def unpacked(self, rows: int, *parts: pa.Buffer) -> list[pa.Array | None]:
        found = np.frombuffer(parts[0], f">i{self._width}").astype(np.int64)
        is_null = np.frombuffer(parts[1], np.bool_) if self.column.is_nullable else np.zeros(0, np.bool_)
        nulls = int(is_null.sum())
        if self.kind is Kind.DATE:
            found += _DAYS_TO_2000
        if len(found) != rows - nulls or not self._is_within_limits(found):
            return [None]
        if not nulls:
            return [_array(found, None, self.kind)]
        spread = np.zeros(rows, np.int64)
        spread[~is_null] = found
        return [_array(spread, is_null, self.kind)]

    def _is_within_limits(self, found: Integers) -> bool:
        limits = LIMITS.get(self.kind)
        if limits is None or not len(found):
            return True
        unit = _CENTS if self.kind is Kind.MONEY else 1
        return bool(limits[0] * unit < found.min() and found.max() < limits[1] * unit)


@dataclass(frozen=True)
class _Pair:
    """Two columns of small numbers without nulls, as one of 8 bytes: a value costs more than its bytes."""

    first: _Numbers
    second: _Numbers

    @property
    def names(self) -> list[str]:
        return [self.first.name, self.second.name]

    @property
    def values(self) -> list[str]:
        first, second = (quote_name(numbers.column.name) for numbers in (self.first, self.second))
        both = f"({first}::bigint << 32) | ({second}::bigint & {2**32 - 1})"
        return [f"string_agg(int8send({both}), ''::bytea)"]

    def unpacked(self, rows: int, *parts: pa.Buffer) -> list[pa.Array | None]:
        if parts[0].size != 8 * rows:
            # There are nulls, whatever the catalog says.
            return [None, None]
        found = np.frombuffer(parts[0], ">i4").reshape(rows, 2).astype(np.int64)
        return [_array(found[:, place].copy(), None, Kind.KEY) for place in (0, 1)]


def _array(values: Integers, is_null: Flags | None, kind: Kind) -> pa.Array:
    if kind is Kind.DATE:
        return pa.array(values.astype(np.int32), pa.int32(), mask=is_null).view(pa.date32())
    integers = pa.array(values, pa.int64(), mask=is_null)
    if kind is not Kind.MONEY:
        return integers
    # A decimal of 128 bits is the number of cents, low half first; the high half repeats its sign.
    halves = np.stack([values, values >> 63], axis=1)
    buffers = [integers.buffers()[0], pa.py_buffer(halves)]
    return pa.Array.from_buffers(pa.decimal128(MONEY_PRECISION, MONEY_SCALE), len(values), buffers)


@dataclass(frozen=True)
class _Texts:
    """Texts of any kind of column: their lengths, and their bytes in UTF-8, as far as the server knows."""

    name: str
    text: str
    is_utf8: bool

    @property
    def names(self) -> list[str]:
        return [self.name]

    @property
    def values(self) -> list[str]:
        if self.is_utf8:
            text, nothing = f"{self.text}::text", "''"
        else:
            # Lengths must be those of what is sent, not of what is stored.
            text, nothing = f"textsend({self.text}::text)", "''::bytea"
        lengths = f"int4send(coalesce(octet_length({text}), -1))"
        return [f"string_agg({lengths}, ''::bytea)", f"string_agg({text}, {nothing})"]

    def unpacked(self, rows: int, *parts: pa.Buffer) -> list[pa.Array | None]:
        lengths, data = np.frombuffer(parts[0], ">i4"), parts[1]
        is_null = lengths < 0
        ends = np.zeros(rows + 1, np.int64)
        np.cumsum(np.where(is_null, 0, lengths), out=ends[1:])
        if ends[-1] != data.size:
            raise ValueError(f"{rows} texts should have {ends[-1]} bytes, and have {data.size}")
        validity = pa.array(~is_null).buffers()[1] if is_null.any() else None
        texts = pa.Array.from_buffers(
            pa.string(), rows, [validity, pa.py_buffer(ends.astype(np.int32)), data]
        )
        return [_mended(texts)]


def _mended(texts: pa.Array) -> pa.Array:
    """The texts, with U+FFFD for what is not UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        values = texts.view(pa.binary()).to_pylist()
        return pa.array([None if value is None else value.decode("utf-8", "replace") for value in values])
    return texts
