"""Customers: one row per person, as far as their e-mail addresses tell."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.countries import UNKNOWN_COUNTRY, display_names
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
from shopsight.clean.text import is_valid_email, tidied
from shopsight.contract import CUSTOMERS
from shopsight.engine.protocol import Frame, is_empty, materialize

RULES: tuple[Rule, ...] = (
    *common_rules(CUSTOMERS),
    Rule(
        "customers.same_email",
        "customers",
        Action.MERGE,
        "The same valid e-mail address as a customer with a smaller id, who takes over orders and reviews.",
        lambda _: ~nw.col("is_identical") & (nw.col("into_key") != nw.col("customer_id")),
    ),
    Rule(
        "customers.name_missing",
        "customers",
        Action.REPAIR,
        "No name: called `Unknown customer <id>`.",
        lambda _: nw.col("has_no_name"),
        column="name",
    ),
    Rule(
        "customers.name_tidied",
        "customers",
        Action.REPAIR,
        "Blanks folded and trimmed, invisible characters removed.",
        lambda _: ~nw.col("has_no_name") & (nw.col("name") != nw.col("raw_name")),
        column="name",
    ),
    Rule(
        "customers.email_tidied",
        "customers",
        Action.REPAIR,
        "Trimmed, lower case, invisible characters removed.",
        lambda _: nw.col("email") != nw.col("raw_email"),
        column="email",
    ),
    Rule(
        "customers.email_cleared",
        "customers",
        Action.REPAIR,
        "An address that is not valid is replaced by none.",
        lambda _: nw.col("has_invalid_email"),
        column="email",
    ),
    Rule(
        "customers.country_missing",
        "customers",
        Action.REPAIR,
        "No country: `Unknown`.",
        lambda _: nw.col("has_no_country"),
        column="country",
    ),
    Rule(
        "customers.country_unified",
        "customers",
        Action.REPAIR,
        "Tidied, and written as the one name that the country is shown by.",
        lambda _: ~nw.col("has_no_country") & (nw.col("country") != nw.col("raw_country")),
        column="country",
    ),
    Rule(
        "customers.email_missing",
        "customers",
        Action.FLAG,
        "No e-mail address; the customer is merged with nobody.",
        lambda _: nw.col("email").is_null() & ~nw.col("has_invalid_email"),
    ),
    Rule(
        "customers.email_invalid",
        "customers",
        Action.FLAG,
        "A masked or malformed e-mail address; the customer is merged with nobody.",
        lambda _: nw.col("has_invalid_email"),
    ),
    Rule(
        "customers.country_unrecognised",
        "customers",
        Action.FLAG,
        "A country that no list knows; kept as it is.",
        lambda _: ~nw.col("is_known_country"),
    ),
)

_PREFERENCE = ("email", "name", "country")


def clean_customers(rows: Frame, policy: CleaningPolicy, repeated: Frame | None = None) -> Cleaned:
    """Customers, one row per ``customer_id`` and per valid e-mail address.

    ``email`` is lower case and valid, or null. ``country`` is a display name of
    :mod:`shopsight.clean.countries`, what stood there if that is no country we know, or ``Unknown``.

    Args:
        rows: as read.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset(), "reject")
    >>> raw = {"customer_id": [1, 2, 3], "name": ["Ann", "Ann", None],
    ...        "email": ["ann@example.com", " ANN@example.com", "XXXXXXXXX"], "country": ["USA", "us", ""]}
    >>> cleaned = clean_customers(read(nw.from_native(pl.LazyFrame(raw)), CUSTOMERS), policy)
    >>> for row in sorted(cleaned.kept.collect().rows()):
    ...     print(*row)
    1 Ann ann@example.com United States
    3 Unknown customer 3 None Unknown
    >>> cleaned.merged.collect().rows()
    [('customers', 2, 1, 'customers.same_email', None)]
    """
    display = _display_names(rows)

    def judge(rows: Frame) -> Frame:
        rows = with_raw(rows, "name", "email", "country")
        rows = _with_names_and_countries(_with_emails(rows), display)
        return with_soundness(measured(rows, CUSTOMERS), RULES, policy)

    judged = with_duplicates_judged(rows, CUSTOMERS, judge, repeated, _PREFERENCE)
    owners = _owners_of_shared_emails(rows, judged)
    into_key = nw.col("customer_id")
    if owners is not None:
        judged = judged.join(owners, on="email", how="left")
        into_key = nw.coalesce("owner_id", "customer_id")
    rows = with_fate(judged.with_columns(into_key.alias("into_key")), RULES, policy)
    return outcome(rows, CUSTOMERS, RULES, policy)


def _with_emails(rows: Frame) -> Frame:
    rows = rows.with_columns(tidied(nw.col("email")).str.to_lowercase().alias("email"))
    rows = rows.with_columns(has_invalid_email=(~is_valid_email(nw.col("email"))).fill_null(False))
    return rows.with_columns(email=nw.when(~nw.col("has_invalid_email")).then(nw.col("email")))


def _with_names_and_countries(rows: Frame, display: dict[str, str]) -> Frame:
    rows = rows.with_columns(name=tidied(nw.col("name")), country=tidied(nw.col("country")))
    rows = rows.with_columns(has_no_name=nw.col("name").is_null(), has_no_country=nw.col("country").is_null())
    stand_in = nw.concat_str(nw.lit("Unknown customer "), nw.col("customer_id").cast(nw.String))
    shown = nw.col("country").replace_strict(display, default=nw.col("country"), return_dtype=nw.String)
    return rows.with_columns(
        name=nw.coalesce("name", stand_in),
        country=shown.fill_null(UNKNOWN_COUNTRY),
        is_known_country=nw.col("country").is_in(list(display)).fill_null(True),
    )


def _display_names(rows: Frame) -> dict[str, str]:
    """How each country among the rows is shown; there are few, whatever the number of customers."""
    distinct = rows.select(tidied(nw.col("country")).alias("country")).unique().collect()
    return display_names(text for text in distinct["country"].to_list() if text is not None)


def _owners_of_shared_emails(rows: Frame, judged: Frame) -> Frame | None:
    """For each valid address of several sound customers the smallest of them; None if there is none.

    Grain: one row per ``email``, with ``owner_id``; held in memory.
    """
    addresses = _with_emails(rows).filter(~nw.col("email").is_null()).select("email")
    counted = addresses.group_by("email").agg(nw.len().alias("customers"))
    shared = materialize(counted.filter(nw.col("customers") > 1).select("email"))
    if is_empty(shared):
        return None
    sound = judged.filter(nw.col("is_sound") & ~nw.col("is_conflict") & ~nw.col("is_identical"))
    owned = sound.join(shared, on="email", how="semi").group_by("email")
    return materialize(owned.agg(nw.col("customer_id").min().alias("owner_id")))
