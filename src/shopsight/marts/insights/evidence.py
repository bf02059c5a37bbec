"""The kept rows behind an insight, and what they add up to; `shopsight explain` shows both.

Rows behind an insight are a frame of one table's kept rows with the columns of the insight's key and

==============  ========================================================
``is_behind``   whether the row takes part
``why``         if not, why not
``amount``      what it adds to the table's measure
==============  ========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import narwhals as nw

from shopsight.engine.protocol import Frame
from shopsight.marts.insights.shop import Shop

#: Values by column: of a key, or of sums.
Values = dict[str, Any]

AMOUNT, ROWS = nw.col("amount").sum(), nw.len()
CUSTOMERS, ORDERS = nw.col("customer_id").n_unique(), nw.col("order_id").n_unique()

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Evidence:
    """The rows behind an insight.

    Attributes:
        table: the rows' table.
        reads: all the tables that decide about them, in the contract's order.
        rows: gives the kept rows as the module's table says.
        sums: by column, what the rows behind one row of the insight add up to.
        ratios: by the insight's column, what follows from these sums.
        rejected: adds the columns of the insight's key to the table's rejected rows; None where nothing tells
            which key a rejected row belongs to.
        rows_of_key: gives the rows behind one row of the insight, if not those of ``rows`` with its key.
        table_of_key: the table that ``rows_of_key`` gives rows of, if another one.
        is_partition: whether each row is behind just one row of the insight, so that the sums of all rows
            are the column's.
    """

    table: str
    reads: tuple[str, ...]
    rows: Callable[[Shop], Frame]
    sums: dict[str, nw.Expr]
    ratios: dict[str, Callable[[Values], Any]] = field(default_factory=dict)
    rejected: Callable[[Shop, Frame], Frame] | None = None
    rows_of_key: Callable[[Shop, Values], Frame] | None = None
    table_of_key: str | None = None
    is_partition: bool = False


def counting_orders(shop: Shop) -> Frame:
    """All kept orders; those that count are behind. Grain: one row per order."""
    why = nw.concat_str(nw.lit("status "), nw.col("status"), nw.lit(" does not count"))
    return shop.orders.with_columns(is_behind=nw.col("is_counting"), why=why, amount=nw.col("total_amount"))


def counting_items(shop: Shop) -> Frame:
    """All kept lines with their order; those of counting orders are behind. Grain: one row per line."""
    columns = ("order_id", "order_date", "customer_id", "status", "is_behind", "why")
    items = shop.order_items.join(counting_orders(shop).select(*columns), on="order_id", how="inner")
    return items.with_columns(amount=nw.col("quantity") * nw.col("price"))


def kept_reviews(shop: Shop) -> Frame:
    """All kept reviews with their product, all of them behind. Grain: one row per review."""
    reviews = shop.reviews.join(shop.products, on="product_id", how="left")
    return reviews.with_columns(
        is_behind=nw.lit(True), why=nw.lit(None, dtype=nw.String), amount=nw.col("rating")
    )


def buying_customers(shop: Shop) -> Frame:
    """All customers' metrics; those with a counting order are behind. Grain: one row per customer."""
    return shop.customer_metrics.with_columns(
        is_behind=nw.col("total_orders") > 0,
        why=nw.lit("no order that counts"),
        amount=nw.col("total_amount_spent"),
    )


def as_they_are(_shop: Shop, rejected: Frame) -> Frame:
    """Rejected rows of a table that has the insight's key itself."""
    return rejected


def average_order_value(sums: Values) -> Decimal | None:
    """Revenue by order, half up to the cent."""
    if not sums["orders"]:
        return None
    return _EXACT.quantize(_EXACT.divide(sums["revenue"], sums["orders"]), Decimal("0.01"))
