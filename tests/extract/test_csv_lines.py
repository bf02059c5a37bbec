"""Lines of CSV to Arrow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from shopsight.contract import CUSTOMERS, ORDERS, REVIEWS
from shopsight.extract.csv_lines import read_lines
from shopsight.extract.raw_parquet import ValuesDoNotFit, arrow_schema

D = Decimal


def lines(*rows: str) -> pa.Buffer:
    return pa.py_buffer("".join(f"{row}\n" for row in rows).encode())


def order(order_id: str = "1", day: str = "2024-01-31", amount: str = "9.50") -> str:
    return f'{order_id},7,{day},{amount},"paid"'


def test_native_values_arrive_in_the_contracts_types() -> None:
    rows = read_lines(lines("1,7,2024-01-31,19.99,paid", "-2,,,,"), ORDERS, ())
    assert rows.schema == pa.schema(
        [
            ("order_id", pa.int64()),
            ("customer_id", pa.int64()),
            ("order_date", pa.date32()),
            ("total_amount", pa.decimal128(18, 2)),
            ("status", pa.string()),
        ]
    )
    assert rows.to_pylist() == [
        {
            "order_id": 1,
            "customer_id": 7,
            "order_date": date(2024, 1, 31),
            "total_amount": D("19.99"),
            "status": "paid",
        },
        {"order_id": -2, "customer_id": None, "order_date": None, "total_amount": None, "status": None},
    ]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("12.5", D("12.50")),
        ("12.500", D("12.50")),
        ("-0.01", D("-0.01")),
        ("999999999999999.99", D("999999999999999.99")),
        ("7", D("7.00")),
    ],
)
def test_an_amount_of_two_decimals_is_native(sent: str, expected: Decimal) -> None:
    assert read_lines(lines(order(amount=sent)), ORDERS, ())["total_amount"].to_pylist() == [expected]


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("total_amount", order(amount="NaN")),
        ("total_amount", order(amount="Infinity")),
        ("total_amount", order(amount="0.001")),
        ("total_amount", order(amount="1000000000000000.00")),
        ("total_amount", order(amount="1000000000000000")),
        ("total_amount", order(amount="-99999999999999999999")),
        ("total_amount", order(amount="?")),
        ("order_date", order(day="infinity")),
        ("order_date", order(day="10000-01-01")),
        ("order_date", order(day="0044-03-15 BC")),
        ("order_date", order(day="0000-12-31")),
        ("order_date", order(day="2023-02-29")),
        ("order_date", order(day="2024-01-31 00:00:00")),
        ("order_id", order(order_id="9223372036854775808")),
        ("order_id", order(order_id="1.0")),
    ],
)
def test_a_value_that_does_not_fit_names_its_column_and_arrives_as_text(column: str, row: str) -> None:
    with pytest.raises(ValuesDoNotFit) as caught:
        read_lines(lines(order(), row), ORDERS, ())
    assert (caught.value.table, caught.value.columns) == ("orders", {column})

    rows = read_lines(lines(order(), row), ORDERS, {column})
    at = ORDERS.column_names.index(column)
    assert rows[column].to_pylist() == [order().split(",")[at], row.split(",")[at]]


def test_all_columns_that_do_not_fit_are_named_at_once() -> None:
    with pytest.raises(ValuesDoNotFit) as caught:
        read_lines(lines("x,2,infinity,NaN,paid"), ORDERS, ())
    assert caught.value.columns == {"order_id", "order_date", "total_amount"}


@pytest.mark.parametrize("rating", ["1000000000000000000", "-1000000000000000000"])
def test_a_count_of_nineteen_digits_does_not_fit(rating: str) -> None:
    with pytest.raises(ValuesDoNotFit, match="reviews: rating"):
        read_lines(lines(f"1,2,3,{rating},2024-01-31"), REVIEWS, ())


def test_null_and_empty_text_differ_and_hostile_text_is_unchanged() -> None:
    names = ["a,b", 'said "hi"', "line\nbreak", "cr\r", "\ufeffmark", "\u202eback", "😀", "\x00", "NULL", " "]
    sent = [f'{number},"{name.replace(chr(34), chr(34) * 2)}","",' for number, name in enumerate(names)]
    rows = read_lines(lines(*sent), CUSTOMERS, ())
    assert rows["name"].to_pylist() == names
    assert set(rows["email"].to_pylist()) == {""}
    assert set(rows["country"].to_pylist()) == {None}


def test_bytes_that_are_no_utf8_are_marked_and_the_rest_is_kept() -> None:
    sent = pa.py_buffer(b'1,"M\xfcller","a@b.example",DE\n2,"M\xc3\xbcller",,\n')
    assert read_lines(sent, CUSTOMERS, ())["name"].to_pylist() == ["M\ufffdller", "Müller"]


def test_no_lines_are_no_rows_in_the_right_types() -> None:
    rows = read_lines(pa.py_buffer(b""), ORDERS, {"order_date"})
    assert rows.num_rows == 0
    assert rows.schema == arrow_schema(ORDERS, {"order_date"})
    assert rows.schema.field("order_date").type == pa.string()
