"""Which orders hold which products, without counting the long tail of products that cannot be on a list.

A product is in at most as many orders as it has lines, and two products together in at most as many as either
(the Apriori principle: R. Agrawal and R. Srikant, "Fast Algorithms for Mining Association Rules", VLDB 1994).
So orders are counted for the leading products first, those with the most lines. The last row of that list is
a bound: of all other products only the contenders, those with at least as many lines, can still be listed;
mostly there are none. The lists are exact for every shop; only time and memory depend on what it sells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from shopsight.engine.key_ranges import KeyRange, key_ranges, summed
from shopsight.engine.protocol import Frame, distinct_rows, is_empty, materialize

#: The number of leading products. Any number gives the same lists: with fewer the second count grows, with
#: more the first counts the long tail. Measured for the pairs of 20,000 products in 15 million lines, in CPU
#: seconds and peak memory: 256 take 15.6 s and 2.3 GB, 1,024 take 4.5 s and 0.5 GB, 4,096 take 5.3 s and 0.7
#: GB.
LEADERS = 1024

#: The most lines that the orders of a range have, unless they are one order's.
LINES_IN_RANGE = 4_000_000


@dataclass(frozen=True)
class Counted:
    """How many counting orders hold some products, and each two of them. Both frames are in memory.

    Attributes:
        products: product_id, orders. Products that no order holds are left out.
        pairs: product_a_id, product_b_id, orders; A is the smaller id. Pairs in no order are left out.
    """

    products: Frame
    pairs: Frame


@dataclass(frozen=True)
class Baskets:
    """The lines of the counting orders, counted by ranges of orders.

    Attributes:
        order_items: all kept lines.
        uncounted_order_ids: the order_id of each order that does not count. There are few of them, so an
            anti join with them costs less than a join with the counting orders.
        order_units: a row for each counting order that has items.
    """

    order_items: Frame
    uncounted_order_ids: Frame
    order_units: Frame

    @cached_property
    def leaders(self) -> Counted:
        """The leading products."""
        return self._count(self._leading)

    def count(self, products: Frame) -> Counted:
        """The given products, which do not lead, and their pairs with each other and with leaders."""
        return self._count(materialize(products), self._leading)

    def contenders(self, bound: Frame) -> Frame:
        """The products that do not lead and still reach the bound: product_id."""
        rest = self._lines.join(self._leading, on="product_id", how="anti").join(bound, how="cross")
        return rest.filter(nw.col("lines") >= nw.col("bound")).select("product_id")

    @cached_property
    def number(self) -> int:
        """The number of counting orders that have items."""
        return int(self.order_units.select(nw.len()).collect().item())

    def _count(self, products: Frame, others: Frame | None = None) -> Counted:
        """The products and all pairs of them; with others, also the pairs of a product and another."""
        of_products: list[Frame] = []
        of_pairs: list[Frame] = []
        # Mostly no product contends: then one range is enough to get empty frames.
        for keys in self._ranges if not is_empty(products) else self._ranges[:1]:
            held_by = materialize(self._of(products, keys))
            pairs = _within(held_by)
            if others is not None:
                pairs = nw.concat([pairs, _across(held_by, self._of(others, keys, held_by))])
            one = nw.lit(1).cast(nw.Int64).alias("orders")
            of_products = [summed([*of_products, held_by.with_columns(one)], ["product_id"], "orders")]
            of_pairs = [
                summed([*of_pairs, pairs.with_columns(one)], ["product_a_id", "product_b_id"], "orders")
            ]
        return Counted(*of_products, *of_pairs)

    def _of(self, products: Frame, keys: KeyRange, orders: Frame | None = None) -> Frame:
        """The given products that counting orders of a range hold: order_id, product_id.

        Grain: one row per order and product, however many lines the order has for it.

        Args:
            products: product_id.
            keys: a range of orders.
            orders: order_id; if given, only these orders are read.
        """
        lines = keys.filter(self.order_items.select("order_id", "product_id"))
        if orders is not None:
            lines = lines.join(orders.select("order_id"), on="order_id", how="semi")
        lines = lines.join(products.select("product_id"), on="product_id", how="semi")
        return distinct_rows(lines.join(keys.filter(self.uncounted_order_ids), on="order_id", how="anti"))

    @cached_property
    def _ranges(self) -> list[KeyRange]:
        return key_ranges(self.order_items, "order_id", LINES_IN_RANGE)

    @cached_property
    def _leading(self) -> Frame:
        """The leading products, ties by the smaller id: product_id."""
        ranked = self._lines.sort("lines", "product_id", descending=[True, False])
        return materialize(ranked.head(LEADERS).select("product_id"))

    @cached_property
    def _lines(self) -> Frame:
        """Products with their lines in all kept orders, an upper bound that needs no join."""
        lines = self.order_items.group_by("product_id").agg(nw.len().cast(nw.Int64).alias("lines"))
        return materialize(lines)


def bound_of(counted: Frame, length: int) -> Frame:
    """The ``orders`` of the last of the ``length`` greatest: one row, ``bound``; 1 if there are fewer."""
    top = counted.sort("orders", descending=True).head(length)
    return top.select(
        nw.when(nw.len() == length).then(nw.col("orders").min()).otherwise(nw.lit(1)).alias("bound")
    )


def _within(order_products: Frame) -> Frame:
    """Every pair of products of an order, once: product_a_id, product_b_id."""
    both = _joined(order_products, order_products)
    return both.filter(nw.col("product_a_id") < nw.col("product_b_id"))


def _across(some: Frame, others: Frame) -> Frame:
    """Each product of an order with each of the others, never the same: product_a_id, product_b_id."""
    both = _joined(some, others)
    return both.select(
        nw.min_horizontal("product_a_id", "product_b_id").alias("product_a_id"),
        nw.max_horizontal("product_a_id", "product_b_id").alias("product_b_id"),
    )


def _joined(first: Frame, second: Frame) -> Frame:
    first = first.rename({"product_id": "product_a_id"})
    second = second.rename({"product_id": "product_b_id"})
    return first.join(second, on="order_id", how="inner").select("product_a_id", "product_b_id")
