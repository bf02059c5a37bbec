from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopsight.engine import key_ranges as key_ranges_module
from shopsight.engine.key_ranges import KeyRange, key_ranges, summed
from shopsight.engine.protocol import Frame, keeping

INT64 = st.integers(-(2**63), 2**63 - 1)


def keyed(keys: list[int | None]) -> Frame:
    return nw.from_native(pl.LazyFrame({"order_id": keys}, schema={"order_id": pl.Int64}))


def dealt(keys: list[int | None], most: int) -> list[list[Any]]:
    """The keys by range, each range's in order."""
    rows = keyed(keys)
    parts = [keys.filter(rows).collect()["order_id"] for keys in key_ranges(rows, "order_id", most)]
    return [part.sort().to_list() for part in parts]


@given(st.lists(st.none() | st.integers(-20, 20) | INT64), st.integers(1, 7))
def test_every_row_is_in_one_range_and_ranges_come_in_order(keys: list[int | None], most: int) -> None:
    parts = dealt(keys, most)
    known = sorted(key for key in keys if key is not None)
    assert [key for part in parts for key in part if key is not None] == known
    assert [key for key in parts[0] if key is None] == [key for key in keys if key is None]
    assert all(None not in part for part in parts[1:])


@given(st.lists(st.integers(-20, 20) | INT64), st.integers(1, 7))
def test_a_range_holds_no_more_than_it_may_unless_they_have_one_key(keys: list[int], most: int) -> None:
    for part in dealt([*keys], most):
        assert len(part) <= most or len(set(part)) == 1


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ([], [[]]),
        ([None, None], [[None, None]]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([5, 4, 3, 2, 1], [[1, 2, 3], [4, 5]]),
        ([-2, -1, 0, 1], [[-2, -1, 0], [1]]),
        ([7, 7, 7, 7, 7, 8], [[7, 7, 7, 7, 7], [8]]),
        ([6, 7, 7, 7, 7, 7, 8], [[6], [7, 7, 7, 7, 7], [8]]),
        # One outlier leaves all the others in one piece, which is dealt anew.
        ([1, 2, 3, 4, None, 10**18], [[None, 1, 2, 3], [4, 10**18]]),
        ([-(2**63), 2**63 - 1, 0, 1], [[-(2**63), 0, 1], [2**63 - 1]]),
    ],
)
def test_ranges_of_three_rows(keys: list[int | None], parts: list[list[int | None]]) -> None:
    assert [sorted(part, key=lambda key: (key is not None, key)) for part in dealt(keys, 3)] == parts


def test_a_range_has_the_default_size_if_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_ranges(keyed([1, 2, 3]), "order_id") == [KeyRange("order_id")]
    monkeypatch.setattr(key_ranges_module, "ROWS_IN_RANGE", 2)
    assert key_ranges(keyed([1, 2, 3]), "order_id") == [
        KeyRange("order_id", None, 3),
        KeyRange("order_id", 3, None),
    ]


class Keeper:
    def keep(self, frame: Frame) -> Frame:
        raise AssertionError("ranges are found without keeping anything")


def test_there_is_one_range_on_an_engine_that_spreads_rows_over_machines() -> None:
    with keeping(Keeper(), nw.Implementation.POLARS):
        assert key_ranges(keyed([1, 2, 3]), "order_id", 1) == [KeyRange("order_id")]
    assert len(key_ranges(keyed([1, 2, 3]), "order_id", 1)) == 3


def test_a_range_s_ends_are_its_first_key_and_the_next_range_s() -> None:
    rows = keyed([None, 1, 2, 3, 4])
    bounds: list[tuple[int | None, int | None]] = [(None, None), (None, 2), (2, 4), (4, None)]
    parts = [KeyRange("order_id", *bound).filter(rows).collect()["order_id"].to_list() for bound in bounds]
    assert parts == [[None, 1, 2, 3, 4], [None, 1], [2, 3], [4]]


def test_sums_are_of_all_parts() -> None:
    parts = [
        nw.from_native(pl.LazyFrame({"a": a, "b": [1, 1], "n": [1, 10], "more": "x"}))
        for a in ([1, 1], [2, 1])
    ]
    assert sorted(summed(parts, ["a", "b"], "n").collect().rows()) == [(1, 1, 21), (2, 1, 1)]
    with pytest.raises(ValueError, match="no part"):
        summed([], ["a"], "n")
