"""What is published of each customer, on small shops whose answers are known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.clean_tables import Recipe, made_up_tables, shop, shop_of

from shopsight.marts.customers import customers
from shopsight.marts.insights import INSIGHTS, InsightOptions, Shop

TODAY = date(2026, 11, 22)
BESIDE = (
    *("first_order_date", "last_order_date", "days_since_last_order"),
    *("recency_score", "frequency_score", "monetary_score", "segment", "cohort_month"),
)


def rows(of: Shop) -> list[dict[str, Any]]:
    return list(customers(of, TODAY).sort("customer_id").collect().iter_rows(named=True))


def test_dates_scores_segment_and_cohort_are_those_of_counting_orders() -> None:
    orders = [
        (1, 1, date(2024, 2, 29), "10.00", "paid", True),
        (2, 1, date(2026, 11, 20), "10.00", "paid", True),
        (3, 1, date(2026, 11, 21), "10.00", "cancelled", False),
        (4, 2, date(2025, 12, 31), "99.00", "paid", True),
    ]
    first, second = rows(shop(orders=orders))
    assert [first[name] for name in BESIDE] == [
        *(date(2024, 2, 29), date(2026, 11, 20), 2),
        *(3, 3, 1, "About to sleep", date(2024, 2, 1)),
    ]
    assert [second[name] for name in BESIDE[:3]] == [date(2025, 12, 31), date(2025, 12, 31), 326]


def test_a_customer_without_a_counting_order_has_nulls_beside_the_nine_fields() -> None:
    (row,) = rows(shop(customers=[(1, "Ada", None, "France")]))
    assert (row["customer_id"], row["total_orders"]) == (1, 0)
    assert {name: row[name] for name in BESIDE} == dict.fromkeys(BESIDE)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(customers=7, orders=30, cents=(-3000, 50_000))])
def test_customers_add_up_to_the_insights(recipe: Recipe) -> None:
    of = shop_of(made_up_tables(3, recipe))
    found = rows(of)
    options = InsightOptions(5, 20, TODAY)

    def insight(name: str) -> list[dict[str, Any]]:
        return list(INSIGHTS[name].frame(of, options).collect().iter_rows(named=True))

    nine = of.customer_metrics.sort("customer_id").collect().iter_rows(named=True)
    assert [{name: value for name, value in row.items() if name not in BESIDE} for row in found] == list(nine)
    for segment in insight("rfm_segments"):
        members = [row for row in found if row["segment"] == segment["segment"]]
        assert len(members) == segment["customers"]
        assert sum(row["total_amount_spent"] for row in members) == segment["revenue"]
    starts = {
        row["cohort_month"]: row["customers"]
        for row in insight("cohort_retention")
        if row["months_since"] == 0
    }
    assert starts == {month: sum(row["cohort_month"] == month for row in found) for month in starts}
