"""How many customers buy again, and after how long."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import ROWS, Evidence, buying_customers
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import share_of


def repeat_purchase(shop: Shop, _options: InsightOptions) -> Frame:
    """How many customers with a counting order have two or more, and the usual wait between two.

    ``median_days_between_orders`` is the median over all gaps, of all customers, from a day with counting
    orders to the same customer's next such day: several orders on one day make no gap. An even number of gaps
    gives the mean of the middle two.

    Grain: one row, the whole shop. ``repeat_share`` is null without customers, the median null without gaps.
    """
    is_repeat = (nw.col("total_orders") > 1).cast(nw.Int64)
    counted = shop.buyers.select(
        nw.len().cast(nw.Int64).alias("customers"),
        is_repeat.sum().fill_null(0).cast(nw.Int64).alias("repeat_customers"),
    )
    waited = _median(shop.purchases.waits).select(nw.col("days").alias("median_days_between_orders"))
    return counted.join(waited, how="cross").with_columns(
        share_of(nw.col("repeat_customers"), nw.col("customers")).alias("repeat_share")
    )


def _median(waits: Frame) -> Frame:
    """The median number of days, of counted ones: one row, ``days``; null without any."""
    here, of_all = nw.col("orders"), nw.col("orders").sum()
    counted = waits.with_columns(here.cum_sum().over(order_by="days").alias("up_to"), of_all.alias("of_all"))
    # The one or two in the middle are those with at most half of all on either side.
    before = nw.col("up_to") - here
    middle = counted.filter(2 * before <= nw.col("of_all"), 2 * nw.col("up_to") >= nw.col("of_all"))
    return middle.select(nw.col("days").mean())


INSIGHT = Insight(
    id="repeat_purchase",
    title="Repeat purchase",
    description="Customers with two or more counting orders, and the median number of days between orders.",
    columns=(
        InsightColumn("customers", "count", "Customers"),
        InsightColumn("repeat_customers", "count", "Repeat customers"),
        InsightColumn("repeat_share", "share", "Share"),
        InsightColumn("median_days_between_orders", "number", "Median days between orders"),
    ),
    key=(),
    chart=Chart(
        "figures",
        figures=("repeat_share", "median_days_between_orders"),
        detail=("customers", "repeat_customers"),
    ),
    compute=repeat_purchase,
    rank=80,
    identities=(
        SumsTo("customers", "buyers"),
        Recounted("buyers", ("customers", "repeat_customers", "median_days_between_orders")),
        Quotient("repeat_share", "repeat_customers", "customers"),
    ),
    evidence=Evidence(
        "customers",
        reads=("customers", "orders"),
        rows=buying_customers,
        sums={"customers": ROWS},
        is_partition=True,
    ),
)
