"""Customers by recency, frequency and amount."""

from __future__ import annotations

from functools import reduce

import narwhals as nw

from shopsight.audit.identities import Quotient, Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, buying_customers
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM, share_of

#: The segment of each score of recency (the key) and of value 1, 2, 3, 4, 5.
SEGMENTS_BY_RECENCY: dict[int, tuple[str, str, str, str, str]] = {
    5: ("New customers", "Potential loyalists", "Potential loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential loyalists", "Potential loyalists", "Loyal", "Loyal"),
    3: ("About to sleep", "About to sleep", "Needing attention", "Loyal", "Loyal"),
    2: ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
    1: ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
}

#: In the order in which they are listed.
SEGMENTS = (
    "Champions",
    "Loyal",
    "Potential loyalists",
    "New customers",
    "Promising",
    "Needing attention",
    "About to sleep",
    "At risk",
    "Can't lose",
    "Hibernating",
)


def rfm_segments(shop: Shop, _options: InsightOptions) -> Frame:
    """Customers with a counting order, in the usual named segments.

    Each customer gets three scores from 1 to 5: recency by the day of the last counting order, frequency by
    ``total_orders``, amount by ``total_amount_spent``. A score is 1 + floor(5 * b / n), where n is the number
    of customers and b the number of customers with a smaller value: so a score is a fifth, and equal values
    have equal scores. The value score is the mean of frequency and amount, half up. Recency and value name
    the segment.

    Grain: one row per segment that has customers, in the order of :data:`SEGMENTS`. ``revenue`` is their
    ``total_amount_spent``. Shares are of all customers with a counting order and of their revenue; a share of
    the revenue is null when the revenue is not above zero.

    Source: A. M. Hughes, "Strategic Database Marketing" (1994) for scores by fifths; the names and their
    places are those of Putler's RFM grid, whose overlapping ranges are cut into one segment a cell, as is
    common.
    """
    return (
        scored_customers(shop)
        .group_by("place")
        .agg(
            nw.len().cast(nw.Int64).alias("customers"),
            nw.col("total_amount_spent").sum().cast(MONEY_SUM).alias("revenue"),
        )
        .with_columns(
            _segment().alias("segment"),
            share_of(nw.col("customers"), nw.col("customers").sum()).alias("customers_share"),
            share_of(nw.col("revenue"), nw.col("revenue").sum()).alias("revenue_share"),
        )
        .sort("place")
    )


def scored_customers(shop: Shop) -> Frame:
    """Each customer's scores and the place of the segment that they name in :data:`SEGMENTS`.

    Grain: one row per customer with a counting order: customer_id, total_orders, total_amount_spent,
    last_date, recency, value, place.
    """
    last_orders = shop.counting_orders.group_by("customer_id").agg(
        nw.col("order_date").max().alias("last_date")
    )
    return (
        shop.buyers.select("customer_id", "total_orders", "total_amount_spent")
        .join(last_orders, on="customer_id", how="inner")
        .with_columns(
            _fifth("last_date").alias("recency"),
            ((_fifth("total_orders") + _fifth("total_amount_spent") + 1) // 2).alias("value"),
        )
        .with_columns(_place().alias("place"))
    )


def _fifth(column: str) -> nw.Expr:
    """The score from 1 to 5: the fifth that the value is in, by the number of smaller values."""
    smaller = nw.col(column).rank("min").cast(nw.Int64) - 1
    return smaller * 5 // nw.len().cast(nw.Int64) + 1


def _place() -> nw.Expr:
    """The segment's place in :data:`SEGMENTS`."""
    cells = {
        recency * 10 + value: SEGMENTS.index(segment)
        for recency, segments in SEGMENTS_BY_RECENCY.items()
        for value, segment in enumerate(segments, start=1)
    }
    return _choose(nw.col("recency") * 10 + nw.col("value"), cells)


def _segment() -> nw.Expr:
    """The segment's name."""
    return _choose(nw.col("place"), dict(enumerate(SEGMENTS)))


def _choose(key: nw.Expr, values: dict[int, int] | dict[int, str]) -> nw.Expr:
    """The value of each key."""
    return reduce(
        lambda rest, item: nw.when(key == item[0]).then(nw.lit(item[1])).otherwise(rest),
        values.items(),
        nw.lit(None),
    )


def _customers_with_segment(shop: Shop) -> Frame:
    columns = ("customer_id", "last_date", "recency", "value")
    scores = scored_customers(shop).select(*columns, _segment().alias("segment"))
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
