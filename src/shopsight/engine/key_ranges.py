"""Big tables a range of keys at a time, so that no hash table ever holds all of their keys.

Joining order items to orders takes a hash table of the orders, and so does counting by order: they would grow
with the shop. Work that is done for one range of orders after the other has small tables, whatever the shop's
size. Reading a range costs little where keys lie roughly in the order of the rows, as they do in shops: the
statistics of Parquet's row groups tell which of them to leave out. Where they do not, or where a file has no
statistics, the column of keys is read once more for each range, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import narwhals as nw

from shopsight.engine.protocol import Frame, materialize

#: How many rows a range holds at most, unless they have one key. Measured on 5 million orders with 15 million
#: items; docs/data-structures.md has the figures.
ROWS_IN_RANGE = 500_000

#: Into how many pieces keys are dealt to be counted: a range is filled up to the nearest of them.
_PIECES = 4096


@dataclass(frozen=True)
class KeyRange:
    """The keys from ``first`` up to but without ``end``; None: no bound. What has no first holds null."""

    key: str
    first: int | None = None
    end: int | None = None

    def of(self, rows: Frame) -> Frame:
        """The rows whose key lies in the range.

        >>> import polars as pl
        >>> rows = nw.from_native(pl.LazyFrame({"order_id": [1, 2, 3, None]}))
        >>> [KeyRange("order_id", *bounds).of(rows).collect().rows() for bounds in ((None, 2), (2, 3))]
        [[(1,), (None,)], [(2,)]]
        """
        key = nw.col(self.key)
        if self.first is not None:
            rows = rows.filter(key >= self.first)
        if self.end is not None:
            # Only a range that begins nowhere has them: it is the one before all others.
            is_before = key < self.end
            rows = rows.filter(is_before | key.is_null() if self.first is None else is_before)
        return rows


def key_ranges(rows: Frame, key: str, most: int | None = None) -> list[KeyRange]:
    """Ranges of a whole-number key that together hold every key once, from the lowest to the highest.

    Rows are counted by piece of the key's extent; a piece with too many is dealt anew. There is always at
    least one range.

    Args:
        rows: what is counted; only the key is looked at.
        key: a column of whole numbers.
        most: how many of the rows a range holds at most, unless more have one key; by default
            :data:`ROWS_IN_RANGE`.
    """
    most = most or ROWS_IN_RANGE
    cuts, size = [], 0
    for start, count in _pieces(rows.select(key).filter(~nw.col(key).is_null()), key, most):
        if size and size + count > most:
            cuts.append(start)
            size = 0
        size += count
    return [KeyRange(key, first, end) for first, end in pairwise([None, *cuts, None])]


def _pieces(keys: Frame, key: str, most: int) -> list[tuple[int, int]]:
    """Where pieces of the keys begin and how many rows they have, in order; empty ones are left out."""
    extent = keys.select(
        nw.col(key).min().alias("least"), nw.col(key).max().alias("greatest"), nw.len().alias("rows")
    ).collect()
    (least, greatest, size) = extent.row(0)
    if size <= most or least == greatest:
        return [(least, size)] if size else []
    width = (greatest - least) // _PIECES + 1
    piece = nw.col(key) // width
    counted = keys.group_by(piece.alias("piece")).agg(nw.len().alias("rows")).sort("piece").collect()
    found = []
    for number, count in counted.iter_rows():
        if count > most:
            found += _pieces(keys.filter(piece == number), key, most)
        else:
            found.append((number * width, count))
    return found


def summed(parts: Iterable[Frame], by: list[str], column: str) -> Frame:
    """The parts' sums of a column by key, worked out part by part and held in memory.

    Grain: one row per key. At no time is there more in memory than the sums so far and one part.

    Args:
        parts: at least one, each with ``by`` and ``column``.
        by: the key.
        column: what is summed.

    >>> import polars as pl
    >>> parts = (nw.from_native(pl.LazyFrame({"product_id": [7, 8], "lines": [n, 1]})) for n in (2, 3))
    >>> sorted(summed(parts, ["product_id"], "lines").collect().rows())
    [(7, 5), (8, 2)]
    """
    sums: Frame | None = None
    for part in parts:
        rows = part.select(*by, column)
        rows = rows if sums is None else nw.concat([sums, rows])
        sums = materialize(rows.group_by(by).agg(nw.col(column).sum()))
    if sums is None:
        raise ValueError("there is no part to be summed")
    return sums
