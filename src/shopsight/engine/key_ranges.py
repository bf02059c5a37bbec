"""Big tables one range of keys at a time, so that no hash table ever holds all of their keys.

Joining order items to orders takes a hash table of the orders, and so does counting by order: its size
would grow with the shop. Work on one range of orders at a time needs small tables for a shop of any size.
Reading a range costs little if keys are roughly in the order of the rows, as they are in shops: Parquet's
statistics tell which row groups to skip. Otherwise the column of keys is read once more for each range, and
the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import narwhals as nw

from shopsight.engine.protocol import Frame, is_distributed, materialize

#: The most rows in a range, unless they have one key. Measured on 5 million orders with 15 million
#: items; docs/data-structures.md has the figures.
ROWS_IN_RANGE = 350_000

#: The number of pieces in which keys are counted; a range consists of whole pieces.
_PIECES = 4096


@dataclass(frozen=True)
class KeyRange:
    """The keys from ``first`` up to but without ``end``; None: no bound.

    A range without ``first`` includes null keys.
    """

    key: str
    first: int | None = None
    end: int | None = None

    def filter(self, rows: Frame) -> Frame:
        """The rows whose key is in the range.

        >>> import polars as pl
        >>> rows = nw.from_native(pl.LazyFrame({"order_id": [1, 2, 3, None]}))
        >>> [KeyRange("order_id", *bounds).filter(rows).collect().rows() for bounds in ((None, 2), (2, 3))]
        [[(1,), (None,)], [(2,)]]
        """
        key = nw.col(self.key)
        if self.first is not None:
            rows = rows.filter(key >= self.first)
        if self.end is not None:
            is_before = key < self.end
            rows = rows.filter(is_before | key.is_null() if self.first is None else is_before)
        return rows


def key_ranges(rows: Frame, key: str, most: int | None = None) -> list[KeyRange]:
    """Ranges of a whole-number key that together hold every key once, from the lowest to the highest.

    Rows are counted by piece of the key's extent; a piece with too many is divided again. There is always at
    least one range, and no more if the rows are spread over machines.

    Args:
        rows: the rows to count; only their keys are read.
        key: a column of whole numbers.
        most: the most rows in a range, unless more have one key; by default :data:`ROWS_IN_RANGE`.
    """
    most = most or ROWS_IN_RANGE
    if is_distributed(rows):
        return [KeyRange(key)]
    cuts, size = [], 0
    for start, count in _pieces(rows.select(key).filter(~nw.col(key).is_null()), key, most):
        if size and size + count > most:
            cuts.append(start)
            size = 0
        size += count
    return [KeyRange(key, first, end) for first, end in pairwise([None, *cuts, None])]


def _pieces(keys: Frame, key: str, most: int) -> list[tuple[int, int]]:
    """The first key and the number of rows of each piece that is not empty, in order."""
    extent = keys.select(
        nw.col(key).min().alias("least"), nw.col(key).max().alias("greatest"), nw.len().alias("rows")
    ).collect()
    (least, greatest, size) = extent.row(0)
    if size <= most or least == greatest:
        return [(least, size)] if size else []
    width = (greatest - least) // _PIECES + 1
    piece = nw.col(key) // width
    counted = keys.group_by(piece.alias("piece")).agg(nw.len().alias("rows")).sort("piece").collect()
    pieces = []
    for number, count in counted.iter_rows():
        if count > most:
            pieces += _pieces(keys.filter(piece == number), key, most)
        else:
            pieces.append((number * width, count))
    return pieces


def summed(parts: Iterable[Frame], by: list[str], column: str) -> Frame:
    """The sums of a column over all parts by key, held in memory.

    Grain: one row per key. The memory holds at most the sums so far and one part.

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
