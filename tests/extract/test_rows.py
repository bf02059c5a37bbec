"""Lines of CSV to Arrow, and Arrow to parts of raw Parquet."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopsight.contract import CUSTOMERS, ORDER_ITEMS, ORDERS, REVIEWS
from shopsight.errors import WorkspaceError
from shopsight.extract.rows import PartWriter, ValuesDoNotFit, arrow_schema, read_lines

D = Decimal


def lines(*rows: str) -> pa.Buffer:
    return pa.py_buffer("".join(f"{row}\n" for row in rows).encode())


def order(order_id: str = "1", day: str = "2024-01-31", amount: str = "9.50") -> str:
    return f'{order_id},7,{day},{amount},"paid"'


def orders(*rows: str) -> pa.Table:
    return read_lines(lines(*rows), ORDERS, ())


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


def test_null_and_empty_text_are_two_things_and_hostile_text_stays_as_it_is() -> None:
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


def test_a_part_keeps_money_as_cents_numbers_as_differences_and_the_extent_of_keys(tmp_path: Path) -> None:
    told: list[int] = []
    with PartWriter(tmp_path / "part.parquet", ORDERS, (), told.append) as part:
        part.write(partial(orders, *(order(str(number)) for number in range(1000))))
        part.write(partial(orders, *(order(str(number)) for number in range(10))))
        part.write(orders)
    assert told == [1000, 10]
    assert part.rows == 1010
    file = pq.ParquetFile(tmp_path / "part.parquet")
    chunks = {c.path_in_schema: c for c in (file.metadata.row_group(0).column(i) for i in range(5))}
    assert [file.metadata.row_group(number).num_rows for number in range(2)] == [1000, 10]
    assert chunks["total_amount"].physical_type == "INT64"
    assert {name for name, chunk in chunks.items() if chunk.is_stats_set} == {"order_id", "customer_id"}
    assert {chunk.compression for chunk in chunks.values()} == {"LZ4"}
    assert {name for name, chunk in chunks.items() if chunk.has_dictionary_page} == {"status"}
    assert {name for name, chunk in chunks.items() if "DELTA_BINARY_PACKED" in chunk.encodings} == {
        "order_id",
        "customer_id",
        "order_date",
        "total_amount",
    }
    assert pl.read_parquet(tmp_path / "part.parquet").schema == {
        "order_id": pl.Int64,
        "customer_id": pl.Int64,
        "order_date": pl.Date,
        "total_amount": pl.Decimal(18, 2),
        "status": pl.String,
    }


def test_a_part_without_rows_still_has_the_schema(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "part.parquet", ORDER_ITEMS, {"quantity"}):
        pass
    assert pq.read_table(tmp_path / "part.parquet").schema == arrow_schema(ORDER_ITEMS, {"quantity"})


def test_a_full_disk_says_so() -> None:
    batch = [order(str(number)) for number in range(1000)]
    with pytest.raises(WorkspaceError, match="is full"), PartWriter(Path("/dev/full"), ORDERS, ()) as part:
        part.write(partial(orders, *batch))


def test_what_goes_wrong_with_a_batch_is_told_by_the_next_or_at_the_end(tmp_path: Path) -> None:
    bad = partial(orders, order(amount="NaN"))
    with PartWriter(tmp_path / "next.parquet", ORDERS, ()) as part:
        part.write(bad)
        with pytest.raises(ValuesDoNotFit, match="orders: total_amount"):
            part.write(partial(orders, order()))
    with pytest.raises(ValuesDoNotFit), PartWriter(tmp_path / "end.parquet", ORDERS, ()) as part:
        part.write(bad)


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"raw cannot be used: .*Not a directory"):
        PartWriter(tmp_path / "raw" / "part.parquet", ORDERS, ())
