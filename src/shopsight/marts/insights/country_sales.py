"""Where the revenue comes from."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.countries import is_country
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import (
    AMOUNT,
    CUSTOMERS,
    ROWS,
    Evidence,
    average_order_value,
    counting_orders,
)
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, divide_money


def country_sales(shop: Shop, _options: InsightOptions) -> Frame:
    """Revenue and number of counting orders by the customer's country.

    ``customers`` counts those with a counting order. ``average_order_value`` is rounded half up to the cent;
    null without orders.

    Grain: one row per country in which a kept customer lives; most revenue first, ties by the country's name,
    by code point. A country whose customers have no counting order has 0.
    """
    return (
        shop.customer_metrics.select(
            "country",
            "total_amount_spent",
            "total_orders",
            (nw.col("total_orders") > 0).cast(nw.Int64).alias("has_orders"),
        )
        .group_by("country")
        .agg(
            nw.col("total_amount_spent").sum().cast(MONEY_SUM).alias("revenue"),
            nw.col("total_orders").sum().cast(nw.Int64).alias("orders"),
            nw.col("has_orders").sum().cast(nw.Int64).alias("customers"),
        )
        .with_columns(divide_money(nw.col("revenue"), nw.col("orders")).alias("average_order_value"))
        .sort("revenue", "country", descending=[True, False])
    )


def _with_country(shop: Shop, orders: Frame) -> Frame:
    people = shop.customers.select("customer_id", "name", "country")
    return orders.join(people, on="customer_id", how="inner")


INSIGHT = Insight(
    id="country_sales",
    title="Sales by country",
    description="Revenue of counting orders by the customer's country, highest first.",
    columns=(
        InsightColumn("country", "text", "Country"),
        InsightColumn("revenue", "money", "Revenue"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("customers", "count", "Customers"),
        InsightColumn("average_order_value", "money", "Average order value"),
    ),
    key=("country",),
    chart=Chart(
        "bars",
        label="country",
        figures=("revenue",),
        detail=("orders", "customers", "average_order_value"),
        recognises=lambda row: not row.get("orders") or is_country(row["country"] or ""),
    ),
    compute=country_sales,
    rank=50,
    identities=(
        SumsTo("revenue", "revenue"),
        SumsTo("orders", "counting_orders"),
        Recounted("countries", ("revenue", "orders", "customers")),
        Quotient("average_order_value", "revenue", "orders"),
    ),
    evidence=Evidence(
        "orders",
        reads=("customers", "orders"),
        rows=lambda shop: _with_country(shop, counting_orders(shop)),
        sums={"revenue": AMOUNT, "orders": ROWS, "customers": CUSTOMERS},
        ratios={"average_order_value": average_order_value},
        rejected=_with_country,
        is_partition=True,
    ),
)
