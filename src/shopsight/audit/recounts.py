"""The shop's figures by month, status, category, country, customer, product and pair, counted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.exact import EXACT
from shopsight.audit.parquet import read_batches
from shopsight.audit.shop_files import Key, Row, ShopFiles

Rows = dict[Key, Row]


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
    return {(month,): {"revenue": _money(cents[month]), "orders": rows[month]} for month in every}


def statuses(files: ShopFiles) -> Rows:
    """All kept orders by status."""
    rows, cents = Counter[str](), Counter[str]()
    for (status, month), number in files.orders.rows.items():
        rows[status] += number
        cents[status] += files.orders.cents[status, month]
    return {(status,): {"orders": rows[status], "amount": _money(cents[status])} for status in rows}


def categories(files: ShopFiles) -> Rows:
    """Kept reviews by their product's category, and their mean."""
    category_of = dict(_values(files.clean / "products", ["product_id", "category_id"]))
    reviews, ratings = Counter[int](), Counter[int]()
    for batch in read_batches(files.clean / "reviews", ["product_id", "rating"]):
        by_product = pa.Table.from_batches([batch]).group_by("product_id")
        for row in by_product.aggregate([("rating", "count"), ("rating", "sum")]).to_pylist():
            category = category_of[row["product_id"]]
            reviews[category] += row["rating_count"]
            ratings[category] += row["rating_sum"]
    return {
        (category,): {
            "reviews": reviews[category],
            "average_rating": ratings[category] / reviews[category] if reviews[category] else None,
        }
        for (category,) in _values(files.clean / "categories", ["category_id"])
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
    """One row about the whole shop: customers with a counting order, and with more than one."""
    figures = {"customers": 0, "repeat_customers": 0}
    for batch in read_batches(files.marts / "customer_metrics", ["total_orders"]):
        orders = batch["total_orders"].to_numpy()
        figures["customers"] += int((orders > 0).sum())
        figures["repeat_customers"] += int((orders > 1).sum())
    return {(): figures}


def customers(files: ShopFiles) -> Rows:
    """The listed customers, and those with a counting order who have the greatest figures."""
    ids = pa.array([customer_id for (customer_id,) in files.listed("customers")], pa.int64())
    columns = ["customer_id", "total_amount_spent", "total_orders"]
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
    return {
        (product_id,): {
            "orders": number,
            "units": files.items.units_of[product_id],
            "revenue": _money(files.items.cents_of[product_id]),
        }
        for product_id, number in orders.items()
        if number
    }


def pairs(files: ShopFiles) -> Rows:
    """The listed pairs of products: the counting orders with both, and their share of those with A."""
    by_product, by_pair = files.product_orders
    return {
        (a, b): {"orders": number, "confidence": number / by_product[a]}
        for (a, b), number in by_pair.items()
        if number
    }


def _money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2, EXACT)


def _values(folder: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    for batch in read_batches(folder, columns):
        yield from zip(*(batch[name].to_pylist() for name in columns), strict=True)


#: By name, what :class:`shopsight.audit.identities.Recounted` and ``Greatest`` can be compared with.
RECOUNTS: dict[str, Callable[[ShopFiles], Rows]] = {
    "months": months,
    "statuses": statuses,
    "categories": categories,
    "countries": countries,
    "buyers": buyers,
    "customers": customers,
    "products": products,
    "pairs": pairs,
}
