"""The customers who spent most."""

from __future__ import annotations

from shopsight.audit.identities import Greatest
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, as_they_are, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop


def top_customers(shop: Shop, options: InsightOptions) -> Frame:
    """The customers with the greatest ``total_amount_spent``, among those with a counting order.

    Grain: one row per customer, at most ``top_n``; greatest amount first, ties by the smaller customer_id.
    """
    return shop.buyers.sort("total_amount_spent", "customer_id", descending=[True, False]).head(options.top_n)


INSIGHT = Insight(
    id="top_customers",
    title="Top customers",
    description="The customers who spent the most on counting orders, highest amount first.",
    columns=(
        InsightColumn("customer_id", "key", "Customer"),
        InsightColumn("name", "text", "Name"),
        InsightColumn("country", "text", "Country"),
        InsightColumn("total_amount_spent", "money", "Total spent"),
        InsightColumn("total_orders", "count", "Orders"),
    ),
    key=("customer_id",),
    chart=Chart(
        "bars",
        label="name",
        figures=("total_amount_spent",),
        detail=("country", "total_orders", "customer_id"),
    ),
    compute=top_customers,
    rank=20,
    identities=(
        Greatest(
            "customers",
            by="total_amount_spent",
            columns=("name", "country", "total_amount_spent", "total_orders"),
            limit="top_n",
        ),
    ),
    evidence=Evidence(
        "orders",
        reads=("customers", "orders"),
        rows=counting_orders,
        sums={"total_amount_spent": AMOUNT, "total_orders": ROWS},
        rejected=as_they_are,
    ),
)
