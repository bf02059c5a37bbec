"""The clean shop, and the frames that several insights start from, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from shopsight.engine.protocol import Frame, cache
from shopsight.marts.insights.baskets import Baskets
from shopsight.marts.insights.rfm import score_customers


@dataclass(frozen=True)
class Shop:
    """The six clean tables, the units of each counting order with items, and the customers' metrics."""

    customers: Frame
    orders: Frame
    order_items: Frame
    products: Frame
    categories: Frame
    reviews: Frame
    order_units: Frame
    customer_metrics: Frame

    @cached_property
    def counting_orders(self) -> Frame:
        """The orders that count: customer_id, order_date, total_amount. Grain: one row per counting order."""
        return self.orders.filter(nw.col("is_counting")).select("customer_id", "order_date", "total_amount")

    @cached_property
    def baskets(self) -> Baskets:
        """Which counting orders hold which products."""
        uncounted = self.orders.filter(~nw.col("is_counting")).select("order_id")
        return Baskets(self.order_items, uncounted, self.order_units)

    @cached_property
    def buyers(self) -> Frame:
        """The rows of ``customer_metrics`` that have a counting order."""
        return self.customer_metrics.filter(nw.col("total_orders") > 0)

    @cached_property
    def purchases(self) -> Frame:
        """Every counting order with the customer's one before: customer_id, order_date, previous_date.

        Grain: one row per counting order. ``previous_date`` is null in the customer's first order. The order
        within a day is arbitrary and affects no figure.
        """
        previous_date = nw.col("order_date").shift(1).over("customer_id", order_by="order_date")
        return cache(
            self.counting_orders.select("customer_id", "order_date", previous_date.alias("previous_date"))
        )

    @cached_property
    def scored_customers(self) -> Frame:
        """The customers with a counting order, scored: see :func:`score_customers`."""
        return cache(score_customers(self.buyers, self.counting_orders))

    @cached_property
    def monthly_totals(self) -> Frame:
        """Counting orders by month: month (its first day), revenue, orders; no row for a month without."""
        return cache(
            self.counting_orders.with_columns(month_of("order_date").alias("month"))
            .group_by("month")
            .agg(nw.col("total_amount").sum().alias("revenue"), nw.len().cast(nw.Int64).alias("orders"))
        )


def month_of(column: str) -> nw.Expr:
    """The first day of a date's month, a Date on every engine."""
    return nw.col(column).dt.truncate("1mo").cast(nw.Date)


def day_number(column: str) -> nw.Expr:
    """Days of the Gregorian calendar up to a date.

    Dates subtracted give a number on one engine, a duration on another, and one without days on a third.
    """
    years = nw.col(column).dt.year().cast(nw.Int64) - 1
    leap_days = years // 4 - years // 100 + years // 400
    return years * 365 + leap_days + nw.col(column).dt.ordinal_day().cast(nw.Int64)
