"""By insight, the kept rows that it is worked out from, and what they add up to.

A base is a frame of one table's kept rows, each with ``is_behind`` (whether it takes part), ``why`` (if not,
why not) and ``amount`` (what it adds to the table's measure).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import narwhals as nw

from shopsight.clean.text import tidied
from shopsight.engine.protocol import Frame
from shopsight.inspect.explain.traced_run import TracedRun
from shopsight.marts.insights.calendar import months_between
from shopsight.marts.insights.rfm_segments import SEGMENTS, scored_customers
from shopsight.marts.insights.shop import month_of

Key = dict[str, Any]
Figures = dict[str, Any]

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Evidence:
    """How one insight is traced.

    Attributes:
        table: what a row of the base is a row of.
        reads: all the tables that decide about it, in the contract's order.
        base: the kept rows of that table.
        of_key: the rows of the base that are about one row of the insight, in the order to show them in.
        rejected: the rejected rows of the table that are about it, as far as that can be told.
        sums: by the insight's column, what the rows behind one row of it add up to.
        ratios: by the insight's column, what follows from these sums.
        key_table: what a row of ``of_key`` is a row of, if that is another table.
        is_partition: whether each row behind the insight is behind just one row of it, so that sums can be
            added up over all of them.
    """

    table: str
    reads: tuple[str, ...]
    base: Callable[[TracedRun], Frame]
    of_key: Callable[[TracedRun, Key], Frame]
    sums: dict[str, nw.Expr]
    rejected: Callable[[TracedRun, Key], Frame] | None = None
    ratios: dict[str, Callable[[Figures], Any]] = field(default_factory=dict)
    key_table: str | None = None
    is_partition: bool = False


def _orders(run: TracedRun) -> Frame:
    why = nw.concat_str(nw.lit("status "), nw.col("status"), nw.lit(" does not count"))
    return run.clean("orders").with_columns(
        is_behind=nw.col("is_counting"), why=why, amount=nw.col("total_amount")
    )


def _all_orders(run: TracedRun) -> Frame:
    return _orders(run).with_columns(is_behind=nw.lit(True))


def _items(run: TracedRun) -> Frame:
    orders = _orders(run).select("order_id", "order_date", "customer_id", "status", "is_behind", "why")
    items = run.clean("order_items").join(orders, on="order_id", how="inner")
    return items.with_columns(amount=nw.col("quantity") * nw.col("price"))


def _reviews(run: TracedRun) -> Frame:
    return (
        run.clean("reviews")
        .join(run.clean("products"), on="product_id", how="left")
        .with_columns(is_behind=nw.lit(True), why=nw.lit(None, dtype=nw.String), amount=nw.col("rating"))
    )


def _customers(run: TracedRun) -> Frame:
    return run.customer_metrics().with_columns(
        is_behind=nw.col("total_orders") > 0,
        why=nw.lit("no order that counts"),
        amount=nw.col("total_amount_spent"),
    )


def _orders_of_customer(run: TracedRun, key: Key) -> Frame:
    return _orders(run).filter(nw.col("customer_id") == key["customer_id"]).sort("order_date", "order_id")


def _orders_of_month(run: TracedRun, key: Key) -> Frame:
    return _orders(run).filter(month_of("order_date") == key["month"]).sort("order_date", "order_id")


def _orders_of_country(run: TracedRun, key: Key) -> Frame:
    people = run.clean("customers").filter(nw.col("country") == key["country"])
    orders = _orders(run).join(people.select("customer_id", "name"), on="customer_id", how="inner")
    return orders.sort("order_date", "order_id")


def _orders_of_status(run: TracedRun, key: Key) -> Frame:
    return _all_orders(run).filter(nw.col("status") == key["status"]).sort("order_date", "order_id")


def _items_of_product(run: TracedRun, key: Key) -> Frame:
    return _items(run).filter(nw.col("product_id") == key["product_id"]).sort("order_date", "item_id")


def _orders_of_pair(run: TracedRun, key: Key) -> Frame:
    """The orders that hold both products, with the three numbers that the shares are worked out from."""
    counting = run.clean("order_items").join(
        run.clean("orders").filter(nw.col("is_counting")).select("order_id"), on="order_id", how="semi"
    )
    holding = [
        run.clean("order_items").filter(nw.col("product_id") == key[name]).select("order_id").unique()
        for name in ("product_a_id", "product_b_id")
    ]
    orders = _orders(run)
    for side in holding:
        orders = orders.join(side, on="order_id", how="semi")
    numbers = [counting.select(nw.col("order_id").n_unique().cast(nw.Int64).alias("baskets"))]
    for name, side in zip(("orders_a", "orders_b"), holding, strict=True):
        held = counting.select("order_id").unique().join(side, on="order_id", how="semi")
        numbers.append(held.select(nw.len().cast(nw.Int64).alias(name)))
    for number in numbers:
        orders = orders.join(number, how="cross")
    return orders.sort("order_date", "order_id")


def _reviews_of_category(run: TracedRun, key: Key) -> Frame:
    reviews = _reviews(run).filter(nw.col("category_id") == key["category_id"])
    return reviews.sort("review_date", "review_id")


def _customers_of_segment(run: TracedRun, key: Key) -> Frame:
    segment = key["segment"]
    place = SEGMENTS.index(segment) if segment in SEGMENTS else -1
    scored = scored_customers(run.shop()).filter(nw.col("place") == place)
    scores = scored.select("customer_id", "last_date", "recency", "value")
    people = _customers(run).join(scores, on="customer_id", how="inner")
    return people.sort("total_amount_spent", "customer_id", descending=[True, False])


def _orders_of_cohort(run: TracedRun, key: Key) -> Frame:
    """The cohort's orders in the month that is so many months after its own."""
    counting = run.clean("orders").filter(nw.col("is_counting"))
    first = counting.group_by("customer_id").agg(nw.col("order_date").min().alias("first_date"))
    first = first.with_columns(cohort_month=month_of("first_date"))
    cohort = first.filter(nw.col("cohort_month") == key["cohort_month"])
    orders = _orders(run).with_columns(month=month_of("order_date"))
    orders = orders.join(cohort, on="customer_id", how="inner")
    since = months_between("cohort_month", "month")
    return orders.filter(since == key["months_since"]).drop("month").sort("order_date", "order_id")


