from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw
import pytest
from tests.support.clean_tables import Row, shop

DAY = date(2025, 3, 1)
ADA = (1, "Ada", "ada@example.org", "France")


def metrics(**tables: list[Row]) -> list[dict[str, Any]]:
    frame = shop(**tables).customer_metrics.sort("customer_id")
    return list(frame.collect().iter_rows(named=True))


def test_a_customer_has_the_nine_fields_with_these_types() -> None:
    assert shop(customers=[ADA]).customer_metrics.collect_schema() == {
        "customer_id": nw.Int64,
        "name": nw.String,
        "email": nw.String,
        "country": nw.String,
        "total_amount_spent": nw.Decimal(38, 2),
        "total_orders": nw.Int64,
        "average_order_value": nw.Decimal(38, 2),
        "total_products_ordered": nw.Int64,
        "average_rating": nw.Float64,
    }


def test_a_customer_without_orders_is_there_with_zeros_and_nulls() -> None:
    assert metrics(customers=[ADA]) == [
        {
            "customer_id": 1,
            "name": "Ada",
            "email": "ada@example.org",
            "country": "France",
            "total_amount_spent": Decimal("0.00"),
            "total_orders": 0,
            "average_order_value": None,
            "total_products_ordered": 0,
            "average_rating": None,
        }
    ]


def test_orders_items_and_reviews_are_added_up_each_by_itself() -> None:
    (row,) = metrics(
        customers=[ADA],
        orders=[(10, 1, DAY, "20.00", "paid", True), (11, 1, DAY, "5.01", "paid", True)],
        order_items=[(1, 10, 7, 3, "1.00"), (2, 10, 8, 2, "1.00"), (3, 11, 7, 4, "1.00")],
        reviews=[(1, 7, 1, 4, DAY), (2, 7, 1, 5, DAY), (3, 8, 1, 5, DAY)],
    )
    assert row["total_amount_spent"] == Decimal("25.01")
    assert row["total_orders"] == 2
    assert row["average_order_value"] == Decimal("12.51")
    assert row["total_products_ordered"] == 9
    assert row["average_rating"] == 14 / 3


def test_orders_that_do_not_count_and_their_items_are_left_out() -> None:
    (row,) = metrics(
        orders=[(10, 1, DAY, "20.00", "paid", True), (11, 1, DAY, "999.00", "cancelled", False)],
        order_items=[(1, 10, 7, 1, "20.00"), (2, 11, 7, 50, "9.99")],
    )
    assert (row["total_amount_spent"], row["total_orders"]) == (Decimal("20.00"), 1)
    assert row["total_products_ordered"] == 1


def test_a_customer_whose_orders_do_not_count_has_no_average() -> None:
    (row,) = metrics(orders=[(10, 1, DAY, "20.00", "cancelled", False)])
    assert (row["total_amount_spent"], row["total_orders"], row["average_order_value"]) == (
        Decimal("0.00"),
        0,
        None,
    )


def test_an_order_without_items_counts_with_its_amount() -> None:
    (row,) = metrics(orders=[(10, 1, DAY, "8.00", "paid", True)])
    assert (row["total_amount_spent"], row["total_products_ordered"]) == (Decimal("8.00"), 0)


def test_reviews_count_whether_or_not_the_customer_ordered() -> None:
    (row,) = metrics(reviews=[(1, 7, 1, 2, DAY)])
    assert (row["average_rating"], row["total_orders"]) == (2.0, 0)


@pytest.mark.parametrize(
    ("amounts", "average"),
    [(["0.01", "0.00"], "0.01"), (["-0.01", "-0.04"], "-0.03"), (["0.01", "0.00", "0.00"], "0.00")],
)
def test_the_average_is_rounded_once_half_away_from_zero(amounts: list[str], average: str) -> None:
    (row,) = metrics(orders=[(i, 1, DAY, amount, "paid", True) for i, amount in enumerate(amounts)])
    assert row["average_order_value"] == Decimal(average)


def test_sums_are_exact_beyond_what_a_float_holds() -> None:
    many = [(i, 1, DAY, "99999999.99", "paid", True) for i in range(1000)] + [
        (1000, 1, DAY, "0.01", "paid", True)
    ]
    (row,) = metrics(orders=many)
    assert row["total_amount_spent"] == Decimal("99999999990.01")


def test_no_customer_gets_what_is_another_one_s() -> None:
    rows = metrics(
        orders=[(10, 1, DAY, "1.00", "paid", True), (11, 2, DAY, "2.00", "paid", True)],
        order_items=[(1, 10, 7, 1, "1.00"), (2, 11, 7, 2, "1.00")],
        reviews=[(1, 7, 1, 1, DAY), (2, 7, 2, 2, DAY)],
    )
    assert [(r["total_amount_spent"], r["total_products_ordered"], r["average_rating"]) for r in rows] == [
        (Decimal("1.00"), 1, 1.0),
        (Decimal("2.00"), 2, 2.0),
    ]
