"""Every customer's figures once more, from the clean files: a part of the proof's third link.

From :class:`shopsight.audit.shop_files.ShopFiles`, without the stages' code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopsight.audit.control_totals import Totals, compared_totals, keyed_sum, numbers_of, totals_as_read
from shopsight.audit.lookups import Flags, Integers
from shopsight.audit.parquet import count_rows, parquet_files, read_batches, read_side_by_side
from shopsight.audit.recounts import SEGMENT_NAMES, SEGMENTS_BY_SCORE
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import CUSTOMERS, Column, Kind, Table
from shopsight.record import Check

_SCORES = ("recency_score", "frequency_score", "monetary_score")

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

#: What ``customers`` has beside the columns of ``customer_metrics``; ``segment`` is compared by its place in
#: :data:`shopsight.audit.recounts.SEGMENT_NAMES`.
OF_CUSTOMERS = Table(
    "customers",
    "one row per customer",
    (
        CUSTOMERS.column(CUSTOMERS.key),
        Column("first_order_date", Kind.DATE),
        Column("last_order_date", Kind.DATE),
        Column("cohort_month", Kind.DATE),
        *(Column(name, Kind.COUNT) for name in ("days_since_last_order", *_SCORES)),
    ),
)


def customer_checks(files: ShopFiles, customers: Totals, today: date) -> Iterator[Check]:
    """Every column of ``customer_metrics`` and ``customers`` against what the clean files say.

    Args:
        files: the run's files.
        customers: the control totals of the clean customers.
        today: the run's day.
    """
    metrics, mart = (files.marts / name for name in ("customer_metrics", "customers"))
    expected = expected_totals(files, customers)
    yield from compared_totals("customer_metrics", expected, mart_totals(metrics))
    yield from _same_columns(metrics, mart)
    expected = Counter({("", "rows"): len(files.customer_ids)})
    key = CUSTOMERS.key
    _add(expected, key, np.ones_like(files.customer_ids), files.customer_ids)
    for name, values in _order_figures(files, today):
        _add(expected, name, files.customer_ids[files.orders.number > 0], values)
    found = totals_as_read(mart, OF_CUSTOMERS)
    for batch in read_batches(mart, [key, "segment"]):
        named = pc.drop_null(batch)
        places = pc.fill_null(pc.index_in(named["segment"], value_set=pa.array(SEGMENT_NAMES)), -1)
        _add(found, "segment", numbers_of(named[key]), numbers_of(places))
    yield from compared_totals("customers", expected, found)


def _same_columns(metrics: Path, mart: Path) -> Iterator[Check]:
    """The columns of ``customer_metrics`` in the other mart; both have the customers in one order."""
    names = pq.read_schema(parquet_files(metrics)[0]).names
    same: Counter[str] = Counter()
    for one, other in read_side_by_side(metrics, mart, names):
        for name in names:
            both_null = pc.and_(one[name].is_null(), other[name].is_null())
            same[name] += pc.sum(pc.or_kleene(pc.equal(one[name], other[name]), both_null)).as_py() or 0
    for name in names:
        yield Check(f"customers.{name}: rows as in customer_metrics", count_rows(metrics), same[name])


def mart_totals(mart: Path) -> Totals:
    """The control totals of ``customer_metrics`` as it is in its files, ``average_rating`` by its bits."""
    totals = totals_as_read(mart, METRICS)
    for batch in read_batches(mart, ["customer_id", "average_rating"]):
        rated = pc.drop_null(batch)
        bits = rated["average_rating"].to_numpy().view(np.int64)
        _add(totals, "average_rating", numbers_of(rated["customer_id"]), bits)
    return totals


def expected_totals(files: ShopFiles, customers: Totals) -> Totals:
    """The control totals that ``customer_metrics`` must have; the arguments are :func:`customer_checks`'s."""
    totals: Totals = Counter({key: number for key, number in customers.items() if key[1] != "others"})
    for name, values, is_there in _figures(files):
        _add(totals, name, files.customer_ids[is_there], values[is_there])
    return totals


def _add(totals: Totals, column: str, keys: Integers, values: Integers) -> None:
    totals[column, "values"] += len(values)
    totals[column, "keyed"] += keyed_sum(keys, values)


def _figures(files: ShopFiles) -> Iterator[tuple[str, Integers, Flags]]:
    """Each column's number for each customer, and which customers have one."""
    spent, orders = files.orders.spent, files.orders.number
    everybody = np.ones_like(orders, np.bool_)
    yield "total_amount_spent", spent, everybody
    yield "total_orders", orders, everybody
    # Half a cent goes away from zero.
    averages = (2 * abs(spent) + orders) // np.maximum(2 * orders, 1) * np.where(spent < 0, -1, 1)
    yield "average_order_value", averages, orders > 0
    yield "total_products_ordered", files.items.units, everybody
    ratings, reviews = np.zeros((2, len(orders) + 1), np.int64)
    for batch in read_batches(files.clean / "reviews", ["customer_id", "rating"]):
        reviewers = files.customer_of.of(numbers_of(batch["customer_id"]))
        np.add.at(ratings, reviewers, numbers_of(batch["rating"]))
        np.add.at(reviews, reviewers, 1)
    ratings, reviews = ratings[:-1], reviews[:-1]
    yield "average_rating", (ratings / np.maximum(reviews, 1)).view(np.int64), reviews > 0


def _order_figures(files: ShopFiles, today: date) -> Iterator[tuple[str, Integers]]:
    """Each column's number for each customer with a counting order."""
    buyers, visits = files.buyers, files.orders.visits
    yield "first_order_date", visits.first
    yield "last_order_date", visits.last
    months = visits.first.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
    yield "cohort_month", months.astype(np.int64)
    yield "days_since_last_order", (today - date(1970, 1, 1)).days - visits.last
    yield from zip(_SCORES, (buyers.recency, buyers.frequency, buyers.amount), strict=True)
    places = np.array([[SEGMENT_NAMES.index(name) for name in names] for names in SEGMENTS_BY_SCORE])
    yield "segment", places[buyers.recency - 1, buyers.value - 1]
