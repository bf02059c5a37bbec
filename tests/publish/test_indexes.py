"""Indexes on a real MongoDB: in the making while the generation is proven, there before it is served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect
from tests.support.publish_shop import (
    LEASE,
    VALID_FOR,
    Publisher,
    customer,
    opened_publisher,
    record_of,
    write_shop,
)

from shopsight import publish
from shopsight.errors import TargetUnavailable
from shopsight.publish import hold_lease

RUN = "20261122T180100Z-aaaaaa"


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def test_a_generation_is_read_back_while_its_indexes_are_built_and_served_when_they_are_there(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, create_indexes = threading.Event(), Collection.create_indexes

    def build_when_told(collection: Collection[Any], *given: Any, **named: Any) -> list[str]:
        assert goes_on.wait(60)
        return create_indexes(collection, *given, **named)

    monkeypatch.setattr(Collection, "create_indexes", build_when_told)
    shop, record = write_shop(tmp_path, [customer(1), customer(2)]), record_of(RUN)
    with hold_lease(publisher.target, RUN, LEASE) as lease, ThreadPoolExecutor(1) as pool:
        written = publisher.write(lease, shop, record)
        assert publish.read_digests(publisher.target, written) == written.digests
        building = [thread for thread in threading.enumerate() if thread.name.startswith("shopsight-index")]
        assert building
        assert all(thread.daemon for thread in building), "a run that is stopped waits for no index"
        flipped = pool.submit(publish.flip, publisher.target, lease, written, record, valid_for=VALID_FOR)
        try:
            with pytest.raises(TimeoutError):
                flipped.result(timeout=0.5)
            assert publish.served(publisher.target) is None
        finally:
            goes_on.set()
        flipped.result(timeout=60)
    assert publish.served(publisher.target) is not None
    for view, fields in (
        ("customers", {"_id_", "total_amount_spent", "country", "email", "segment", "last_order_date"}),
        ("rejected_rows", {"_id_", "table", "rule"}),
    ):
        assert set(publisher.target.db[written.collections[view]].index_information()) == fields


def test_a_generation_whose_indexes_cannot_be_built_is_not_served(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_away(*_: Any, **__: Any) -> None:
        raise AutoReconnect("connection closed")

    monkeypatch.setattr(Collection, "create_indexes", go_away)
    shop, record = write_shop(tmp_path, [customer(1)]), record_of(RUN)
    with hold_lease(publisher.target, RUN, LEASE) as lease:
        written = publisher.write(lease, shop, record)
        with pytest.raises(TargetUnavailable, match="went away: connection closed"):
            publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR)
    assert publish.served(publisher.target) is None
    assert record.generation is None
