"""From the clean tables and the customers' metrics to ten answers about the shop.

In comes a :class:`Shop`, out come frames of a few rows each, in their stated order. One file an insight, each
a pure function of the shop and the options; :data:`INSIGHTS` lists them in the order of the report.
docs/definitions.md defines every column.
"""

from __future__ import annotations

from shopsight.engine.protocol import Frame
from shopsight.marts.insights.basket_pairs import BASKET_PAIRS
from shopsight.marts.insights.category_ratings import CATEGORY_RATINGS
from shopsight.marts.insights.cohort_retention import COHORT_RETENTION
from shopsight.marts.insights.country_sales import COUNTRY_SALES
from shopsight.marts.insights.insight import Insight, InsightColumn, InsightKind, InsightOptions
from shopsight.marts.insights.monthly_sales import MONTHLY_SALES
from shopsight.marts.insights.order_statuses import ORDER_STATUSES
from shopsight.marts.insights.repeat_purchase import REPEAT_PURCHASE
from shopsight.marts.insights.rfm_segments import RFM_SEGMENTS
from shopsight.marts.insights.shop import Shop
from shopsight.marts.insights.top_customers import TOP_CUSTOMERS
from shopsight.marts.insights.top_products import TOP_PRODUCTS

__all__ = [
    "INSIGHTS",
    "Insight",
    "InsightColumn",
    "InsightKind",
    "InsightOptions",
    "Shop",
    "compute_insights",
]

#: By id, in the order of the report.
INSIGHTS: dict[str, Insight] = {
    insight.id: insight
    for insight in (
        TOP_CUSTOMERS,
        TOP_PRODUCTS,
        CATEGORY_RATINGS,
        MONTHLY_SALES,
        RFM_SEGMENTS,
        COHORT_RETENTION,
        COUNTRY_SALES,
        REPEAT_PURCHASE,
        BASKET_PAIRS,
        ORDER_STATUSES,
    )
}


def compute_insights(shop: Shop, options: InsightOptions) -> dict[str, Frame]:
    """Every insight's frame by its id, in report order.

    The frames are lazy and share their common parts: written out together
    (:meth:`shopsight.engine.protocol.Engine.sink`), each shared part is worked out once.
    """
    return {insight.id: insight.frame(shop, options) for insight in INSIGHTS.values()}
