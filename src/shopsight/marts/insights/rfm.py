"""Scores of customers by recency, frequency and amount, and the segment that they name."""

from __future__ import annotations

from functools import reduce

import narwhals as nw

from shopsight.engine.protocol import Frame, cache

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

_SCORES = {"last_date": "recency", "total_orders": "frequency", "total_amount_spent": "amount"}


def score_customers(buyers: Frame, counting_orders: Frame) -> Frame:
    """Each customer's scores and the place of the segment that they name in :data:`SEGMENTS`.

    Grain: one row per customer with a counting order: customer_id, total_orders, total_amount_spent,
    first_date, last_date, the scores recency, frequency, amount and value, place.
    """
    dates = counting_orders.group_by("customer_id").agg(
        nw.col("order_date").min().alias("first_date"), nw.col("order_date").max().alias("last_date")
    )
    customers = buyers.select("customer_id", "total_orders", "total_amount_spent")
    customers = scored = cache(customers.join(dates, on="customer_id", how="inner"))
    for value, score in _SCORES.items():
        scored = scored.join(_fifths(customers, value, score), on=value, how="inner")
    mean = (nw.col("frequency") + nw.col("amount") + 1) // 2
    return scored.with_columns(mean.alias("value")).with_columns(_place().alias("place"))


def segment_of_place() -> nw.Expr:
    """The segment's name."""
    return _choose(nw.col("place"), dict(enumerate(SEGMENTS)))


def _fifths(customers: Frame, value: str, score: str) -> Frame:
    """The score from 1 to 5 of each value: the fifth that it is in, by the number of smaller values.

    Grain: one row per different value. Only these are put in order, which one task of Spark does; there are
    far fewer of them than customers.
    """
    same = nw.col("same")
    values = customers.group_by(value).agg(nw.len().cast(nw.Int64).alias("same"))
    smaller = same.cum_sum().over(order_by=value) - same
    return values.select(value, (smaller * 5 // same.sum() + 1).alias(score))


def _place() -> nw.Expr:
    """The segment's place in :data:`SEGMENTS`."""
    cells = {
        recency * 10 + value: SEGMENTS.index(segment)
        for recency, segments in SEGMENTS_BY_RECENCY.items()
        for value, segment in enumerate(segments, start=1)
    }
    return _choose(nw.col("recency") * 10 + nw.col("value"), cells)


def _choose(key: nw.Expr, values: dict[int, int] | dict[int, str]) -> nw.Expr:
    """The value of each key."""
    return reduce(
        lambda rest, item: nw.when(key == item[0]).then(nw.lit(item[1])).otherwise(rest),
        values.items(),
        nw.lit(None),
    )
