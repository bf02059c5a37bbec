"""Products: one row per product, each in a category."""

from __future__ import annotations

from narwhals import col

from shopsight.clean.duplicates import mark_duplicates, repeated_keys
from shopsight.clean.names import clean_names, name_rules
from shopsight.clean.parse import with_raw
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.rule import Cleaned, check_rows, repair, split_rows, table_rules
from shopsight.contract import PRODUCTS
from shopsight.engine.protocol import Frame

RULES = table_rules(
    PRODUCTS,
    *name_rules("product_name", "product"),
    repair(
        "category_missing",
        "No category: put into `Uncategorised`.",
        column="category_id",
        when=col("named_category_id").is_null(),
    ),
    repair(
        "category_unknown",
        "An unknown or rejected category: put into `Uncategorised`.",
        column="category_id",
        when=col("category_id") != col("named_category_id"),
    ),
)

_PREFERENCE = ("category_id", "product_name")


def clean_products(rows: Frame, categories: Frame, uncategorised_id: int, policy: CleaningPolicy) -> Cleaned:
    """Products, one row per ``product_id``, each with a name and in a category that is there.

    Args:
        rows: as read.
        categories: the kept categories.
        uncategorised_id: the category of products without one.
        policy: the shop's.

    >>> import datetime, narwhals as nw, polars as pl
    >>> from shopsight.clean.parse import read
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject")
    >>> raw = {"product_id": [1, 2, 3], "product_name": ["Pen", " ", "Cup"], "category_id": [7, None, 9]}
    >>> rows = read(nw.from_native(pl.LazyFrame(raw)), PRODUCTS)
    >>> categories = nw.from_native(pl.LazyFrame({"category_id": [7], "category_name": ["Office"]}))
    >>> cleaned = clean_products(rows, categories, 0, policy)
    >>> sorted(cleaned.kept.collect().rows())
    [(1, 'Pen', 7), (2, 'Unknown product 2', 0), (3, 'Cup', 0)]
    """
    known = categories.select("category_id", col("category_id").alias("known_category_id"))

    def evaluate(rows: Frame) -> Frame:
        """Adds the columns of :func:`clean_names`, and ``named_category_id``, the category as read."""
        rows = with_raw(rows.join(known, on="category_id", how="left"), "category_id")
        rows = clean_names(rows, "product_name", "product").with_columns(
            named_category_id=col("category_id"),
            category_id=col("known_category_id").fill_null(uncategorised_id),
        )
        return check_rows(rows, PRODUCTS, RULES, policy)

    repeated = repeated_keys(rows, PRODUCTS.key)
    rows = mark_duplicates(rows, PRODUCTS, evaluate, repeated, _PREFERENCE)
    return split_rows(rows, PRODUCTS, RULES, policy)
