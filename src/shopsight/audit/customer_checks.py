"""Every customer's figures once more, from the clean files: a part of the proof's third link.

NumPy over batches of the clean files, and no code of the stages. In memory are a few numbers a customer, and
the customer of each counting order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.control_totals import (
    Flags,
    Integers,
    Totals,
    compared_totals,
    keyed_sum,
    numbers_of,
    totals_as_read,
)
from shopsight.audit.parquet import read_batches
from shopsight.contract import CUSTOMERS, Column, Kind, Table
from shopsight.record import Check

#: The mart's columns of whole numbers and texts; ``average_rating`` is compared by its bits.
METRICS = Table(
    "customer_metrics",
    "one row per customer",
    (
        *CUSTOMERS.columns,
        Column("total_amount_spent", Kind.MONEY),
        Column("total_orders", Kind.COUNT),
        Column("average_order_value", Kind.MONEY),
        Column("total_products_ordered", Kind.COUNT),
    ),
)


def customer_checks(
    clean: Path, mart: Path, excluded_statuses: Iterable[str], customers: Totals
) -> Iterator[Check]:
    """Every column of ``customer_metrics`` against what the clean files say.

    Args:
        clean: the folder of the clean tables.
        mart: the folder of ``customer_metrics``.
        excluded_statuses: orders with these do not count, which is decided anew here.
        customers: the control totals of the clean customers.
    """
    expected = expected_totals(clean, excluded_statuses, customers)
    yield from compared_totals("customer_metrics", expected, mart_totals(mart))


def mart_totals(mart: Path) -> Totals:
    """The control totals of ``customer_metrics`` as they are in its files, ``average_rating`` by its bits."""
    totals = totals_as_read(mart, METRICS)
    for batch in read_batches(mart, ["customer_id", "average_rating"]):
        rated = pc.drop_null(batch)
        _add(totals, "average_rating", numbers_of(rated["customer_id"]), _bits(rated["average_rating"]))
    return totals


def expected_totals(clean: Path, excluded_statuses: Iterable[str], customers: Totals) -> Totals:
    """The control totals that ``customer_metrics`` must have; the arguments are :func:`customer_checks`'s."""
    totals: Totals = Counter({key: number for key, number in customers.items() if key[1] != "others"})
    ids = _column(clean / "customers", "customer_id")
    for name, values, is_there in _figures(clean, pa.array(sorted(excluded_statuses), pa.string()), ids):
        _add(totals, name, ids[is_there], values[is_there])
    return totals


def _add(totals: Totals, column: str, keys: Integers, values: Integers) -> None:
    totals[column, "values"] += len(values)
    totals[column, "keyed"] += keyed_sum(keys, values)


def _figures(clean: Path, excluded: pa.Array, ids: Integers) -> Iterator[tuple[str, Integers, Flags]]:
    """Each column's number for each of the customers with these ids, and which of them have one."""
    customers = len(ids)
    # A customer who is not there would be the last, for whom there is no room.
    place_of = _Lookup(ids, np.arange(customers), missing=customers)
    # Amounts in two parts, neither of which can leave 64 bits.
    low, high, orders = (np.zeros(customers, np.int64) for _ in range(3))
    order_ids, buyers = [], []
    for batch in read_batches(clean / "orders", ["order_id", "customer_id", "total_amount", "status"]):
        counting = batch.filter(pc.invert(pc.is_in(batch["status"].cast(pa.string()), value_set=excluded)))
        buyer, cents = place_of.of(numbers_of(counting["customer_id"])), numbers_of(counting["total_amount"])
        np.add.at(low, buyer, cents & (2**31 - 1))
        np.add.at(high, buyer, cents >> 31)
        np.add.at(orders, buyer, 1)
        order_ids.append(numbers_of(counting["order_id"]))
        buyers.append(buyer)
    has_orders = orders > 0
    everybody = np.ones(customers, np.bool_)
    spent = high.astype(object) * 2**31 + low if (abs(high) >= 2**30).any() else (high << 31) + low
    yield "total_amount_spent", spent, everybody
    yield "total_orders", orders, everybody
    # Half a cent goes away from zero.
    averages = (2 * abs(spent) + orders) // np.maximum(2 * orders, 1) * np.where(spent < 0, -1, 1)
    yield "average_order_value", averages, has_orders
    yield "total_products_ordered", _units(clean, _joined(order_ids), _joined(buyers), customers), everybody
    ratings, reviews = np.zeros(customers, np.int64), np.zeros(customers, np.int64)
    for batch in read_batches(clean / "reviews", ["customer_id", "rating"]):
        reviewer = place_of.of(numbers_of(batch["customer_id"]))
        np.add.at(ratings, reviewer, numbers_of(batch["rating"]))
        np.add.at(reviews, reviewer, 1)
    yield "average_rating", (ratings / np.maximum(reviews, 1)).view(np.int64), reviews > 0


def _units(clean: Path, order_ids: Integers, buyers: Integers, customers: int) -> Integers:
    """By customer, the units on the lines of counting orders."""
    # The last one stands for orders that do not count.
    buyer_of = _Lookup(order_ids, buyers, missing=customers)
    units = np.zeros(customers + 1, np.int64)
    for batch in read_batches(clean / "order_items", ["order_id", "quantity"]):
        np.add.at(units, buyer_of.of(numbers_of(batch["order_id"])), numbers_of(batch["quantity"]))
    return units[:-1]


class _Lookup:
    """A number for each id: in a table where ids are dense, as a shop's mostly are, or else by search."""

    def __init__(self, ids: Integers, numbers: Integers, missing: int) -> None:
        self.missing = missing
        self.first, self.last = (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)
        self.is_dense = self.last - self.first < 8 * len(ids)
        if self.is_dense:
            # The last place is nobody's.
            self.numbers = np.full(self.last - self.first + 2, missing)
            self.numbers[ids - self.first] = numbers
        else:
            in_order = np.argsort(ids)
            self.ids, self.numbers = ids[in_order], numbers[in_order]

    def of(self, ids: Integers) -> Integers:
        """The ids' numbers; ``missing`` for an id that is not there."""
        if self.is_dense:
            is_within = (ids >= self.first) & (ids <= self.last)
            return self.numbers[np.where(is_within, ids - self.first, -1)]
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, self.numbers[places], self.missing)


def _column(folder: Path, name: str) -> Integers:
    return _joined([numbers_of(batch.column(0)) for batch in read_batches(folder, [name])])


def _joined(arrays: list[Integers]) -> Integers:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)


def _bits(column: pa.Array) -> Integers:
    bits: Integers = column.to_numpy().view(np.int64)
    return bits