def _rejected_orders(run: TracedRun, applies: nw.Expr) -> Frame:
    return run.rejected("orders").filter(applies)


def _rejected_of_country(run: TracedRun, key: Key) -> Frame:
    people = run.clean("customers").filter(nw.col("country") == key["country"]).select("customer_id")
    return run.rejected("orders").join(people, on="customer_id", how="semi")


def _rejected_of_category(run: TracedRun, key: Key) -> Frame:
    products = run.clean("products").filter(nw.col("category_id") == key["category_id"]).select("product_id")
    return run.rejected("reviews").join(products, on="product_id", how="semi")


def _lift(figures: Figures) -> float | None:
    if not figures["orders"]:
        return None
    lift: float = figures["orders"] * figures["baskets"] / (figures["orders_a"] * figures["orders_b"])
    return lift


def _average(figures: Figures) -> Decimal | None:
    revenue, orders = figures["revenue"], figures["orders"]
    return _EXACT.quantize(_EXACT.divide(revenue, orders), Decimal("0.01")) if orders else None


_AMOUNT, _ROWS = nw.col("amount").sum(), nw.len()
_PEOPLE, _BASKETS = nw.col("customer_id").n_unique(), nw.col("order_id").n_unique()
_SALES = {"revenue": _AMOUNT, "orders": _ROWS}

#: By insight.
EVIDENCE: dict[str, Evidence] = {
    "top_customers": Evidence(
        "orders",
        ("customers", "orders"),
        _orders,
        _orders_of_customer,
        {"total_amount_spent": _AMOUNT, "total_orders": _ROWS},
        rejected=lambda run, key: _rejected_orders(run, nw.col("customer_id") == key["customer_id"]),
    ),
    "top_products": Evidence(
        "order_items",
        ("products", "orders", "order_items"),
        _items,
        _items_of_product,
        {"orders": _BASKETS, "units": nw.col("quantity").sum(), "revenue": _AMOUNT},
        rejected=lambda run, key: run.rejected("order_items").filter(
            nw.col("product_id") == key["product_id"]
        ),
    ),
    "category_ratings": Evidence(
        "reviews",
        ("categories", "products", "reviews"),
        _reviews,
        _reviews_of_category,
        {"rating_sum": _AMOUNT, "reviews": _ROWS},
        rejected=_rejected_of_category,
        ratios={"average_rating": lambda f: f["rating_sum"] / f["reviews"] if f["reviews"] else None},
        is_partition=True,
    ),
    "monthly_sales": Evidence(
        "orders",
        ("orders",),
        _orders,
        _orders_of_month,
        _SALES,
        rejected=lambda run, key: _rejected_orders(run, month_of("order_date") == key["month"]),
        ratios={"average_order_value": _average},
        is_partition=True,
    ),
    "rfm_segments": Evidence(
        "customers",
        ("customers", "orders"),
        _customers,
        _customers_of_segment,
        {"customers": _ROWS, "revenue": _AMOUNT},
        is_partition=True,
    ),
    "cohort_retention": Evidence(
        "orders", ("customers", "orders"), _orders, _orders_of_cohort, {"customers": _PEOPLE}
    ),
    "country_sales": Evidence(
        "orders",
        ("customers", "orders"),
        _orders,
        _orders_of_country,
        {**_SALES, "customers": _PEOPLE},
        rejected=_rejected_of_country,
        ratios={"average_order_value": _average},
        is_partition=True,
    ),
    "repeat_purchase": Evidence(
        "customers",
        ("customers", "orders"),
        _customers,
        lambda run, _: _customers(run),
        {"customers": _ROWS},
        is_partition=True,
    ),
    "basket_pairs": Evidence(
        "order_items",
        ("products", "orders", "order_items"),
        _items,
        _orders_of_pair,
        {
            "orders": _ROWS,
            "orders_a": nw.col("orders_a").max(),
            "orders_b": nw.col("orders_b").max(),
            "baskets": nw.col("baskets").max(),
        },
        ratios={
            "support": lambda f: f["orders"] / f["baskets"] if f["orders"] else None,
            "confidence": lambda f: f["orders"] / f["orders_a"] if f["orders"] else None,
            "lift": _lift,
        },
        key_table="orders",
    ),
    "order_statuses": Evidence(
        "orders",
        ("orders",),
        _all_orders,
        _orders_of_status,
        {"orders": _ROWS, "amount": _AMOUNT},
        rejected=lambda run, key: _rejected_orders(
            run, tidied(nw.col("status")).str.to_lowercase() == key["status"]
        ),
        is_partition=True,
    ),
}
