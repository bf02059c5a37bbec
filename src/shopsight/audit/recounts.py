"""The shop's figures by month, status, category, country, segment, cohort and so on, recounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.exact import EXACT
from shopsight.audit.parquet import read_batches
from shopsight.audit.shop_files import Key, Row, ShopFiles

Rows = dict[Key, Row]

#: The segment of a recency of 1 to 5 (a line) and a value of 1 to 5.
SEGMENTS_BY_SCORE = (
    ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
    ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
    ("About to sleep", "About to sleep", "Needing attention", "Loyal", "Loyal"),
    ("Promising", "Potential loyalists", "Potential loyalists", "Loyal", "Loyal"),
    ("New customers", "Potential loyalists", "Potential loyalists", "Champions", "Champions"),
)
SEGMENT_NAMES = sorted({name for names in SEGMENTS_BY_SCORE for name in names})


def months(files: ShopFiles) -> Rows:
    """Counting orders by month, from the first to the last, months without orders included."""
    rows, cents = Counter[date](), Counter[date]()
    for (status, month), number in files.orders.rows.items():
        if status not in files.settings.excluded_order_statuses:
            rows[month] += number
            cents[month] += files.orders.cents[status, month]
    if not rows:
        return {}
    first, last = (np.datetime64(month, "M") for month in (min(rows), max(rows)))
    every = np.arange(first, last + 1).astype(date).tolist()
    growth = [None, *(_share(cents[b] - cents[a], cents[a]) for a, b in pairwise(every))]
    return {
        (month,): {"revenue": _money(cents[month]), "orders": rows[month], "growth_share": grown}
        for month, grown in zip(every, growth, strict=True)
    }


def statuses(files: ShopFiles) -> Rows:
    """All kept orders by status."""
    rows, cents = Counter[str](), Counter[str]()
    for (status, month), number in files.orders.rows.items():
        rows[status] += number
        cents[status] += files.orders.cents[status, month]
    excluded = files.settings.excluded_order_statuses
    return {
        (status,): {
            "orders": number,
            "amount": _money(cents[status]),
            "counting_orders": 0 if status in excluded else number,
        }
        for status, number in rows.items()
    }


def categories(files: ShopFiles) -> Rows:
    """Kept reviews by their product's category, and their mean."""
    by_product = np.zeros((2, len(files.product_ids) + 1), np.int64)
    for batch in read_batches(files.clean / "reviews", ["product_id", "rating"]):
        products = files.product_of.of(batch["product_id"].to_numpy())
        np.add.at(by_product[0], products, 1)
        np.add.at(by_product[1], products, batch["rating"].to_numpy())
    reviews, ratings = Counter[int](), Counter[int]()
    for (category,), number, rating in zip(
        _values(files.clean / "products", ["category_id"]), *by_product[:, :-1].tolist(), strict=True
    ):
        reviews[category] += number
        ratings[category] += rating
    return {
        (category,): {
            "category_name": name,
            "reviews": reviews[category],
            "average_rating": ratings[category] / reviews[category] if reviews[category] else None,
        }
        for category, name in _values(files.clean / "categories", ["category_id", "category_name"])
    }


def countries(files: ShopFiles) -> Rows:
    """The customers' figures by country; ``customers`` are those with a counting order."""
    found: Rows = {}
    columns = ["country", "total_amount_spent", "total_orders"]
    for batch in read_batches(files.marts / "customer_metrics", columns):
        has_ordered = pc.greater(batch["total_orders"], 0).cast(pa.int64())
        table = pa.Table.from_batches([batch]).append_column("customers", has_ordered)
        sums = [(name, "sum") for name in ("total_amount_spent", "total_orders", "customers")]
        for row in table.group_by("country").aggregate(sums).to_pylist():
            figures = found.setdefault((row["country"],), {"revenue": 0, "orders": 0, "customers": 0})
            figures["revenue"] += row["total_amount_spent_sum"]
            figures["orders"] += row["total_orders_sum"]
            figures["customers"] += row["customers_sum"]
    return found


