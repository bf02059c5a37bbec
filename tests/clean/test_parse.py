"""Raw values read into the contract's types, strictly."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from shopsight.clean.parse import completed, read, readable_amount, readable_number
from shopsight.contract import ORDER_ITEMS, ORDERS

UNREADABLE = object()
MISSING = None


def read_orders(**columns: list[Any]) -> pl.DataFrame:
    """Orders read, of which only these columns matter."""
    rows = len(next(iter(columns.values())))
    sound = {
        "order_id": [1] * rows,
        "customer_id": [1] * rows,
        "order_date": [date(2024, 1, 1)] * rows,
        "total_amount": pl.Series([Decimal("1.00")] * rows, dtype=pl.Decimal(18, 2)),
        "status": ["completed"] * rows,
    }
    raw = nw.from_native(pl.LazyFrame({**sound, **columns}))
    return completed(read(raw, ORDERS), ORDERS).collect().to_native()


def values_of(column: str, texts: list[str | None]) -> list[Any]:
    """What each text is read as in this column."""
    frame = read_orders(**{column: texts})
    return [
        UNREADABLE if row["is_unreadable"] else row[column]
        for row in frame.select(column, "is_unreadable").to_dicts()
    ]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (
            "order_id",
            {
                "42": 42,
                "+42": 42,
                "-7": -7,
                "0042": 42,
                "42.0": 42,
                "42.": 42,
                " \t42\u00a0\u200e": 42,
                "0": 0,
                "999999999999999999": 10**18 - 1,
                "-999999999999999999": -(10**18) + 1,
                "0000000000000000000000042": 42,
                "1000000000000000000": 10**18,
                "9223372036854775807": 2**63 - 1,
                "+09223372036854775807.0": 2**63 - 1,
                "-9223372036854775808": -(2**63),
                "-0": 0,
                "": MISSING,
                "  ": MISSING,
                "\u200b": MISSING,
                "9223372036854775808": UNREADABLE,
                "-9223372036854775809": UNREADABLE,
                "9999999999999999999": UNREADABLE,
                "10000000000000000000": UNREADABLE,
                "42.5": UNREADABLE,
                "4 2": UNREADABLE,
                "1,000": UNREADABLE,
                "1e5": UNREADABLE,
                "0x10": UNREADABLE,
                "+-1": UNREADABLE,
                "-": UNREADABLE,
                "NaN": UNREADABLE,
                "٤٢": UNREADABLE,
                "12x": UNREADABLE,
            },
        ),
        (
            "order_date",
            {
                "2024-01-31": date(2024, 1, 31),
                "2024-02-29": date(2024, 2, 29),
                "2000-02-29": date(2000, 2, 29),
                "2024-01-31T23:59:59.999+02:00": date(2024, 1, 31),
                "2024-01-31T00:59:59 +01:00": date(2024, 1, 30),
                "2024-02-28T21:30:00-0230": date(2024, 2, 29),
                "2024-02-28T13:59-10": date(2024, 2, 28),
                "2024-12-31T14:00-10": date(2025, 1, 1),
                "0001-01-01T00:00+01": UNREADABLE,
                "9999-12-31T23:00-01": UNREADABLE,
                "2024-01-31T00:00+24:00": UNREADABLE,
                "2024-01-31T00:00+01:60": UNREADABLE,
                "2024-01-31+01:00": UNREADABLE,
                "2024-01-31 23:59": date(2024, 1, 31),
                "2024-01-31 23:59:59+00": date(2024, 1, 31),
                "2024-01-31T00:00:00Z": date(2024, 1, 31),
                " 2024-01-31 ": date(2024, 1, 31),
                "0001-01-01": date(1, 1, 1),
                "9999-12-31": date(9999, 12, 31),
                "": MISSING,
                "2023-02-29": UNREADABLE,
                "1900-02-29": UNREADABLE,
                "2024-04-31": UNREADABLE,
                "2024-13-01": UNREADABLE,
                "2024-00-10": UNREADABLE,
                "2024-01-00": UNREADABLE,
                "0000-01-01": UNREADABLE,
                "10000-01-01": UNREADABLE,
                "2024-1-1": UNREADABLE,
                "31/01/2024": UNREADABLE,
                "20240131": UNREADABLE,
                "2024-01-31T24:00:00": UNREADABLE,
                "2024-01-31 noon": UNREADABLE,
                "infinity": UNREADABLE,
            },
        ),
        (
            "total_amount",
            {
                "1234.5": Decimal("1234.50"),
                "-.99": Decimal("-0.99"),
                "+12.": Decimal("12.00"),
                "007.10": Decimal("7.10"),
                "-0": Decimal("0.00"),
                "0.1": Decimal("0.10"),
                "12.344": Decimal("12.34"),
                "12.345": Decimal("12.35"),
                "-12.345": Decimal("-12.35"),
                "12.3449999999999999999": Decimal("12.34"),
                "0.30000000000000004": Decimal("0.30"),
                "1.999": Decimal("2.00"),
                "-0.004": Decimal("0.00"),
                "99999999.99": Decimal("99999999.99"),
                "90071992547409.93": Decimal("90071992547409.93"),
                "999999999999999.99": Decimal("999999999999999.99"),
                "999999999999999.995": Decimal("1000000000000000.00"),
                "": MISSING,
                "1000000000000000": UNREADABLE,
                "1e5": UNREADABLE,
                "NaN": UNREADABLE,
                "Infinity": UNREADABLE,
                "1,234.5": UNREADABLE,
                "1.234,5": UNREADABLE,
                "$5": UNREADABLE,
                "5 €": UNREADABLE,
                ".": UNREADABLE,
                "1.2.3": UNREADABLE,
                "(5.00)": UNREADABLE,
            },
        ),
    ],
)
def test_text_is_read_or_unreadable_but_never_guessed(column: str, texts: dict[str, Any]) -> None:
    assert dict(zip(texts, values_of(column, [*texts]), strict=True)) == texts


def test_null_text_is_missing_not_unreadable() -> None:
    assert values_of("order_id", [None]) == [MISSING]


def test_one_unreadable_value_makes_the_row_unreadable_and_leaves_the_others_readable() -> None:
    frame = read_orders(order_id=["1", "x"], total_amount=["x", "2"])
    assert frame["is_unreadable"].to_list() == [True, True]
    assert frame["order_id"].to_list() == [1, None]
    assert frame["total_amount"].to_list() == [None, Decimal("2.00")]


def test_native_columns_stay_as_they_are_and_nothing_is_unreadable() -> None:
    frame = read_orders(order_id=[2**63 - 1, None])
    assert frame["order_id"].to_list() == [2**63 - 1, None]
    assert frame["is_unreadable"].to_list() == [False, False]


def test_a_column_of_another_type_is_read_by_its_text() -> None:
    frame = read_orders(order_date=[datetime(2024, 1, 31, 23, 59)], total_amount=[1.25], order_id=[True])  # noqa: DTZ001
    assert frame.select("order_date", "total_amount", "is_unreadable").row(0) == (
        date(2024, 1, 31),
        Decimal("1.25"),
        True,
    )


def test_read_columns_have_the_contracts_types_whatever_came() -> None:
    expected = {
        "order_id": pl.Int64(),
        "customer_id": pl.Int64(),
        "order_date": pl.Date(),
        "total_amount": pl.Decimal(18, 2),
        "status": pl.String(),
    }
    text = read_orders(**{name: ["1"] for name in expected})
    native = read_orders(order_id=[1])
    for frame in (text, native):
        assert {name: frame.schema[name] for name in expected} == expected


def test_raw_columns_are_untouched() -> None:
    frame = read_orders(order_id=[" 1 "], total_amount=["1.005"], status=[" Done "])
    assert frame.select("raw_order_id", "raw_total_amount", "raw_status").row(0) == (" 1 ", "1.005", " Done ")


def test_only_amounts_with_more_than_two_decimals_are_rounded() -> None:
    frame = read_orders(total_amount=["1", "1.5", "1.50", "1.500", "1.505", "1.5001", None])
    assert frame["is_total_amount_rounded"].to_list() == [False, False, False, False, True, True, False]


def test_measures_count_numbers_up_to_the_digits_that_are_read() -> None:
    items = pl.LazyFrame(
        {
            "item_id": [1, 2, 3, 4],
            "order_id": 1,
            "product_id": 1,
            "quantity": [10**10 - 1, 10**10, -(10**10), None],
            "price": pl.Series(
                [Decimal(10**15) - Decimal("0.01"), Decimal(10**15), Decimal(-(10**15)), None],
                dtype=pl.Decimal(18, 2),
            ),
        }
    )
    rows = completed(read(nw.from_native(items), ORDER_ITEMS), ORDER_ITEMS)
    counted = rows.select(readable_number("quantity", 10**10), readable_amount("price")).collect().rows()
    assert counted == [(10**10 - 1, Decimal("999999999999999.99")), (None, None), (None, None), (None, None)]
