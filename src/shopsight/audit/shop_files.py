"""A run's clean tables and the rows of its insights, as the proof counts them.

Counted with Arrow and NumPy, a batch at a time, without the stages' code. In memory are a few numbers a
customer, the customer of each order and, while orders are read, its day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.control_totals import numbers_of
from shopsight.audit.identities import DeclaredInsight, Greatest, Recounted
from shopsight.audit.lookups import LOW_BITS, Ids, Integers, Lookup, Small, is_new, places_of
from shopsight.audit.parquet import by_batch, read_batches, read_column
from shopsight.audit.visits import Visits, visits_of
from shopsight.settings import Settings

Key = tuple[Any, ...]
Row = dict[str, Any]
Name = TypeVar("Name")

#: Of a batch's orders: the order, the customer's place, the day, the cents.
_Orders = tuple[Integers, Small, Small, Integers]
#: Of a batch's lines of counting orders: the order's place, the customer's place, the quantity.
_CountingLines = tuple[Integers, Small, Integers]

#: How many order lines are in memory at once when orders are counted by product.
LINES_IN_MEMORY = 4_000_000


class Orders(NamedTuple):
    """Kept orders. Customers stand for their places in :attr:`ShopFiles.customer_ids`.

    Attributes:
        rows: their number by status and month.
        cents: their amount by status and month.
        customer_of: the customer of each counting order; for other orders the number of customers, and one
            more for any other id.
        spent: by customer, the cents of counting orders; Python's integers where 64 bits do not suffice.
        number: by customer, the number of counting orders.
        visits: the days on which each customer placed them.
    """

    rows: Counter[tuple[str, date]]
    cents: Counter[tuple[str, date]]
    customer_of: Lookup
    spent: Integers
    number: Integers
    visits: Visits


class Buyers(NamedTuple):
    """The customers with a counting order, in the order of :attr:`ShopFiles.customer_ids`.

    Attributes:
        recency: the score of the last visit, from 1 to 5: the fifth it is in, by the share of smaller ones.
        frequency: that of the number of counting orders.
        amount: that of what was spent.
        value: the mean of frequency and amount, half up.
    """

    recency: Integers
    frequency: Integers
    amount: Integers
    value: Integers


class Items(NamedTuple):
    """Lines of counting orders.

    Attributes:
        units: by customer, the sum of all quantities.
        baskets: the number of orders with a line.
        lines: by product's place in :attr:`ShopFiles.product_ids`, their number.
        units_of: the sum of quantities by listed product.
        cents_of: the sum of quantity * price by listed product.
    """

    units: Integers
    baskets: int
    lines: Integers
    units_of: Counter[int]
    cents_of: Counter[int]


@dataclass(frozen=True)
class ShopFiles:
    """A run's files and the insights in its marts. Whether an order counts is decided from its status."""

    clean: Path
    marts: Path
    insights: Collection[DeclaredInsight]
    settings: Settings

    @cached_property
    def published(self) -> dict[str, list[Row]]:
        """By insight, its rows in their order."""
        return {
            insight.id: [
                row
                for batch in read_batches(self.marts / "insights" / insight.id, None)
                for row in batch.to_pylist()
            ]
            for insight in self.insights
        }

    def listed(self, recount: str) -> set[Key]:
        """The keys of the rows that are compared with a recount; a row that lacks its key has none."""
        return {
            key
            for insight in self.insights
            for identity in insight.identities
            if isinstance(identity, Recounted | Greatest) and identity.recount == recount
            for row in self.published[insight.id]
            if None not in (key := tuple(row[name] for name in insight.key))
        }

    def lists(self, recount: str) -> list[tuple[str, int, list[Row]]]:
        """The lists of the greatest of a recount: the ranking column, the wanted number of rows, the rows."""
        return [
            (identity.by, getattr(self.settings, identity.limit), self.published[insight.id])
            for insight in self.insights
            for identity in insight.identities
            if isinstance(identity, Greatest) and identity.recount == recount
        ]

    @cached_property
    def customer_ids(self) -> Integers:
        """The kept customers."""
        return read_column(self.clean / "customers", "customer_id")

    @cached_property
    def product_ids(self) -> Integers:
        """The kept products."""
        return read_column(self.clean / "products", "product_id")

    @cached_property
    def product_of(self) -> Lookup:
        """By product_id, the product's place in :attr:`product_ids`; their number for an unknown one."""
        return places_of(self.product_ids)

    @cached_property
    def customer_of(self) -> Lookup:
        """By customer_id, the customer's place in :attr:`customer_ids`; their number for an unknown one."""
        return places_of(self.customer_ids)

    @cached_property
    def orders(self) -> Orders:
        """All kept orders."""
        excluded = pa.array(sorted(self.settings.excluded_order_statuses), pa.string())
        rows, cents_of = Counter[tuple[str, date]](), Counter[tuple[str, date]]()
        # Amounts in two parts, so that neither leaves 64 bits. The last place is that of nobody, who has the
        # orders that do not count.
        nobody, kept = len(self.customer_ids), self.customer_of
        low, high, number = np.zeros((3, nobody + 1), np.int64)
        customer_of = Lookup(read_column(self.clean / "orders", "order_id"), missing=nobody + 1)
        day_of, newest = np.zeros(len(customer_of.numbers), np.int32), -1

        def count(batch: pa.RecordBatch) -> tuple[Counter[Any], Counter[Any], _Orders]:
            statuses = batch["status"].cast(pa.string()).dictionary_encode()
            is_excluded = pc.is_in(statuses.dictionary, value_set=excluded).to_numpy(zero_copy_only=False)
            codes = statuses.indices.to_numpy().astype(np.int64)
            days = batch["order_date"].cast(pa.int32()).to_numpy()
            months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
            first, span = months.min(), np.ptp(months) + 1
            groups = codes * span + (months - first)
            first_days = np.arange(first, first + span).astype("datetime64[M]").astype(date).tolist()
            names = [(status, day) for status in statuses.dictionary.to_pylist() for day in first_days]
            cents, customers = (
                numbers_of(batch["total_amount"]),
                kept.of(batch["customer_id"].to_numpy()),
            )
            customers[is_excluded[codes]] = nobody
            orders = batch["order_id"].to_numpy(), customers, days, cents
            return _sums(names, groups, np.ones_like(groups)), _sums(names, groups, cents), orders

        def add(more_rows: Counter[Any], more_cents: Counter[Any], orders: _Orders) -> None:
            nonlocal newest
            rows.update(more_rows)
            cents_of.update(more_cents)
            order_ids, customers, days, cents = orders
            np.add.at(low, customers, cents & (2**31 - 1))
            np.add.at(high, customers, cents >> 31)
            np.add.at(number, customers, 1)
            places = customer_of.places(order_ids)
            customer_of.numbers[places], day_of[places] = customers, days
            newest = int(days.max(initial=newest, where=customers != nobody))

        columns = ["order_id", "customer_id", "order_date", "total_amount", "status"]
        by_batch(self.clean / "orders", columns, count, add)
        low, high, number = low[:-1], high[:-1], number[:-1]
        spent = high.astype(object) * 2**31 + low if (abs(high) >= 2**30).any() else (high << 31) + low
        visits = visits_of(customer_of.numbers, day_of, number, newest)
        return Orders(rows, cents_of, customer_of, spent, number, visits)

    @cached_property
    def buyers(self) -> Buyers:
        """The customers with a counting order."""
        has_ordered = self.orders.number > 0
        figures = self.orders.visits.last, self.orders.number[has_ordered], self.orders.spent[has_ordered]
        recency, frequency, amount = map(_fifths, figures)
        return Buyers(recency, frequency, amount, value=(frequency + amount + 1) // 2)

    @cached_property
    def items(self) -> Items:
        """All kept lines."""
        listed = sorted(product_id for (product_id,) in self.listed("products"))
        ids, customer_of, product_of = Ids(listed), self.orders.customer_of, self.product_of
        is_basket = np.zeros(len(customer_of.numbers), np.bool_)
        # The last place is for products that are not kept.
        units, lines = (np.zeros(len(ids) + 1, np.int64) for ids in (self.customer_ids, self.product_ids))

        units_of, cents_of = Counter[int](), Counter[int]()

        def count(batch: pa.RecordBatch) -> tuple[_CountingLines, Integers, Counter[int], Counter[int]]:
            orders = customer_of.places(batch["order_id"].to_numpy())
            customers, product_ids = customer_of.numbers[orders], batch["product_id"].to_numpy()
            is_counting, quantities = customers < len(self.customer_ids), batch["quantity"].to_numpy()
            is_sold = ids.has(product_ids) & is_counting
            places = np.searchsorted(ids.sorted, product_ids[is_sold])
            sold, price = quantities[is_sold], numbers_of(batch["price"])[is_sold]
            return (
                (orders[is_counting], customers[is_counting], quantities[is_counting]),
                np.bincount(product_of.of(product_ids[is_counting]), minlength=len(lines)),
                _sums(listed, places, sold),
                _sums(listed, places, sold * price),
            )

        def add(
            counting: _CountingLines, by_product: Integers, more_units: Counter[int], more_cents: Counter[int]
        ) -> None:
            orders, customers, quantities = counting
            is_basket[orders] = True
            np.add.at(units, customers, quantities)
            np.add(lines, by_product, out=lines)
            units_of.update(more_units)
            cents_of.update(more_cents)

        columns = ["order_id", "product_id", "quantity", "price"]
        by_batch(self.clean / "order_items", columns, count, add)
        return Items(units[:-1], int(is_basket.sum()), lines[:-1], units_of, cents_of)

    @cached_property
    def product_orders(self) -> tuple[Counter[int], Counter[Key]]:
        """Counting orders by product and by listed pair of products.

        A product is in at most as many orders as it has lines. So besides the listed products only those are
        counted that have as many lines as the last of a list has orders.
        """
        listed_pairs, lines = self.listed("pairs"), self.items.lines
        wanted = {product_id for key in self.listed("products") | listed_pairs for product_id in key}
        for by, size, rows in self.lists("products"):
            last = min(row[by] or 1 for row in rows) if rows and len(rows) >= size else 1
            wanted.update(self.product_ids[lines >= last].tolist())
        by_product, by_pair = Counter[int](), Counter[Key]()
        for orders_of in self.orders_of(wanted):
            by_product.update({product_id: len(orders) for product_id, orders in orders_of.items()})
            for a, b in listed_pairs:
                by_pair[a, b] += len(np.intersect1d(orders_of[a], orders_of[b], assume_unique=True))
        return by_product, by_pair

    def orders_of(self, product_ids: Iterable[int]) -> Iterator[dict[int, Integers]]:
        """By product, the distinct counting orders that hold it, as their places in ``orders.customer_of``.

        The orders come in parts, so that a bounded number of lines is in memory; no order is in two parts.
        """
        ids, customer_of = Ids(product_ids), self.orders.customer_of
        parts = int(self.items.lines[ids.has(self.product_ids)].sum()) // LINES_IN_MEMORY + 1
        for part in range(parts):

            def find(batch: pa.RecordBatch, part: int = part) -> tuple[Integers]:
                order_ids, product_ids = batch["order_id"].to_numpy(), batch["product_id"].to_numpy()
                is_wanted = ids.has(product_ids)
                if parts > 1:
                    is_wanted &= order_ids % parts == part
                orders = customer_of.places(order_ids[is_wanted])
                is_counting = customer_of.numbers[orders] < len(self.customer_ids)
                places = np.searchsorted(ids.sorted, product_ids[is_wanted][is_counting])
                return ((places << LOW_BITS) | orders[is_counting],)

            found = [np.empty(0, np.int64)]
            by_batch(self.clean / "order_items", ["order_id", "product_id"], find, found.append)
            orders = np.concatenate(found)
            del found
            orders.sort()
            orders = orders[is_new(orders)]
            starts = np.searchsorted(orders, np.arange(len(ids.sorted) + 1) << LOW_BITS)
            orders &= 2**LOW_BITS - 1
            yield {
                product_id: orders[start:end]
                for product_id, (start, end) in zip(ids.sorted.tolist(), pairwise(starts), strict=True)
            }


def _fifths(figures: Integers) -> Integers:
    smaller = np.searchsorted(np.sort(figures), figures)
    scores: Integers = smaller * 5 // max(len(figures), 1) + 1
    return scores


def _sums(names: Sequence[Name], places: Integers, values: Integers) -> Counter[Name]:
    """The values' sums by name, for values given with their names' places; exact whatever the sum."""
    high, low = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    np.add.at(high, places, values >> 32)
    np.add.at(low, places, values & 0xFFFFFFFF)
    sums = zip(names, high.tolist(), low.tolist(), strict=True)
    return Counter({name: (above << 32) + below for name, above, below in sums if above or below})
