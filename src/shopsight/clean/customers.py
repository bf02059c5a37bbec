"""Customers: one row per person, identified by e-mail address."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.clean.duplicates import is_candidate, mark_duplicates, repeated_keys
from shopsight.clean.names import clean_names, name_rules
from shopsight.clean.parse import with_raw
from shopsight.clean.policy import NAME_LENGTH_LIMIT, CleaningPolicy
from shopsight.clean.rule import Cleaned, check_rows, flag, merge, repair, split_rows, table_rules
from shopsight.clean.text import is_valid_email, shortened, tidied
from shopsight.contract import CUSTOMERS
from shopsight.countries import UNKNOWN_COUNTRY, display_names
from shopsight.engine.protocol import Frame, distinct_rows, is_distributed, is_empty, materialize

#: The rule of the customers that :mod:`shopsight.clean.guests` makes.
GUEST_ADDED = "customers.guest_added"

RULES = table_rules(
    CUSTOMERS,
    merge(
        "same_email",
        "The same valid e-mail address as a customer with a smaller id, who takes over orders and reviews.",
        when=~col("is_identical") & (col("merged_into") != col("customer_id")),
    ),
    *name_rules("name", "customer"),
    repair(
        "email_tidied",
        "Trimmed, lower case, invisible characters removed.",
        column="email",
        # A text of blanks becomes none.
        when=(col("email") != col("raw_email"))
        | (col("email").is_null() & ~col("raw_email").is_null() & ~col("has_invalid_email")),
    ),
    repair(
        "email_cleared",
        "Invalid address: cleared.",
        column="email",
        when=col("has_invalid_email"),
    ),
    repair("country_missing", "No country: `Unknown`.", column="country", when=col("has_no_country")),
    repair(
        "country_unified",
        "Tidied and replaced by the country's standard name.",
        column="country",
        when=~col("has_no_country") & ~col("is_country_long") & (col("country") != col("raw_country")),
    ),
    repair(
        "country_shortened",
        "A tidied country of more than 10,000 characters: cut to that length, with `…` at its end.",
        column="country",
        when=col("is_country_long"),
    ),
    repair(
        GUEST_ADDED.removeprefix("customers."),
        "A customer made of the e-mail address of orders without a known customer.",
        column="email",
        when=None,
    ),
    flag(
        "email_missing",
        "No e-mail address; the customer is merged with nobody.",
        when=col("email").is_null() & ~col("has_invalid_email"),
    ),
    flag(
        "email_invalid",
        "A masked or malformed e-mail address; the customer is merged with nobody.",
        when=col("has_invalid_email"),
    ),
    flag(
        "country_unrecognised",
        "Unrecognised country: kept as it is.",
        when=~col("is_known_country"),
    ),
)

_PREFERENCE = ("email", "name", "country")


def clean_customers(rows: Frame, policy: CleaningPolicy) -> Cleaned:
    """Customers, one row per ``customer_id`` and per valid e-mail address.

    ``email`` is lower case and valid, or null. ``country`` is a display name of
    :mod:`shopsight.countries`, the source's own text if that is no country we know, or ``Unknown``.

    Args:
        rows: as read.
        policy: the shop's.

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
    [('customers', 2, 1, 'customers.same_email', None, 2, 'Ann', ' ANN@example.com', 'us')]
    """
    countries = _distinct_countries(rows)

    def evaluate(rows: Frame) -> Frame:
        """Adds the columns of :func:`clean_names`, :func:`clean_emails` and :func:`_clean_countries`."""
        rows = clean_emails(with_raw(_clean_countries(rows, countries), "email"))
        rows = clean_names(rows, "name", "customer")
        return check_rows(rows, CUSTOMERS, RULES, policy)

    repeated = repeated_keys(rows, CUSTOMERS.key)
    checked = mark_duplicates(rows, CUSTOMERS, evaluate, repeated, _PREFERENCE)
    with_emails = clean_emails(rows)
    if is_distributed(rows):
        # Spark takes far longer to tidy a text than to write it and read it again.
        checked = with_emails = materialize(checked)
    merged_into = col("customer_id")
    owners = _owners_of_shared_emails(with_emails, checked)
    if owners is not None:
        checked = checked.join(owners, on="email", how="left")
        merged_into = nw.coalesce("owner_id", "customer_id")
    checked = checked.with_columns(merged_into=merged_into)
    return split_rows(checked, CUSTOMERS, RULES, policy, merged_into=col("merged_into"))


def clean_emails(rows: Frame) -> Frame:
    """Adds ``has_invalid_email``; such an address becomes null."""
    rows = rows.with_columns(email=tidied(col("email")).str.to_lowercase())
    rows = rows.with_columns(has_invalid_email=(~is_valid_email(col("email"))).fill_null(False))
    return rows.with_columns(email=nw.when(~col("has_invalid_email")).then(col("email")))


def _clean_countries(rows: Frame, countries: Frame) -> Frame:
    """Adds ``has_no_country``, ``is_known_country`` and ``is_country_long``."""
    rows = with_raw(rows.join(countries, on="country", how="left"), "country")
    return rows.with_columns(
        country=col("clean_country").fill_null(UNKNOWN_COUNTRY),
        has_no_country=col("clean_country").is_null(),
        is_known_country=col("is_known_country").fill_null(True),
        is_country_long=col("is_country_long").fill_null(False),
    )


def _distinct_countries(rows: Frame) -> Frame:
    """Each country as it came, with ``clean_country``, ``is_known_country`` and ``is_country_long``.

    Grain: one row per distinct text that is not blank; few, however many customers there are. Held in memory.
    """
    distinct = distinct_rows(rows.select("country")).with_columns(tidy_country=tidied(col("country")))
    distinct = materialize(distinct.filter(~col("tidy_country").is_null()))
    spellings: dict[str, list[str]] = {}
    for spelling, name in display_names(distinct.collect()["tidy_country"].to_list()).items():
        spellings.setdefault(name, []).append(spelling)
    tidy = col("tidy_country")
    names = [nw.when(tidy.is_in(written)).then(nw.lit(name)) for name, written in spellings.items()]
    known = nw.coalesce(nw.lit(None, dtype=nw.String), *names)
    return materialize(
        distinct.select(
            "country",
            clean_country=nw.coalesce(known, shortened(tidy, NAME_LENGTH_LIMIT)),
            is_known_country=~known.is_null(),
            is_country_long=tidy.str.len_chars() > NAME_LENGTH_LIMIT,
        )
    )


def _owners_of_shared_emails(with_emails: Frame, checked: Frame) -> Frame | None:
    """For each valid address of several sound customers the smallest of them; None if there is none.

    Grain: one row per ``email``, with ``owner_id``; held in memory.
    """
    addresses = with_emails.filter(~col("email").is_null()).select("email")
    counted = addresses.group_by("email").agg(nw.len().alias("customers"))
    shared = materialize(counted.filter(col("customers") > 1).select("email"))
    if is_empty(shared):
        return None
    owned = checked.filter(is_candidate()).join(shared, on="email", how="semi").group_by("email")
    return materialize(owned.agg(col("customer_id").min().alias("owner_id")))
