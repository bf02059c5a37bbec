"""Keyed control totals, against literal sums, and against what cleaning reads."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopsight.audit.control_totals import (
    Totals,
    as_document,
    cents_of,
    day_of,
    from_document,
    is_native,
    keyed_sum,
    totals_as_read,
    totals_as_sent,
    totals_of_repairs,
    whole_of,
)
from shopsight.clean.parse import read
from shopsight.contract import CATEGORIES, CUSTOMERS, ORDER_ITEMS, ORDERS, REVIEWS, Kind, Table

D = Decimal
TYPES = {
    Kind.KEY: pl.Int64,
    Kind.COUNT: pl.Int64,
    Kind.TEXT: pl.String,
    Kind.DATE: pl.Date,
    Kind.MONEY: pl.Decimal(18, 2),
}
BIG = st.integers(-(2**63), 2**63 - 1)


def written(folder: Path, table: Table, *, types: dict[str, Any] | None = None, **columns: list[Any]) -> Path:
    """A folder with one Parquet file of the table; columns that are not given hold nulls."""
    rows = len(next(iter(columns.values())))
    schema = {column.name: TYPES[column.kind] for column in table.columns} | (types or {})
    frame = pl.DataFrame({name: columns.get(name, [None] * rows) for name in schema}, schema=schema)
    frame.write_parquet(folder / f"part-{len(list(folder.iterdir())):05}.parquet")
    return folder


def text_number(text: str) -> int:
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def without_zeros(totals: Totals) -> dict[tuple[str, str], int]:
    return {what: number for what, number in totals.items() if number}


def test_each_column_has_a_count_and_the_sum_of_key_times_value(tmp_path: Path) -> None:
    written(
        tmp_path,
        ORDERS,
        order_id=[1, 2, 3],
        customer_id=[7, None, 9],
        order_date=[date(1970, 1, 2), date(1969, 12, 31), None],
        total_amount=[D("0.10"), D("-99.99"), None],
        status=["paid", None, "sent"],
    )
    expected = {
        ("", "rows"): 3,
        ("", "measure"): 10 - 9999,
        ("order_id", "values"): 3,
        ("order_id", "keyed"): 6,
        ("customer_id", "values"): 2,
        ("customer_id", "keyed"): 7 + 27,
        ("order_date", "values"): 2,
        ("order_date", "keyed"): 1 - 2,
        ("total_amount", "values"): 2,
        ("total_amount", "keyed"): 10 - 2 * 9999,
        ("status", "values"): 2,
        ("status", "keyed"): text_number("paid") + 3 * text_number("sent"),
    }
    assert without_zeros(totals_as_read(tmp_path, ORDERS)) == expected
    assert without_zeros(totals_as_sent(tmp_path, ORDERS)) == expected
    assert is_native(tmp_path, ORDERS)


def test_rows_without_a_key_are_counted_and_summed_apart(tmp_path: Path) -> None:
    written(tmp_path, REVIEWS, review_id=[None, 5, None], rating=[4, 1, None])
    totals = totals_as_read(tmp_path, REVIEWS)
    assert totals["review_id", "missing"] == 2
    assert (totals["rating", "values"], totals["rating", "keyed"], totals["rating", "keyless"]) == (2, 5, 4)


def test_all_parts_are_summed(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path, REVIEWS, review_id=[number, 10], rating=[number, 5])
    totals = totals_as_read(tmp_path, REVIEWS)
    assert totals["rating", "keyed"] == 0 + 1 + 4 + 3 * 50
    assert totals["", "measure"] == 18


def test_typed_columns_that_arrived_as_text_are_text_as_sent_and_numbers_as_read(tmp_path: Path) -> None:
    amounts = ["12.5", " +0012.345 ", "1e3", None]
    written(
        tmp_path,
        ORDERS,
        types={"order_id": pl.String, "total_amount": pl.String},
        order_id=["2", "3.0", "4", "x"],
        total_amount=amounts,
    )
    assert not is_native(tmp_path, ORDERS)
    sent = totals_as_sent(tmp_path, ORDERS)
    assert (sent["order_id", "missing"], sent["order_id", "keyed"]) == (2, 2 + 4)
    assert sent["total_amount", "keyed"] == 2 * text_number("12.5") + 4 * text_number("1e3")
    assert sent["total_amount", "keyless"] == text_number(" +0012.345 ")
    seen = totals_as_read(tmp_path, ORDERS)
    assert (seen["order_id", "missing"], seen["order_id", "keyed"]) == (1, 2 + 3 + 4)
    assert (seen["total_amount", "values"], seen["total_amount", "keyed"]) == (2, 2 * 1250 + 3 * 1235)
    assert (seen["total_amount", "others"], seen["total_amount", "others keyed"]) == (
        1,
        4 * text_number("1e3"),
    )
    assert (seen["order_id", "others"], seen["order_id", "keyless"]) == (1, text_number("x"))


def test_only_ascii_counts_in_a_database_that_is_not_in_utf_8(tmp_path: Path) -> None:
    written(tmp_path, CATEGORIES, category_id=[3], category_name=["Caf\ufffd"])
    totals = totals_as_sent(tmp_path, CATEGORIES, is_ascii=True)
    assert totals["category_name", "keyed"] == 3 * text_number("Caf")


@pytest.mark.parametrize("column", ["customer_id", "order_date", "total_amount", "status"])
def test_two_rows_that_swap_a_value_change_its_total_and_no_other(tmp_path: Path, column: str) -> None:
    values: dict[str, list[Any]] = {
        "order_id": [1, 2],
        "customer_id": [8, 9],
        "order_date": [date(2024, 1, 1), date(2024, 2, 1)],
        "total_amount": [D("1.00"), D("2.00")],
        "status": ["paid", "sent"],
    }
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = totals_as_read(written(tmp_path / "before", ORDERS, **values), ORDERS)
    values[column].reverse()
    after = totals_as_read(written(tmp_path / "after", ORDERS, **values), ORDERS)
    assert {what for what in before if before[what] != after[what]} == {(column, "keyed")}


@given(st.lists(st.tuples(BIG, BIG), max_size=40))
def test_products_and_sums_of_any_size_are_exact(pairs: list[tuple[int, int]]) -> None:
    keys = np.array([key for key, _ in pairs], np.int64)
    values = np.array([value for _, value in pairs], np.int64)
    exact = sum(key * value for key, value in pairs)
    assert keyed_sum(keys, values) == exact
    assert keyed_sum(keys, values.astype(object)) == exact


def test_amounts_beyond_64_bits_are_exact(tmp_path: Path) -> None:
    huge = D("99999999999999999999999999999999.99")
    written(tmp_path, ORDERS, types={"total_amount": pl.Decimal(38, 2)}, order_id=[3], total_amount=[-huge])
    assert totals_as_read(tmp_path, ORDERS)["total_amount", "keyed"] == -3 * int(huge * 100)


def test_the_measure_leaves_out_rows_with_a_null_factor_or_one_beyond_the_limits(tmp_path: Path) -> None:
    written(
        tmp_path,
        ORDER_ITEMS,
        item_id=list(range(6)),
        quantity=[2, None, 3, -1, 10**10, -(2**63)],
        price=[D("1.05"), D("7.00"), None, D("0.10"), D("1.00"), D("1.00")],
    )
    assert totals_as_read(tmp_path, ORDER_ITEMS)["", "measure"] == 200


def test_a_repair_counts_with_what_it_changed(tmp_path: Path) -> None:
    schema = dict.fromkeys(("rule", "column", "old_value", "new_value"), pl.String) | {"key": pl.Int64}
    rows = [
        ("orders.total_rounded", "total_amount", "1.005", "1.01", 7),
        ("orders.total_from_items", "total_amount", None, "2.50", 8),
        ("orders.status_tidied", "status", "Paid ", "paid", 9),
        ("customers.email_cleared", "email", "x@", None, 3),
    ]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(tmp_path / "part-00000.parquet")
    orders = totals_of_repairs(tmp_path, ORDERS)
    assert (orders["total_amount", "values"], orders["total_amount", "keyed"]) == (1, 8 * 250)
    assert (orders["status", "values"], orders["status", "keyed"]) == (
        0,
        9 * (text_number("paid") - text_number("Paid ")),
    )
    customers = totals_of_repairs(tmp_path, CUSTOMERS)
    assert (customers["email", "values"], customers["email", "keyed"]) == (-1, -3 * text_number("x@"))
    assert customers["", "rows"] == 0


def test_a_row_that_cleaning_added_counts_with_its_key(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "key": [12],
            "rule": ["categories.uncategorised_added"],
            "column": ["category_name"],
            "old_value": [None],
            "new_value": ["Uncategorised"],
        },
        schema_overrides={"old_value": pl.String},
    ).write_parquet(tmp_path / "part-00000.parquet")
    assert without_zeros(totals_of_repairs(tmp_path, CATEGORIES)) == {
        ("", "rows"): 1,
        ("category_id", "values"): 1,
        ("category_id", "keyed"): 12,
        ("category_name", "values"): 1,
        ("category_name", "keyed"): 12 * text_number("Uncategorised"),
    }


def test_totals_survive_a_document(tmp_path: Path) -> None:
    totals: Totals = Counter({("", "rows"): 3, ("order_id", "keyed"): 2**100})
    assert from_document(as_document(totals)) == totals


# Digits and what may stand beside them, in every combination.
_ODD = st.text(
    st.sampled_from("0123456789" * 2 + "+-.., \t\n\u00a0\u200b\u200c\x00\x85\u3000eENaх٣_$:TZ"), max_size=24
)
_DAYS = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]{0,8}(Z|[+-][0-9:]{2,5})?)?", fullmatch=True)


@settings(max_examples=20)
@given(st.lists(_ODD | _DAYS | st.text(max_size=6), min_size=100, max_size=200))
def test_a_text_is_a_number_exactly_where_cleaning_reads_one(texts: list[str]) -> None:
    orders = read(nw.from_native(pl.LazyFrame(dict.fromkeys(ORDERS.column_names, texts))), ORDERS).collect()
    amounts = [None if amount is None else int(amount * 100) for amount in orders["total_amount"].to_list()]
    assert [cents_of(text) for text in texts] == amounts
    assert [whole_of(text) for text in texts] == orders["customer_id"].to_list()
    days = [None if day is None else (day - date(1970, 1, 1)).days for day in orders["order_date"].to_list()]
    assert [day_of(text) for text in texts] == days


_MOMENTS = st.builds(
    lambda second, hours: datetime.fromtimestamp(second, timezone(timedelta(hours=hours))).isoformat(),
    st.integers(86_400, 1_760_000_000),
    st.integers(-12, 14),
)


@settings(max_examples=10)
@given(
    st.lists(_MOMENTS, min_size=100, max_size=200),
    st.sampled_from(["America/New_York", "Pacific/Kiritimati", "Africa/Monrovia", "Asia/Kolkata"]),
)
def test_a_moment_is_on_the_day_on_which_cleaning_has_it(texts: list[str], zone: str) -> None:
    raw = nw.from_native(pl.LazyFrame(dict.fromkeys(ORDERS.column_names, texts)))
    days = [
        (day - date(1970, 1, 1)).days for day in read(raw, ORDERS, zone).collect()["order_date"].to_list()
    ]
    assert [day_of(text, zone) for text in texts] == days


def test_a_number_of_thousands_of_digits_is_no_trouble() -> None:
    assert cents_of("0" * 10_000 + "12.34" + "5" * 10_000) == 1235
    assert whole_of("0" * 10_000 + "12." + "0" * 10_000) == 12
    assert cents_of("9" * 10_000) is None
    assert whole_of("9" * 10_000) is None
