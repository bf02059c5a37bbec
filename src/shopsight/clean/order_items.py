"""Order items: one row per order line, of an order and a product that are there."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.duplicates import with_duplicates_judged
from shopsight.clean.parents import Parents
from shopsight.clean.parse import readable_amount, readable_number
from shopsight.clean.policy import (
    AMOUNT_LIMIT,
    MEASURED_QUANTITY_LIMIT,
    QUANTITY_LIMIT,
    CleaningPolicy,
)
from shopsight.clean.references import missing_reference, rejected_parent, unknown_reference
from shopsight.clean.rule import (
    Action,
    Cleaned,
    Rule,
    common_rules,
    measured,
    outcome,
    with_fate,
    with_soundness,
)
from shopsight.contract import ORDER_ITEMS
from shopsight.engine.protocol import Frame

RULES: tuple[Rule, ...] = (
    *common_rules(ORDER_ITEMS),
    missing_reference("order_items", "order"),
    missing_reference("order_items", "product"),
    Rule(
        "order_items.quantity_missing",
        "order_items",
        Action.REJECT,
        "No quantity.",
        lambda _: nw.col("quantity").is_null(),
    ),
    Rule(
        "order_items.price_missing",
        "order_items",
        Action.REJECT,
        "No price.",
        lambda _: nw.col("price").is_null(),
    ),
    Rule(
        "order_items.quantity_beyond_limit",
        "order_items",
        Action.REJECT,
        "More than ten million units, either way.",
        lambda _: (nw.col("quantity") > QUANTITY_LIMIT) | (nw.col("quantity") < -QUANTITY_LIMIT),
    ),
    Rule(
        "order_items.amount_beyond_limit",
        "order_items",
        Action.REJECT,
        "A price, or quantity times price, of a million millions or more, either way.",
        lambda _: nw.any_horizontal(
            *(nw.col(amount) >= AMOUNT_LIMIT for amount in ("price", "measure")),
            *(nw.col(amount) <= -AMOUNT_LIMIT for amount in ("price", "measure")),
            ignore_nulls=True,
        ),
    ),
    Rule(
        "order_items.negative_amount",
        "order_items",
        Action.REJECT,
        "A negative quantity or price on an order that counts (unless the settings keep them).",
        lambda policy: (
            nw.col("is_counting") & nw.col("is_negative") & nw.lit(policy.negative_amounts == "reject")
        ),
    ),
    rejected_parent("order_items", "order", "product"),
    unknown_reference("order_items", "order"),
    unknown_reference("order_items", "product"),
    Rule(
        "order_items.price_rounded",
        "order_items",
        Action.REPAIR,
        "A price with more than two decimals, rounded half up to the cent as it was read.",
        lambda _: nw.col("is_price_rounded"),
        column="price",
    ),
    Rule(
        "order_items.zero_quantity",
        "order_items",
        Action.FLAG,
        "A line of no units.",
        lambda _: nw.col("quantity") == 0,
    ),
    Rule(
        "order_items.negative_kept",
        "order_items",
        Action.FLAG,
        "A negative quantity or price that is kept: the order does not count, or the settings say so.",
        lambda _: nw.col("is_negative"),
    ),
)

_PREFERENCE = ("order_id", "product_id", "quantity", "price")


def clean_order_items(
    rows: Frame,
    orders: Parents,
    products: Parents,
    policy: CleaningPolicy,
    repeated: Frame | None = None,
) -> Cleaned:
    """Order lines, one row per ``item_id``.

    Args:
        rows: as read.
        orders: the cleaned orders, with ``is_counting``.
        products: the cleaned products.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parents import Parents
    >>> from shopsight.clean.parse import read
    >>> from shopsight.contract import ORDERS, PRODUCTS
    >>> none = pl.LazyFrame(schema={"order_id": pl.Int64, "product_id": pl.Int64})
    >>> orders = {"order_id": [1], "order_into": [1], "is_counting": [True]}
    >>> products = {"product_id": [7], "product_into": [7]}
    >>> raw = {"item_id": [1, 2, 3], "order_id": [1, 1, 4], "product_id": [7] * 3, "quantity": [2, -2, 2],
    ...        "price": ["1.99"] * 3}
    >>> cleaned = clean_order_items(
    ...     read(nw.from_native(pl.LazyFrame(raw)), ORDER_ITEMS),
    ...     Parents(ORDERS, nw.from_native(pl.LazyFrame(orders)), nw.from_native(none.select(
    ...         "order_id", order_was_rejected=True))),
    ...     Parents(PRODUCTS, nw.from_native(pl.LazyFrame(products)), nw.from_native(none.select(
    ...         "product_id", product_was_rejected=True))),
    ...     CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject"),
    ... )
    >>> print(*cleaned.kept.collect().row(0))
    1 1 7 2 1.99
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['order_items.negative_amount', 'order_items.order_unknown']
    """

    def judge(rows: Frame) -> Frame:
        rows = products.joined_to(orders.joined_to(rows))
        units = readable_number("quantity", MEASURED_QUANTITY_LIMIT)
        rows = measured(rows, ORDER_ITEMS, units * readable_amount("price"))
        rows = rows.with_columns(is_negative=(nw.col("quantity") < 0) | (nw.col("price") < 0))
        return with_soundness(rows, RULES, policy)

    def with_reasons(rejected: Frame) -> Frame:
        return products.explained_to(orders.explained_to(rejected))

    rows = with_duplicates_judged(rows, ORDER_ITEMS, judge, repeated, _PREFERENCE)
    rows = with_fate(rows.with_columns(into_key=nw.col("item_id")), RULES, policy)
    return outcome(rows, ORDER_ITEMS, RULES, policy, with_reasons=with_reasons)
