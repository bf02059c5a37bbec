"""Customers: e-mail addresses, names, countries, and who is merged with whom."""

from datetime import date
from decimal import Decimal
from functools import partial

from tests.support.cleaning import cleaned as cleaned_shop

cleaned = partial(cleaned_shop, last_table="customers")

Customer = tuple[int | None, str | None, str | None, str | None]


def customers(*rows: Customer) -> list[Customer]:
    return list(rows)


def test_customers_with_one_address_become_the_one_with_the_smallest_id() -> None:
    outcome = cleaned(
        customers=customers(
            (30, "Ann Lee", " ANN@example.com", "Germany"),
            (4, "Ann L.", "ann@example.com", "France"),
            (5, "Bo", "bo@example.com", "France"),
            (200, "ann lee", "Ann@Example.Com\t", "Germany"),
        )
    )
    assert outcome.kept("customers") == [
        (4, "Ann L.", "ann@example.com", "France"),
        (5, "Bo", "bo@example.com", "France"),
    ]
    assert outcome.merged("customers") == [
        (30, 4, "customers.same_email"),
        (200, 4, "customers.same_email"),
    ]
    assert outcome.rules("customers") == []


def test_addresses_that_are_not_valid_merge_nobody() -> None:
    addresses = ["XXXXXXXXX", "xxx@xxx.xxx", "n/a", "ann@example", "", "  ", None]
    rows = [(i, "Ann", address, "Germany") for i, address in enumerate(addresses * 2)]
    outcome = cleaned(customers=rows)
    assert outcome.kept("customers") == [(i, "Ann", None, "Germany") for i in range(14)]
    assert outcome.merged("customers") == []
    assert outcome.rules("customers") == []
    assert outcome.flags("customers") == {"customers.email_invalid": 8, "customers.email_missing": 6}


def test_an_invalid_address_is_cleared_and_can_be_traced() -> None:
    outcome = cleaned(customers=customers((1, "Ann", " XXXXXXXXX", "Germany")))
    assert outcome.repairs("customers") == [(1, "customers.email_cleared", " XXXXXXXXX", None)]


def test_a_missing_address_is_no_repair() -> None:
    outcome = cleaned(customers=customers((1, "Ann", None, "Germany")))
    assert outcome.repairs("customers") == []


def test_an_address_is_trimmed_and_lower_case() -> None:
    outcome = cleaned(customers=customers((1, "Ann", " Ann@\u200bExample.com", "Germany")))
    assert outcome.kept("customers") == [(1, "Ann", "ann@example.com", "Germany")]
    assert outcome.repairs("customers") == [
        (1, "customers.email_tidied", " Ann@\u200bExample.com", "ann@example.com")
    ]


def test_a_customer_without_a_name_is_kept_under_a_placeholder() -> None:
    outcome = cleaned(customers=customers((7, "\u00a0", "ann@example.com", "Germany")))
    assert outcome.kept("customers") == [(7, "Unknown customer 7", "ann@example.com", "Germany")]
    assert outcome.repairs("customers") == [(7, "customers.name_missing", "\u00a0", "Unknown customer 7")]


def test_names_are_tidied_and_keep_their_case() -> None:
    outcome = cleaned(customers=customers((7, " ANN  lee\n", "ann@example.com", "Germany")))
    assert outcome.kept("customers") == [(7, "ANN lee", "ann@example.com", "Germany")]
    assert outcome.repairs("customers") == [(7, "customers.name_tidied", " ANN  lee\n", "ANN lee")]


def test_countries_have_one_name_and_unknown_ones_are_kept_and_flagged() -> None:
    outcome = cleaned(
        customers=customers(
            (1, "A", None, "USA"),
            (2, "B", None, " united  states of America"),
            (3, "C", None, "United States"),
            (4, "D", None, "Atlantis"),
            (5, "E", None, " ATLANTIS "),
            (6, "F", None, None),
            (7, "G", None, " "),
            (8, "H", None, "unknown"),
        )
    )
    assert [row[3] for row in outcome.kept("customers")] == [
        "United States",
        "United States",
        "United States",
        "Atlantis",
        "ATLANTIS",
        "Unknown",
        "Unknown",
        "Unknown",
    ]
    assert outcome.repairs("customers") == [
        (1, "customers.country_unified", "USA", "United States"),
        (2, "customers.country_unified", " united  states of America", "United States"),
        (5, "customers.country_unified", " ATLANTIS ", "ATLANTIS"),
        (6, "customers.country_missing", None, "Unknown"),
        (7, "customers.country_missing", " ", "Unknown"),
        (8, "customers.country_unified", "unknown", "Unknown"),
    ]
    assert outcome.flags("customers") == {
        "customers.email_missing": 8,
        "customers.country_unrecognised": 2,
    }


