"""Two generations, document by document."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopsight.compare import compare_customers, compare_insight


def customer(customer_id: int, spent: str, name: str = "Ann") -> dict[str, Any]:
    return {"customer_id": customer_id, "name": name, "total_amount_spent": Decimal(spent)}


def test_added_removed_changed_and_unchanged_are_told_apart() -> None:
    served = [customer(1, "10.00"), customer(2, "5.00"), customer(4, "1.00"), customer(9, "7.00")]
    new = [customer(1, "10.00"), customer(3, "8.00"), customer(4, "2.50"), customer(9, "7.00", "Bob")]
    found = compare_customers(served, new)
    assert (found.added, found.removed, found.changed, found.unchanged) == (1, 1, 2, 1)
    assert [(d.customer_id, d.kind, d.amount) for d in found.largest] == [
        (3, "added", Decimal("8.00")),
        (2, "removed", Decimal("-5.00")),
        (4, "changed", Decimal("1.50")),
        (9, "changed", Decimal("0.00")),
    ]
    assert found.largest[3].fields == {"name": ("Ann", "Bob")}


def test_either_side_may_be_empty() -> None:
    rows = [customer(1, "1.00"), customer(2, "2.00")]
    assert compare_customers([], rows).added == 2
    assert compare_customers(rows, []).removed == 2
    assert compare_customers([], []).is_same


def test_only_the_ten_largest_are_kept_ties_by_the_smaller_id() -> None:
    found = compare_customers([], [customer(n, "3.00") for n in range(1, 31)])
    assert [d.customer_id for d in found.largest] == list(range(1, 11))


def test_an_insights_rows_are_compared_by_key_and_days_as_days() -> None:
    served = [
        {"month": datetime(2026, 1, 1, tzinfo=UTC), "orders": 3},
        {"month": datetime(2026, 2, 1, tzinfo=UTC), "orders": 4},
    ]
    new = [{"month": date(2026, 2, 1), "orders": 5}, {"month": date(2026, 3, 1), "orders": 1}]
    found = compare_insight(served, new, ("month",))
    assert found["removed"] == [served[0]]
    assert found["changed"] == [new[0]]
    assert found["added"] == [new[1]]
