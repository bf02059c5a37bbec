"""Categories: one row per category, and one more for products without."""

from __future__ import annotations

from itertools import count

import narwhals as nw

from shopsight.clean.duplicates import with_duplicates_judged
from shopsight.clean.parse import with_raw
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.rule import (
    MEASURE,
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
from shopsight.contract import CATEGORIES
from shopsight.engine.protocol import Frame

UNCATEGORISED = "Uncategorised"
_SPELLINGS = ("uncategorised", "uncategorized")

RULES: tuple[Rule, ...] = (
    *common_rules(CATEGORIES),
    Rule(
        "categories.name_missing",
        "categories",
        Action.REPAIR,
        "No name: called `Unknown category <id>`.",
        lambda _: nw.col("has_no_name"),
        column="category_name",
    ),
    Rule(
        "categories.name_tidied",
        "categories",
        Action.REPAIR,
        "Blanks folded and trimmed, invisible characters removed.",
        lambda _: ~nw.col("has_no_name") & (nw.col("category_name") != nw.col("raw_category_name")),
        column="category_name",
    ),
    Rule(
        "categories.uncategorised_added",
        "categories",
        Action.REPAIR,
        "A category added for the products that have none: id 0 or, where the shop has a category 0 of its"
        " own, the nearest free negative one.",
        column="category_id",
    ),
)


def clean_categories(rows: Frame, policy: CleaningPolicy, repeated: Frame | None = None) -> Cleaned:
    """Categories, one row per ``category_id``, each with a name.

    Args:
        rows: as read.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject")
    >>> raw = pl.LazyFrame({"category_id": [1, 2, None], "category_name": [" Books ", "", "Toys"]})
    >>> clean_categories(read(nw.from_native(raw), CATEGORIES), policy).kept.collect().rows()
    [(1, 'Books'), (2, 'Unknown category 2')]
    """

    def judge(rows: Frame) -> Frame:
        name = tidied(nw.col("category_name"))
        rows = with_raw(rows, "category_name").with_columns(has_no_name=name.is_null(), category_name=name)
        stand_in = nw.concat_str(nw.lit("Unknown category "), nw.col("category_id").cast(nw.String))
        rows = rows.with_columns(category_name=nw.coalesce("category_name", stand_in))
        return with_soundness(measured(rows, CATEGORIES), RULES, policy)

    rows = with_duplicates_judged(rows, CATEGORIES, judge, repeated, ["category_name"])
    rows = with_fate(rows.with_columns(into_key=nw.col("category_id")), RULES, policy)
    return outcome(rows, CATEGORIES, RULES, policy)


def uncategorised_id(categories: Frame) -> int:
    """The id of the category for products without: 0, or the nearest negative one that is not another's.

    Args:
        categories: the kept categories.
    """
    taken = categories.filter(nw.col("category_id") <= 0).collect()
    names = dict(zip(taken["category_id"].to_list(), taken["category_name"].to_list(), strict=True))
    return next(-n for n in count() if names.get(-n, UNCATEGORISED).lower() in _SPELLINGS)


def with_uncategorised(categories: Cleaned, products: Frame, category_id: int) -> Cleaned:
    """The categories with the one for products without, if a kept product is in it and it is not there.

    Args:
        categories: the cleaned categories.
        products: the kept products.
        category_id: see :func:`uncategorised_id`.
    """
    needed = products.filter(nw.col("category_id") == category_id).select("category_id").unique()
    added = needed.join(categories.kept, on="category_id", how="anti")
    repair = added.select(
        nw.lit("categories").alias("table"),
        nw.col("category_id").alias("key"),
        nw.lit("categories.uncategorised_added").alias("rule"),
        nw.lit("category_id").alias("column"),
        nw.lit(None, dtype=nw.String).alias("old_value"),
        nw.col("category_id").cast(nw.String).alias("new_value"),
        nw.lit(None).cast(MEASURE).alias("measure_change"),
    )
    return Cleaned(
        kept=nw.concat([categories.kept, added.with_columns(nw.lit(UNCATEGORISED).alias("category_name"))]),
        rejected=categories.rejected,
        repairs=nw.concat([categories.repairs, repair]),
        merged=categories.merged,
        flags=categories.flags,
    )
