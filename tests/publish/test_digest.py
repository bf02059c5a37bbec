"""What collections hold: digests, and differences document by document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st
from tests.support.publish_content import content_digest, differing_ids
from tests.support.publish_shop import AS_OF, Publisher, customer, opened_publisher, write_shop

from shopsight.publish.digest import ContentDigest, differences_from, raw_batches, split_cursor
from shopsight.publish.documents import customer_documents
from shopsight.publish.privacy import Privacy

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
def test_a_lost_added_or_changed_document_is_seen(others: list[bytes]) -> None:
    assert digest(others) != digest([ANN, BOB])


@pytest.mark.parametrize("documents", [[], [ANN, BOB, ANN], [ANN] * 1_001])
@pytest.mark.parametrize("number", [2**62 + 9, -3])
def test_a_servers_answer_is_split_wherever_its_number_stands(documents: list[bytes], number: int) -> None:
    batch = [RawBSONDocument(document) for document in documents]
    for answer in (
        {"firstBatch": batch, "id": Int64(number), "ns": "shop.a"},
        {"id": Int64(number), "ns": "shop.a", "nextBatch": batch},
    ):
        found, of_cursor = split_cursor(bson.encode(answer))
        assert (list(found), of_cursor) == (documents, number)


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def test_shop_published_twice_has_the_same_content(publisher: Publisher, tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [customer(1), customer(2)])
    publisher.publish(shop)
    publisher.publish(shop, as_of=AS_OF + timedelta(hours=3))
    for view in ("customer_metrics", "customers", "insights", "rejected_rows"):
        left, right = f"{view}.g1", f"{view}.g2"
        assert differing_ids(publisher.target, left, right) == []
        assert len({content_digest(publisher.target, name) for name in (left, right)}) == 1
    # Only the run's id and its moment differ.
    assert len(differing_ids(publisher.target, "insights.g1", "insights.g2", ignoring=())) == 2


def test_all_documents_are_read_however_many_answers_it_takes(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopsight.publish.digest.BATCH_DOCUMENTS", 3)
    documents = [{"_id": number, "name": "Ann" * number} for number in range(8)]
    publisher.target.db["some"].insert_many(documents)
    batches = [list(batch) for batch in raw_batches(publisher.target, "some")]
    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert [bson.decode(document) for batch in batches for document in batch] == documents
    assert [list(batch) for batch in raw_batches(publisher.target, "none")] == [[]]


@pytest.mark.parametrize("in_order", [True, False])
def test_documents_added_removed_and_changed_are_found_by_their_id(
    publisher: Publisher, tmp_path: Path, in_order: bool
) -> None:
    publisher.publish(
        write_shop(tmp_path / "1", [customer(1), customer(2, "5.00"), customer(4), customer(9)])
    )
    collection = publisher.target.db["customers.g1"]
    collection.insert_one({"_id": "a stranger's"})
    other = write_shop(tmp_path / "2", [customer(0), customer(2, "5.01"), customer(4)])
    documents = customer_documents(other.marts / "customers", Privacy())
    found: dict[Any, Any] = {
        difference.id: difference
        for difference in differences_from(publisher.target, collection.name, documents, in_order=in_order)
    }
    assert {id_: (d.left is not None, d.right is not None) for id_, d in found.items()} == {
        0: (False, True),
        1: (True, False),
        2: (True, True),
        9: (True, False),
        "a stranger's": (True, False),
    }
    assert found[2].left["total_amount_spent"] == Decimal("5.00")
    assert found[2].right["total_amount_spent"] == Decimal("5.01")


@pytest.mark.parametrize("in_order", [True, False])
def test_all_documents_are_new_where_there_is_no_collection_yet(
    publisher: Publisher, tmp_path: Path, in_order: bool
) -> None:
    shop = write_shop(tmp_path, [customer(1), customer(2)])
    documents = customer_documents(shop.marts / "customer_metrics", Privacy())
    found = list(differences_from(publisher.target, None, documents, in_order=in_order))
    assert [(difference.id, difference.left) for difference in found] == [(1, None), (2, None)]
