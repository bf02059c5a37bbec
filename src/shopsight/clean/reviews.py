"""Reviews: one row per review, and one review per customer, product and day."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.duplicates import with_duplicates_judged
from shopsight.clean.parents import Parents
from shopsight.clean.parse import readable_number
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.references import (
    date_rules,
    missing_reference,
    rejected_parent,
    repointed,
    repointed_customer,
    unknown_reference,
)
from shopsight.clean.rule import (
    Action,
    Cleaned,
    Phase,
    Rule,
    common_rules,
    measured,
    outcome,
    with_fate,
    with_soundness,
)
from shopsight.contract import REVIEWS
from shopsight.engine.protocol import Frame, is_empty, materialize

RULES: tuple[Rule, ...] = (
    *common_rules(REVIEWS),
    missing_reference("reviews", "product"),
    missing_reference("reviews", "customer"),
    Rule(
        "reviews.rating_missing",
        "reviews",
        Action.REJECT,
        "No rating.",
        lambda _: nw.col("rating").is_null(),
    ),
    Rule(
        "reviews.rating_out_of_range",
        "reviews",
        Action.REJECT,
        "A rating that is not between 1 and 5.",
        lambda _: (nw.col("rating") < 1) | (nw.col("rating") > 5),
    ),
    *date_rules("reviews", "review_date"),
    rejected_parent("reviews", "product", "customer"),
    unknown_reference("reviews", "product"),
    unknown_reference("reviews", "customer"),
    Rule(
        "reviews.superseded",
        "reviews",
        Action.REJECT,
        "The same customer reviewed the same product again on that day; the greatest review_id stays.",
        lambda _: nw.col("review_id") < nw.col("last_review_id"),
        phase=Phase.GROUP,
    ),
    repointed_customer("reviews"),
)

_PREFERENCE = ("review_date", "rating", "product_id", "customer_id")
_OCCASION = ["customer_id", "product_id", "review_date"]


def clean_reviews(
    rows: Frame,
    products: Parents,
    customers: Parents,
    policy: CleaningPolicy,
    repeated: Frame | None = None,
) -> Cleaned:
    """Reviews, one row per ``review_id`` and per customer, product and day; ratings 1 to 5.

    Args:
        rows: as read.
        products: the cleaned products.
        customers: the cleaned customers.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parents import Parents
    >>> from shopsight.clean.parse import read
    >>> from shopsight.contract import CUSTOMERS, PRODUCTS
    >>> none = pl.LazyFrame(schema={"customer_id": pl.Int64, "product_id": pl.Int64})
    >>> raw = {"review_id": [1, 2, 3], "product_id": [7] * 3, "customer_id": [5, 6, 5], "rating": [1, 4, 9],
    ...        "review_date": ["2024-01-01"] * 3}
    >>> cleaned = clean_reviews(
    ...     read(nw.from_native(pl.LazyFrame(raw)), REVIEWS),
    ...     Parents(PRODUCTS, nw.from_native(pl.LazyFrame({"product_id": [7], "product_into": [7]})),
    ...             nw.from_native(none.select("product_id", product_was_rejected=True))),
    ...     Parents(CUSTOMERS, nw.from_native(pl.LazyFrame({"customer_id": [5, 6], "customer_into": [5, 5]})),
    ...             nw.from_native(none.select("customer_id", customer_was_rejected=True))),
    ...     CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject"),
    ... )
    >>> print(*cleaned.kept.collect().row(0))
    2 7 5 4 2024-01-01
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['reviews.rating_out_of_range', 'reviews.superseded']
    """

    def judge(rows: Frame) -> Frame:
        rows = repointed(products.joined_to(customers.joined_to(rows)))
        rows = measured(rows, REVIEWS, readable_number("rating"))
        return with_soundness(rows, RULES, policy)

    def with_reasons(rejected: Frame) -> Frame:
        named = rejected.with_columns(customer_id=nw.col("named_customer"))
        return products.explained_to(customers.explained_to(named))

    judged = with_duplicates_judged(rows, REVIEWS, judge, repeated, _PREFERENCE)
    latest = _last_of_the_day(rows, customers, judged)
    if latest is None:
        judged = judged.with_columns(last_review_id=nw.col("review_id"))
    else:
        judged = judged.join(latest, on=_OCCASION, how="left")
    rows = with_fate(judged.with_columns(into_key=nw.col("review_id")), RULES, policy)
    return outcome(rows, REVIEWS, RULES, policy, with_reasons=with_reasons)


def _last_of_the_day(rows: Frame, customers: Parents, judged: Frame) -> Frame | None:
    """The last of several sound reviews by one customer of one product on one day; None if there are none.

    Grain: one row per customer, product and day with several, with ``last_review_id``; held in memory.
    """
    occasions = repointed(customers.joined_to(rows.select(*_OCCASION)))
    counted = occasions.group_by(_OCCASION).agg(nw.len().alias("reviews"))
    several = materialize(counted.filter(nw.col("reviews") > 1).select(_OCCASION))
    if is_empty(several):
        return None
    sound = judged.filter(nw.col("is_sound") & ~nw.col("is_conflict") & ~nw.col("is_identical"))
    last = sound.join(several, on=_OCCASION, how="semi").group_by(_OCCASION)
    return materialize(last.agg(nw.col("review_id").max().alias("last_review_id")))
