"""Whether customers come back."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.dates import month_of, months_between
from shopsight.marts.insights.calendar import sales_months
from shopsight.marts.insights.evidence import CUSTOMERS, Evidence, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import share_of


def cohort_retention(shop: Shop, options: InsightOptions) -> Frame:
    """How many of the customers who first ordered in a month ordered N months later.

    A customer's cohort is the month of the first counting order. ``customers`` is the number of the cohort's
    customers with a counting order in the month ``months_since`` months after it, ``retained_share`` their
    share of the cohort.

    Grain: one row per cohort and month since, from 0 (the cohort itself, share 1) to the shop's last month
    with a counting order; a month in which none of the cohort ordered has 0. Earliest cohort first, then by
    months_since.
    """
    returned = shop.purchases.active.select("cohort_month", "month", nw.col("customers").cast(nw.Int64))
    is_first = nw.col("month") == nw.col("cohort_month")
    sizes = returned.filter(is_first).select("cohort_month", nw.col("customers").alias("size"))
    nobody = (
        sizes.select("cohort_month")
        .join(sales_months(shop, options), how="cross")
        .filter(nw.col("month") >= nw.col("cohort_month"))
        .select("cohort_month", "month", nw.lit(0).cast(nw.Int64).alias("customers"))
    )
    return (
        nw.concat([returned, nobody])
        .group_by("cohort_month", "month")
        .agg(nw.col("customers").sum().cast(nw.Int64))
        .join(sizes, on="cohort_month", how="inner")
        .with_columns(
            months_between("cohort_month", "month").alias("months_since"),
            share_of(nw.col("customers"), nw.col("size")).alias("retained_share"),
        )
        .sort("cohort_month", "months_since")
    )


def _orders_with_cohort(shop: Shop) -> Frame:
    """Each order with its customer's cohort; null for a customer without a counting order."""
    first = shop.counting_orders.group_by("customer_id").agg(nw.col("order_date").min().alias("first_date"))
    cohorts = first.with_columns(cohort_month=month_of("first_date"))
    orders = counting_orders(shop).with_columns(month=month_of("order_date"))
    return (
        orders.join(cohorts, on="customer_id", how="left")
        .with_columns(months_since=months_between("cohort_month", "month"))
        .drop("month")
    )


INSIGHT = Insight(
    id="cohort_retention",
    title="Cohort retention",
    description="Customers by the month of their first order, and how many ordered N months later.",
    columns=(
        InsightColumn("cohort_month", "date", "First order"),
        InsightColumn("months_since", "count", "Months since"),
        InsightColumn("customers", "count", "Customers"),
        InsightColumn("retained_share", "share", "Share"),
    ),
    key=("cohort_month", "months_since"),
    chart=Chart(
        "heat",
        label="cohort_month",
        figures=("retained_share",),
        across="months_since",
        size="customers",
        detail=("customers",),
    ),
    compute=cohort_retention,
    rank=90,
    identities=(
        SumsTo("customers", "buyers", where=("months_since", 0)),
        Recounted("cohorts", ("customers", "retained_share")),
    ),
    evidence=Evidence(
        "orders",
        reads=("customers", "orders"),
        rows=_orders_with_cohort,
        sums={"customers": CUSTOMERS},
    ),
)
