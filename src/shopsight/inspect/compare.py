"""What differs between a published generation and a run's files, summed up for people: ``plan``.

Documents that are the same are never decoded (:func:`shopsight.publish.differences_from`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any

from shopsight.publish import Difference

Row = Mapping[str, Any]

EXAMPLES = 10


@dataclass
class Counts:
    """How many documents of a collection come, go, change and stay the same."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0

    def count(self, difference: Difference) -> str:
        """Count one difference, and say which kind it is of."""
        kind = "added" if difference.left is None else "removed" if difference.right is None else "changed"
        setattr(self, kind, getattr(self, kind) + 1)
        return kind

    def settle(self, documents: int) -> None:
        """All differences are counted, and there are so many new documents."""
        self.unchanged = documents - self.added - self.changed


@dataclass(frozen=True)
class CustomerChange:
    """One customer whose document differs.

    Attributes:
        kind: added, removed or changed.
        name: as in the new document, or in the served one if that is gone.
        fields: by field name, the served value and the new one; empty unless changed.
        before: total_amount_spent in the served document; 0 if there is none.
        after: the same in the new one.
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


@dataclass
class CustomerChanges(Counts):
    """The counts, and the ten customers whose total_amount_spent changes most, ties by the smaller id."""

    largest: list[CustomerChange] = field(default_factory=list)


def compare_customers(differences: Iterable[Difference], documents: int) -> CustomerChanges:
    """Sum up the differences of ``customer_metrics``.

    Args:
        differences: served (left) against new (right), in ascending order of ``_id``.
        documents: how many new documents there are.
    """
    changes = CustomerChanges()
    largest: list[tuple[Decimal, int, CustomerChange]] = []
    for place, difference in enumerate(differences):
        change = _customer_change(difference, changes.count(difference))
        heapq.heappush(largest, (abs(change.amount), -place, change))
        if len(largest) > EXAMPLES:
            heapq.heappop(largest)
    changes.settle(documents)
    changes.largest = [change for _, _, change in sorted(largest, reverse=True)]
    return changes


def _customer_change(difference: Difference, kind: str) -> CustomerChange:
    left, right = difference.left or {}, difference.right or {}
    fields = changed_fields(left, right) if kind == "changed" else {}
    name = str((right or left).get("name"))
    return CustomerChange(difference.id, kind, name, fields, _amount(left), _amount(right))


def _amount(document: Row) -> Decimal:
    """What a customer spent; 0 where a stranger wrote something else."""
    amount = document.get("total_amount_spent")
    return amount if isinstance(amount, Decimal) and amount.is_finite() else Decimal("0.00")


def changed_fields(left: Row, right: Row) -> dict[str, tuple[Any, Any]]:
    """By name, both values of each field that is not the same on both sides; None where it is missing."""
    names = [*right, *(name for name in left if name not in right)]
    both = {name: (left.get(name), right.get(name)) for name in names}
    return {name: sides for name, sides in both.items() if _differ(*sides)}


def _differ(left: Any, right: Any) -> bool:
    try:
        return bool(left != right)
    except InvalidOperation:  # a signalling NaN, which compares with nothing
        return True


def changed_leaves(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """By path, such as ``rows.0.name``, both values wherever two nested values differ.

    >>> dict(changed_leaves({"rows": [{"n": 1}, {"n": 2}]}, {"rows": [{"n": 1}, {"n": 3}]}))
    {'rows.1.n': (2, 3)}
    """
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        sides: dict[Any, tuple[Any, Any]] = changed_fields(left, right)
    elif isinstance(left, list) and isinstance(right, list):
        sides = dict(enumerate(zip_longest(left, right)))
    else:
        if _differ(left, right):
            yield path, (left, right)
        return
    for name, (one, other) in sides.items():
        yield from changed_leaves(one, other, f"{path}.{name}" if path else str(name))


@dataclass(frozen=True)
class RowChange:
    """One row of an insight that comes, goes, changes or moves.

    Attributes:
        before: the served row; None for one that comes.
        after: the new row; None for one that goes.
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
        In the order of the new rows, those that are gone behind them.
    """
    before = {_key(row, key): (place, row) for place, row in enumerate(served, start=1)}
    after = {_key(row, key): (place, row) for place, row in enumerate(new, start=1)}
    nowhere: tuple[None, None] = (None, None)
    changes = []
    for known in [*after, *(known for known in before if known not in after)]:
        (place_before, old), (place_after, now) = before.get(known, nowhere), after.get(known, nowhere)
        if (place_before, old) != (place_after, now):
            changes.append(RowChange(old, now, place_before, place_after))
    return changes


def _key(row: Row, key: Sequence[str]) -> tuple[str, ...]:
    # As text, for a stranger may have put anything there.
    return tuple(str(row.get(name)) for name in key)
