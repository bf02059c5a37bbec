from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from tests.support.clean_tables import Row, shop

from shopsight.engine.key_ranges import KeyRange
from shopsight.marts.insights import INSIGHTS, InsightOptions, baskets

DAY = date(2025, 3, 1)


def pairs(held: dict[int, list[int]], n: int = 20, uncounted: tuple[int, ...] = ()) -> list[tuple[Any, ...]]:
    """The listed pairs of a shop whose orders hold these products, one line each."""
    orders: list[Row] = [(key, 1, DAY, "1.00", "paid", key not in uncounted) for key in held]
    lines = [(order, product) for order, products in held.items() for product in products]
    items: list[Row] = [(key, order, product, 1, "1.00") for key, (order, product) in enumerate(lines)]
    options = InsightOptions(top_n=5, basket_pairs_n=n, as_of=DAY)
    tables = shop(orders=orders, order_items=items)
    return INSIGHTS["basket_pairs"].frame(tables, options).collect().rows()


def test_a_pair_has_support_confidence_and_lift() -> None:
    # Four baskets; 7 is in three, 3 in two, both together in one. The order without items is no basket.
    assert pairs({1: [7, 3], 2: [7], 3: [7, 9], 4: [3], 5: []}) == [
        (3, "Product 3", 7, "Product 7", 1, 1 / 4, 1 / 2, 4 / 6),
        (7, "Product 7", 9, "Product 9", 1, 1 / 4, 1 / 3, 4 / 3),
    ]


def test_a_product_in_several_lines_of_an_order_is_in_it_once() -> None:
    assert [row[4] for row in pairs({1: [7, 3, 7, 3, 3], 2: [3]})] == [1]
    assert [row[6] for row in pairs({1: [7, 3, 7, 3, 3], 2: [3, 3]})] == [1 / 2]


def test_orders_that_do_not_count_hold_no_pair_and_are_no_basket() -> None:
    found = pairs({1: [3, 7], 2: [3, 7], 3: [3]}, uncounted=(2, 3))
    assert [(row[0], row[2], *row[4:]) for row in found] == [(3, 7, 1, 1.0, 1.0, 1.0)]


def test_ties_are_by_the_smaller_first_then_the_smaller_second_product() -> None:
    assert [(row[0], row[2]) for row in pairs({1: [4, 3, 2, 1]}, n=4)] == [(1, 2), (1, 3), (1, 4), (2, 3)]


def test_a_shop_where_every_order_has_one_product_has_no_pairs() -> None:
    assert pairs({1: [3], 2: [7], 3: [7, 7]}) == []


@pytest.mark.parametrize("leaders", [0, 1, 2, 3, 5, 256])
@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_pairs_of_rare_products_are_found_behind_products_with_more_lines(
    leaders: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baskets, "LEADERS", leaders)
    # 1 and 2 have the most lines and are never together; 8 and 9 always are; 1 and 9 once.
    held = {key: [1] for key in range(10)} | {key: [2] for key in range(10, 20)}
    held |= {20: [8, 9], 21: [8, 9], 22: [9, 8], 23: [9, 1], 24: [8, 2], 25: [8, 2]}
    expected = [(8, 9, 3), (2, 8, 2), (1, 9, 1)]
    assert [(row[0], row[2], row[4]) for row in pairs(held, n=n)] == expected[:n]


def test_a_contender_with_just_as_many_lines_as_the_bound_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "LEADERS", 2)
    # 8 and 9 lead, and are together in two orders; so are 1 and 2, which have two lines each.
    held = {1: [8, 9], 2: [8, 9], 3: [8], 4: [9], 5: [1, 2], 6: [1, 2]}
    assert [(row[0], row[2], row[4]) for row in pairs(held, n=1)] == [(1, 2, 2)]


def test_the_products_with_the_most_lines_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "LEADERS", 2)
    orders: list[Row] = [(key, 1, DAY, "1.00", "paid", True) for key in (1, 2, 3)]
    lines = [(1, 7), (2, 7), (3, 7), (1, 5), (2, 5), (1, 4), (3, 4), (1, 6)]
    items: list[Row] = [(key, *line, 1, "1.00") for key, line in enumerate(lines)]
    leaders = shop(orders=orders, order_items=items).baskets.leaders
    assert sorted(leaders.products.collect().rows()) == [(4, 2), (7, 3)]
    assert leaders.pairs.collect().rows() == [(4, 7, 2)]


def test_lines_are_not_searched_when_no_customer_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "LINES_IN_RANGE", 1)
    orders: list[Row] = [(key, 1, DAY, "1.00", "paid", True) for key in (1, 2, 3)]
    items: list[Row] = [(key, key, 7, 1, "1.00") for key in (1, 2, 3)]
    counted = shop(orders=orders, order_items=items).baskets
    ranges: list[KeyRange] = []
    monkeypatch.setattr(KeyRange, "filter", lambda self, rows: ranges.append(self) or rows)
    counts = counted.count(nw.from_native(pl.LazyFrame(schema={"product_id": pl.Int64})))
    assert counts.products.collect().rows() == counts.pairs.collect().rows() == []
    assert len(set(ranges)) == 1


@pytest.mark.parametrize(
    ("orders", "length", "bound"),
    [([5, 2, 3], 1, 5), ([5, 2, 3], 2, 3), ([5, 2, 3], 3, 2), ([5, 2, 3], 4, 1), ([], 1, 1)],
)
def test_the_bound_is_what_the_last_of_a_full_list_has(orders: list[int], length: int, bound: int) -> None:
    counted = nw.from_native(pl.LazyFrame({"orders": orders}, schema={"orders": pl.Int64}))
    assert baskets.bound_of(counted, length).collect().rows() == [(bound,)]
