"""A run's marts against a published generation, document by document: for ``plan`` and ``verify``.

Both sides come in the order of the key and are merged, so that the memory does not grow with the shop.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from shopsight.parquet import read_batches

EXAMPLES = 10


@dataclass(frozen=True)
class Difference:
    """One customer whose document differs.

    Attributes:
        fields: by field name, the served value and the new one.
        amount: by how much total_amount_spent changes; an added or removed customer's whole amount.
    """

    customer_id: int
    kind: str
    fields: dict[str, tuple[Any, Any]]
    amount: Decimal


@dataclass
class Comparison:
    """How many documents are added, removed, changed and the same, and the largest differences."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    largest: list[Difference] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)


def mart_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a mart in the order in which they were written."""
    for batch in read_batches(folder, None):
        yield from batch.to_pylist()


def compare_customers(served: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> Comparison:
    """Compare served documents with new rows, both in ascending order of ``customer_id``.

    Args:
        served: documents of ``customer_metrics`` as plain values; ``_id`` is not looked at.
        new: rows of the mart.

    Returns:
        The counts, and the ten differences that move the most money, ties by the smaller customer_id.
    """
    comparison = Comparison()
    largest: list[tuple[Decimal, int, Difference]] = []
    for customer_id, before, after in _merged(iter(served), iter(new)):
        difference = _difference(customer_id, before, after)
        if difference is None:
            comparison.unchanged += 1
            continue
        setattr(comparison, difference.kind, getattr(comparison, difference.kind) + 1)
        heapq.heappush(largest, (abs(difference.amount), -customer_id, difference))
        if len(largest) > EXAMPLES:
            heapq.heappop(largest)
    comparison.largest = [difference for _, _, difference in sorted(largest, reverse=True)]
    return comparison


Row = Mapping[str, Any]


def _merged(served: Iterator[Row], new: Iterator[Row]) -> Iterator[tuple[int, Row | None, Row | None]]:
    """Each customer of either side once, with its row on both; None where a side does not have it."""
    both = heapq.merge(
        ((row["customer_id"], 0, row) for row in served), ((row["customer_id"], 1, row) for row in new)
    )
    for customer_id, rows in itertools.groupby(both, key=lambda entry: entry[0]):
        sides: list[Row | None] = [None, None]
        for _, side, row in rows:
            sides[side] = row
        yield customer_id, sides[0], sides[1]


def _difference(customer_id: int, before: Row | None, after: Row | None) -> Difference | None:
    spent_before = before["total_amount_spent"] if before else Decimal(0)
    spent_after = after["total_amount_spent"] if after else Decimal(0)
    moved = spent_after - spent_before
    if before is None or after is None:
        return Difference(customer_id, "added" if before is None else "removed", {}, moved)
    fields = {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
    return Difference(customer_id, "changed", fields, moved) if fields else None


def compare_insight(served: list[Row], new: list[Row], key: tuple[str, ...]) -> dict[str, list[Row]]:
    """Which rows of an insight come, go, and change, by the key's columns; rows as on their own side."""
    before = {tuple(_plain(row[name]) for name in key): row for row in served}
    after = {tuple(_plain(row[name]) for name in key): row for row in new}
    return {
        "added": [row for known, row in after.items() if known not in before],
        "removed": [row for known, row in before.items() if known not in after],
        "changed": [row for known, row in after.items() if known in before and not _same(before[known], row)],
    }


def _same(before: Row, after: Row) -> bool:
    return all(_plain(before.get(name)) == _plain(value) for name, value in after.items())


def _plain(value: Any) -> Any:
    """A calendar day is stored as midnight UTC; compare it as a day again."""
    return value.date() if isinstance(value, datetime) else value
