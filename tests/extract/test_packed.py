"""What the server packs, and what is made of it: bytes as PostgreSQL sends them."""

from __future__ import annotations

import struct
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import SourceColumn
from shopsight.extract.postgresql.packed import Pages, packed_query, unpack
from shopsight.extract.raw_parquet import ValuesDoNotFit

D = Decimal

INTEGERS = {name: SourceColumn(name, "integer", "int4", is_nullable=False) for name in ("key", "customer")}
ORDERS = Relation(
    "orders",
    "public.orders",
    '"public"."orders"',
    columns={
        "order_id": INTEGERS["key"],
        "customer_id": INTEGERS["customer"],
        "order_date": SourceColumn("day", "date", "date"),
        "total_amount": SourceColumn("total", "numeric(10,2)", "numeric", (10 << 16 | 2) + 4),
        "status": SourceColumn("status", "text", "text"),
    },
)
PARTS = ("day", "day_is_null", "total", "total_is_null", "lengths", "texts", "keys")


def small(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


def large(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}q", *numbers)


def answer(*groups: tuple[int, dict[str, bytes]]) -> pa.RecordBatch:
    """A batch of the answer: of each group of pages its rows, and what differs from three plain ones."""
    plain = {
        "keys": small(1, 7, -(2**31), -8, 3, 2**31 - 1),
        "day": small(0, -1, 8796),
        "day_is_null": bytes(3),
        "total": large(950, -1, 99_999_999_99),
        "total_is_null": bytes(3),
        "lengths": small(4, -1, 0),
        "texts": b"paid",
    }
    columns = [[({**plain, **changed})[part] for _, changed in groups] for part in PARTS]
    arrays = [pa.array([rows for rows, _ in groups], pa.int64())]
    arrays += [pa.array(values, pa.binary()) for values in columns]
    return pa.RecordBatch.from_arrays(arrays, names=["rows", *PARTS])


def unpacked(*groups: tuple[int, dict[str, bytes]]) -> pa.Table:
    return unpack(answer(*groups), ORDERS, (), is_utf8=True)


def test_the_values_of_a_row_come_together_again() -> None:
    assert unpacked((3, {})).to_pylist() == [
        {
            "order_id": 1,
            "customer_id": 7,
            "order_date": date(2000, 1, 1),
            "total_amount": D("9.50"),
            "status": "paid",
        },
        {
            "order_id": -(2**31),
            "customer_id": -8,
            "order_date": date(1999, 12, 31),
            "total_amount": D("-0.01"),
            "status": None,
        },
        {
            "order_id": 3,
            "customer_id": 2**31 - 1,
            "order_date": date(2024, 1, 31),
            "total_amount": D("99999999.99"),
            "status": "",
        },
    ]


def test_groups_follow_each_other_and_nulls_keep_their_places() -> None:
    no_days = {"day": b"", "day_is_null": b"\1\1\1"}
    some = {
        "total": large(5, 6),
        "total_is_null": b"\0\1\0",
        "texts": "Ünï".encode(),
        "lengths": small(-1, 5, 0),
    }
    rows = unpacked((3, {}), (3, {**no_days, **some}), (3, {}))
    day = date(2000, 1, 1)
    assert rows["order_date"].to_pylist()[2:7] == [date(2024, 1, 31), None, None, None, day]
    assert rows["total_amount"].to_pylist()[3:7] == [D("0.05"), None, D("0.06"), D("9.50")]
    assert rows["status"].to_pylist()[2:7] == ["", None, "Ünï", "", "paid"]
    assert rows["order_id"].to_pylist() == [1, -(2**31), 3] * 3


@pytest.mark.parametrize(
    ("changed", "columns"),
    [
        ({"total": large(950, -1)}, {"total_amount"}),
        ({"total": large(100 * 10**15, 0, 0)}, {"total_amount"}),
        ({"day": small(2**31 - 1, 0, 0)}, {"order_date"}),
        ({"day": small(-(2**31), 0, 0)}, {"order_date"}),
        ({"day": small(-730_120, 0, 0)}, {"order_date"}),
        ({"total": b"", "day": b""}, {"order_date", "total_amount"}),
    ],
)
def test_a_value_that_was_left_out_or_is_beyond_the_calendar_names_its_column(
    changed: dict[str, bytes], columns: set[str]
) -> None:
    with pytest.raises(ValuesDoNotFit) as caught:
        unpacked((3, changed))
    assert caught.value.columns == columns


def test_the_first_and_the_last_day_of_the_calendar_fit() -> None:
    rows = unpacked((3, {"day": small(-730_119, 0, 2_921_939)}))
    assert rows["order_date"].to_pylist() == [date.min, date(2000, 1, 1), date.max]


def test_texts_that_are_no_utf8_keep_what_can_be_read() -> None:
    rows = unpacked((3, {"texts": b"M\xfcx", "lengths": small(2, -1, 1)}))
    assert rows["status"].to_pylist() == ["M\ufffd", None, "x"]


def test_each_text_is_checked_on_its_own() -> None:
    rows = unpacked((3, {"texts": b"a\xc3\xbcb", "lengths": small(2, -1, 2)}))
    assert rows["status"].to_pylist() == ["a\ufffd", None, "\ufffdb"]


def test_a_null_among_small_numbers_that_are_never_null_names_both_columns() -> None:
    with pytest.raises(ValuesDoNotFit) as caught:
        unpacked((3, {"keys": small(1, 7, 3, 9)}))
    assert caught.value.columns == {"order_id", "customer_id"}


def test_texts_without_their_bytes_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="3 texts should have 5 bytes, and have 4"):
        unpacked((3, {"lengths": small(4, -1, 1)}))


def test_only_columns_that_may_be_null_are_asked_whether_they_are() -> None:
    query = packed_query(ORDERS, Pages(0, 100, is_last=True), (), is_utf8=True)
    assert query.count("IS NULL)") == 2
    assert 'int8send(("key"::bigint << 32) | ("customer"::bigint & 4294967295))' in query
    assert 'CASE WHEN scale("total") <= 2 THEN ("total" * 100)::bigint END' in query


def test_ranges_of_pages_meet_and_the_last_one_is_open() -> None:
    assert Pages(0, 64, is_last=False).condition() == "ctid >= '(0,0)' AND ctid < '(64,0)'"
    assert Pages(64, 70, is_last=True).condition() == "ctid >= '(64,0)' AND ctid < '(4294967295,0)'"
    assert "least(n + 64, 70)" in Pages(0, 70, is_last=False).condition("n", "n + 64")
    assert "WHEN n + 64 < 70 THEN n + 64 ELSE 4294967295" in Pages(0, 70, is_last=True).condition(
        "n", "n + 64"
    )
