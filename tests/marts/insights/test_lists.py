"""The lists: top customers, top products, categories, countries, statuses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.support.clean_tables import Row, shop

from shopsight.marts.insights import INSIGHTS, InsightOptions, baskets

DAY = date(2025, 3, 1)


def rows(insight: str, top_n: int = 5, **tables: list[Row]) -> list[tuple[Any, ...]]:
    options = InsightOptions(top_n=top_n, basket_pairs_n=20, as_of=DAY)
    return INSIGHTS[insight].frame(shop(**tables), options).collect().rows()


def order(key: int, customer: int, amount: str = "1.00", status: str = "paid", counts: bool = True) -> Row:
    return (key, customer, DAY, amount, status, counts)


def item(key: int, order_id: int, product: int, quantity: int = 1, price: str = "1.00") -> Row:
    return (key, order_id, product, quantity, price)


def test_top_customers_are_by_amount_then_by_the_smaller_id() -> None:
    orders = [order(1, 4, "5.00"), order(2, 3, "5.00"), order(3, 2, "9.00"), order(4, 1, "4.99")]
    assert rows("top_customers", top_n=3, orders=orders) == [
        (2, "Customer 2", "Nowhere", Decimal("9.00"), 1),
        (3, "Customer 3", "Nowhere", Decimal("5.00"), 1),
        (4, "Customer 4", "Nowhere", Decimal("5.00"), 1),
    ]


def test_customers_without_counting_orders_are_no_top_customers() -> None:
    customers = [(i, f"Customer {i}", None, "Nowhere") for i in (1, 2, 3)]
    orders = [order(1, 1, "0.00"), order(2, 2, "9.00", "cancelled", counts=False)]
    assert [row[0] for row in rows("top_customers", customers=customers, orders=orders)] == [1]


def test_top_products_are_by_orders_not_by_lines_units_or_revenue() -> None:
    items = [
        item(1, 1, 7, quantity=90, price="99.00"),
        item(2, 1, 7),
        item(3, 1, 7),
        item(4, 1, 8),
        item(5, 2, 8, quantity=2, price="0.05"),
    ]
    assert rows("top_products", orders=[order(1, 1), order(2, 1)], order_items=items) == [
        (8, "Product 8", 2, 3, Decimal("1.10")),
        (7, "Product 7", 1, 92, Decimal("8912.00")),
    ]


@pytest.mark.parametrize("leaders", [0, 1, 2, 256])
def test_top_products_are_found_behind_products_with_more_lines(
    leaders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baskets, "LEADERS", leaders)
    often_in_one_order = [item(key, 1, 7) for key in range(10)]
    uncounted = [item(key, 9, 6) for key in range(10, 19)]
    in_two_orders = [item(20, 1, 8), item(21, 2, 8), item(22, 1, 5), item(23, 2, 5)]
    orders = [order(1, 1), order(2, 1), order(9, 1, counts=False)]
    found = rows(
        "top_products", top_n=2, orders=orders, order_items=often_in_one_order + uncounted + in_two_orders
    )
    assert [(row[0], row[2]) for row in found] == [(5, 2), (8, 2)]


def test_products_only_in_orders_that_do_not_count_are_no_top_products() -> None:
    orders = [order(1, 1), order(2, 1, counts=False)]
    assert rows(
        "top_products", orders=orders, order_items=[item(1, 1, 7), item(2, 2, 8), item(3, 2, 7, 9)]
    ) == [(7, "Product 7", 1, 1, Decimal("1.00"))]


def test_a_category_s_rating_is_the_mean_of_its_reviews_not_of_its_products() -> None:
    products = [(1, "Book", 10), (2, "Map", 10)]
    reviews = [(1, 1, 1, 5, DAY), (2, 1, 2, 5, DAY), (3, 1, 3, 5, DAY), (4, 2, 1, 1, DAY)]
    assert rows("category_ratings", categories=[(10, "Paper")], products=products, reviews=reviews) == [
        (10, "Paper", 4.0, 4)
    ]


def test_categories_are_best_first_then_by_id_those_without_reviews_last() -> None:
    categories = [(0, "Uncategorised"), (1, "Toys"), (2, "Paper"), (3, "Tea")]
    products = [(1, "Ball", 1), (2, "Book", 2), (3, "Assam", 3), (4, "Thing", 0)]
    reviews = [(1, 2, 1, 4, DAY), (2, 1, 1, 4, DAY), (3, 3, 1, 5, DAY)]
    assert rows("category_ratings", categories=categories, products=products, reviews=reviews) == [
        (3, "Tea", 5.0, 1),
        (1, "Toys", 4.0, 1),
        (2, "Paper", 4.0, 1),
        (0, "Uncategorised", None, 0),
    ]


def test_countries_are_by_revenue_then_by_name_those_without_orders_included() -> None:
    customers = [
        (1, "A", None, "Peru"),
        (2, "B", None, "Chad"),
        (3, "C", None, "Chad"),
        (4, "D", None, "Åland"),
        (5, "E", None, "Zambia"),
        (6, "F", None, "Chad"),
    ]
    orders = [order(1, 1, "3.00"), order(2, 2, "1.00"), order(3, 2, "1.00"), order(4, 3, "3.01")]
    orders += [order(5, 6, "9.00", counts=False)]
    assert rows("country_sales", customers=customers, orders=orders) == [
        ("Chad", Decimal("5.01"), 3, 2, Decimal("1.67")),
        ("Peru", Decimal("3.00"), 1, 1, Decimal("3.00")),
        ("Zambia", Decimal("0.00"), 0, 0, None),
        ("Åland", Decimal("0.00"), 0, 0, None),
    ]


def test_statuses_are_of_all_orders_most_first_then_by_name() -> None:
    orders = [
        order(1, 1, "1.00", "shipped"),
        order(2, 1, "2.00", "cancelled", counts=False),
        order(3, 1, "4.00", "paid"),
        order(4, 1, "8.00", "paid"),
    ]
    assert rows("order_statuses", orders=orders) == [
        ("paid", 2, Decimal("12.00"), 0.5, 2),
        ("cancelled", 1, Decimal("2.00"), 0.25, 0),
        ("shipped", 1, Decimal("1.00"), 0.25, 1),
    ]