def test_customers_without_a_key_are_rejected_and_own_no_address() -> None:
    outcome = cleaned(
        customers=customers(
            (None, "Ann", "ann@example.com", "Germany"), (9, "Ann", "ann@example.com", "Germany")
        )
    )
    assert outcome.kept("customers") == [(9, "Ann", "ann@example.com", "Germany")]
    assert outcome.rejected("customers") == [(None, "customers.key_missing")]
    assert outcome.merged("customers") == []


def test_rows_with_one_id_keep_the_greatest_address_which_alone_counts_for_merging() -> None:
    outcome = cleaned(
        customers=customers(
            (1, "Ann", "ann@example.com", "Germany"),
            (2, "Bo", "ann@example.com", "Germany"),
            (2, "Bo", "bo@example.com", "Germany"),
            (2, "Bo ", "BO@example.com", "DE"),
            (2, "Bo", None, "Germany"),
        )
    )
    assert outcome.kept("customers") == [
        (1, "Ann", "ann@example.com", "Germany"),
        (2, "Bo", "bo@example.com", "Germany"),
    ]
    assert outcome.merged("customers") == [(2, 2, "customers.identical_row")]
    assert outcome.rules("customers") == ["customers.duplicate_key"] * 2


def test_a_rejected_row_owns_no_address() -> None:
    outcome = cleaned(
        customers=customers(
            (1, "Ann", "zoe@example.com", "Germany"),
            (1, "Ann", "ann@example.com", "Germany"),
            (2, "Ann", "ann@example.com", "Germany"),
            (3, "Ann", "ANN@example.com", "Germany"),
        )
    )
    assert [row[0] for row in outcome.kept("customers")] == [1, 2]
    assert outcome.merged("customers") == [(3, 2, "customers.same_email")]
    assert outcome.rules("customers") == ["customers.duplicate_key"]


def test_a_conflicting_row_can_still_be_merged_by_its_address() -> None:
    outcome = cleaned(
        customers=customers(
            (1, "Bo", "bo@example.com", "Germany"),
            (2, "Bo", "ann@example.com", "Germany"),
            (2, "Bo", "bo@example.com", "Germany"),
        )
    )
    assert outcome.kept("customers") == [(1, "Bo", "bo@example.com", "Germany")]
    assert outcome.merged("customers") == [(2, 1, "customers.same_email")]
    assert outcome.rules("customers") == ["customers.duplicate_key"]


def test_orders_of_a_customer_loaded_twice_and_merged_by_address_are_not_multiplied() -> None:
    copy = (5, "Ann", "ann@example.com", "Germany")
    order = (1, 5, date(2024, 1, 31), Decimal("19.98"), "completed")
    outcome = cleaned_shop(
        customers=customers((2, "Ann", "ann@example.com", "Germany"), copy, copy), orders=[order]
    )
    assert outcome.merged("customers") == [(5, 2, "customers.identical_row"), (5, 2, "customers.same_email")]
    assert [row[:2] for row in outcome.kept("orders")] == [(1, 2)]
    assert outcome.repairs("orders") == [(1, "orders.customer_repointed", "5", "2")]


def test_names_and_countries_beyond_the_limit_are_cut() -> None:
    fitting, long = "x" * 10_000, "x" * 10_001
    cut = "x" * 9_999 + "…"
    outcome = cleaned(
        customers=customers(
            (1, fitting, None, fitting), (2, long, None, long), (3, f" {fitting}", None, "DE")
        )
    )
    assert outcome.kept("customers") == [
        (1, fitting, None, fitting),
        (2, cut, None, cut),
        (3, fitting, None, "Germany"),
    ]
    assert outcome.repairs("customers") == [
        (2, "customers.country_shortened", long, cut),
        (2, "customers.name_shortened", long, cut),
        (3, "customers.country_unified", "DE", "Germany"),
        (3, "customers.name_tidied", f" {fitting}", fitting),
    ]
