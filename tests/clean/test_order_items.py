"""Order items: quantities, prices, and the orders and products they belong to."""

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.support.cleaning import KEEPING_NEGATIVES, cleaned

DAY = date(2024, 1, 31)
LIMIT = Decimal(10) ** 12
CENT = Decimal("0.01")

ORDERS = [
    (1, 1, DAY, Decimal("19.98"), "completed"),
    (2, 1, DAY, Decimal("-5.00"), "returned"),
    (3, 99, DAY, Decimal("1.00"), "completed"),
]
items_of = partial(cleaned, last_table="order_items", orders=ORDERS)


def item(key: Any = 1, order: Any = 1, product: Any = 1, quantity: Any = 2, price: Any = "9.99") -> Any:
    """One raw item, sound unless said otherwise."""
    return (key, order, product, quantity, price if price is None else Decimal(price))


def test_unsound_items_are_rejected_with_their_amounts() -> None:
    expected = [
        (item(key=None), "key_missing", "19.98"),
        (item(key=2, order=None), "order_missing", "19.98"),
        (item(key=3, product=None), "product_missing", "19.98"),
        (item(key=4, quantity=None), "quantity_missing", None),
        (item(key=5, price=None), "price_missing", None),
        (item(key=6, order=77), "order_unknown", "19.98"),
        (item(key=7, product=77), "product_unknown", "19.98"),
        (item(key=8, order=3), "parent_rejected", "19.98"),
        (item(key=9, order=3, product=77), "parent_rejected", "19.98"),
        (item(key=10, quantity=-1), "negative_amount", "-9.99"),
        (item(key=11, price="-0.01"), "negative_amount", "-0.02"),
        (item(key=12, quantity=-1, price="-1"), "negative_amount", "1.00"),
        (item(key=13, quantity=10_000_001), "quantity_beyond_limit", "99900009.99"),
        (item(key=14, quantity=-10_000_001, order=2), "quantity_beyond_limit", "-99900009.99"),
        (item(key=15, quantity=10**10), "quantity_beyond_limit", None),
        (item(key=16, quantity=-(2**63), order=2), "quantity_beyond_limit", None),
        (item(key=17, quantity=2**63 - 1, price="9999999999999999.99"), "quantity_beyond_limit", None),
        (item(key=18, quantity=1, price=LIMIT), "amount_beyond_limit", "1000000000000.00"),
        (item(key=19, quantity=0, price=-LIMIT, order=2), "amount_beyond_limit", "0.00"),
        (item(key=20, quantity=10_000_000, price="100000"), "amount_beyond_limit", "1000000000000.00"),
        (
            item(key=21, quantity=-10_000_000, price="100000", order=2),
            "amount_beyond_limit",
            "-1000000000000.00",
        ),
        (item(key=22, quantity=1, price=Decimal(10) ** 15), "amount_beyond_limit", None),
    ]
    outcome = items_of(order_items=[row for row, _, _ in expected])
    assert {row[0]: row for row in outcome.frame("rejected/order_items").rows()} == {
        row[0]: (*row, f"order_items.{rule}", None if measure is None else Decimal(measure))
        for row, rule, measure in expected
    }
    assert outcome.kept("order_items") == []


def test_items_just_within_the_limits_are_kept() -> None:
    rows = [
        item(key=-(2**63)),
        item(key=1, quantity=0),
        item(key=2, price="0.00"),
        item(key=3, quantity=10_000_000, price="99999.99"),
        item(key=4, quantity=1, price=LIMIT - CENT),
        item(key=5, order=2, quantity=-3),
        item(key=6, order=2, price="-3.00"),
        item(key=2**63 - 1),
    ]
    outcome = items_of(order_items=rows)
    assert outcome.kept("order_items") == rows


