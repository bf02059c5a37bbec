"""A run's clean tables and the rows of its insights, as the proof counts them.

Counted with Arrow and NumPy, a batch at a time, without the stages' code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopsight.audit.identities import Greatest, Identity, Recounted
from shopsight.audit.parquet import parquet_files, read_batches
from shopsight.settings import Settings

Key = tuple[Any, ...]
Row = dict[str, Any]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Found = TypeVar("Found")
Name = TypeVar("Name")

#: How many order lines are in memory at once when orders are counted by product.
LINES_IN_MEMORY = 4_000_000

#: How many files are read at the same time, each a batch at a time.
THREADS = 2

#: The widest range of ids, in bytes, that a table of flags is made for.
LARGEST_TABLE = 2**25

_BATCH_ROWS = 131_072


class DeclaredInsight(Protocol):
    """What the proof needs to know of an insight."""

    @property
    def id(self) -> str:
        """The name of its folder in the marts."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from all others."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """What its rows must satisfy."""


class Ids:
    """A set of ids in which batches of ids are looked up: in a table of flags or, if sparse, by search."""

    def __init__(self, ids: Iterable[int] | Integers) -> None:
        self.sorted: Integers = np.unique(np.fromiter(ids, np.int64))
        span = int(self.sorted[-1]) - int(self.sorted[0]) + 1 if len(self.sorted) else 0
        self._flags = np.zeros(span, np.bool_) if span <= LARGEST_TABLE else None
        if self._flags is not None and span:
            self._flags[self.sorted - self.sorted[0]] = True

    def has(self, ids: Integers) -> Flags:
        """Which of the ids are in the set."""
        if not len(self.sorted):
            return np.zeros(len(ids), np.bool_)
        if self._flags is None:
            places = np.minimum(np.searchsorted(self.sorted, ids), len(self.sorted) - 1)
            found: Flags = self.sorted[places] == ids
            return found
        is_within: Flags = (ids >= self.sorted[0]) & (ids <= self.sorted[-1])
        is_within &= self._flags.take(ids - self.sorted[0], mode="clip")
        return is_within


class Orders(NamedTuple):
    """Kept orders.

    Attributes:
        rows: their number by status and month.
        cents: their amount by status and month.
        uncounted: the ids of those that do not count.
        buyers: the number of customers with a counting order.
    """

    rows: Counter[tuple[str, date]]
    cents: Counter[tuple[str, date]]
    uncounted: Ids
    buyers: int


