"""One row per customer: what was spent, ordered and rated."""

from __future__ import annotations

import narwhals as nw

from shopsight.engine.protocol import Frame
from shopsight.marts.money import MONEY_SUM, divide_money


def customer_metrics(customers: Frame, orders: Frame, order_units: Frame, reviews: Frame) -> Frame:
    """Each customer's spending, orders and mean rating; customers without orders included.

    Grain: one row per row of ``customers``; key: ``customer_id``. Rows come in no particular order.

    Units and rounding: money is exact, in the shop's currency; ``average_order_value`` is rounded once, half
    up to the cent (away from zero); ``average_rating`` is not rounded; ``total_products_ordered`` counts
    units, not lines.

    ``order_units`` has the units of each counting order: ``customer_id``, ``units``.

    Nulls: ``email`` as cleaned; ``average_order_value`` without counting orders; ``average_rating`` without
    reviews. Sums and counts of nothing are 0.

    >>> import polars as pl
    >>> customers = pl.LazyFrame([(1, "Ada", None, "France"), (2, "Bo", None, "Chad")],
    ...     schema=["customer_id", "name", "email", "country"], orient="row")
    >>> orders = pl.LazyFrame([(10, 1, "5.00", True), (11, 1, "2.51", True), (12, 1, "9.00", False)],
    ...     schema=["order_id", "customer_id", "total_amount", "is_counting"], orient="row")
    >>> units = pl.LazyFrame({"customer_id": [1], "units": [3]})
    >>> reviews = pl.LazyFrame({"customer_id": [1, 1], "rating": [4, 5]})
    >>> orders = orders.with_columns(pl.col("total_amount").cast(pl.Decimal(18, 2)))
    >>> metrics = customer_metrics(*map(nw.from_native, (customers, orders, units, reviews)))
    >>> for row in metrics.sort("customer_id").drop("name", "email", "country").collect().rows():
    ...     print(*row)
    1 7.51 2 3.76 3 4.5
    2 0.00 0 None 0 None
    """
    counting = orders.filter(nw.col("is_counting")).select("customer_id", "total_amount")
    spent = counting.group_by("customer_id").agg(
        nw.col("total_amount").sum().alias("total_amount_spent"),
        nw.len().cast(nw.Int64).alias("total_orders"),
    )
    ordered = order_units.group_by("customer_id").agg(
        nw.col("units").sum().cast(nw.Int64).alias("total_products_ordered")
    )
    rated = reviews.group_by("customer_id").agg(
        nw.col("rating").sum().cast(nw.Float64).alias("rating_sum"),
        nw.len().cast(nw.Float64).alias("reviews"),
    )
    return (
        customers.select("customer_id", "name", "email", "country")
        .join(spent, on="customer_id", how="left")
        .join(ordered, on="customer_id", how="left")
        .join(rated, on="customer_id", how="left")
        .select(
            "customer_id",
            "name",
            "email",
            "country",
            nw.col("total_amount_spent").fill_null(0).cast(MONEY_SUM),
            nw.col("total_orders").fill_null(0),
            divide_money(nw.col("total_amount_spent"), nw.col("total_orders")).alias("average_order_value"),
            nw.col("total_products_ordered").fill_null(0),
            (nw.col("rating_sum") / nw.col("reviews")).alias("average_rating"),
        )
    )
