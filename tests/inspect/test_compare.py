"""Served documents against new ones."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shopsight.inspect.compare import Counts, CustomerChange, changed_leaves, compare_insight, largest_changes
from shopsight.publish import Difference


def customer(customer_id: int, spent: str, name: str = "Ann") -> dict[str, Any]:
    return {"customer_id": customer_id, "name": name, "total_amount_spent": Decimal(spent)}


def changed(customer_id: int, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Difference:
    return Difference(customer_id, before, after)


def compare_customers(
    differences: list[Difference], documents: int
) -> tuple[tuple[int, ...], list[CustomerChange]]:
    counts = Counts()
    largest = largest_changes(counts.counted(differences, documents))
    return (counts.added, counts.removed, counts.changed, counts.unchanged), largest


def test_added_removed_changed_and_unchanged_are_distinguished() -> None:
    differences = [
        changed(2, customer(2, "5.00"), None),
        changed(3, None, customer(3, "8.00")),
        changed(4, customer(4, "1.00"), customer(4, "2.50")),
        changed(9, customer(9, "7.00"), customer(9, "7.00", "Bob")),
    ]
    counts, largest = compare_customers(differences, documents=10)
    assert counts == (1, 1, 2, 7)
    assert [(c.customer_id, c.kind, c.amount) for c in largest] == [
        (3, "added", Decimal("8.00")),
        (2, "removed", Decimal("-5.00")),
        (4, "changed", Decimal("1.50")),
        (9, "changed", Decimal("0.00")),
    ]
    assert largest[1].name == "Ann"
    assert largest[2].fields == {"total_amount_spent": (Decimal("1.00"), Decimal("2.50"))}
    assert largest[3].fields == {"name": ("Ann", "Bob")}


def test_no_differences_leave_everything_unchanged() -> None:
    assert compare_customers([], documents=5) == ((0, 0, 0, 5), [])


def test_only_the_ten_largest_are_kept_ties_by_the_smaller_id() -> None:
    counts, largest = compare_customers(
        [changed(n, None, customer(n, "3.00")) for n in range(1, 31)], documents=30
    )
    assert counts == (30, 0, 0, 0)
    assert [c.customer_id for c in largest] == list(range(1, 11))


def test_foreign_documents_are_compared_too() -> None:
    strange = {"name": None, "total_amount_spent": "a lot"}
    _, largest = compare_customers(
        [
            changed(1, strange, customer(1, "3.00")),
            changed("x", {"total_amount_spent": Decimal("NaN")}, None),
        ],
        documents=1,
    )
    assert [(c.customer_id, c.kind, c.amount) for c in largest] == [
        (1, "changed", Decimal("3.00")),
        ("x", "removed", Decimal("0.00")),
    ]


def test_rows_of_an_insight_come_go_change_and_move() -> None:
    served = [{"id": 1, "orders": 9}, {"id": 2, "orders": 8}, {"id": 3, "orders": 7}, {"id": 5, "orders": 1}]
    new = [{"id": 2, "orders": 8}, {"id": 1, "orders": 8}, {"id": 4, "orders": 7}, {"id": 5, "orders": 1}]
    changes = compare_insight(served, new, ("id",))
    assert [(c.place_before, c.place_after, c.before, c.after) for c in changes] == [
        (2, 1, served[1], new[0]),
        (1, 2, served[0], new[1]),
        (None, 3, None, new[2]),
        (3, None, served[2], None),
    ]


def test_an_insight_of_one_row_needs_no_key() -> None:
    assert compare_insight([{"customers": 3}], [{"customers": 3}], ()) == []
    assert [c.after for c in compare_insight([{"customers": 3}], [{"customers": 4}], ())] == [
        {"customers": 4}
    ]


def test_rows_are_told_apart_by_all_columns_of_the_key() -> None:
    january = datetime(2026, 1, 1, tzinfo=UTC)
    served = [{"cohort_month": january, "months_since": n, "customers": 5} for n in (0, 1)]
    new = [served[0], {**served[1], "customers": 4}]
    (change,) = compare_insight(served, new, ("cohort_month", "months_since"))
    assert (change.before, change.after) == (served[1], new[1])


def test_differences_are_followed_into_lists_and_documents() -> None:
    left = {"_id": 1, "rows": [{"name": "Ann", "n": 1}], "gone": 1, "same": {"a": [1]}}
    right = {"_id": 1, "rows": [{"name": "Bob", "n": 1}, {"name": "Cy"}], "new": None, "same": {"a": [1]}}
    assert dict(changed_leaves(left, right)) == {
        "rows.0.name": ("Ann", "Bob"),
        "rows.1": (None, {"name": "Cy"}),
        "gone": (1, None),
    }


def test_a_value_that_compares_with_nothing_differs() -> None:
    assert list(changed_leaves({"a": Decimal("sNaN")}, {"a": Decimal(1)})) != []
