"""Orders: dates, amounts, statuses, customers, and totals worked out from items."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.support.cleaning import KEEPING_NEGATIVES, POLICY, TODAY, cleaned

from shopsight.errors import DataQualityError

DAY = date(2024, 1, 31)
LIMIT = Decimal(10) ** 12
CENT = Decimal("0.01")

orders_of = partial(cleaned, last_table="orders")


def order(
    key: Any = 1, customer: Any = 1, day: Any = DAY, total: Any = "1.00", status: Any = "completed"
) -> Any:
    """One raw order, sound unless said otherwise."""
    return (key, customer, day, total if total is None else Decimal(total), status)


def test_unsound_orders_are_rejected_with_their_amounts() -> None:
    expected = [
        (order(key=None), "key_missing"),
        (order(key=2, customer=None), "customer_missing"),
        (order(key=3, customer=99), "customer_unknown"),
        (order(key=4, day=None), "date_missing"),
        (order(key=5, day=date(1969, 12, 31)), "date_before_1970"),
        (order(key=6, day=date(1, 1, 1)), "date_before_1970"),
        (order(key=7, day=date(2024, 7, 1)), "date_in_future"),
        (order(key=8, day=date(9999, 12, 31)), "date_in_future"),
        (order(key=9, total="-0.01"), "negative_amount"),
        (order(key=10, total="-5", status="unknown"), "negative_amount"),
        (order(key=11, total=LIMIT), "amount_beyond_limit"),
        (order(key=12, total=-LIMIT, status="returned"), "amount_beyond_limit"),
        (order(key=13, total=None), "total_missing"),
        (order(key=14, customer=None, day=None, total=None), "customer_missing"),
    ]
    outcome = orders_of(orders=[row for row, _ in expected], order_items=[])
    rejected = outcome.frame("rejected/orders")
    assert {row[0]: row for row in rejected.rows()} == {
        row[0]: (*row, f"orders.{rule}", row[3]) for row, rule in expected
    }
    assert outcome.kept("orders") == []


def test_orders_just_within_the_limits_are_kept() -> None:
    rows = [
        order(key=1, day=date(1970, 1, 1)),
        order(key=2, day=TODAY),
        order(key=3, total="0.00"),
        order(key=4, total=LIMIT - CENT),
        order(key=5, total="-5", status="returned"),
        order(key=6, total=-LIMIT + CENT, status="cancelled"),
    ]
    outcome = orders_of(orders=rows)
    assert [kept[:5] for kept in outcome.kept("orders")] == rows
    assert outcome.rules("orders") == []


@pytest.mark.parametrize("value", ["order_id", "customer_id", "order_date", "total_amount"])
def test_an_order_with_a_value_that_cannot_be_read_is_rejected_as_it_was(value: str) -> None:
    row = dict(zip(["order_id", "customer_id", "order_date", "total_amount"], order()[:4], strict=True))
    outcome = orders_of(orders=[(*{**row, value: "n/a"}.values(), "completed")], as_text=[value])
    frame = outcome.frame("rejected/orders")
    assert frame[value].to_list() == ["n/a"]
    assert frame["rule"].to_list() == ["orders.unreadable_value"]
    assert frame["measure"].to_list() == [None if value == "total_amount" else Decimal("1.00")]


def test_negative_amounts_are_kept_when_the_policy_says_so() -> None:
    outcome = cleaned(KEEPING_NEGATIVES, orders=[order(total="-5")])
    assert [kept[3] for kept in outcome.kept("orders")] == [Decimal("-5.00")]
    assert outcome.flags("orders") == {"orders.total_differs": 1, "orders.negative_kept": 1}


def test_statuses_are_tidied_and_decide_what_counts() -> None:
    written = ["completed", " Cancelled ", "CANCELED", "Re\u200bturned", "Un  available", None, "  ", "Lost?"]
    outcome = orders_of(orders=[order(key=i, status=status) for i, status in enumerate(written)])
    assert [kept[4:] for kept in outcome.kept("orders")] == [
        ("completed", True),
        ("cancelled", False),
        ("cancelled", False),
        ("returned", False),
        ("un available", True),
        ("unknown", True),
        ("unknown", True),
        ("lost?", True),
    ]
    assert outcome.repairs("orders") == [
        (1, "orders.status_tidied", " Cancelled ", "cancelled"),
        (2, "orders.status_tidied", "CANCELED", "cancelled"),
        (3, "orders.status_tidied", "Re\u200bturned", "returned"),
        (4, "orders.status_tidied", "Un  available", "un available"),
        (5, "orders.status_missing", None, "unknown"),
        (6, "orders.status_missing", "  ", "unknown"),
        (7, "orders.status_tidied", "Lost?", "lost?"),
    ]


def test_an_order_with_a_status_beyond_the_limit_is_rejected() -> None:
    outcome = orders_of(orders=[order(key=1, status="x" * 100), order(key=2, status=" " + "x" * 101)])
    assert [kept[0] for kept in outcome.kept("orders")] == [1]
    assert outcome.rejected("orders") == [(2, "orders.status_too_long")]
    assert outcome.frame("rejected/orders")["status"].to_list() == [" " + "x" * 101]


def test_an_unreadable_key_does_not_make_long_keys_unreadable() -> None:
    keys = [str(2**63 - 1), str(-(2**63)), str(2**63), "x"]
    outcome = orders_of(orders=[order(key=key) for key in keys], as_text=["order_id"])
    assert [kept[0] for kept in outcome.kept("orders")] == [-(2**63), 2**63 - 1]
    assert outcome.rejected("orders") == [(key, "orders.unreadable_value") for key in (str(2**63), "x")]


def test_every_order_counts_when_no_status_is_excluded() -> None:
    outcome = orders_of(
        replace(POLICY, excluded_order_statuses=frozenset()), orders=[order(status="cancelled")]
    )
    assert [kept[5] for kept in outcome.kept("orders")] == [True]


def test_orders_of_a_merged_customer_move_to_the_customer_it_was_merged_into() -> None:
    outcome = orders_of(
        customers=[(3, "Ann", "ann@example.com", "Germany"), (8, "Ann", "ANN@example.com", "Germany")],
        orders=[order(key=1, customer=8), order(key=2, customer=3)],
    )
    assert [kept[:2] for kept in outcome.kept("orders")] == [(1, 3), (2, 3)]
    assert outcome.repairs("orders") == [(1, "orders.customer_repointed", "8", "3")]


def test_a_rejected_order_of_a_merged_customer_stands_as_it_was() -> None:
    outcome = orders_of(
        customers=[(3, "Ann", "ann@example.com", "Germany"), (8, "Ann", "ANN@example.com", "Germany")],
        orders=[order(customer=8, day=None)],
    )
    assert outcome.frame("rejected/orders").rows() == [
        (1, 8, None, Decimal("1.00"), "completed", "orders.date_missing", Decimal("1.00"))
    ]


def test_an_order_of_a_customer_whose_key_is_unreadable_is_of_an_unknown_customer() -> None:
    outcome = orders_of(
        customers=[("1", "Ann", "a@example.com", "Germany"), ("2x", "Bo", "b@example.com", "Germany")],
        orders=[(1, "2", DAY, "1", "done"), (2, "2x", DAY, "1", "done"), (3, "1", DAY, "1", "done")],
        as_text=["customer_id", "total_amount"],
    )
    # A key that cannot be read is nobody's parent.
    assert outcome.rejected("orders") == [(1, "orders.customer_unknown"), (2, "orders.unreadable_value")]


def test_a_missing_total_is_the_sum_of_its_sound_items() -> None:
    outcome = cleaned(
        orders=[order(key=1, total=None), order(key=2, total=None), order(key=3, total=None), order(key=4)],
        order_items=[
            (1, 1, 1, 2, Decimal("9.99")),
            (2, 1, 1, 1, Decimal("0.02")),
            (3, 1, 1, -1, Decimal("100.00")),  # negative on an order that counts
            (4, 1, 99, 1, Decimal("100.00")),  # no such product
            (5, 1, 1, 1, None),
            (2, 1, 1, 1, Decimal("0.02")),  # the same once more
            (6, 2, 99, 1, Decimal("100.00")),
            (7, 4, 1, 1, Decimal("7.00")),
        ],
    )
    assert [(kept[0], kept[3]) for kept in outcome.kept("orders")] == [
        (1, Decimal("20.00")),
        (4, Decimal("1.00")),
    ]
    assert outcome.rejected("orders") == [(2, "orders.total_missing"), (3, "orders.total_missing")]
    assert outcome.repairs("orders") == [(1, "orders.total_from_items", None, "20.00")]
    assert outcome.measure("repairs", "orders", "measure_change") == Decimal("20.00")
    assert [kept[0] for kept in outcome.kept("order_items")] == [1, 2, 7]
    assert outcome.rejected("order_items")[-1] == (6, "order_items.parent_rejected")


def test_a_missing_total_of_an_order_that_does_not_count_may_be_negative() -> None:
    outcome = cleaned(
        orders=[order(total=None, status="returned")], order_items=[(1, 1, 1, -2, Decimal("9.99"))]
    )
    assert [kept[3] for kept in outcome.kept("orders")] == [Decimal("-19.98")]


def test_items_that_add_up_beyond_the_limit_are_no_total() -> None:
    half = LIMIT / 2
    outcome = cleaned(orders=[order(total=None)], order_items=[(1, 1, 1, 1, half), (2, 1, 1, 1, half)])
    assert outcome.rules("orders") == ["orders.total_missing"]
    assert outcome.rules("order_items") == ["order_items.parent_rejected"] * 2


def test_a_total_that_is_there_is_not_touched_by_its_items() -> None:
    outcome = orders_of(orders=[order(total="0.00")])
    assert [kept[3] for kept in outcome.kept("orders")] == [Decimal("0.00")]


def test_a_total_with_more_than_two_decimals_is_rounded_and_carries_what_was_read() -> None:
    outcome = orders_of(
        orders=[(1, 1, DAY, "12.345", "done"), (2, 1, DAY, "12.3", "done"), (3, 99, DAY, "0.005", "done")],
        as_text=["total_amount"],
    )
    assert outcome.repairs("orders") == [(1, "orders.total_rounded", "12.345", "12.35")]
    assert outcome.measure("repairs", "orders", "measure_change") == 0
    assert outcome.measure("", "orders") == Decimal("0.01")


def test_conflicting_orders_keep_the_latest_then_greatest_and_prefer_a_sound_one() -> None:
    outcome = orders_of(
        orders=[
            order(key=1, day=date(2024, 1, 1), total="900"),
            order(key=1, day=date(2024, 1, 2), total="9"),
            order(key=1, day=date(2024, 1, 2), total="10"),
            order(key=1, day=date(2024, 1, 2), total="10", status="COMPLETED"),
            order(key=1, day=date(2024, 1, 3), customer=99),
            order(key=1, day=date(2030, 1, 1)),
        ]
    )
    assert outcome.kept("orders") == [(1, 1, date(2024, 1, 2), Decimal("10.00"), "completed", True)]
    assert outcome.merged("orders") == [(1, 1, "orders.identical_row")]
    assert outcome.measure("merged", "orders") == Decimal("10.00")
    assert outcome.rules("orders") == [
        "orders.customer_unknown",
        "orders.date_in_future",
        "orders.duplicate_key",
        "orders.duplicate_key",
    ]


def test_a_total_computed_from_items_is_compared_like_any_other() -> None:
    outcome = orders_of(orders=[order(key=1, total=None), order(key=1, total="1.00")])
    # The items of order 1 add up to 19.98.
    assert [kept[3] for kept in outcome.kept("orders")] == [Decimal("19.98")]
    assert outcome.rejected("orders") == [(1, "orders.duplicate_key")]


def test_identical_orders_are_merged_however_often_they_come() -> None:
    outcome = orders_of(orders=[order()] * 5)
    assert len(outcome.kept("orders")) == 1
    assert outcome.merged("orders") == [(1, 1, "orders.identical_row")] * 4
    assert outcome.measure("merged", "orders") == Decimal("4.00")


def test_identical_unsound_orders_are_each_rejected() -> None:
    outcome = orders_of(orders=[order(customer=99)] * 3)
    assert outcome.rejected("orders") == [(1, "orders.customer_unknown")] * 3
    assert outcome.merged("orders") == []


def test_orders_are_flagged_by_their_kept_items() -> None:
    outcome = cleaned(
        orders=[
            order(key=1, total="19.98"),
            order(key=2, total="25.00"),
            order(key=3, total="0.00"),
            order(key=4, total="-1.00", status="returned"),
            order(key=5, total="5.00", customer=99),
        ],
        order_items=[
            (1, 1, 1, 2, Decimal("9.99")),
            (2, 2, 1, 2, Decimal("9.99")),
            (3, 3, 99, 1, Decimal("1.00")),  # rejected, so order 3 has none
            (4, 5, 1, 1, Decimal("9.99")),
        ],
    )
    assert sorted(outcome.frame("rejected/flags/orders").rows()) == [
        ("orders", "orders.negative_kept", 1, Decimal("-1.00")),
        ("orders", "orders.no_items", 2, Decimal("-1.00")),
        ("orders", "orders.total_differs", 1, Decimal("25.00")),
    ]


OTHERS = [
    (*order(key=2, total="2.00"), "USD"),
    (*order(key=3, total="3.00"), " "),
    (*order(key=4, total="4.00", status="cancelled"), "usd"),
]


def test_orders_in_other_currencies_are_set_aside_with_their_items() -> None:
    policy = replace(POLICY, currency="EUR")
    items = [(key, key, 1, 1, Decimal("9.99")) for key in (1, 2, 4)]
    outcome = cleaned(policy, ["currency"], orders=[(*order(), " eur"), *OTHERS], order_items=items)
    assert outcome.kept("orders") == [(*order(), " eur", True)]
    assert outcome.rejected("orders") == [(key, "orders.currency_other") for key in (2, 3, 4)]
    assert sorted(outcome.frame("rejected/orders")["currency"]) == [" ", "USD", "usd"]
    assert outcome.rejected("order_items") == [(key, "order_items.parent_rejected") for key in (2, 4)]


def test_several_currencies_among_counting_orders_are_refused() -> None:
    more = [(*order(key=key, status="paid"), currency) for key, currency in ((5, "EUR"), (6, "eur "))]
    with pytest.raises(DataQualityError, match=r"EUR \(2\), USD \(1\), none \(1\)\.") as refused:
        orders_of(as_text=["currency"], orders=[*OTHERS, *more])
    assert 'currency = "EUR"' in refused.value.remedy


def test_another_currency_of_orders_that_do_not_count_is_not_refused() -> None:
    outcome = orders_of(as_text=["currency"], orders=[(*order(), "EUR"), OTHERS[2]])
    assert [(row[0], row[-1]) for row in outcome.kept("orders")] == [(1, True), (4, False)]
    assert outcome.rules("orders") == []
