"""Reviews: one row per review, and one review per customer, product and day."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.clean.duplicates import is_candidate, mark_duplicates, repeated_keys
from shopsight.clean.parse import readable_number
from shopsight.clean.policy import MEASURED_RATING_LIMIT, CleaningPolicy
from shopsight.clean.references import (
    Parents,
    date_rules,
    follow_merges,
    merged_customer,
    missing_reference,
    rejected_parent,
    unknown_reference,
)
from shopsight.clean.rule import Cleaned, Phase, check_rows, reject, split_rows, table_rules
from shopsight.contract import REVIEWS
from shopsight.engine.key_ranges import key_ranges
from shopsight.engine.protocol import Frame, is_empty, materialize

RULES = table_rules(
    REVIEWS,
    missing_reference("product"),
    missing_reference("customer"),
    reject("rating_missing", "No rating.", when=col("rating").is_null()),
    reject(
        "rating_out_of_range",
        "A rating that is not between 1 and 5.",
        when=(col("rating") < 1) | (col("rating") > 5),
    ),
    *date_rules("review_date"),
    rejected_parent("product"),
    unknown_reference("product"),
    unknown_reference("customer"),
    reject(
        "superseded",
        "The same customer reviewed the same product again on that day; the greatest review_id stays.",
        when=col("review_id") < col("last_review_id"),
        phase=Phase.GROUP,
    ),
    merged_customer(),
)

_PREFERENCE = ("review_date", "rating", "product_id", "customer_id")
_OCCASION = ["customer_id", "product_id", "review_date"]


def clean_reviews(rows: Frame, products: Parents, customers: Parents, policy: CleaningPolicy) -> Cleaned:
    """Reviews, one row per ``review_id`` and per customer, product and day; ratings 1 to 5.

    Args:
        rows: as read.
        products: the cleaned products.
        customers: the cleaned customers.
        policy: the shop's.

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> raw = {"review_id": [1, 2, 3], "product_id": [7] * 3, "customer_id": [5, 6, 5], "rating": [1, 4, 9],
    ...        "review_date": ["2024-01-01"] * 3}
    >>> products = {"product_id": [7], "kept_product_id": [7]}
    >>> customers = {"customer_id": [5, 6], "kept_customer_id": [5, 5]}
    >>> raw, products, customers = (nw.from_native(pl.LazyFrame(data)) for data in (raw, products, customers))
    >>> cleaned = clean_reviews(
    ...     read(raw, REVIEWS),
    ...     Parents("product_id", products, products.head(0).select("product_id")),
    ...     Parents("customer_id", customers, customers.head(0).select("customer_id")),
    ...     CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject"),
    ... )
    >>> print(*cleaned.kept.collect().row(0))
    2 7 5 4 2024-01-01
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['reviews.rating_out_of_range', 'reviews.superseded']
    """

    def evaluate(rows: Frame) -> Frame:
        """Adds ``kept_product_id`` and the columns of :func:`follow_merges`."""
        rows = follow_merges(products.join_to(customers.join_to(rows)))
        rating = readable_number("rating", MEASURED_RATING_LIMIT)
        return check_rows(rows, REVIEWS, RULES, policy, measure=rating)

    checked = mark_duplicates(rows, REVIEWS, evaluate, repeated_keys(rows, REVIEWS.key), _PREFERENCE)
    latest = _last_of_the_day(rows, customers, checked)
    if latest is None:
        checked = checked.with_columns(last_review_id=col("review_id"))
    else:
        checked = checked.join(latest, on=_OCCASION, how="left")
    return split_rows(checked, REVIEWS, RULES, policy, add_reasons=products.explain)


def _last_of_the_day(rows: Frame, customers: Parents, checked: Frame) -> Frame | None:
    """The last of several sound reviews by one customer of one product on one day; None if there are none.

    Grain: one row per customer, product and day with several, with ``last_review_id``; held in memory.
    """
    # Joined with the few who were merged, not with all.
    moved = materialize(customers.kept.filter(col("customer_id") != col("kept_customer_id")))
    # By ranges of products, so that no hash table holds all reviews.
    found = []
    for keys in key_ranges(rows, "product_id"):
        occasions = follow_merges(
            keys.filter(rows.select(*_OCCASION)).join(moved, on="customer_id", how="left")
        )
        counted = occasions.group_by(_OCCASION).agg(nw.len().alias("reviews"))
        found.append(materialize(counted.filter(col("reviews") > 1).select(_OCCASION)))
    several = nw.concat(found)
    if is_empty(several):
        return None
    last = checked.filter(is_candidate()).join(several, on=_OCCASION, how="semi").group_by(_OCCASION)
    return materialize(last.agg(col("review_id").max().alias("last_review_id")))
