"""The insights that look at when customers ordered: months, cohorts, repeats."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.support.clean_tables import Row, shop

from shopsight.marts.insights import INSIGHTS, InsightOptions

AS_OF = date(2025, 12, 31)


def rows(insight: str, *orders: Row) -> list[tuple[Any, ...]]:
    options = InsightOptions(top_n=5, basket_pairs_n=20, as_of=AS_OF)
    return INSIGHTS[insight].frame(shop(orders=list(orders)), options).collect().rows()


def order(key: int, customer: int, day: date, amount: str = "1.00", counts: bool = True) -> Row:
    return (key, customer, day, amount, "paid", counts)


def test_months_without_sales_are_listed_between_the_first_and_the_last() -> None:
    found = rows(
        "monthly_sales",
        order(1, 1, date(2024, 11, 30), "10.00"),
        order(2, 1, date(2024, 11, 1), "5.01"),
        order(3, 2, date(2025, 2, 28), "6.00"),
        order(4, 2, date(2025, 3, 1), "9.00"),
    )
    assert found == [
        (date(2024, 11, 1), Decimal("15.01"), 2, Decimal("7.51"), None),
        (date(2024, 12, 1), Decimal("0.00"), 0, None, -1.0),
        (date(2025, 1, 1), Decimal("0.00"), 0, None, None),
        (date(2025, 2, 1), Decimal("6.00"), 1, Decimal("6.00"), None),
        (date(2025, 3, 1), Decimal("9.00"), 1, Decimal("9.00"), 0.5),
    ]


def test_orders_that_do_not_count_open_no_month() -> None:
    found = rows("monthly_sales", order(1, 1, date(2025, 2, 1)), order(2, 1, date(2025, 5, 1), counts=False))
    assert [row[0] for row in found] == [date(2025, 2, 1)]


def test_growth_after_a_month_of_returns_is_null() -> None:
    found = rows(
        "monthly_sales", order(1, 1, date(2025, 1, 1), "-5.00"), order(2, 1, date(2025, 2, 1), "5.00")
    )
    assert [row[4] for row in found] == [None, None]


def test_no_sale_is_lost_when_a_date_lies_beyond_the_calendar() -> None:
    found = rows("monthly_sales", order(1, 1, date(1969, 12, 31)), order(2, 1, date(2999, 1, 1)))
    assert found[0][:3] == (date(1969, 12, 1), Decimal("1.00"), 1)
    assert found[-1][:3] == (date(2999, 1, 1), Decimal("1.00"), 1)


def test_a_cohort_is_followed_to_the_shop_s_last_month() -> None:
    found = rows(
        "cohort_retention",
        order(1, 1, date(2024, 12, 31)),
        order(2, 1, date(2024, 12, 31)),
        order(3, 2, date(2024, 12, 1)),
        order(4, 2, date(2025, 2, 1)),
        order(5, 2, date(2025, 2, 9)),
        order(6, 3, date(2025, 2, 1)),
        order(7, 3, date(2025, 3, 1), counts=False),
        order(8, 4, date(2025, 1, 1)),
    )
    assert found == [
        (date(2024, 12, 1), 0, 2, 1.0),
        (date(2024, 12, 1), 1, 0, 0.0),
        (date(2024, 12, 1), 2, 1, 0.5),
        (date(2025, 1, 1), 0, 1, 1.0),
        (date(2025, 1, 1), 1, 0, 0.0),
        (date(2025, 2, 1), 0, 1, 1.0),
    ]


def test_an_order_that_does_not_count_is_not_a_first_order() -> None:
    found = rows(
        "cohort_retention", order(1, 1, date(2025, 1, 1), counts=False), order(2, 1, date(2025, 3, 1))
    )
    assert found == [(date(2025, 3, 1), 0, 1, 1.0)]


def test_repeat_customers_have_two_counting_orders_or_more() -> None:
    found = rows(
        "repeat_purchase",
        order(1, 1, date(2025, 1, 1)),
        order(2, 1, date(2025, 1, 1)),
        order(3, 2, date(2025, 1, 1)),
        order(4, 2, date(2025, 1, 9), counts=False),
        order(5, 3, date(2025, 1, 1), counts=False),
    )
    assert found == [(2, 1, 0.5, None)]


@pytest.mark.parametrize(
    ("days", "median"),
    [
        ([date(2024, 2, 28), date(2024, 3, 1)], 2.0),
        ([date(2025, 1, 1), date(2025, 1, 1), date(2025, 1, 11)], 10.0),
        ([date(2025, 1, 11), date(2025, 1, 1), date(2025, 1, 2)], 5.0),
        ([date(1999, 12, 31), date(2000, 1, 1), date(2000, 12, 31), date(2001, 1, 1)], 1.0),
        ([date(2023, 12, 31), date(2025, 1, 1)], 367.0),
    ],
)
def test_the_wait_is_from_one_day_with_orders_to_the_next(days: list[date], median: float) -> None:
    found = rows("repeat_purchase", *(order(key, 1, day) for key, day in enumerate(days)))
    assert found[0][3] == median


def test_waits_are_of_one_customer_each() -> None:
    found = rows(
        "repeat_purchase",
        order(1, 1, date(2025, 1, 1)),
        order(2, 2, date(2025, 1, 4)),
        order(3, 1, date(2025, 1, 8)),
        order(4, 2, date(2025, 1, 14)),
    )
    assert found == [(2, 2, 1.0, 8.5)]
