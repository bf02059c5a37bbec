"""Everything that is published of each customer: the metrics, and dates, scores, segment and cohort."""

from __future__ import annotations

from datetime import date

import narwhals as nw

from shopsight.engine.key_ranges import KeyRange
from shopsight.engine.protocol import Frame
from shopsight.marts.dates import day_number, month_of
from shopsight.marts.insights.rfm import segment_of_place
from shopsight.marts.insights.shop import Shop

EVERYBODY = KeyRange("customer_id")


def customers(shop: Shop, as_of: date, keys: KeyRange = EVERYBODY) -> Frame:
    """The nine columns of ``customer_metrics``, and beside them what the counting orders say.

    ``first_order_date`` and ``last_order_date``; ``days_since_last_order`` up to the run's day; the scores of
    RFM from 1 to 5 (``recency_score``, ``frequency_score``, ``monetary_score``) and the ``segment`` that they
    name, as in the insight ``rfm_segments``; ``cohort_month``, the first day of the first order's month,
    as in ``cohort_retention``. All are null for a customer without a counting order.

    Grain: one row per customer of the range, key ``customer_id``.
    """
    today = nw.lit(as_of.toordinal()).cast(nw.Int64)
    of_buyers = shop.scored_customers.select(
        "customer_id",
        nw.col("first_date").alias("first_order_date"),
        nw.col("last_date").alias("last_order_date"),
        (today - day_number("last_date")).alias("days_since_last_order"),
        nw.col("recency").alias("recency_score"),
        nw.col("frequency").alias("frequency_score"),
        nw.col("amount").alias("monetary_score"),
        segment_of_place().alias("segment"),
        month_of("first_date").alias("cohort_month"),
    )
    of_customers = keys.filter(shop.customer_metrics)
    return of_customers.join(keys.filter(of_buyers), on="customer_id", how="left")
