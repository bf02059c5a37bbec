"""Two generations compared document by document on a real MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.publish_shop import AS_OF, Publisher, customer, opened_publisher, write_shop

from shopsight import publish


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def test_the_same_shop_published_twice_has_the_same_content(publisher: Publisher, tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [customer(1), customer(2)])
    publisher.publish(shop)
    publisher.publish(shop, as_of=AS_OF + timedelta(hours=3))
    for view in ("customer_metrics", "insights", "rejected_rows"):
        left, right = f"{view}.g1", f"{view}.g2"
        assert list(publish.differences(publisher.target, left, right)) == []
        digests = {publish.content_digest(publisher.target, name) for name in (left, right)}
        assert len(digests) == 1
    # Told apart they are only by the run they are of.
    assert len(list(publish.differences(publisher.target, "insights.g1", "insights.g2", ignoring=()))) == 2


def test_documents_added_removed_and_changed_are_told_by_their_id(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(
        write_shop(tmp_path / "1", [customer(1), customer(2, "5.00"), customer(4), customer(9)])
    )
    publisher.publish(write_shop(tmp_path / "2", [customer(0), customer(2, "5.01"), customer(4)]))
    found = list(publish.differences(publisher.target, "customer_metrics.g1", "customer_metrics.g2"))
    assert [(d.id, d.left is not None, d.right is not None) for d in found] == [
        (0, False, True),
        (1, True, False),
        (2, True, True),
        (9, True, False),
    ]
    changed = found[2]
    assert changed.left is not None
    assert changed.right is not None
    assert changed.left["total_amount_spent"] == Decimal("5.00")
    assert changed.right["total_amount_spent"] == Decimal("5.01")
    digests = [publish.content_digest(publisher.target, f"customer_metrics.g{i}") for i in (1, 2)]
    assert digests[0] != digests[1]
