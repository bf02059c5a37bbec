"""What must not change a figure, over made-up shops."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clean_tables import Recipe, Tables, made_up_tables, shop_of

from shopsight.engine import key_ranges
from shopsight.marts.insights import INSIGHTS, InsightOptions, baskets, purchases

OPTIONS = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 11, 22))
SMALL = Recipe(customers=8, orders=30, items=70, products=9, categories=3, reviews=20, days=200)

seeds = st.integers(0, 2**32)
# Each example is a whole shop.
few = settings(max_examples=8)


def figures(tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the metrics and of the insights."""
    shop = shop_of(tables)
    metrics = {"customer_metrics": sorted(shop.customer_metrics.collect().rows())}
    return metrics | {
        name: insight.frame(shop, OPTIONS).collect().rows() for name, insight in INSIGHTS.items()
    }


def customers(tables: Tables) -> dict[int, dict[str, Any]]:
    frame = shop_of(tables).customer_metrics.collect()
    return {row["customer_id"]: row for row in frame.iter_rows(named=True)}


@few
@given(seeds)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    shuffled = {name: random.Random(seed).sample(rows, len(rows)) for name, rows in tables.items()}
    assert figures(shuffled) == figures(tables)


@few
@given(seeds)
def test_another_order_changes_its_customer_s_row_and_no_other(seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    customer, product = tables["customers"][0][0], tables["products"][0][0]
    before = customers(tables)
    tables["orders"].append((10**6, customer, date(2024, 1, 9), Decimal("12.34"), "paid", True))
    tables["order_items"].append((10**6, 10**6, product, 3, Decimal("1.00")))
    after = customers(tables)
    changed = after.pop(customer)
    old = before.pop(customer)
    assert after == before
    assert changed["total_amount_spent"] == old["total_amount_spent"] + Decimal("12.34")
    assert changed["total_orders"] == old["total_orders"] + 1
    assert changed["total_products_ordered"] == old["total_products_ordered"] + 3
    assert changed["average_rating"] == old["average_rating"]


@few
@given(seeds)
def test_an_order_that_does_not_count_changes_nothing_but_the_statuses(seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    customer, products = tables["customers"][0][0], tables["products"]
    before = figures(tables)
    tables["orders"].append((10**6, customer, date(2024, 1, 9), Decimal("12.34"), "cancelled", False))
    tables["order_items"] += [
        (10**6 + n, 10**6, product[0], 3, Decimal("1.00")) for n, product in enumerate(products)
    ]
    after = figures(tables)
    assert before.pop("order_statuses") != after.pop("order_statuses")
    assert after == before


@few
@given(seeds)
def test_twice_the_reviews_leave_every_amount_and_mean_alone(seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    before = figures(tables)
    tables["reviews"] += [(row[0] + 10**6, *row[1:]) for row in tables["reviews"]]
    after = figures(tables)
    assert after.pop("category_ratings") == [(*row[:3], 2 * row[3]) for row in before.pop("category_ratings")]
    assert after == before


@few
@given(seeds)
def test_twice_the_items_change_units_and_revenue_of_products_and_nothing_else(seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    before = figures(tables)
    tables["order_items"] += [(row[0] + 10**6, *row[1:]) for row in tables["order_items"]]
    after = figures(tables)
    assert after.pop("top_products") == [
        (*row[:3], 2 * row[3], 2 * row[4]) for row in before.pop("top_products")
    ]
    assert after.pop("customer_metrics") == [
        (*row[:7], 2 * row[7], row[8]) for row in before.pop("customer_metrics")
    ]
    assert after == before


@few
@given(seeds, st.integers(1, 10**9))
def test_other_ids_in_the_same_order_give_the_same_figures(seed: int, shift: int) -> None:
    tables = made_up_tables(seed, SMALL)
    moved = tables | {
        "customers": [(row[0] + shift, *row[1:]) for row in tables["customers"]],
        "orders": [(row[0], row[1] + shift, *row[2:]) for row in tables["orders"]],
        "reviews": [(*row[:2], row[2] + shift, *row[3:]) for row in tables["reviews"]],
    }
    before, after = figures(tables), figures(moved)
    for name in ("customer_metrics", "top_customers"):
        before[name] = [(row[0] + shift, *row[1:]) for row in before[name]]
    assert after == before


@pytest.mark.parametrize("seed", range(3))
def test_sums_over_customers_months_countries_and_segments_are_the_counting_orders_sum(seed: int) -> None:
    tables = made_up_tables(seed)
    counting = [row for row in tables["orders"] if row[5]]
    revenue, orders = sum(row[3] for row in counting), len(counting)
    found = figures(tables)
    assert sum(row[4] for row in found["customer_metrics"]) == revenue
    assert sum(row[5] for row in found["customer_metrics"]) == orders
    for name in ("monthly_sales", "country_sales"):
        assert (sum(row[1] for row in found[name]), sum(row[2] for row in found[name])) == (revenue, orders)
    assert sum(row[2] for row in found["rfm_segments"]) == revenue
    assert sum(row[1] for row in found["rfm_segments"]) == len({row[1] for row in counting})
    sizes = [row[2] for row in found["cohort_retention"] if row[1] == 0]
    assert sum(sizes) == found["repeat_purchase"][0][0] == len({row[1] for row in counting})
    assert sum(row[2] for row in found["order_statuses"]) == sum(row[3] for row in tables["orders"])


@pytest.mark.parametrize("leaders", [0, 2, baskets.LEADERS])
@pytest.mark.parametrize("rows_in_range", [1, 7])
@few
@given(seeds)
def test_the_number_of_ranges_changes_nothing(rows_in_range: int, leaders: int, seed: int) -> None:
    tables = made_up_tables(seed, SMALL)
    whole = figures(tables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_ranges, "ROWS_IN_RANGE", rows_in_range)
        patch.setattr(baskets, "LINES_IN_RANGE", rows_in_range)
        patch.setattr(purchases, "ORDERS_IN_RANGE", rows_in_range)
        patch.setattr(baskets, "LEADERS", leaders)
        assert figures(tables) == whole
