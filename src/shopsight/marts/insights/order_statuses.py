"""Kept orders by status."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, share_of


def order_statuses(shop: Shop, _options: InsightOptions) -> Frame:
    """Number and amount of all kept orders by status, counting or not.

    ``orders_share`` is of all kept orders.

    Grain: one row per status; most orders first, ties by the status's name, by code point.
    """
    return (
        shop.orders.group_by("status")
        .agg(
            nw.len().cast(nw.Int64).alias("orders"),
            nw.col("total_amount").sum().cast(MONEY_SUM).alias("amount"),
        )
        .with_columns(share_of(nw.col("orders"), nw.col("orders").sum()).alias("orders_share"))
        .sort("orders", "status", descending=[True, False])
    )


INSIGHT = Insight(
    id="order_statuses",
    title="Order statuses",
    description="All kept orders by status, whether or not they count.",
    columns=(
        InsightColumn("status", "text", "Status"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("amount", "money", "Amount"),
        InsightColumn("orders_share", "share", "Share"),
    ),
    key=("status",),
    chart=Chart("bars", label="status", figures=("orders",), detail=("orders_share", "amount")),
    compute=order_statuses,
    rank=100,
    identities=(
        SumsTo("orders", "orders"),
        SumsTo("amount", "amount"),
        Recounted("statuses", ("orders", "amount")),
        Quotient("orders_share", "orders", total="orders"),
    ),
    evidence=Evidence(
        "orders",
        reads=("orders",),
        rows=lambda shop: counting_orders(shop).with_columns(is_behind=nw.lit(True)),
        sums={"orders": ROWS, "amount": AMOUNT},
        rejected=lambda _, rows: rows.with_columns(status=nw.col("status").str.to_lowercase()),
        is_partition=True,
    ),
)
