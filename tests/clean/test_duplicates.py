"""Finding keys that repeat, and keeping one row of each."""

import random

import narwhals as nw
import polars as pl
import pytest

from shopsight.clean.duplicates import repeated_keys


def repeated(keys: list[int | None]) -> list[int]:
    frame = repeated_keys(nw.from_native(pl.LazyFrame({"key": keys}, schema={"key": pl.Int64})), "key")
    return [] if frame is None else sorted(frame.collect()["key"].to_list())


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], []),
        ([1], []),
        ([None, None, None], []),
        ([1, 2, 3, 4], []),
        ([1, 2, 2, 3], [2]),
        ([31, 32, 32, 63, 64], [32]),
        ([0, 0], [0]),
        ([-1, -1, 1], [-1]),
        # 2^0 + 2^0 + 2^1 + ... : sums that carry into the power of another key.
        ([0, 0, 1], [0]),
        ([0, 0, 1, 1], [0, 1]),
        ([0, 0, 0, 0, 2], [0]),
        ([5] * 1000, [5]),
        ([2**63 - 1, 2**63 - 1, -(2**63)], [2**63 - 1]),
        ([-(2**63), -(2**63), None], [-(2**63)]),
    ],
)
def test_keys_of_several_rows_are_found(keys: list[int | None], expected: list[int]) -> None:
    assert repeated(keys) == expected


def test_keys_are_found_among_many() -> None:
    chance = random.Random(7)
    keys = list(range(-5000, 5000)) + [chance.randrange(-(2**62), 2**62) for _ in range(5000)]
    twice = sorted(chance.sample(keys, 300))
    mixed = keys + twice
    chance.shuffle(mixed)
    assert repeated(mixed) == twice
    assert repeated(keys) == []
