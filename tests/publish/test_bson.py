"""Values to BSON and back without rounding, and columns against the driver's own encoder, byte for byte."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any

import bson
import pyarrow as pa
import pytest
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from shopsight.publish.bson import constant, documents, element, plain, subdocument, to_bson

INT64 = st.integers(-(2**63), 2**63 - 1)
# Surrogates are no characters, and Arrow holds UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CENTS = st.integers(-(10**34) + 1, 10**34 - 1).map(lambda cents: Decimal(f"{cents}E-2"))
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))


def column(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=4, max_size=4)


def encoded(pieces: list[Any], rows: int) -> list[bytes]:
    return documents(pieces, rows)


@given(
    whole=column(INT64),
    money=column(CENTS),
    text=column(TEXT),
    day=column(DAYS),
    number=column(st.floats(allow_nan=False)),
    flag=column(st.booleans()),
)
def test_documents_are_byte_for_byte_those_of_the_driver(
    whole: list[Any], money: list[Any], text: list[Any], day: list[Any], number: list[Any], flag: list[Any]
) -> None:
    arrays = {
        "whole": pa.array(whole, pa.int64()),
        "money": pa.array(money, pa.decimal128(38, 2)),
        "text": pa.array(text, pa.string()),
        "day": pa.array(day, pa.date32()),
        "number": pa.array(number, pa.float64()),
        "flag": pa.array(flag, pa.bool_()),
    }
    pieces = [piece for name, values in arrays.items() for piece in element(name, values)]
    pieces += subdocument("row", element("text", arrays["text"]) + element("money", arrays["money"]), 4)
    pieces += constant("run_id", "20261122T180000Z-1f3a9c")

    def expected(i: int) -> bytes:
        amount = None if money[i] is None else Decimal128(money[i])
        return bson.encode(
            {
                "whole": None if whole[i] is None else Int64(whole[i]),
                "money": amount,
                "text": text[i],
                "day": None if day[i] is None else datetime.combine(day[i], time.min, UTC),
                "number": number[i],
                "flag": flag[i],
                "row": {"text": text[i], "money": amount},
                "run_id": "20261122T180000Z-1f3a9c",
            }
        )

    assert encoded(pieces, 4) == [expected(i) for i in range(4)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Decimal("-0.01"), pa.decimal128(18, 2)),
        (Decimal("90071992547409.93"), pa.decimal64(18, 2)),
        (Decimal("99999999999999999999999999999999.99"), pa.decimal128(38, 2)),
        (Decimal("-99999999999999999999999999999999.99"), pa.decimal128(38, 2)),
        (Decimal("0.00"), pa.decimal128(38, 2)),
        (Decimal("0E+2"), pa.decimal128(38, -2)),
    ],
)
def test_money_is_exact_to_the_last_of_34_digits(value: Decimal, kind: pa.DataType) -> None:
    (document,) = encoded(element("money", pa.array([value], kind)), 1)
    assert document == bson.encode({"money": Decimal128(value)})


def test_a_number_of_more_than_34_digits_becomes_text_and_its_neighbours_stay_numbers() -> None:
    values = [Decimal("100000000000000000000000000000000.00"), Decimal("1.50"), None]
    found = encoded(element("measure", pa.array(values, pa.decimal128(38, 2))), 3)
    assert [bson.decode(document)["measure"] for document in found] == [
        "100000000000000000000000000000000.00",
        Decimal128("1.50"),
        None,
    ]


def test_a_slice_of_a_column_is_encoded_from_its_own_first_row() -> None:
    money = pa.array([Decimal("1.00"), None, Decimal("-2.00")], pa.decimal128(38, 2)).slice(1)
    text = pa.array(["a", "b", None]).slice(1)
    found = encoded([*element("money", money), *element("text", text)], 2)
    assert [bson.decode(document) for document in found] == [
        {"money": None, "text": "b"},
        {"money": Decimal128("-2.00"), "text": None},
    ]


def test_whole_numbers_and_texts_of_every_arrow_type_have_one_bson_type() -> None:
    arrays = [
        pa.array([7], pa.int8()),
        pa.array([7], pa.uint32()),
        pa.array([7], pa.int64()),
    ]
    assert {encoded(element("n", values), 1)[0] for values in arrays} == {bson.encode({"n": Int64(7)})}
    texts = [
        pa.array(["é"], pa.string()),
        pa.array(["é"], pa.large_string()),
        pa.array(["é"], pa.string_view()),
        pa.array(["é"]).dictionary_encode(),
    ]
    assert {encoded(element("t", values), 1)[0] for values in texts} == {bson.encode({"t": "é"})}


def test_moments_are_utc_milliseconds() -> None:
    moment = datetime(2026, 11, 22, 18, 30, 15, 123000, UTC)
    (document,) = encoded(element("at", pa.array([moment], pa.timestamp("us", "UTC"))), 1)
    assert document == bson.encode({"at": moment})


def test_a_column_of_nulls_alone_and_no_rows_at_all_are_encoded() -> None:
    assert encoded(element("x", pa.nulls(2)), 2) == [bson.encode({"x": None})] * 2
    assert encoded(element("x", pa.array([], pa.decimal128(38, 2))), 0) == []


def test_a_type_that_no_table_has_is_reported_as_a_defect() -> None:
    with pytest.raises(TypeError, match="list"):
        element("x", pa.array([[1]]))


class Action(StrEnum):
    REJECT = "reject"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("90071992547409.93"), Decimal128("90071992547409.93")),
        (2**63 - 1, 2**63 - 1),
        (2**63, Decimal128("9223372036854775808")),
        (Decimal("1" * 35), "1" * 35),
        (date(2026, 11, 22), datetime(2026, 11, 22, tzinfo=UTC)),
        (Action.REJECT, "reject"),
        (True, True),
        ({1: (None, 0.5)}, {"1": [None, 0.5]}),
    ],
)
def test_values_become_bson_without_rounding(value: Any, expected: Any) -> None:
    found = to_bson(value)
    assert found == expected
    assert type(found) is type(expected)


def test_bson_values_become_plain_python_again() -> None:
    document = {"a": [Decimal128("0.10"), {"at": datetime(2026, 1, 1)}]}  # noqa: DTZ001 - as an untold driver gives it
    assert plain(document) == {"a": [Decimal("0.10"), {"at": datetime(2026, 1, 1, tzinfo=UTC)}]}
