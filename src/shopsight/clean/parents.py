"""The rows that a foreign key may point to: kept, rejected, or never heard of."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from shopsight.clean.parse import read
from shopsight.contract import Table
from shopsight.engine.key_ranges import KeyRange
from shopsight.engine.protocol import Frame, materialize


@dataclass(frozen=True)
class Parents:
    """One cleaned table, as its children see it.

    Attributes:
        table: the table.
        kept: one row per key that may be pointed to: the key, ``<name>_into`` (the key that it stands for
            now) and what else children look at.
        rejected: one row per key of a rejected row: the key, and ``<name>_was_rejected``, true. A key of both
            is kept.
    """

    table: Table
    kept: Frame
    rejected: Frame

    def joined_to(self, rows: Frame) -> Frame:
        """The rows with what ``kept`` says of their parent; nulls where it is not kept."""
        return rows.join(self.kept, on=self.table.key, how="left")

    def within(self, keys: KeyRange) -> Parents:
        """Those whose key lies in a range of theirs: all that children in this range can have."""
        return Parents(self.table, keys.of(self.kept), keys.of(self.rejected))

    def of(self, rows: Frame) -> Parents:
        """Those to which the rows point."""
        named = materialize(rows.select(self.table.key).unique())
        kept, rejected = (
            some.join(named, on=self.table.key, how="semi") for some in (self.kept, self.rejected)
        )
        return Parents(self.table, kept, rejected)

    def explained_to(self, rows: Frame) -> Frame:
        """The rows with ``<name>_was_rejected``; null where the parent was not rejected."""
        return rows.join(self.rejected, on=self.table.key, how="left")


def parents(
    table: Table, name: str, clean: Frame, rejected: Frame, *also: str, merged: Frame | None = None
) -> Parents:
    """The parents that a cleaned table gives.

    Args:
        table: the table.
        name: what one row of it is called in ``<name>_into`` and ``<name>_was_rejected``.
        clean: its clean rows.
        rejected: its rejected rows, raw.
        also: columns of the clean rows that children look at.
        merged: its merged rows: children of ``key`` are children of ``into_key`` from now on.

    >>> import polars as pl
    >>> from shopsight.contract import CATEGORIES
    >>> shop = [pl.LazyFrame({"category_id": ids, "category_name": "x"}) for ids in ([1, 2], [2, 3, 3])]
    >>> clean, rejected = (nw.from_native(frame) for frame in shop)
    >>> categories = parents(CATEGORIES, "category", clean, rejected)
    >>> sorted(categories.rejected.collect()["category_id"].to_list())
    [2, 3]
    """
    into = f"{name}_into"
    kept = clean.select(table.key, *also).with_columns(nw.col(table.key).alias(into))
    if merged is not None:
        moved = merged.filter(nw.col("key") != nw.col("into_key"))
        kept = nw.concat([kept, moved.select(nw.col("key").alias(table.key), nw.col("into_key").alias(into))])
    keys = read(rejected, table).select(table.key).filter(~nw.col(table.key).is_null()).unique()
    return Parents(table, kept, keys.with_columns(nw.lit(True).alias(f"{name}_was_rejected")))
