"""Products: one row per product, each in a category."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.duplicates import with_duplicates_judged
from shopsight.clean.parse import with_raw
from shopsight.clean.policy import CleaningPolicy
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
from shopsight.clean.text import tidied
from shopsight.contract import PRODUCTS
from shopsight.engine.protocol import Frame

RULES: tuple[Rule, ...] = (
    *common_rules(PRODUCTS),
    Rule(
        "products.name_missing",
        "products",
        Action.REPAIR,
        "No name: called `Unknown product <id>`.",
        lambda _: nw.col("has_no_name"),
        column="product_name",
    ),
    Rule(
        "products.name_tidied",
        "products",
        Action.REPAIR,
        "Blanks folded and trimmed, invisible characters removed.",
        lambda _: ~nw.col("has_no_name") & (nw.col("product_name") != nw.col("raw_product_name")),
        column="product_name",
    ),
    Rule(
        "products.category_missing",
        "products",
        Action.REPAIR,
        "No category: put into `Uncategorised`.",
        lambda _: nw.col("has_no_category"),
        column="category_id",
    ),
    Rule(
        "products.category_unknown",
        "products",
        Action.REPAIR,
        "A category that is not there or was rejected: put into `Uncategorised`.",
        lambda _: ~nw.col("has_no_category") & (nw.col("category_id") != nw.col("named_category")),
        column="category_id",
    ),
)


def clean_products(
    rows: Frame,
    categories: Frame,
    uncategorised_id: int,
    policy: CleaningPolicy,
    repeated: Frame | None = None,
) -> Cleaned:
    """Products, one row per ``product_id``, each with a name and in a category that is there.

    Args:
        rows: as read.
        categories: the kept categories.
        uncategorised_id: the category of products without one.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject")
    >>> raw = {"product_id": [1, 2, 3], "product_name": ["Pen", " ", "Cup"], "category_id": [7, None, 9]}
    >>> rows = read(nw.from_native(pl.LazyFrame(raw)), PRODUCTS)
    >>> categories = nw.from_native(pl.LazyFrame({"category_id": [7], "category_name": ["Office"]}))
    >>> cleaned = clean_products(rows, categories, 0, policy)
    >>> sorted(cleaned.kept.collect().rows())
    [(1, 'Pen', 7), (2, 'Unknown product 2', 0), (3, 'Cup', 0)]
    """
    known = categories.select("category_id", nw.col("category_id").alias("known_category"))

    def judge(rows: Frame) -> Frame:
        name = tidied(nw.col("product_name"))
        rows = rows.join(known, on="category_id", how="left")
        rows = with_raw(rows, "product_name", "category_id").with_columns(
            has_no_name=name.is_null(),
            has_no_category=nw.col("category_id").is_null(),
            named_category=nw.col("category_id"),
            product_name=name,
        )
        stand_in = nw.concat_str(nw.lit("Unknown product "), nw.col("product_id").cast(nw.String))
        rows = rows.with_columns(
            product_name=nw.coalesce("product_name", stand_in),
            category_id=nw.col("known_category").fill_null(uncategorised_id),
        )
        return with_soundness(measured(rows, PRODUCTS), RULES, policy)

    rows = with_duplicates_judged(rows, PRODUCTS, judge, repeated, ["category_id", "product_name"])
    rows = with_fate(rows.with_columns(into_key=nw.col("product_id")), RULES, policy)
    return outcome(rows, PRODUCTS, RULES, policy)
