"""The clean shop, and the frames that several insights start from, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from shopsight.engine.key_ranges import KeyRange, key_ranges
from shopsight.engine.protocol import Frame, cache, materialize
from shopsight.marts.dates import month_of
from shopsight.marts.insights.baskets import Baskets
from shopsight.marts.insights.purchases import Purchases
from shopsight.marts.insights.rfm import score_customers

#: Measured on half a million customers: 60 MB less than all at once, in the same time.
CUSTOMERS_IN_RANGE = 125_000


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
    def customer_ranges(self) -> list[KeyRange]:
        """Ranges of customers, few enough to be in memory with their names and addresses."""
        return key_ranges(self.customer_metrics, "customer_id", CUSTOMERS_IN_RANGE)

    @cached_property
    def buyers(self) -> Frame:
        """The rows of ``customer_metrics`` that have a counting order."""
        return self.customer_metrics.filter(nw.col("total_orders") > 0)

    @cached_property
    def purchases(self) -> Purchases:
        """When the customers ordered again."""
        return Purchases(self.counting_orders)

    @cached_property
    def scored_customers(self) -> Frame:
        """The customers with a counting order, scored: see :func:`score_customers`."""
        return materialize(score_customers(self.buyers, self.counting_orders))

    @cached_property
    def monthly_totals(self) -> Frame:
        """Counting orders by month: month (its first day), revenue, orders; no row for a month without."""
        return cache(
            self.counting_orders.with_columns(month_of("order_date").alias("month"))
            .group_by("month")
            .agg(nw.col("total_amount").sum().alias("revenue"), nw.len().cast(nw.Int64).alias("orders"))
        )
