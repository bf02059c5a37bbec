"""Sales by month."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.dates import month_of
from shopsight.marts.insights.calendar import sales_months
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, average_order_value, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, divide_money, share_of


def monthly_sales(shop: Shop, options: InsightOptions) -> Frame:
    """Revenue and number of counting orders by calendar month of ``order_date``, and growth.

    ``growth_share`` is (revenue - revenue of the month before) / revenue of the month before: null in the
    first month, and where the month before sold nothing (or less). ``average_order_value`` is rounded half up
    to the cent; null in months without orders.

    Grain: one row per month, from the first counting order's to the last's, earliest first; months without
    sales between them have 0.
    """
    empty = sales_months(shop, options).select(
        "month", nw.lit(0).cast(MONEY_SUM).alias("revenue"), nw.lit(0).cast(nw.Int64).alias("orders")
    )
    sold = shop.monthly_totals.select("month", nw.col("revenue").cast(MONEY_SUM), "orders")
    before = nw.col("revenue_before")
    return (
        nw.concat([sold, empty])
        .group_by("month")
        .agg(nw.col("revenue").sum().cast(MONEY_SUM), nw.col("orders").sum().cast(nw.Int64))
        .with_columns(nw.col("revenue").shift(1).over(order_by="month").alias("revenue_before"))
        .with_columns(
            divide_money(nw.col("revenue"), nw.col("orders")).alias("average_order_value"),
            share_of(nw.col("revenue") - before, before).alias("growth_share"),
        )
        .sort("month")
    )


INSIGHT = Insight(
    id="monthly_sales",
    title="Monthly sales",
    description="Revenue and counting orders by calendar month; growth is against the month before.",
    columns=(
        InsightColumn("month", "date", "Month"),
        InsightColumn("revenue", "money", "Revenue"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("average_order_value", "money", "Average order value"),
        InsightColumn("growth_share", "share", "Growth"),
    ),
    key=("month",),
    chart=Chart(
        "line",
        label="month",
        figures=("revenue", "orders"),
        detail=("average_order_value", "growth_share"),
        compares=("growth_share",),
    ),
    compute=monthly_sales,
    rank=10,
    identities=(
        SumsTo("revenue", "revenue"),
        SumsTo("orders", "counting_orders"),
        Recounted("months", ("revenue", "orders", "growth_share")),
        Quotient("average_order_value", "revenue", "orders"),
    ),
    evidence=Evidence(
        "orders",
        reads=("orders",),
        rows=lambda shop: counting_orders(shop).with_columns(month=month_of("order_date")),
        sums={"revenue": AMOUNT, "orders": ROWS},
        ratios={"average_order_value": average_order_value},
        rejected=lambda _, rows: rows.with_columns(month=month_of("order_date")),
        is_partition=True,
    ),
)
