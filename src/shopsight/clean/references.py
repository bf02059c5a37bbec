"""Foreign keys: the rows that they may point to, and the rules of all tables with parents or dates.

For a parent called ``customer``, :meth:`Parents.join_to` and :meth:`Parents.explain` add the columns
``kept_customer_id`` and ``customer_was_rejected``.
"""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
from narwhals import col

from shopsight.clean.parse import read, with_raw
from shopsight.clean.policy import FIRST_DATE
from shopsight.clean.rule import Phase, Rule, reject, repair
from shopsight.contract import Table
from shopsight.engine.key_ranges import KeyRange
from shopsight.engine.protocol import Frame, distinct_rows, materialize


@dataclass(frozen=True)
class Parents:
    """One cleaned table, as its children see it.

    Attributes:
        key: the table's key, ``<name>_id``.
        kept: one row per key that children may have: the key, ``kept_<name>_id`` (the key that it was merged
            into, or itself) and what else children look at.
        rejected: one row per key of a rejected row; a key may be in ``kept`` as well.
    """

    key: str
    kept: Frame
    rejected: Frame

    def join_to(self, rows: Frame) -> Frame:
        """The rows with the columns of ``kept``; null where the parent is not kept."""
        return rows.join(self.kept, on=self.key, how="left")

    def explain(self, rows: Frame) -> Frame:
        """The rows with ``<name>_was_rejected``; null where the parent was not rejected."""
        mark = nw.lit(True).alias(f"{self.key.removesuffix('_id')}_was_rejected")
        return rows.join(self.rejected.with_columns(mark), on=self.key, how="left")

    def within(self, key_range: KeyRange) -> Parents:
        """The parents with keys in a range."""
        return Parents(self.key, key_range.filter(self.kept), key_range.filter(self.rejected))

    def named_by(self, rows: Frame) -> Parents:
        """The parents that the rows name."""
        named = materialize(distinct_rows(rows.select(self.key)))
        kept, rejected = (some.join(named, on=self.key, how="semi") for some in (self.kept, self.rejected))
        return Parents(self.key, kept, rejected)


def parents(table: Table, clean: Frame, rejected: Frame, *also: str, merged: Frame | None = None) -> Parents:
    """The parents that a cleaned table gives.

    Args:
        table: the table.
        clean: its clean rows.
        rejected: its rejected rows, raw.
        also: columns of the clean rows that children look at.
        merged: its merged rows; children of ``key`` become children of ``into_key``.

    >>> import polars as pl
    >>> from shopsight.contract import CUSTOMERS
    >>> shop = [pl.LazyFrame({name: ids for name in CUSTOMERS.column_names}) for ids in ([1, 2], [2, 3, 3])]
    >>> merged = nw.from_native(pl.LazyFrame({"key": [2, 4, 4], "into_key": [2, 1, 1]}))
    >>> customers = parents(CUSTOMERS, *map(nw.from_native, shop), merged=merged)
    >>> sorted(customers.kept.collect().rows())
    [(1, 1), (2, 2), (4, 1)]
    >>> sorted(customers.rejected.collect()["customer_id"].to_list())
    [2, 3]
    """
    kept = clean.select(table.key, *also).with_columns(col(table.key).alias(f"kept_{table.key}"))
    if merged is not None:
        # A key has several merged rows where identical copies were merged as well.
        moved = distinct_rows(merged.filter(col("key") != col("into_key")).select("key", "into_key"))
        kept = nw.concat([kept, moved.rename({"key": table.key, "into_key": f"kept_{table.key}"})])
    keys = read(rejected, table).select(table.key)
    return Parents(table.key, kept, distinct_rows(keys.filter(~col(table.key).is_null())))


def follow_merges(rows: Frame) -> Frame:
    """The rows with the customer that theirs was merged into; ``named_customer_id`` keeps the original."""
    rows = with_raw(rows, "customer_id").with_columns(named_customer_id=col("customer_id"))
    return rows.with_columns(customer_id=nw.coalesce("kept_customer_id", "customer_id"))


def missing_reference(parent: str) -> Rule:
    """Rejects rows whose foreign key to ``parent`` is null."""
    return reject(f"{parent}_missing", f"It names no {parent}.", when=col(f"{parent}_id").is_null())


def unknown_reference(parent: str) -> Rule:
    """Rejects rows whose parent is not kept."""
    return reject(
        f"{parent}_unknown",
        f"Its {parent} does not exist.",
        when=col(f"kept_{parent}_id").is_null(),
    )


def rejected_parent(*parents: str) -> Rule:
    """Names the cause for rows whose parent was rejected; stands before the unknown references."""
    return reject(
        "parent_rejected",
        f"Its {' or its '.join(parents)} was rejected.",
        when=nw.any_horizontal(
            *(col(f"kept_{parent}_id").is_null() & col(f"{parent}_was_rejected") for parent in parents),
            ignore_nulls=True,
        ),
        phase=Phase.REASON,
    )


def merged_customer() -> Rule:
    """Repairs rows of a customer who was merged into another."""
    return repair(
        "customer_repointed",
        "Its customer was merged into another customer, who now owns it.",
        column="customer_id",
        when=col("customer_id") != col("named_customer_id"),
    )


def date_rules(column: str) -> tuple[Rule, ...]:
    """Reject rows with a missing or impossible date."""
    return (
        reject("date_missing", f"No {column}.", when=col(column).is_null()),
        reject("date_before_1970", f"{column} is before 1970.", when=col(column) < FIRST_DATE),
        reject(
            "date_in_future",
            f"{column} is after the day of the snapshot in the shop.",
            when=lambda policy: col(column) > policy.today,
        ),
    )
