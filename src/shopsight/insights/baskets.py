"""Which orders hold which products; the long tail of products that no list can name is not looked at.

A product is in at most as many orders as it has lines, and two products together in at most as many as either
(the Apriori principle: R. Agrawal and R. Srikant, "Fast Algorithms for Mining Association Rules", VLDB 1994).
So orders are counted for the leading products first, those with the most lines. That gives a bound that the
last on the list reaches, and of all the other products only the contenders can still be on it, those with as
many lines as the bound: mostly none. The lists are exact, whatever the shop sells; only the time and the
memory that they take depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from shopsight.frames import Frame, shared

#: How many products lead. Any number gives the same lists: fewer leave more to the second count, more put the
#: long tail into the first. Measured for the pairs of 20,000 products in 15 million lines, in CPU seconds and
#: peak memory: 256 take 15.6 s and 2.3 GB, 1,024 take 4.5 s and 0.5 GB, 4,096 take 5.3 s and 0.7 GB.
LEADERS = 1024


@dataclass(frozen=True)
class Baskets:
    """The lines of the counting orders.

    Attributes:
        order_items: all kept lines.
        uncounted_order_ids: the order_id of each order that does not count. They are mostly few, so that
            leaving them out costs less than looking the others up.
    """

    order_items: Frame
    uncounted_order_ids: Frame

    def of(self, products: Frame) -> Frame:
        """Which counting orders hold which of the given products: order_id, product_id.

        Grain: one row per order and product, however many lines the order has for it.
        """
        return (
            self.order_items.select("order_id", "product_id")
            .join(products.select("product_id"), on="product_id", how="semi")
            .join(self.uncounted_order_ids, on="order_id", how="anti")
            .unique()
        )

    @cached_property
    def of_leaders(self) -> Frame:
        """:meth:`of` the leading products."""
        return shared(self.of(self._ranked.filter(nw.col("place") < LEADERS)))

    def contenders(self, bound: Frame) -> Frame:
        """The products that do not lead and still reach the bound: product_id."""
        rest = self._ranked.filter(nw.col("place") >= LEADERS).join(bound, how="cross")
        return rest.filter(nw.col("lines") >= nw.col("bound")).select("product_id")

    @cached_property
    def number(self) -> Frame:
        """How many counting orders have items: one row, ``baskets``."""
        return (
            self.order_items.select("order_id")
            .unique()
            .join(self.uncounted_order_ids, on="order_id", how="anti")
            .select(nw.len().cast(nw.Int64).alias("baskets"))
        )

    @cached_property
    def _ranked(self) -> Frame:
        """Products by their lines in all kept orders, an upper bound that needs no join: lines, place from 0.

        Ties by the smaller product_id: no product may lead in one place of the plan and contend in another.
        """
        lines = self.order_items.group_by("product_id").agg(nw.len().cast(nw.Int64).alias("lines"))
        placed = lines.with_columns((-nw.col("lines")).alias("most_first")).with_row_index(
            "place", order_by=["most_first", "product_id"]
        )
        return shared(placed.select("product_id", "lines", "place"))


def count_orders(order_products: Frame) -> Frame:
    """In how many orders each product is, from rows of :meth:`Baskets.of`: product_id, orders."""
    return order_products.group_by("product_id").agg(nw.len().cast(nw.Int64).alias("orders"))


def bound_of(counted: Frame, length: int) -> Frame:
    """What the last of a list of the greatest ``orders`` has: one row, ``bound``; 1 for a list not full."""
    top = counted.sort("orders", descending=True).head(length)
    return top.select(
        nw.when(nw.len() == length).then(nw.col("orders").min()).otherwise(nw.lit(1)).alias("bound")
    )
