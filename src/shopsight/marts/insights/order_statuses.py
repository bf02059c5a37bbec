"""Kept orders by status."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, share_of

#: Statuses of orders that count in common shop software. Others count, too, and the report marks them.
# fmt: off
USUAL_STATUSES = frozenset({
    "accepted", "approved", "authorized", "awaiting_fulfillment", "billed", "closed", "complete",
    "completed", "confirmed", "delivered", "dispatched", "done", "fulfilled", "invoiced",
    "in_transit", "new", "on_hold", "open", "packed", "paid", "partially_refunded",
    "partially_shipped", "payment_accepted", "pending", "placed", "preparing", "processed",
    "processing", "ready", "sale", "sent", "shipped",
})
# fmt: on


def order_statuses(shop: Shop, _options: InsightOptions) -> Frame:
    """Number and amount of all kept orders by status, counting or not.

    ``orders_share`` is of all kept orders. ``counting_orders`` is all of a status's orders, or 0.

    Grain: one row per status; most orders first, ties by the status's name, by code point.
    """
    return (
        shop.orders.group_by("status")
        .agg(
            nw.len().cast(nw.Int64).alias("orders"),
            nw.col("total_amount").sum().cast(MONEY_SUM).alias("amount"),
            nw.col("is_counting").cast(nw.Int64).sum().alias("counting_orders"),
        )
        .with_columns(share_of(nw.col("orders"), nw.col("orders").sum()).alias("orders_share"))
        .sort("orders", "status", descending=[True, False])
    )


def _is_usual(status: str) -> bool:
    return status.replace(" ", "_").replace("-", "_") in USUAL_STATUSES


INSIGHT = Insight(
    id="order_statuses",
    title="Order statuses",
    description="All kept orders by status, and how many of them count.",
    columns=(
        InsightColumn("status", "text", "Status"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("amount", "money", "Amount"),
        InsightColumn("orders_share", "share", "Share"),
        InsightColumn("counting_orders", "count", "Counting orders"),
    ),
    key=("status",),
    chart=Chart(
        "bars",
        label="status",
        figures=("orders",),
        detail=("counting_orders", "orders_share", "amount"),
        recognises=lambda row: not row.get("counting_orders") or _is_usual(row["status"] or ""),
    ),
    compute=order_statuses,
    rank=60,
    identities=(
        SumsTo("orders", "orders"),
        SumsTo("amount", "amount"),
        SumsTo("counting_orders", "counting_orders"),
        Recounted("statuses", ("orders", "amount", "counting_orders")),
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
