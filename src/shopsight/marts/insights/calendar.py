"""The months from a shop's first sale to its last, those without sales included."""

from __future__ import annotations

from datetime import date

import narwhals as nw

from shopsight.engine.protocol import Frame
from shopsight.marts.insights.insight import InsightOptions
from shopsight.marts.insights.shop import Shop

#: Cleaning rejects earlier dates.
FIRST_YEAR = 1970


def sales_months(shop: Shop, options: InsightOptions) -> Frame:
    """Every calendar month from the first counting order's to the last's: ``month``, its first day.

    Grain: one row per month; none when there is no counting order.
    """
    # No engine-neutral expression makes rows from nothing, but splitting one text does.
    known = ",".join(
        date(year, month, 1).isoformat()
        for year in range(FIRST_YEAR, options.as_of.year + 1)
        for month in range(1, 13)
    )
    span = shop.monthly_totals.select(
        nw.col("month").min().alias("first"), nw.col("month").max().alias("last")
    )
    return (
        span.with_columns(nw.lit(known).str.split(",").alias("month"))
        .explode("month")
        .with_columns(nw.col("month").str.to_date(format="%Y-%m-%d"))
        .filter(nw.col("month") >= nw.col("first"), nw.col("month") <= nw.col("last"))
        .select("month")
    )
