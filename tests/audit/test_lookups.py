"""Ids and numbers by id are found alike whether ids are dense or sparse, and others are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from shopsight.audit.lookups import Ids, Lookup

SPARSE = [2**62, -(2**62), 5]
DENSE = [7, -1, 3]


@pytest.mark.parametrize("ids", [SPARSE, DENSE, [4]])
def test_numbers_are_found_by_id_and_other_ids_get_the_missing_one(ids: list[int]) -> None:
    lookup = Lookup(np.array(ids), missing=9)
    lookup.put(np.array(ids), np.arange(len(ids)))
    asked = np.array([*ids, 6, -(2**63), 2**63 - 1, ids[0]])
    assert lookup.of(asked).tolist() == [*range(len(ids)), 9, 9, 9, 0]


def test_nothing_is_found_among_no_ids() -> None:
    none = np.array([], np.int64)
    assert Lookup(none, missing=0).of(np.array([0, 1])).tolist() == [0, 0]
    assert not Ids(none).has(np.array([0])).any()


@pytest.mark.parametrize("ids", [SPARSE, DENSE])
def test_only_ids_of_the_set_are_in_it(ids: list[int]) -> None:
    asked = np.array([*ids, 6, -(2**63), 2**63 - 1])
    assert Ids(ids).has(asked).tolist() == [True] * len(ids) + [False] * 3
