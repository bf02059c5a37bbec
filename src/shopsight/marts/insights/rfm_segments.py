"""Customers by recency, frequency and amount."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, buying_customers
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.rfm import segment_of_place
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, share_of


def rfm_segments(shop: Shop, _options: InsightOptions) -> Frame:
    """Customers with a counting order, in the usual named segments.

    Each customer gets three scores from 1 to 5: recency by the day of the last counting order, frequency by
    ``total_orders``, amount by ``total_amount_spent``. A score is 1 + floor(5 * b / n), where n is the number
    of customers and b the number of customers with a smaller value: so a score is a fifth, and equal values
    have equal scores. The value score is the mean of frequency and amount, half up. Recency and value name
    the segment.

    Grain: one row per segment that has customers, in the order of ``SEGMENTS``. ``revenue`` is their
    ``total_amount_spent``. Shares are of all customers with a counting order and of their revenue; a share of
    the revenue is null when the revenue is not above zero.

    Source: A. M. Hughes, "Strategic Database Marketing" (1994) for scores by fifths; the names and their
    places are those of Putler's RFM grid, whose overlapping ranges are cut into one segment a cell, as is
    common.
    """
    return (
        shop.scored_customers.group_by("place")
        .agg(
            nw.len().cast(nw.Int64).alias("customers"),
            nw.col("total_amount_spent").sum().cast(MONEY_SUM).alias("revenue"),
        )
        .with_columns(
            segment_of_place().alias("segment"),
            share_of(nw.col("customers"), nw.col("customers").sum()).alias("customers_share"),
            share_of(nw.col("revenue"), nw.col("revenue").sum()).alias("revenue_share"),
        )
        .sort("place")
    )


def _customers_with_segment(shop: Shop) -> Frame:
    columns = ("customer_id", "last_date", "recency", "value")
    scores = shop.scored_customers.select(*columns, segment_of_place().alias("segment"))
    return buying_customers(shop).join(scores, on="customer_id", how="left")


INSIGHT = Insight(
    id="rfm_segments",
    title="Customer segments",
    description=("Customers with a counting order, scored in fifths by recency, frequency and amount."),
    columns=(
        InsightColumn("segment", "text", "Segment"),
        InsightColumn("customers", "count", "Customers"),
        InsightColumn("revenue", "money", "Revenue"),
        InsightColumn("customers_share", "share", "Share of customers"),
        InsightColumn("revenue_share", "share", "Share of revenue"),
    ),
    key=("segment",),
    chart=Chart(
        "table",
        label="segment",
        figures=("customers_share", "revenue_share"),
        detail=("customers", "revenue"),
    ),
    compute=rfm_segments,
    rank=70,
    identities=(
        SumsTo("revenue", "revenue"),
        SumsTo("customers", "buyers"),
        Recounted("segments", ("customers", "revenue")),
        Quotient("customers_share", "customers", total="buyers"),
        Quotient("revenue_share", "revenue", total="revenue"),
    ),
    evidence=Evidence(
        "customers",
        reads=("customers", "orders"),
        rows=_customers_with_segment,
        sums={"customers": ROWS, "revenue": AMOUNT},
        is_partition=True,
    ),
)