def buyers(files: ShopFiles) -> Rows:
    """One row about the whole shop: customers who ordered, those who came again, and their median wait."""
    waits = np.cumsum(files.orders.visits.waits)
    number = waits[-1] if len(waits) else 0
    # The wait in the middle, or the two there.
    middle = np.searchsorted(waits, [(number + 1) // 2, number // 2 + 1])
    return {
        (): {
            "customers": int((files.orders.number > 0).sum()),
            "repeat_customers": int((files.orders.number > 1).sum()),
            "median_days_between_orders": float(np.mean(middle)) if number else None,
        }
    }


def cohorts(files: ShopFiles) -> Rows:
    """By month of the first counting order and months since, the customers with a counting order."""
    found: Rows = {}
    for first, active in enumerate(files.orders.visits.active.tolist()):
        month = np.datetime64(first, "M").astype(date)
        for since, customers_since in enumerate(active[first:] if active[first] else ()):
            share = customers_since / active[first]
            found[month, since] = {"customers": customers_since, "retained_share": share}
    return found


def segments(files: ShopFiles) -> Rows:
    """Customers with a counting order and what they spent, by RFM segment."""
    buyers, spent = files.buyers, files.orders.spent[files.orders.number > 0]
    found: Rows = {}
    for line, names in enumerate(SEGMENTS_BY_SCORE, start=1):
        for place, name in enumerate(names, start=1):
            here = (buyers.recency == line) & (buyers.value == place)
            figures = found.setdefault((name,), {"customers": 0, "revenue": Decimal(0)})
            figures["customers"] += int(here.sum())
            figures["revenue"] += _money(sum(spent[here].tolist()))
    return {segment: figures for segment, figures in found.items() if figures["customers"]}


def customers(files: ShopFiles) -> Rows:
    """The listed customers, and those with a counting order who have the greatest figures."""
    ids = pa.array([customer_id for (customer_id,) in files.listed("customers")], pa.int64())
    columns = ["customer_id", "name", "country", "total_amount_spent", "total_orders"]
    found: Rows = {}
    for batch in read_batches(files.marts / "customer_metrics", columns):
        rows = batch.filter(pc.greater(batch["total_orders"], 0))
        chosen = [rows.filter(pc.is_in(rows["customer_id"], value_set=ids))]
        for by, size, _ in files.lists("customers"):
            chosen.append(rows.take(pc.select_k_unstable(rows, size, sort_keys=[(by, "descending")])))
        found |= {(row["customer_id"],): row for part in chosen for row in part.to_pylist()}
    return found


def products(files: ShopFiles) -> Rows:
    """The listed products, and all that can be in as many counting orders as the last of a list."""
    orders, _ = files.product_orders
    names = _names(files, orders)
    return {
        (product_id,): {
            "product_name": names[product_id],
            "orders": number,
            "units": files.items.units_of[product_id],
            "revenue": _money(files.items.cents_of[product_id]),
        }
        for product_id, number in orders.items()
        if number
    }


def pairs(files: ShopFiles) -> Rows:
    """The listed pairs of products: the counting orders with both, and what follows from them."""
    by_product, by_pair = files.product_orders
    names = _names(files, by_product)
    return {
        (a, b): {
            "product_a_name": names[a],
            "product_b_name": names[b],
            "orders": number,
            "support": number / files.items.baskets,
            "confidence": number / by_product[a],
            "lift": number * files.items.baskets / (by_product[a] * by_product[b]),
        }
        for (a, b), number in by_pair.items()
        if number
    }


def orders_of_pairs(files: ShopFiles) -> int:
    """The sum over all pairs of products of the counting orders that hold both."""
    total = 0
    for orders_of in files.orders_of(files.product_ids):
        orders = np.sort(np.concatenate([*orders_of.values(), np.empty(0, np.int64)]))
        # np.unique takes 85 times as long. Without orders, this counts one product, which makes no pair.
        starts = np.flatnonzero(np.r_[True, orders[1:] != orders[:-1], True])
        products = np.diff(starts)
        total += int((products * (products - 1) // 2).sum())
    return total


def _names(files: ShopFiles, product_ids: Iterable[int]) -> dict[int, str | None]:
    wanted = set(product_ids)
    named = _values(files.clean / "products", ["product_id", "product_name"])
    return dict.fromkeys(wanted) | {product_id: name for product_id, name in named if product_id in wanted}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2, EXACT)


def _values(folder: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    for batch in read_batches(folder, columns):
        yield from zip(*(batch[name].to_pylist() for name in columns), strict=True)


#: By name, what :class:`shopsight.audit.identities.Complete` can be compared with.
TOTALS: dict[str, Callable[[ShopFiles], int]] = {"pairs": orders_of_pairs}

#: By name, what :class:`shopsight.audit.identities.Recounted` and ``Greatest`` can be compared with.
RECOUNTS: dict[str, Callable[[ShopFiles], Rows]] = {
    "months": months,
    "statuses": statuses,
    "categories": categories,
    "countries": countries,
    "buyers": buyers,
    "cohorts": cohorts,
    "segments": segments,
    "customers": customers,
    "products": products,
    "pairs": pairs,
}
