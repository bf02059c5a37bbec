"""Order items: one row per line of a kept order and a kept product."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.clean.duplicates import mark_duplicates
from shopsight.clean.parse import raw_name, readable_amount, readable_number
from shopsight.clean.policy import (
    MEASURED_QUANTITY_LIMIT,
    PLAUSIBLE_AMOUNT_LIMIT,
    PLAUSIBLE_QUANTITY_LIMIT,
    CleaningPolicy,
)
from shopsight.clean.references import Parents, missing_reference, rejected_parent, unknown_reference
from shopsight.clean.rule import (
    Cleaned,
    Phase,
    check_rows,
    flag,
    reject,
    repair,
    split_rows,
    table_rules,
)
from shopsight.clean.text import tidied
from shopsight.contract import ORDER_ITEMS
from shopsight.engine.protocol import Frame

_FRACTION = r"^[+-]?[0-9]*\.[0-9]*[1-9][0-9]*$"

RULES = table_rules(
    ORDER_ITEMS,
    missing_reference("order"),
    missing_reference("product"),
    reject("quantity_missing", "No quantity.", when=col("quantity").is_null()),
    reject("price_missing", "No price.", when=col("price").is_null()),
    reject(
        "quantity_beyond_limit",
        "More than 10 million units in absolute value.",
        when=(col("quantity") > PLAUSIBLE_QUANTITY_LIMIT) | (col("quantity") < -PLAUSIBLE_QUANTITY_LIMIT),
    ),
    reject(
        "amount_beyond_limit",
        "A price, or quantity times price, of 1 trillion or more in absolute value.",
        when=nw.any_horizontal(
            *(col(amount).abs() >= PLAUSIBLE_AMOUNT_LIMIT for amount in ("price", "measure")),
            ignore_nulls=True,
        ),
    ),
    reject(
        "negative_amount",
        "A negative quantity or price on an order that counts (unless the settings keep them).",
        when=lambda policy: (
            col("is_counting") & col("is_negative") & nw.lit(policy.negative_amounts == "reject")
        ),
    ),
    rejected_parent("order", "product"),
    unknown_reference("order"),
    unknown_reference("product"),
    repair(
        "price_rounded",
        "A price with more than two decimals, rounded half up to the cent as it was read.",
        column="price",
        when=col("is_price_rounded"),
    ),
    flag("zero_quantity", "A line with quantity 0.", when=col("quantity") == 0),
    flag(
        "negative_kept",
        "A negative quantity or price that is kept: the order does not count, or the settings say so.",
        when=col("is_negative"),
    ),
    nearer=[
        reject(
            "quantity_fractional",
            "A quantity with a fraction.",
            when=tidied(col(raw_name("quantity")).cast(nw.String)).str.contains(_FRACTION),
            phase=Phase.REASON,
        )
    ],
)

_PREFERENCE = ("order_id", "product_id", "quantity", "price")


def clean_order_items(
    rows: Frame, orders: Parents, products: Parents, policy: CleaningPolicy, repeated: Frame | None = None
) -> Cleaned:
    """Order lines, one row per ``item_id``.

    Args:
        rows: as read.
        orders: the cleaned orders, with ``is_counting``.
        products: the cleaned products.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> orders = {"order_id": [1], "kept_order_id": [1], "is_counting": [True]}
    >>> products = {"product_id": [7], "kept_product_id": [7]}
    >>> raw = {"item_id": [1, 2, 3], "order_id": [1, 1, 4], "product_id": [7] * 3, "quantity": [2, -2, 2],
    ...        "price": ["1.99"] * 3}
    >>> raw, orders, products = (nw.from_native(pl.LazyFrame(data)) for data in (raw, orders, products))
    >>> cleaned = clean_order_items(
    ...     read(raw, ORDER_ITEMS),
    ...     Parents("order_id", orders, orders.head(0).select("order_id")),
    ...     Parents("product_id", products, products.head(0).select("product_id")),
    ...     CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject"),
    ... )
    >>> print(*cleaned.kept.collect().row(0))
    1 1 7 2 1.99
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['order_items.negative_amount', 'order_items.order_unknown']
    """

    def evaluate(rows: Frame) -> Frame:
        """Adds ``is_negative``, ``is_counting``, ``kept_order_id`` and ``kept_product_id``."""
        rows = products.join_to(orders.join_to(rows))
        rows = rows.with_columns(is_negative=(col("quantity") < 0) | (col("price") < 0))
        units = readable_number("quantity", MEASURED_QUANTITY_LIMIT)
        return check_rows(rows, ORDER_ITEMS, RULES, policy, measure=units * readable_amount("price"))

    def add_reasons(rejected: Frame) -> Frame:
        return products.explain(orders.explain(rejected))

    rows = mark_duplicates(rows, ORDER_ITEMS, evaluate, repeated, _PREFERENCE)
    return split_rows(rows, ORDER_ITEMS, RULES, policy, add_reasons=add_reasons)
