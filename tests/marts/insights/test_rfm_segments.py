from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.clean_tables import Row, shop

from shopsight.marts.insights import INSIGHTS, InsightOptions
from shopsight.marts.insights.rfm import SEGMENTS, SEGMENTS_BY_RECENCY

FIRST = date(2025, 1, 1)


def segments(*orders: Row) -> list[tuple[Any, ...]]:
    options = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2025, 12, 31))
    return INSIGHTS["rfm_segments"].frame(shop(orders=list(orders)), options).collect().rows()


def five_customers(recency: dict[int, int], orders: dict[int, int], amounts: dict[int, str]) -> list[Row]:
    """Customers 1 to 5: the day of the last order, how many orders, the sum; other orders are long ago."""
    rows: list[Row] = []
    for customer in range(1, 6):
        last_day = FIRST + timedelta(days=recency[customer])
        rows.append((len(rows), customer, last_day, amounts[customer], "paid", True))
        for turn in range(1, orders[customer]):
            rows.append((len(rows), customer, FIRST - timedelta(days=10 * turn), "0.00", "paid", True))
    return rows


UP = {customer: customer for customer in range(1, 6)}
DOWN = {customer: 6 - customer for customer in range(1, 6)}
AMOUNTS_UP = {customer: f"{customer}.00" for customer in range(1, 6)}
AMOUNTS_DOWN = {customer: f"{6 - customer}.00" for customer in range(1, 6)}


def test_recent_frequent_and_high_spending_buyers_are_champions() -> None:
    assert segments(*five_customers(UP, UP, AMOUNTS_UP)) == [
        ("Champions", 1, Decimal("5.00"), 0.2, 5 / 15),
        ("Loyal", 1, Decimal("4.00"), 0.2, 4 / 15),
        ("Needing attention", 1, Decimal("3.00"), 0.2, 3 / 15),
        ("Hibernating", 2, Decimal("3.00"), 0.4, 3 / 15),
    ]


def test_recent_low_value_buyers_are_new_and_the_best_old_ones_cannot_be_lost() -> None:
    assert [row[:2] for row in segments(*five_customers(DOWN, UP, AMOUNTS_UP))] == [
        ("Potential loyalists", 1),
        ("New customers", 1),
        ("Needing attention", 1),
        ("At risk", 1),
        ("Can't lose", 1),
    ]


def test_value_is_the_mean_of_frequency_and_amount_half_up() -> None:
    # Frequency 1 to 5 and amount 5 to 1: everyone's value is 3.
    assert [row[:2] for row in segments(*five_customers(UP, UP, AMOUNTS_DOWN))] == [
        ("Potential loyalists", 2),
        ("Needing attention", 1),
        ("At risk", 2),
    ]
    # All order once: frequency is 1, and the values are 1, 2, 2, 3, 3. The fourth has recency 3.
    once, recency = dict.fromkeys(UP, 1), {1: 1, 2: 2, 3: 4, 4: 3, 5: 5}
    assert [row[:2] for row in segments(*five_customers(recency, once, AMOUNTS_UP))] == [
        ("Potential loyalists", 2),
        ("Needing attention", 1),
        ("Hibernating", 2),
    ]


def test_equal_customers_are_in_the_same_fifth() -> None:
    same_day = [(key, customer, FIRST, "1.00", "paid", True) for key, customer in enumerate(range(1, 9))]
    assert segments(*same_day) == [("Hibernating", 8, Decimal("8.00"), 1.0, 1.0)]


def test_customers_without_counting_orders_are_in_no_segment() -> None:
    orders = [(1, 1, FIRST, "1.00", "paid", True), (2, 2, FIRST, "5.00", "cancelled", False)]
    assert [row[1] for row in segments(*orders)] == [1]


@pytest.mark.parametrize("amount", ["0.00", "-2.00"])
def test_shares_of_no_revenue_are_null(amount: str) -> None:
    assert segments((1, 1, FIRST, amount, "paid", True)) == [("Hibernating", 1, Decimal(amount), 1.0, None)]


def test_the_grid_names_every_score_and_every_segment_has_a_place() -> None:
    assert set(SEGMENTS_BY_RECENCY) == {1, 2, 3, 4, 5}
    assert {name for row in SEGMENTS_BY_RECENCY.values() for name in row} == set(SEGMENTS)
    assert {len(row) for row in SEGMENTS_BY_RECENCY.values()} == {5}
