"""When customers buy again, counted by ranges of customers.

To find the order before each order, a customer's orders are sorted by day. This is done for one range of
customers at a time, so memory does not grow with the shop: only counts by month and by number of days are
carried on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from shopsight.engine.key_ranges import key_ranges, summed
from shopsight.engine.protocol import Frame, materialize
from shopsight.marts.dates import day_number, month_of

#: The most counting orders that the customers of a range have, unless they are one customer's.
ORDERS_IN_RANGE = 2_000_000


@dataclass(frozen=True)
class Purchases:
    """The counting orders, each beside its customer's one before.

    Attributes:
        counting_orders: customer_id, order_date.
    """

    counting_orders: Frame

    @cached_property
    def active(self) -> Frame:
        """How many customers ordered in a month: cohort_month, month, customers.

        Grain: one row per month of a customer's first order and month with an order of such a customer.
        """
        return self._counted[0]

    @cached_property
    def waits(self) -> Frame:
        """How often customers waited how many days, from a day with orders to the next: days, orders.

        Grain: one row per number of days, which is never 0.
        """
        return self._counted[1]

    @cached_property
    def _counted(self) -> tuple[Frame, Frame]:
        active: list[Frame] = []
        waits: list[Frame] = []
        for keys in key_ranges(self.counting_orders, "customer_id", ORDERS_IN_RANGE):
            orders = keys.filter(self.counting_orders).select("customer_id", "order_date")
            before = nw.col("order_date").shift(1).over("customer_id", order_by="order_date")
            purchases = materialize(orders.with_columns(before.alias("previous_date")))
            active = [summed([*active, _active(purchases)], ["cohort_month", "month"], "customers")]
            waits = [summed([*waits, _waits(purchases)], ["days"], "orders")]
        return active[0], waits[0]


def _active(purchases: Frame) -> Frame:
    """The customers who are active in a month, with the month of their first order."""
    months = purchases.select(
        "customer_id",
        month_of("order_date").alias("month"),
        month_of("previous_date").alias("previous_month"),
    )
    # One row per customer and month: the customer's first order of the month.
    previous = nw.col("previous_month")
    months = months.filter(previous.is_null() | (previous < nw.col("month")))
    cohort_of = months.filter(previous.is_null()).select("customer_id", nw.col("month").alias("cohort_month"))
    return months.join(cohort_of, on="customer_id", how="inner").with_columns(_ONE.alias("customers"))


def _waits(purchases: Frame) -> Frame:
    again = purchases.filter(nw.col("order_date") > nw.col("previous_date"))
    days = day_number("order_date") - day_number("previous_date")
    return again.select(days.alias("days"), _ONE.alias("orders"))


_ONE = nw.lit(1).cast(nw.Int64)