@pytest.mark.parametrize("value", ["item_id", "order_id", "product_id", "quantity", "price"])
def test_an_item_with_a_value_that_cannot_be_read_is_rejected(value: str) -> None:
    names = ["item_id", "order_id", "product_id", "quantity", "price"]
    row = {**dict(zip(names, item(), strict=True)), value: "2.5.1"}
    outcome = items_of(order_items=[tuple(row.values())], as_text=[value])
    assert outcome.rules("order_items") == ["order_items.unreadable_value"]
    unmeasured = value in {"quantity", "price"}
    assert outcome.measure("", "order_items") == (0 if unmeasured else Decimal("19.98"))


def test_negative_items_are_kept_when_the_policy_says_so() -> None:
    outcome = items_of(KEEPING_NEGATIVES, order_items=[item(quantity=-2)])
    assert outcome.kept("order_items") == [item(quantity=-2)]
    assert outcome.flags("order_items") == {"order_items.negative_kept": 1}


def test_items_without_units_and_returned_ones_are_flagged_with_their_amounts() -> None:
    outcome = items_of(order_items=[item(quantity=0), item(key=2, order=2, quantity=-1), item(key=3)])
    assert sorted(outcome.frame("rejected/flags/order_items").rows()) == [
        ("order_items", "order_items.negative_kept", 1, Decimal("-9.99")),
        ("order_items", "order_items.zero_quantity", 1, Decimal("0.00")),
    ]


def test_a_price_with_more_than_two_decimals_is_rounded_before_it_is_measured() -> None:
    outcome = items_of(
        order_items=[(1, 1, 1, 3, "0.335"), (2, 77, 1, 3, "0.335")],
        as_text=["price"],
    )
    assert outcome.kept("order_items") == [(1, 1, 1, 3, Decimal("0.34"))]
    assert outcome.repairs("order_items") == [(1, "order_items.price_rounded", "0.335", "0.34")]
    assert outcome.measure("", "order_items") == Decimal("1.02")


def test_conflicting_items_keep_the_greatest_order_then_product_quantity_and_price() -> None:
    outcome = items_of(
        orders=[(1, 1, DAY, Decimal("1.00"), "done"), (10, 1, DAY, Decimal("1.00"), "done")],
        order_items=[
            item(order=1, quantity=5),
            item(order=10, quantity=9, price="1.00"),
            item(order=10, quantity=10, price="1.00"),
            item(order=10, quantity=10, price="10.00"),
            item(order=10, quantity=10, price="9.00"),
            item(order=77, quantity=100),
        ],
    )
    assert outcome.kept("order_items") == [item(order=10, quantity=10, price="10.00")]
    assert outcome.rules("order_items") == ["order_items.duplicate_key"] * 4 + ["order_items.order_unknown"]


def test_an_item_of_an_order_with_a_rejected_and_a_kept_row_is_kept() -> None:
    outcome = items_of(
        orders=[ORDERS[0], (1, 1, date(2030, 1, 1), Decimal("1.00"), "completed")], order_items=[item()]
    )
    assert outcome.rules("orders") == ["orders.date_in_future"]
    assert outcome.kept("order_items") == [item()]


def test_the_same_line_twice_under_two_ids_is_two_lines() -> None:
    outcome = items_of(order_items=[item(key=1), item(key=2)])
    assert [kept[0] for kept in outcome.kept("order_items")] == [1, 2]


def test_a_quantity_with_a_fraction_is_rejected_by_its_own_rule() -> None:
    quantities = ["1.5", " -.25", "+2.0001\u200b", "3.0000", "1.5.0", "1,5", "."]
    items = [item(key=key, quantity=quantity) for key, quantity in enumerate(quantities)]
    outcome = items_of(order_items=[*items, item(key="x", quantity="0.5")], as_text=["item_id", "quantity"])
    assert [(row[0], row[3]) for row in outcome.kept("order_items")] == [(3, 3)]
    fractional, unreadable = "order_items.quantity_fractional", "order_items.unreadable_value"
    assert outcome.rejected("order_items") == [
        *((key, fractional) for key in "012"),
        *((key, unreadable) for key in "456"),
        ("x", fractional),
    ]
