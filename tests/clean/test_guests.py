"""Guests: customers who are made of the e-mail addresses of orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.support.cleaning import cleaned

from shopsight.engine import key_ranges

DAY = date(2024, 1, 31)
CUSTOMERS = [
    (1, "Ann Lee", "ann@example.com", "Germany"),
    (2, "Ann", " ANN@example.com", "Germany"),  # merged into 1
    (3, "Bo", None, "Germany"),
]

orders_of = partial(
    cleaned, as_text=["customer_email"], last_table="orders", customers=CUSTOMERS, order_items=[]
)


def order(key: Any, customer: Any, email: str | None, day: date = DAY) -> Any:
    return (key, customer, day, Decimal("1.00"), "completed", email)


def owners(outcome: Any) -> dict[int, int]:
    """By kept order, its customer."""
    return {row[0]: row[1] for row in outcome.kept("orders")}


def test_orders_with_one_valid_address_have_one_guest() -> None:
    rows = [
        order(7, None, "new@example.com"),
        order(8, 99, " NEW@example.com\u200b"),
        order(9, None, "b@x.de"),
    ]
    outcome = orders_of(orders=rows)
    assert owners(outcome) == {7: -7, 8: -7, 9: -9}
    assert outcome.kept("customers")[:2] == [
        (-9, "Unknown customer -9", "b@x.de", "Unknown"),
        (-7, "Unknown customer -7", "new@example.com", "Unknown"),
    ]
    assert [repair for repair in outcome.repairs("customers") if repair[0] < 0] == [
        (-7, "customers.country_missing", None, "Unknown"),
        (-7, "customers.guest_added", None, "new@example.com"),
        (-7, "customers.name_missing", None, "Unknown customer -7"),
        (-9, "customers.country_missing", None, "Unknown"),
        (-9, "customers.guest_added", None, "b@x.de"),
        (-9, "customers.name_missing", None, "Unknown customer -9"),
    ]
    assert outcome.repairs("orders") == [
        (7, "orders.customer_from_email", None, "-7"),
        (8, "orders.customer_from_email", "99", "-7"),
        (9, "orders.customer_from_email", None, "-9"),
    ]


def test_an_address_of_a_known_customer_is_theirs() -> None:
    outcome = orders_of(orders=[order(7, None, "Ann@Example.com "), order(8, 2, "new@example.com")])
    assert owners(outcome) == {7: 1, 8: 1}
    assert outcome.repairs("orders") == [
        (7, "orders.customer_from_email", None, "1"),
        (8, "orders.customer_repointed", "2", "1"),
    ]
    assert [row[0] for row in outcome.kept("customers")] == [1, 3]


@pytest.mark.parametrize("email", [None, " ", "nobody", "xxx@xxx.xx"])
def test_without_a_valid_address_orders_are_rejected_as_before(email: str | None) -> None:
    outcome = orders_of(orders=[order(7, None, email), order(8, 99, email), order(9, 3, email)])
    assert outcome.rejected("orders") == [(7, "orders.customer_missing"), (8, "orders.customer_unknown")]
    assert owners(outcome) == {9: 3}


def test_a_number_that_orders_name_is_no_guest_s() -> None:
    outcome = orders_of(
        orders=[order(7, None, "new@example.com"), order(8, -7, None), order(9, -7, "b@x.de")]
    )
    assert owners(outcome) == {7: -7, 9: -9}
    assert outcome.rejected("orders") == [(8, "orders.customer_unknown")]


def test_a_number_that_is_a_customer_s_makes_no_guest() -> None:
    people = [*CUSTOMERS, (-7, "Cy", None, "Germany")]
    rows = [order(7, None, "new@example.com"), order(0, None, "b@x.de"), order(8, -7, None)]
    outcome = orders_of(customers=people, orders=rows)
    assert owners(outcome) == {8: -7}
    assert outcome.rejected("orders") == [(0, "orders.customer_missing"), (7, "orders.customer_missing")]


def test_rows_with_one_key_make_one_guest_by_the_least_address() -> None:
    rows = [order(7, None, "b@x.de"), order(7, None, "a@x.de"), order(9, None, "b@x.de")]
    outcome = orders_of(orders=rows)
    assert owners(outcome) == {7: -7, 9: -9}
    assert [row[2] for row in outcome.kept("customers") if row[0] < 0] == ["b@x.de", "a@x.de"]
    assert outcome.rules("orders") == ["orders.duplicate_key"]


def test_a_guest_of_a_rejected_order_is_kept() -> None:
    outcome = orders_of(orders=[order(7, None, "new@example.com", date(2200, 1, 1))])
    assert owners(outcome) == {}
    assert outcome.kept("customers")[0][2] == "new@example.com"


def test_key_ranges_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        order(key, 99 if key % 3 else None, f"guest{key % 7}@example.com" if key % 5 else "ann@example.com")
        for key in range(1, 60)
    ]
    whole = orders_of(orders=rows)
    monkeypatch.setattr(key_ranges, "ROWS_IN_RANGE", 5)
    parts = orders_of(orders=rows)
    assert len(owners(whole)) == 59
    for table in ("orders", "customers"):
        assert parts.kept(table) == whole.kept(table)
        assert parts.repairs(table) == whole.repairs(table)
