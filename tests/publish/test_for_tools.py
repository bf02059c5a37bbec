"""What tools read on a real MongoDB: a view of rows for each insight, and the history of figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.publish_shop import AS_OF, Publisher, customer, opened_publisher, write_shop
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.inspect.verify import verify
from shopsight.publish import flat_views
from shopsight.publish.privacy import Privacy
from shopsight.reader import open_generation

KEEP = timedelta(days=30)


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def flat(publisher: Publisher) -> list[str]:
    names: list[str] = publisher.target.db.list_collection_names(filter={"name": {"$regex": "^insight_"}})
    return sorted(names)


def test_each_insight_has_a_view_with_a_document_a_row(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish(write_shop(tmp_path, [customer(1, "1.10"), customer(2, "2.20")]))
    for insight in publisher.view("insights"):
        rows = publisher.view(f"insight_{insight['_id']}")
        assert [row.pop("_id") for row in rows] == [*range(1, len(rows) + 1)]
        assert {row.pop("as_of") for row in rows} <= {insight["as_of"]}
        assert rows == insight["rows"]
    assert flat(publisher) == sorted(f"insight_{insight['_id']}" for insight in publisher.view("insights"))


def test_flat_views_follow_a_flip_and_a_rollback(publisher: Publisher, tmp_path: Path) -> None:
    shops = [write_shop(tmp_path / str(i), [customer(1, f"{i}.00", orders=i)]) for i in (1, 2)]
    for shop in shops:
        publisher.publish(shop)
    spent = "total_amount_spent"
    assert publisher.view("insight_top_customers")[0][spent] == Decimal("2.00")
    with publish.hold_lease(publisher.target, "20261123T000000Z-aaaaaa", KEEP) as lease:
        publish.rollback(publisher.target, lease)
    assert publisher.view("insight_top_customers")[0][spent] == Decimal("1.00")


def test_flat_views_are_healed_and_those_of_insights_that_are_gone_are_dropped(
    publisher: Publisher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish(write_shop(tmp_path, [customer(1)]))
    db, before = publisher.target.db, flat(publisher)
    db.command("collMod", "insight_top_customers", viewOn="insights", pipeline=[{"$limit": 1}])
    db.drop_collection(before[0])
    db.command("create", "insight_gone", viewOn="insights", pipeline=[{"$match": {"_id": "gone"}}])
    db.command("create", "insight_of_mine", viewOn="insights", pipeline=[{"$limit": 1}])
    db["insights.g1"].insert_one({"_id": "$$ no insight"})
    db["insight_mine"].insert_one({"mine": True})
    served = publish.served(publisher.target)
    assert served is not None
    insights = served.collections["insights"]
    assert [
        name
        for name, is_altered in publish.altered_flat_views(publisher.target, insights).items()
        if is_altered
    ]
    publish.heal_views(publisher.target)
    assert flat(publisher) == sorted([*before, "insight_mine", "insight_of_mine"])
    assert not any(publish.altered_flat_views(publisher.target, insights).values())


@pytest.mark.parametrize("has_customers", [True, False])
def test_a_generation_of_an_older_version_is_served(
    publisher: Publisher, tmp_path: Path, has_customers: bool
) -> None:
    for i in (1, 2):
        publisher.publish(write_shop(tmp_path / str(i), [customer(1, f"{i}.00", orders=i)]))
    db = publisher.target.db
    documents = list(db["customer_metrics.g1"].find())
    db.drop_collection("customer_metrics.g1")
    db["customer_metrics.g1"].insert_many(documents)
    if not has_customers:
        db.drop_collection("customers.g1")
        renamed = {f"{name}.customers": f"{name}.customer_metrics" for name in ("counts", "bytes", "digests")}
        gone = {"collections.customers": ""}
        db["generations"].update_one({"_id": 1}, {"$rename": renamed, "$unset": gone})
    with publish.hold_lease(publisher.target, "20261123T000000Z-aaaaaa", KEEP) as lease:
        assert (
            next(one for one in publish.list_generations(publisher.target) if one.number == 1).customers == 1
        )
        publish.rollback(publisher.target, lease, 1)
    assert db.list_collection_names(filter={"name": "customers"}) == ["customers"] * has_customers
    served = publish.served(publisher.target)
    assert served is not None
    assert publish.read_digests(publisher.target, served).keys() == served.collections.keys()
    assert publish.read_back(publisher.target, served).keys() >= served.collections.keys() - {"insights"}
    found = open_generation(db).customers.find_one()
    assert found is not None
    assert ("segment" in found) == has_customers
    with publish.hold_lease(publisher.target, "20261123T000001Z-aaaaaa", KEEP) as lease:
        publish.forget(publisher.target, lease, 1, None, privacy=Privacy(), keep=9)
        views = {"customer_metrics", *(["customers"] if has_customers else [])}
        assert all(publisher.view(view)[0]["name"] is None for view in views)
        publish.unpin(publisher.target, lease)
    publisher.publish(write_shop(tmp_path / "3", [customer(1)]))
    assert publisher.view("customers")[0]["segment"] == "At risk"
    assert "segment" not in publisher.view("customer_metrics")[0]


def test_a_taken_name_is_left_alone_and_warned_of(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[Any] = []
    monkeypatch.setattr(flat_views.log, "warning", lambda *_, **about: warned.append(about["name"]))
    publisher.target.db["insight_top_customers"].insert_one({"mine": True})
    publisher.publish(write_shop(tmp_path, [customer(1)]))
    assert set(warned) == {"insight_top_customers"}
    assert publisher.target.db["insight_top_customers"].count_documents({"mine": True}) == 1


def test_a_published_run_leaves_its_figures_without_names(sqlite_shop: PublishedShop) -> None:
    record = sqlite_shop.run()
    (kept,) = sqlite_shop.served("insights_history")
    assert record.snapshot is not None
    assert (kept["_id"], kept["generation"]) == (record.run_id, record.generation)
    assert kept["expires_at"] - kept["as_of"] == sqlite_shop.settings.keep_history
    figures = record.shop_figures()
    assert publish.plain(kept["totals"]) == figures
    assert figures["average_order_value"] == Decimal("57.95") / 4 // Decimal("0.01") * Decimal(
        "0.01"
    ) + Decimal("0.01")
    published = {insight["_id"]: insight["rows"] for insight in sqlite_shop.served("insights")}
    assert kept["insights"].keys() == published.keys()
    assert kept["insights"]["monthly_sales"] == published["monthly_sales"]
    assert {row["name"] for row in kept["insights"]["top_customers"]} == {None}


def test_the_history_expires_by_a_setting_and_0_keeps_none(sqlite_shop: PublishedShop) -> None:
    settings = sqlite_shop.settings.model_copy(update={"keep_history": timedelta(0)})
    PublishedShop(settings).run()
    assert sqlite_shop.served("insights_history") == []
    sqlite_shop.run()
    with sqlite_shop.target() as target:
        # The next run makes up for the generation that has no figures yet.
        assert target.db["insights_history"].count_documents({}) == 2
        (index,) = [i for i in target.db["insights_history"].list_indexes() if "expireAfterSeconds" in i]
        assert (dict(index["key"]), index["expireAfterSeconds"]) == ({"expires_at": 1}, 0)
        publish.keep_figures(target, keep_for=timedelta(days=400))
        assert {kept["expires_at"] - kept["as_of"] for kept in target.db["insights_history"].find()} == {
            timedelta(days=400)
        }
        publish.keep_figures(target, keep_for=timedelta(0))
        # MongoDB itself may have removed them meanwhile.
        assert all(kept["expires_at"] == kept["as_of"] for kept in target.db["insights_history"].find())


def test_the_newest_generation_of_a_resumed_run_stays_in_the_history(sqlite_shop: PublishedShop) -> None:
    record = sqlite_shop.run()
    sqlite_shop.run(run_id=record.run_id)
    with sqlite_shop.target() as target:
        history = target.db["insights_history"]
        assert [kept["generation"] for kept in history.find()] == [2]
        history.update_one({}, {"$set": {"mark": 1}})
        publish.keep_figures(target, keep_for=KEEP)
        (kept,) = history.find()
    assert (kept["generation"], kept["mark"]) == (2, 1)


def test_a_large_insight_and_a_run_of_another_form_do_not_stop_the_history(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopsight.publish.figures_history.HISTORY_ROWS", 1)
    record = publisher.publish(write_shop(tmp_path, [customer(1), customer(2)]))
    publisher.target.db["pipeline_runs"].update_one({"_id": record.run_id}, {"$set": {"ledger": "old"}})
    publish.keep_figures(publisher.target, keep_for=KEEP)
    publish.keep_figures(publisher.target, keep_for=KEEP)
    (kept,) = publisher.target.db["insights_history"].find()
    assert kept["totals"] == {}
    assert kept["expires_at"] == AS_OF + KEEP
    assert "top_customers" not in kept["insights"]


def test_verify_notices_an_altered_flat_view(shop: PublishedShop) -> None:
    assert verify(shop.settings).is_intact
    with shop.target() as target:
        target.db.command("collMod", "insight_monthly_sales", viewOn="insights", pipeline=[{"$limit": 1}])
    assert [check.what for check in verify(shop.settings).altered] == [
        "insight_monthly_sales: view of insights"
    ]
