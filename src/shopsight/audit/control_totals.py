"""Keyed control totals: figures of a table that change when a value changes, moves to another row or is lost.

For every column of a table: how many values there are, and the exact sum over all rows of key × value. Counts
and plain sums miss two orders that swap their customers; a sum in which every value is multiplied by its
row's key does not. The totals are linear: those of parts add up to those of the whole, and a row that moves
from one file to another takes its share along.

A value is a whole number here:

=============  ===================================================================================
key, count     itself
date           days since 1970-01-01
amount         cents; further decimals are rounded half up (away from zero)
text           the first 60 bits of the MD5 of its UTF-8 bytes
=============  ===================================================================================

A typed column (key, count, date, amount) that arrived as text can be totalled in two ways: as the text that
the database sent (:func:`totals_as_sent`), or as the numbers that cleaning parses (:func:`totals_as_read`).
Values that do not parse count as ``others`` and are multiplied as text. Rows without a readable key are
counted, and their values summed without one.

Everything here is Arrow, NumPy and plain Python on Parquet files; it shares no code with the stages.
Source: control totals and hash totals of auditing; the products with the key make them depend on the row.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopsight.audit.lookups import Flags, Integers
from shopsight.audit.parquet import parquet_files, read_batches
from shopsight.audit.written import cents_of, day_of, whole_of
from shopsight.contract import Column, Kind, Table
from shopsight.record import Check

#: By column and figure a whole number of any length. Figures of a column: ``values``, how many are not null;
#: ``keyed``, the sum of key × value; ``keyless``, the sum of the values in rows without a key; ``others``
#: and ``others keyed``, the same for texts that do not parse. In a key column, ``keyed`` is the sum of the
#: keys and ``missing`` counts rows without one. The table itself (column ``""``) has ``rows``, and
#: ``measure`` in cents or pieces.
Totals = Counter[tuple[str, str]]

#: In a document, the name for the figures of the table itself, because a name must not be empty.
TABLE = "table"

#: By table, the columns whose product is the table's measure, and limits from which on values add nothing
#: to it, so that no sum leaves Decimal(38, 2); cleaning has the same.
MEASURES: dict[str, dict[str, int]] = {
    "orders": {"total_amount": 2 * 10**17},
    "order_items": {"quantity": 10**10, "price": 2 * 10**17},
    "reviews": {"rating": 10**18},
}

#: How a key is written in text for the database to see it as one.
PLAIN_KEY_PATTERN = "^-?[0-9]{1,18}$"

#: Amounts of this size and beyond, and whole numbers of this size and beyond, are not native in raw files.
AMOUNT_LIMIT = 10**15
COUNT_LIMIT = 10**18


def totals_as_sent(folder: Path, table: Table, *, is_ascii: bool = False) -> Totals:
    """The totals of a folder of raw Parquet, every column as the database sent it.

    A key that arrived as text counts as one where it matches :data:`PLAIN_KEY_PATTERN`.

    Args:
        folder: the folder.
        table: its table.
        is_ascii: whether only the ASCII characters of texts count, as for a database that is not in UTF-8.
    """
    return _totals(folder, table, partial(_sent_values, is_ascii=is_ascii), _sent_keys)


def is_native(folder: Path, table: Table) -> bool:
    """Whether all typed columns of a folder arrived as numbers, so that both ways of totalling agree."""
    schema = pq.read_schema(parquet_files(folder)[0])
    return not any(_is_text(schema.field(c.name)) for c in table.columns if c.kind is not Kind.TEXT)


def totals_as_read(folder: Path, table: Table, time_zone: str = "UTC") -> Totals:
    """The totals of a folder of raw or clean Parquet, typed columns as the numbers that stand there.

    The day of a moment is that in the time zone.
    """
    return _totals(folder, table, partial(_read_values, time_zone=time_zone), _read_keys)


def totals_of_repairs(folder: Path, table: Table) -> Totals:
    """What the recorded repairs of a table change: Σ key × (new - old), and how many values come or go.

    A row that cleaning added itself (by a rule ``…_added``) counts with its key, too.
    """
    totals: Totals = Counter()
    for batch in read_batches(folder, ["key", "rule", "column", "old_value", "new_value"]):
        added = numbers_of(batch.filter(pc.ends_with(batch["rule"], "_added"))["key"])
        totals["", "rows"] += len(added)
        totals[table.key, "values"] += len(added)
        totals[table.key, "keyed"] += keyed_sum(np.ones_like(added), added)
        for column in table.columns:
            repairs = batch.filter(pc.equal(batch["column"], column.name))
            keys = numbers_of(repairs["key"])
            if column.name == table.key:
                keys = np.ones_like(keys)
            for side, sign in (("new_value", 1), ("old_value", -1)):
                for figure, values, is_there in _read_values(column, repairs[side]):
                    totals[column.name, _count_of(figure)] += sign * int(is_there.sum())
                    totals[column.name, figure] += sign * keyed_sum(keys[is_there], values[is_there])
    return totals


def keyed_sum(keys: Integers, values: Integers) -> int:
    """The exact sum of key × value, whatever the size of either.

    Values are taken in pieces of so few bits that no product and no sum of a batch leaves 64 bits.

    >>> keyed_sum(np.array([2**62, 3]), np.array([2**62, -1])) == 2**124 - 3
    True
    """
    if not len(keys):
        return 0
    if values.dtype == object:
        return sum(int(key) * int(value) for key, value in zip(keys, values, strict=True))
    key_bits = _bits(keys)
    if key_bits > 32:
        low = keyed_sum(keys & (2**32 - 1), values)
        return low + (keyed_sum(keys >> 32, values) << 32)
    room = 62 - key_bits - len(keys).bit_length()
    if _bits(values) <= room:
        return int(keys @ values)
    total, shift = 0, 0
    while _bits(values) > room:
        total += int(keys @ (values & (2**room - 1))) << shift
        values, shift = values >> room, shift + room
    return total + (int(keys @ values) << shift)


def text_numbers(texts: Iterable[bytes]) -> Integers:
    """The first 60 bits of the MD5 of each text.

    >>> format(int(text_numbers([b"completed"])[0]), "015x"), hashlib.md5(b"completed").hexdigest()[:15]
    ('aa8fb77e57d1ca1', 'aa8fb77e57d1ca1')
    """
    digests = b"".join([_md5(text).digest() for text in texts])
    return (np.frombuffer(digests, ">u8")[::2] >> 4).astype(np.int64)


def compared_totals(table: str, expected: Totals, found: Totals) -> Iterator[Check]:
    """The rows, then one equality per figure that either side has; a figure that a side lacks is 0 there."""
    for column, figure in sorted({("", "rows"), *expected, *found}):
        if figure != "measure":
            what = f"{table}.{column}" if column else table
            yield Check(f"{what}: {figure}", expected[column, figure], found[column, figure])


def as_document(totals: Totals) -> dict[str, dict[str, Decimal | int | None]]:
    """The totals by column and then by figure."""
    document: dict[str, dict[str, Decimal | int | None]] = {}
    for (column, figure), number in totals.items():
        document.setdefault(column or TABLE, {})[figure] = number
    return document


def from_document(document: Mapping[str, Mapping[str, Any]]) -> Totals:
    """The reverse of :func:`as_document`."""
    return Counter(
        {
            ("" if column == TABLE else column, figure): int(number)
            for column, figures in document.items()
            for figure, number in figures.items()
        }
    )


try:
    # Without OpenSSL's detour for each text: 0.4 instead of 1.4 µs.
    from _md5 import md5 as _md5  # type: ignore[import-not-found]
except ImportError:
    _md5 = partial(hashlib.md5, usedforsecurity=False)

_READERS: dict[Kind, Callable[[str], int | None]] = {
    Kind.KEY: whole_of,
    Kind.COUNT: whole_of,
    Kind.MONEY: cents_of,
}

#: One way in which a column's values count: the figure, the numbers, and which rows have one.
_Values = Iterable[tuple[str, Integers, Flags]]


def _totals(
    folder: Path,
    table: Table,
    values_of: Callable[[Column, pa.Array], _Values],
    keys_of: Callable[[pa.Array], tuple[Integers, Flags]],
) -> Totals:
    totals: Totals = Counter()
    table = table.having(pq.read_schema(parquet_files(folder)[0]).names)
    for batch in read_batches(folder, list(table.column_names)):
        keys, has_key = keys_of(batch[table.key])
        keyless = int((~has_key).sum())
        totals["", "rows"] += batch.num_rows
        totals[table.key, "missing"] += keyless
        numbers = {}
        for column in table.columns:
            for figure, values, is_there in values_of(column, batch[column.name]):
                totals[column.name, _count_of(figure)] += int(is_there.sum())
                multiplied = np.ones_like(values) if column.name == table.key else values
                # Picking rows costs more than the sum, and nearly always all are picked.
                rows = slice(None) if has_key.all() and is_there.all() else has_key & is_there
                totals[column.name, figure] += keyed_sum(keys[rows], multiplied[rows])
                if keyless:
                    alone = values[~has_key & is_there]
                    totals[column.name, "keyless"] += keyed_sum(np.ones_like(alone), alone)
                if figure == "keyed":
                    numbers[column.name] = values, is_there
        if table.name in MEASURES:
            totals["", "measure"] += _measure(
                [(*numbers[c], MEASURES[table.name][c]) for c in MEASURES[table.name]]
            )
    return totals


def _measure(factors: list[tuple[Integers, Flags, int]]) -> int:
    """The sum of the products over rows in which all factors are present and within their limits."""
    counts = np.logical_and.reduce([is_there & (v > -limit) & (v < limit) for v, is_there, limit in factors])
    rows = slice(None) if counts.all() else counts
    first, *others = (values[rows] for values, _, _ in factors)
    return keyed_sum(first, others[0] if others else np.ones_like(first))


def _count_of(figure: str) -> str:
    return "values" if figure == "keyed" else "others"


def _sent_keys(column: pa.Array) -> tuple[Integers, Flags]:
    if not _is_text(column):
        return numbers_of(column), _is_valid(column)
    is_plain = pc.fill_null(pc.match_substring_regex(column, PLAIN_KEY_PATTERN), False)
    keys = pc.if_else(is_plain, column, "0").cast(pa.int64())
    return numbers_of(keys), np.asarray(is_plain)


def _read_keys(column: pa.Array) -> tuple[Integers, Flags]:
    return _numbers(column, Kind.KEY)


def _sent_values(_column: Column, array: pa.Array, *, is_ascii: bool = False) -> _Values:
    numbers = _texts(array, is_ascii=is_ascii) if _is_text(array) else numbers_of(array)
    yield "keyed", numbers, _is_valid(array)


def _read_values(column: Column, array: pa.Array, time_zone: str = "UTC") -> _Values:
    if column.kind is Kind.TEXT or not _is_text(array):
        yield from _sent_values(column, array)
        return
    numbers, is_number = _numbers(array, column.kind, time_zone)
    yield "keyed", numbers, is_number
    is_other = _is_valid(array) & ~is_number
    if is_other.any():
        yield "others keyed", _texts(array), is_other


def _numbers(array: pa.Array, kind: Kind, time_zone: str = "UTC") -> tuple[Integers, Flags]:
    """The numbers of a typed column, and which rows have one."""
    if not _is_text(array):
        return numbers_of(array), _is_valid(array)
    encoded = array.dictionary_encode()
    reader = partial(day_of, time_zone=time_zone) if kind is Kind.DATE else _READERS[kind]
    read = [reader(text) for text in encoded.dictionary.to_pylist()]
    return _by_code(encoded, [number or 0 for number in read]), _by_code(
        encoded, [number is not None for number in read]
    ).astype(np.bool_) & _is_valid(array)


def _texts(array: pa.Array, *, is_ascii: bool = False) -> Integers:
    if is_ascii:
        array = pc.replace_substring_regex(array, r"[^\x01-\x7f]", "")
    encoded = array.dictionary_encode()
    return _by_code(encoded, text_numbers(encoded.dictionary.cast(pa.binary()).to_pylist()))


def _by_code(encoded: pa.DictionaryArray, numbers: npt.ArrayLike) -> Integers:
    """Each row's number, given those of the distinct texts; 0 for a null."""
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    found: Integers = np.append(np.asarray(numbers, np.int64), 0)[codes]
    return found


def _is_text(array: pa.Array | pa.Field) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _is_valid(array: pa.Array) -> Flags:
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    valid: Flags = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def numbers_of(array: pa.Array) -> Integers:
    """Whole numbers, days, or amounts in cents; undefined for nulls."""
    if pa.types.is_decimal(array.type):
        # A decimal of 128 bits is its number of cents, low half first. Usually that half is all of it.
        halves = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)[array.offset :][: len(array)]
        low, high = halves[:, 0], halves[:, 1]
        if (high == low >> 63).all():
            return low
        wide: Integers = high.astype(object) * 2**64 + low.view(np.uint64).astype(object)
        return wide
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    filled: Integers = (pc.fill_null(array, 0) if array.null_count else array).to_numpy(zero_copy_only=False)
    return filled.astype(np.int64, copy=False)


def _bits(values: Integers) -> int:
    return max(int(values.max()), -1 - int(values.min())).bit_length()
