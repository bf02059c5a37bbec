"""Categories: one row per category, and one more for products without a category."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import narwhals as nw
from narwhals import col

from shopsight.clean.duplicates import mark_duplicates, repeated_keys
from shopsight.clean.names import clean_names, name_rules
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.rule import MEASURE, Cleaned, check_rows, repair, split_rows, table_rules
from shopsight.contract import CATEGORIES
from shopsight.engine.protocol import Frame, distinct_rows

UNCATEGORISED = "Uncategorised"
_SPELLINGS = ("uncategorised", "uncategorized")
_PREFERENCE = ("category_name",)

_ADDED = repair(
    "uncategorised_added",
    "A category added for the products that have none: id 0 or, where the shop has a category 0 of its own,"
    " the nearest free negative one.",
    column="category_name",
    when=None,
)
RULES = table_rules(CATEGORIES, *name_rules("category_name", "category"), _ADDED)


def clean_categories(rows: Frame, policy: CleaningPolicy) -> Cleaned:
    """Categories, one row per ``category_id``, each with a name.

    Args:
        rows: as read.
        policy: the shop's.

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject")
    >>> raw = pl.LazyFrame({"category_id": [1, 2, None], "category_name": [" Books ", "", "Toys"]})
    >>> clean_categories(read(nw.from_native(raw), CATEGORIES), policy).kept.collect().rows()
    [(1, 'Books'), (2, 'Unknown category 2')]
    """

    def evaluate(rows: Frame) -> Frame:
        return check_rows(clean_names(rows, "category_name", "category"), CATEGORIES, RULES, policy)

    repeated = repeated_keys(rows, CATEGORIES.key)
    rows = mark_duplicates(rows, CATEGORIES, evaluate, repeated, _PREFERENCE)
    return split_rows(rows, CATEGORIES, RULES, policy)


def uncategorised_id(categories: Frame) -> int:
    """The id of the category for products without: 0, or the nearest negative one that is not another's.

    Args:
        categories: the kept categories.
    """
    taken = categories.filter(col("category_id") <= 0).collect()
    names = dict(zip(taken["category_id"].to_list(), taken["category_name"].to_list(), strict=True))
    return next(-n for n in count() if names.get(-n, UNCATEGORISED).lower() in _SPELLINGS)


def with_uncategorised(categories: Cleaned, products: Frame, category_id: int) -> Cleaned:
    """The categories with the one for products without, if a kept product is in it and it is not there.

    Args:
        categories: the cleaned categories.
        products: the kept products.
        category_id: see :func:`uncategorised_id`.
    """
    needed = distinct_rows(products.filter(col("category_id") == category_id).select("category_id"))
    added = needed.join(categories.kept, on="category_id", how="anti")
    repairs = added.select(
        nw.lit(CATEGORIES.name).alias("table"),
        col("category_id").alias("key"),
        nw.lit(f"{CATEGORIES.name}.{_ADDED.name}").alias("rule"),
        nw.lit("category_name").alias("column"),
        nw.lit(None, dtype=nw.String).alias("old_value"),
        nw.lit(UNCATEGORISED).alias("new_value"),
        nw.lit(None).cast(MEASURE).alias("measure_change"),
    )
    return replace(
        categories,
        kept=nw.concat([categories.kept, added.with_columns(nw.lit(UNCATEGORISED).alias("category_name"))]),
        repairs=nw.concat([categories.repairs, repairs]),
    )