class Items(NamedTuple):
    """Lines of counting orders.

    Attributes:
        units: the sum of all quantities.
        lines: their number by product.
        units_of: the sum of quantities by listed product.
        cents_of: the sum of quantity * price by listed product.
    """

    units: int
    lines: pa.Table
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
    def orders(self) -> Orders:
        """All kept orders."""
        excluded = pa.array(sorted(self.settings.excluded_order_statuses), pa.string())

        def count(batch: pa.RecordBatch) -> tuple[Counter[Any], Counter[Any], Integers, pa.Array]:
            statuses = batch["status"].cast(pa.string()).dictionary_encode()
            is_excluded = pc.is_in(statuses.dictionary, value_set=excluded).to_numpy(zero_copy_only=False)
            codes = statuses.indices.to_numpy().astype(np.int64)
            days = batch["order_date"].cast(pa.int32()).to_numpy().astype("datetime64[D]")
            months = days.astype("datetime64[M]").astype(np.int64)
            first, number = months.min(), np.ptp(months) + 1
            groups = codes * number + (months - first)
            first_days = np.arange(first, first + number).astype("datetime64[M]").astype(date).tolist()
            names = [(status, day) for status in statuses.dictionary.to_pylist() for day in first_days]
            is_uncounted = is_excluded[codes]
            return (
                _sums(names, groups, np.ones_like(groups)),
                _sums(names, groups, _cents(batch["total_amount"])),
                batch["order_id"].to_numpy()[is_uncounted],
                pc.unique(batch["customer_id"].filter(pa.array(~is_uncounted))),
            )

        columns = ["order_id", "customer_id", "order_date", "total_amount", "status"]
        rows, cents = Counter[tuple[str, date]](), Counter[tuple[str, date]]()
        uncounted, buyers = [np.empty(0, np.int64)], []
        for more_rows, more_cents, more_uncounted, more_buyers in _by_batch(
            self.clean / "orders", columns, count
        ):
            rows.update(more_rows)
            cents.update(more_cents)
            uncounted.append(more_uncounted)
            buyers.append(more_buyers)
        customers = pc.unique(pa.chunked_array(buyers, pa.int64()))
        return Orders(rows, cents, Ids(np.concatenate(uncounted)), len(customers))

    @cached_property
    def items(self) -> Items:
        """All kept lines."""
        listed = sorted(product_id for (product_id,) in self.listed("products"))
        ids = Ids(listed)

        def count(batch: pa.RecordBatch) -> Items:
            order_ids, product_ids = batch["order_id"].to_numpy(), batch["product_id"].to_numpy()
            is_counting, quantities = self.is_counting(order_ids), batch["quantity"].to_numpy()
            is_sold = ids.has(product_ids) & is_counting
            places = np.searchsorted(ids.sorted, product_ids[is_sold])
            units, price = quantities[is_sold], _cents(batch["price"])[is_sold]
            return Items(
                int(np.sum(quantities, where=is_counting)),
                pa.Table.from_struct_array(pc.value_counts(pa.array(product_ids[is_counting]))),
                _sums(listed, places, units),
                _sums(listed, places, units * price),
            )

        columns = ["order_id", "product_id", "quantity", "price"]
        units, lines, units_of, cents_of = 0, [_NO_LINES], Counter[int](), Counter[int]()
        for found in _by_batch(self.clean / "order_items", columns, count):
            units += found.units
            lines.append(found.lines)
            units_of.update(found.units_of)
            cents_of.update(found.cents_of)
        by_product = pa.concat_tables(lines).group_by("values").aggregate([("counts", "sum")])
        return Items(units, by_product, units_of, cents_of)

    def is_counting(self, order_ids: Integers) -> Flags:
        """Which of the orders count."""
        return ~self.orders.uncounted.has(order_ids)

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
            wanted.update(lines.filter(pc.greater_equal(lines["counts_sum"], last))["values"].to_pylist())
        by_product, by_pair = Counter[int](), Counter[Key]()
        for orders_of in self._orders_of(wanted):
            by_product.update({product_id: len(orders) for product_id, orders in orders_of.items()})
            for a, b in listed_pairs:
                by_pair[a, b] += len(np.intersect1d(orders_of[a], orders_of[b], assume_unique=True))
        return by_product, by_pair

    def _orders_of(self, product_ids: Iterable[int]) -> Iterator[dict[int, Integers]]:
        """By product, the distinct counting orders that hold it.

        The orders come in parts, so that a bounded number of lines is in memory; no order is in two parts.
        """
        ids, lines = Ids(product_ids), self.items.lines
        wanted = lines.filter(pc.is_in(lines["values"], value_set=pa.array(ids.sorted)))
        parts = (pc.sum(wanted["counts_sum"]).as_py() or 0) // LINES_IN_MEMORY + 1
        for part in range(parts):

            def find(batch: pa.RecordBatch, part: int = part) -> pa.Table:
                order_ids, product_ids = batch["order_id"].to_numpy(), batch["product_id"].to_numpy()
                is_wanted = ids.has(product_ids)
                if parts > 1:
                    is_wanted &= order_ids % parts == part
                order_ids, product_ids = order_ids[is_wanted], product_ids[is_wanted]
                is_counting = self.is_counting(order_ids)
                places = np.searchsorted(ids.sorted, product_ids[is_counting])
                return pa.table([places, order_ids[is_counting]], ["place", "order_id"])

            found = _by_batch(self.clean / "order_items", ["order_id", "product_id"], find)
            pairs = pa.concat_tables([_NO_PAIRS, *found]).group_by(["place", "order_id"]).aggregate([])
            pairs = pairs.sort_by("place")
            starts = np.searchsorted(pairs["place"].to_numpy(), np.arange(len(ids.sorted) + 1))
            order_ids = pairs["order_id"].to_numpy()
            yield {
                product_id: order_ids[start:end]
                for product_id, (start, end) in zip(ids.sorted.tolist(), pairwise(starts), strict=True)
            }


_NO_LINES = pa.table({"values": pa.array([], pa.int64()), "counts": pa.array([], pa.int64())})
_NO_PAIRS = pa.table({"place": pa.array([], pa.int64()), "order_id": pa.array([], pa.int64())})


def _by_batch(folder: Path, columns: list[str], work: Callable[[pa.RecordBatch], Found]) -> Iterator[Found]:
    """What the work finds in each batch of the folder's files, in order; threads share the files."""

    def read(path: Path) -> list[Found]:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(columns=columns, batch_size=_BATCH_ROWS, use_threads=False)
            found = [work(batch) for batch in batches if batch.num_rows]
        # Arrow's allocator would keep what the file's row groups took: much of the memory of a proof.
        pa.default_memory_pool().release_unused()
        return found

    with ThreadPoolExecutor(THREADS) as threads:
        for found in threads.map(read, parquet_files(folder)):
            yield from found


def _sums(names: Sequence[Name], places: Integers, values: Integers) -> Counter[Name]:
    """The values' sums by name, for values given with their names' places; exact whatever the sum."""
    high, low = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    np.add.at(high, places, values >> 32)
    np.add.at(low, places, values & 0xFFFFFFFF)
    sums = zip(names, high.tolist(), low.tolist(), strict=True)
    return Counter({name: (above << 32) + below for name, above, below in sums if above or below})


def _cents(amounts: pa.Array) -> Integers:
    """Amounts of 18 digits in cents: the lower half of each decimal's 128 bits."""
    halves = np.frombuffer(amounts.buffers()[1], np.int64)
    return halves[2 * amounts.offset :: 2][: len(amounts)]
