"""The measure, against literal sums and against what cleaning reads."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopsight.audit.control_totals import cents_of, raw_measure, whole_of
from shopsight.clean.parse import read
from shopsight.contract import ORDERS, REVIEWS

D = Decimal
MONEY = pl.Decimal(18, 2)


def measure(tmp_path: Path, table: str, **columns: pl.Series) -> Decimal | None:
    pl.DataFrame(columns).write_parquet(tmp_path / "part-00000.parquet")
    return raw_measure(table, tmp_path)


def test_native_columns_are_summed_exactly_and_nulls_add_nothing(tmp_path: Path) -> None:
    amounts = pl.Series(["0.10", "0.20", None, "-99.99"]).cast(MONEY)
    assert measure(tmp_path, "orders", total_amount=amounts) == D("-99.69")


def test_a_product_with_a_null_factor_adds_nothing(tmp_path: Path) -> None:
    assert measure(
        tmp_path,
        "order_items",
        quantity=pl.Series([2, None, 3, -1]),
        price=pl.Series(["1.05", "7.00", None, "0.10"]).cast(MONEY),
    ) == D("2.00")


def test_all_parts_are_summed(tmp_path: Path) -> None:
    for number in range(3):
        pl.DataFrame({"rating": [number, 5]}).write_parquet(tmp_path / f"part-{number:05}.parquet")
    assert raw_measure("reviews", tmp_path) == 18


def test_sums_beyond_64_bits_and_28_digits_stay_exact(tmp_path: Path) -> None:
    assert (
        measure(
            tmp_path,
            "order_items",
            quantity=pl.Series([9_999_999_999] * 3),
            price=pl.Series(["999999999999999.99"] * 3).cast(MONEY),
        )
        == D("999999999999999.99") * 9_999_999_999 * 3
        == D("29999999996999999700000000.03")
    )
    assert measure(tmp_path, "reviews", rating=pl.Series([10**18 - 1] * 1000)) == (10**18 - 1) * 1000


def test_what_is_beyond_the_limits_adds_nothing(tmp_path: Path) -> None:
    assert measure(
        tmp_path,
        "order_items",
        quantity=pl.Series([10**10, -(2**63), 2**63 - 1, 1]),
        price=pl.Series(["1.00", "1.00", "1.00", "5.00"]).cast(MONEY),
    ) == D("5.00")
    big = pl.Series(["1000000000000000.00", "-1000000000000000.00", "1.00"]).cast(MONEY)
    assert measure(tmp_path, "orders", total_amount=big) == D("1.00")


def test_text_is_read_as_numbers_where_it_is_one(tmp_path: Path) -> None:
    amounts = ["12.5", " +0012.5 ", "12.345", "1e3", "1,000.00", "NaN", None, "", "1\u200b1", "-.005"]
    assert measure(tmp_path, "orders", total_amount=pl.Series(amounts)) == D("12.50") * 2 + D("12.35") + D(
        "11.00"
    ) - D("0.01")
    assert measure(
        tmp_path, "order_items", quantity=pl.Series(["2", "3.0", "2.5"]), price=pl.Series(["1.005", "2", "9"])
    ) == D("8.02")


def test_tables_without_a_measure_have_none_and_no_rows_make_nothing(tmp_path: Path) -> None:
    assert raw_measure("customers", tmp_path) is None
    assert raw_measure("orders", tmp_path) == 0
    empty = pl.Series([], dtype=MONEY)
    assert str(measure(tmp_path, "orders", total_amount=empty)) == "0.00"


# Digits and what may stand beside them, in every combination.
_ODD = st.text(
    st.sampled_from("0123456789" * 2 + "+-.., \t\n\u00a0\u200b\u200c\x00\x85\u3000eENaх٣_$"), max_size=24
)


@settings(max_examples=20)
@given(st.lists(_ODD | st.text(max_size=6), min_size=100, max_size=200))
def test_a_text_is_a_number_exactly_where_cleaning_reads_one(texts: list[str]) -> None:
    orders = nw.from_native(pl.LazyFrame(dict.fromkeys(ORDERS.column_names, texts)))
    amounts = read(orders, ORDERS).select("total_amount").collect()["total_amount"].to_list()
    assert [cents_of(text) for text in texts] == [
        None if amount is None else int(amount * 100) for amount in amounts
    ]
    reviews = nw.from_native(pl.LazyFrame(dict.fromkeys(REVIEWS.column_names, texts)))
    ratings = read(reviews, REVIEWS).select("rating").collect()["rating"].to_list()
    assert [whole_of(text) for text in texts] == ratings


@settings(max_examples=20)
@given(st.lists(_ODD, max_size=200))
def test_a_column_of_text_measures_what_its_texts_are_read_as(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("raw")
    pl.DataFrame({"total_amount": texts}, schema={"total_amount": pl.String}).write_parquet(
        folder / "part.parquet"
    )
    assert raw_measure("orders", folder) == D(sum(cents_of(text) or 0 for text in texts)).scaleb(-2)


def test_a_number_of_thousands_of_digits_is_no_trouble() -> None:
    assert cents_of("0" * 10_000 + "12.34" + "5" * 10_000) == 1235
    assert whole_of("0" * 10_000 + "12." + "0" * 10_000) == 12
    assert cents_of("9" * 10_000) is None
