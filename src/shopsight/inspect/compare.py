"""Compares a published generation with a run's files and sums up the differences, for ``plan``."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any

from shopsight.publish import Difference

Row = Mapping[str, Any]

EXAMPLES = 10


@dataclass
class Counts:
    """The numbers of a collection's documents that are added, removed, changed and the same."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0

    def counted(self, differences: Iterable[Difference], documents: int) -> Iterator[Difference]:
        """Pass the differences on and count them. The counts are complete after the last one.

        Args:
            differences: served (left) against new (right).
            documents: how many new documents there are.
        """
        for difference in differences:
            kind = kind_of(difference)
            setattr(self, kind, getattr(self, kind) + 1)
            yield difference
        self.unchanged = documents - self.added - self.changed


def kind_of(difference: Difference) -> str:
    """Whether the right side's document is added, removed or changed."""
    return "added" if difference.left is None else "removed" if difference.right is None else "changed"


@dataclass(frozen=True)
class CustomerChange:
    """One customer whose document differs.

    Attributes:
        kind: added, removed or changed.
        name: as in the new document, or in the served one if the customer is removed.
        fields: by field name, the served value and the new one; empty unless changed.
        before: total_amount_spent in the served document; 0 if there is none.
        after: the same in the new document.
    """

    customer_id: Any
    kind: str
    name: str
    fields: dict[str, tuple[Any, Any]]
    before: Decimal
    after: Decimal

    @property
    def amount(self) -> Decimal:
        """By how much total_amount_spent changes."""
        return self.after - self.before

    @classmethod
    def of(cls, difference: Difference) -> CustomerChange:
        """The change that a difference of ``customer_metrics`` shows."""
        left, right, kind = difference.left or {}, difference.right or {}, kind_of(difference)
        fields = changed_fields(left, right) if kind == "changed" else {}
        name = str((right or left).get("name") or "–")
        return cls(difference.id, kind, name, fields, _amount(left), _amount(right))


def largest_changes(differences: Iterable[Difference]) -> list[CustomerChange]:
    """The ten customers whose total_amount_spent changes most, ties in the order of the differences."""
    return heapq.nlargest(EXAMPLES, map(CustomerChange.of, differences), key=lambda one: abs(one.amount))


def _amount(document: Row) -> Decimal:
    """The customer's total_amount_spent; 0 where an altered document has no amount."""
    amount = document.get("total_amount_spent")
    return amount if isinstance(amount, Decimal) and amount.is_finite() else Decimal("0.00")


def changed_fields(left: Row, right: Row) -> dict[Any, tuple[Any, Any]]:
    """By name, both values of each field that differs; None where it is missing."""
    both = {name: (left.get(name), right.get(name)) for name in dict.fromkeys([*right, *left])}
    return {name: sides for name, sides in both.items() if _differ(*sides)}


def _differ(left: Any, right: Any) -> bool:
    try:
        return bool(left != right)
    except InvalidOperation:  # a signalling NaN cannot be compared
        return True


def changed_leaves(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """By path, such as ``rows.0.name``, both values wherever two nested values differ.

    >>> dict(changed_leaves({"rows": [{"n": 1}, {"n": 2}]}, {"rows": [{"n": 1}, {"n": 3}]}))
    {'rows.1.n': (2, 3)}
    """
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        sides = changed_fields(left, right)
    elif isinstance(left, list) and isinstance(right, list):
        sides = dict(enumerate(zip_longest(left, right)))
    else:
        sides = {}
        if _differ(left, right):
            yield path, (left, right)
    for name, (one, other) in sides.items():
        yield from changed_leaves(one, other, f"{path}.{name}".removeprefix("."))


@dataclass(frozen=True)
class RowChange:
    """One row of an insight that is added, removed or changed, or has another place.

    Attributes:
        before: the served row; None for one that is added.
        after: the new row; None for one that is removed.
        place_before: its place in the served rows, from 1.
        place_after: its place in the new rows, from 1.
    """

    before: Row | None
    after: Row | None
    place_before: int | None
    place_after: int | None


def compare_insight(served: Sequence[Row], new: Sequence[Row], key: Sequence[str]) -> list[RowChange]:
    """The rows of an insight that are not the same at the same place on both sides.

    Args:
        served: the served rows in their order.
        new: the new rows in theirs.
        key: the columns that tell rows apart; none for an insight of one row.

    Returns:
        In the order of the new rows, then those that are removed.
    """
    # Keys are compared as text: the served rows may hold anything.
    before, after = (
        {tuple(str(row.get(name)) for name in key): (row, place) for place, row in enumerate(rows, start=1)}
        for rows in (served, new)
    )
    nowhere: tuple[None, None] = (None, None)
    sides = [(before.get(known, nowhere), after.get(known, nowhere)) for known in {**after, **before}]
    return [RowChange(left[0], right[0], left[1], right[1]) for left, right in sides if left != right]
