"""The digest of a collection's content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopsight.publish.digest import ContentDigest, split_batch

ANN, BOB = bson.encode({"_id": 1, "name": "Ann"}), bson.encode({"_id": 2, "name": "Bob"})


def digest(documents: Iterable[bytes]) -> str:
    found = ContentDigest()
    found.add(documents)
    return found.hexdigest()


def test_it_is_the_sha256_of_the_sorted_sha256s() -> None:
    sums = sorted(hashlib.sha256(document).digest() for document in (ANN, BOB))
    assert digest([ANN, BOB]) == hashlib.sha256(b"".join(sums)).hexdigest()
    assert digest([]) == hashlib.sha256().hexdigest()


@given(st.lists(st.binary(), max_size=8), st.randoms(use_true_random=False))
def test_neither_order_nor_batches_matter(documents: list[bytes], chance: object) -> None:
    shuffled = list(documents)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    in_batches = ContentDigest()
    for document in shuffled:
        in_batches.add([document])
    assert in_batches.hexdigest() == digest(documents)


@pytest.mark.parametrize(
    "others",
    [
        [ANN],
        [ANN, BOB, BOB],
        [ANN, ANN],
        [bson.encode({"_id": 1, "name": "Bob"}), bson.encode({"_id": 2, "name": "Ann"})],
        [bson.encode({"_id": 1.0, "name": "Ann"}), BOB],
    ],
)
def test_a_document_less_more_or_otherwise_is_seen(others: list[bytes]) -> None:
    assert digest(others) != digest([ANN, BOB])


def test_a_raw_batch_is_split_into_its_documents() -> None:
    assert list(split_batch(ANN + BOB + ANN)) == [ANN, BOB, ANN]
    assert list(split_batch(b"")) == []
