"""``keep_rejected``: MongoDB removes rejected rows by itself, and ``verify`` does not call it tampering."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from tests.support.orchestration_service import eventually
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.errors import ConfigurationError
from shopsight.inspect.plan import make_plan
from shopsight.inspect.verify import verify
from shopsight.pipeline.run import roll_back
from shopsight.settings import load_settings


@pytest.fixture
def expiring(people: PublishedShop) -> PublishedShop:
    """The shop of people, published with rejected rows that are kept for an hour."""
    shop = PublishedShop(people.settings.model_copy(update={"keep_rejected": timedelta(hours=1)}))
    shop.run()
    return shop


@pytest.fixture
def hasty_server(mongo_url: str) -> Iterator[None]:
    """A MongoDB that looks for expired documents every second, not every minute."""
    with MongoClient[dict[str, Any]](mongo_url) as client:
        before = client.admin.command("setParameter", 1, ttlMonitorSleepSecs=1)["was"]
        yield
        client.admin.command("setParameter", 1, ttlMonitorSleepSecs=before)


def _expire(shop: PublishedShop) -> None:
    """Let the hour pass."""
    past = {"$set": {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}}
    shop.tamper("rejected_rows", lambda collection: collection.update_many({}, past))
    with shop.target() as target:
        past = {"$set": {"rejected_until": datetime(2026, 1, 1, tzinfo=UTC)}}
        target.db.generations.update_one({"_id": shop.served_generation()}, past)


def test_rejected_rows_say_when_they_expire_and_are_proven_like_others(expiring: PublishedShop) -> None:
    rows = expiring.served("rejected_rows")

    with expiring.target() as target:
        note = publish.generation_note(target, 1)
        assert {row["expires_at"].replace(tzinfo=UTC) for row in rows} == {note["rejected_until"]}
        left = note["rejected_until"] - target.clock()
    assert timedelta(minutes=50) < left <= timedelta(hours=1)
    assert verify(expiring.settings).is_intact
    assert not make_plan(expiring.settings).documents["rejected_rows"].changed
    expiring.tamper("rejected_rows", lambda collection: collection.update_one({}, {"$set": {"rule": "none"}}))
    found = verify(expiring.settings)
    assert [(document.kind, list(document.fields)) for document in found.documents] == [("altered", ["rule"])]


@pytest.mark.usefixtures("hasty_server")
def test_mongodb_removes_them_and_the_generation_stays_intact(expiring: PublishedShop) -> None:
    assert verify(expiring.settings).rejected_until is None
    _expire(expiring)

    eventually("the rows gone", lambda: not expiring.served("rejected_rows"))

    found = verify(expiring.settings)
    assert found.is_intact
    assert found.rejected_until == datetime(2026, 1, 1, tzinfo=UTC)
    # It can be served again, and the rest is compared as before.
    expiring.run()
    roll_back(expiring.settings)
    assert expiring.served_generation() == 1
    expiring.tamper("customers", lambda collection: collection.update_one({}, {"$set": {"name": "X"}}))
    assert not verify(expiring.settings).is_intact


def test_a_generation_without_the_setting_has_no_expiry(people: PublishedShop) -> None:
    people.run()

    assert not [row for row in people.served("rejected_rows") if "expires_at" in row]
    with people.target() as target:
        name = publish.served(target).collections["rejected_rows"]
        assert set(target.db[name].index_information()) == {"_id_", "table", "rule"}


def test_rows_are_kept_longer_than_a_run_takes() -> None:
    with pytest.raises(ConfigurationError, match="keep_rejected: Input should be greater than"):
        load_settings(keep_rejected="10m")
