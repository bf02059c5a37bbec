"""Generations on a real MongoDB: readers see the last one or the next, whatever dies and whenever."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.conftest import Restartable
from tests.support.publish_agent import Agent
from tests.support.publish_shop import (
    AS_OF,
    LEASE,
    VALID_FOR,
    Publisher,
    ShopFolders,
    customer,
    opened_publisher,
    record_of,
    write_shop,
)

from shopsight import publish
from shopsight.errors import ConfigurationError, LeaseLost, PublishError, TargetUnavailable
from shopsight.publish import hold_lease, naming
from shopsight.reader import open_generation

LATE_RUN, OTHER_RUN = "20261122T180100Z-aaaaaa", "20261122T180200Z-bbbbbb"
STEPS = ("checked", *naming.VIEWS, "published")


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


@pytest.fixture
def shops(tmp_path: Path) -> list[ShopFolders]:
    """Four shops; in shop i each of i + 2 customers has i orders."""
    return [
        write_shop(tmp_path / str(i), [customer(k, f"{i}.10", orders=i) for k in range(i + 2)])
        for i in range(4)
    ]


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """Another process, which publishes from processes of its own."""
    started = Agent()
    yield started
    started.end()


def killed_at(agent: Agent, publisher: Publisher, url: str, shop: ShopFolders, step: str) -> None:
    """A run that kills itself at a step of its flip."""
    agent.ask("publish", url, publisher.target.db.name, shop.root, LATE_RUN, 60, step, int(signal.SIGKILL))
    assert agent.answer() == "ended by signal 9"


def stopped_at(agent: Agent, publisher: Publisher, url: str, shop: ShopFolders, step: str) -> psutil.Process:
    """A run that stops itself at a step of its flip and lies there until its lease is over."""
    seconds = 1
    pid = agent.ask(
        "publish", url, publisher.target.db.name, shop.root, LATE_RUN, seconds, step, int(signal.SIGSTOP)
    )
    run = psutil.Process(int(pid))
    while run.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    time.sleep(seconds + 0.1)
    return run


def shown(publisher: Publisher) -> list[int]:
    """Which shop each of the two views with customers shows; -1 for none, an error for a part of one."""
    customers, insights = publisher.view("customer_metrics"), publisher.view("insights")
    shops = []
    for rows, orders in (
        (customers, [row["total_orders"] for row in customers]),
        (insights, [int(row["total_amount_spent"]) for doc in insights[1:] for row in doc["rows"]]),
    ):
        if not rows:
            shops.append(-1)
            continue
        (shop,) = set(orders)
        assert len(orders) == min(shop + 2, 5)
        shops.append(shop)
    return shops


def views(publisher: Publisher) -> dict[str, str]:
    found = publisher.target.db.list_collections(filter={"type": "view", "name": {"$in": [*naming.VIEWS]}})
    return {view["name"]: view["options"]["viewOn"] for view in found}


def stored(publisher: Publisher) -> list[int]:
    return sorted(naming.stored_generations(publisher.target.db))


def test_a_flip_serves_all_of_a_generation_and_says_so(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    assert publish.served(publisher.target) is None
    record = publisher.publish(shops[1])
    served = publish.served(publisher.target)
    assert served is not None
    assert (served.generation, served.run_id, served.as_of) == (1, record.run_id, AS_OF)
    assert served.valid_until == AS_OF + VALID_FOR == record.valid_until
    assert record.generation == 1
    assert views(publisher) == served.collections
    assert shown(publisher) == [1, 1]
    assert publisher.view("rejected_rows") == []
    figures = {"customers": 2, "orders": 6, "revenue": Decimal("60.00")}
    assert publish.baseline(publisher.target) == (AS_OF, figures)


def test_nothing_of_a_written_generation_is_seen_before_the_flip(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.publish(shops[1])
    record = record_of(LATE_RUN)
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        written = publisher.write(lease, shops[2], record)
        assert written.counts == {"customers": 4, "insights": 2, "rejected_rows": 0}
        assert written.documents == 6
        assert shown(publisher) == [1, 1]
        assert record.generation is None
        publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR)
    assert shown(publisher) == [2, 2]


def test_a_reader_polling_during_many_flips_never_sees_a_mixture(
    publisher: Publisher, mongo_url: str, shops: list[ShopFolders]
) -> None:
    first, second = publisher.publish(shops[1]), publisher.publish(shops[2])
    runs = {1: first.run_id, 2: second.run_id}
    done = threading.Event()
    seen: list[tuple[int, list[int]]] = []
    wrong: list[Any] = []

    def poll() -> None:
        with opened_publisher(mongo_url, publisher.target.db.name) as reader:
            while not done.is_set():
                generation = open_generation(reader.target.db)
                orders = [d["total_orders"] for d in generation.customer_metrics.find()]
                texts = {d["run_id"] for d in generation.insights.find()}
                if orders != [generation.number] * (generation.number + 2) or texts != {
                    runs[generation.number]
                }:
                    wrong.append((generation, orders, texts))
                try:
                    seen.append((generation.number, shown(reader)))
                except (AssertionError, ValueError) as error:
                    wrong.append(error)

    readers = [threading.Thread(target=poll) for _ in range(2)]
    for reader in readers:
        reader.start()
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        for i in range(40):
            publish.rollback(publisher.target, lease, to=1 + i % 2)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(seen) > 20
    assert {number for number, _ in seen} == {1, 2}


def test_an_open_cursor_goes_on_in_its_generation_after_flip_and_sweep_of_others(
    publisher: Publisher, tmp_path: Path, shops: list[ShopFolders]
) -> None:
    publisher.publish(write_shop(tmp_path / "many", [customer(k, orders=9) for k in range(300)]))
    cursor = publisher.target.db["customer_metrics"].find(batch_size=50)
    orders = [next(cursor)["total_orders"]]
    publisher.publish(shops[1], keep=2)
    orders += [document["total_orders"] for document in cursor]
    assert orders == [9] * 300
    assert shown(publisher) == [1, 1]


@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_at_any_step_of_the_flip_leaves_one_whole_generation_after_the_next_start(
    publisher: Publisher, mongo_url: str, shops: list[ShopFolders], agent: Agent, step: str
) -> None:
    publisher.publish(shops[1])
    killed_at(agent, publisher, mongo_url, shops[2], step)
    expected = 2 if step == "published" else 1
    assert all(shop in (1, 2) for shop in shown(publisher)), "each name by itself is whole even before"
    assert open_generation(publisher.target.db).number == expected

    publish.heal_views(publisher.target)
    assert shown(publisher) == [expected, expected]
    publisher.publish(shops[3], keep=2)
    assert shown(publisher) == [3, 3]
    assert stored(publisher) == [expected, 3], (
        "the dead run's leftovers are gone, its published generation is kept"
    )


def test_a_first_run_killed_in_its_flip_leaves_no_view_behind(
    publisher: Publisher, mongo_url: str, shops: list[ShopFolders], agent: Agent
) -> None:
    killed_at(agent, publisher, mongo_url, shops[2], "insights")
    assert publish.heal_views(publisher.target) == ["customer_metrics", "customers", "insights"]
    assert views(publisher) == {}
    publisher.publish(shops[1], keep=1)
    assert shown(publisher) == [1, 1]
    assert stored(publisher) == [2]


@pytest.mark.parametrize("step", ["checked", "in:insights", "rejected_rows"])
def test_a_run_stopped_in_its_flip_and_overtaken_publishes_nothing_when_it_goes_on(
    publisher: Publisher, mongo_url: str, shops: list[ShopFolders], agent: Agent, step: str
) -> None:
    publisher.publish(shops[1])
    run = stopped_at(agent, publisher, mongo_url, shops[2], step)
    record = publisher.publish(shops[3])
    assert shown(publisher) == [3, 3]

    run.resume()
    assert agent.answer() == "LeaseLost"
    assert shown(publisher) == [3, 3]
    assert views(publisher) == naming.collections_of(3)
    served = publish.served(publisher.target)
    assert served is not None
    assert served.run_id == record.run_id


def test_a_run_overtaken_between_its_views_and_published_points_them_back(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    """The window that no clock closes: a change sent in time that arrives after the next run's flip."""
    record = record_of(LATE_RUN)
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        written = publisher.write(lease, shops[2], record)

        def overtaken(step: str) -> None:
            if step == "rejected_rows":
                publisher.target.db["lease"].update_one(
                    {}, {"$set": {"run_id": "x", "holder": {}}, "$inc": {"token": 1}}
                )
                publisher.target.db["published"].insert_one(
                    {
                        "_id": "current",
                        "generation": 9,
                        "run_id": OTHER_RUN,
                        "as_of": AS_OF,
                        "valid_until": AS_OF,
                        "published_at": AS_OF,
                        "collections": naming.collections_of(9),
                        "token": lease.token + 1,
                    }
                )

        with pytest.raises(LeaseLost, match=f"{OTHER_RUN} published generation 9"):
            publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR, on_step=overtaken)
    assert views(publisher) == naming.collections_of(9)
    assert record.generation is None


def test_an_interrupted_flip_is_dropped_whole(publisher: Publisher, shops: list[ShopFolders]) -> None:
    publisher.publish(shops[1])
    record = record_of(LATE_RUN)

    def interrupt(step: str) -> None:
        if step == "insights":
            raise KeyboardInterrupt

    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        written = publisher.write(lease, shops[2], record)
        with pytest.raises(KeyboardInterrupt):
            publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR, on_step=interrupt)
    assert shown(publisher) == [1, 1]
    assert views(publisher) == naming.collections_of(1)


def test_views_that_somebody_changed_are_pointed_back(publisher: Publisher, shops: list[ShopFolders]) -> None:
    publisher.publish(shops[1])
    db = publisher.target.db
    db.drop_collection("insights")
    db.command("collMod", "customer_metrics", viewOn="customer_metrics.g1", pipeline=[{"$limit": 1}])
    assert publish.heal_views(publisher.target) == ["customer_metrics", "insights"]
    assert shown(publisher) == [1, 1]
    assert publish.heal_views(publisher.target) == []


def test_a_collection_under_a_readers_name_is_left_alone_and_reported(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.target.db["insights"].insert_one({"_id": "somebody's"})
    with pytest.raises(ConfigurationError, match=r"collection 'insights'.*left alone"):
        publisher.publish(shops[1])
    assert publisher.target.db["insights"].count_documents({}) == 1
    assert stored(publisher) == []


def test_a_collection_put_in_the_place_of_a_view_is_not_healed_away(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.publish(shops[1])
    publisher.target.db.drop_collection("insights")
    publisher.target.db["insights"].insert_one({"_id": "somebody's"})
    with pytest.raises(ConfigurationError, match="collection 'insights'"):
        publish.heal_views(publisher.target)
    assert publisher.target.db["insights"].count_documents({}) == 1


def test_the_sweep_keeps_the_newest_and_drops_the_rest(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    for i in range(4):
        publisher.publish(shops[i], keep=3)
    assert stored(publisher) == [2, 3, 4]
    assert [g.number for g in publish.list_generations(publisher.target)] == [4, 3, 2]


def test_the_sweep_drops_leftovers_but_not_what_the_lease_holder_is_writing(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.publish(shops[1])
    with hold_lease(publisher.target, OTHER_RUN, LEASE) as dead:
        publisher.write(dead, shops[2], record_of(OTHER_RUN))  # 2: written, never flipped to
    publisher.target.db["customer_metrics.g3"].insert_one({"_id": 1})  # half a generation
    publisher.target.db["customer_metrics.copy"].insert_one({"_id": 1})  # nobody's generation
    publisher.target.db["lease"].update_one({}, {"$set": {"token": 3}})
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        written = publisher.write(lease, shops[3], record_of(LATE_RUN))
        assert publish.sweep(publisher.target, lease, keep=3) == [2, 3]
        assert stored(publisher) == [1, written.generation]
        publish.flip(publisher.target, lease, written, record_of(LATE_RUN), valid_for=VALID_FOR)
    assert shown(publisher) == [3, 3]
    assert "customer_metrics.copy" in publisher.target.db.list_collection_names()


def test_a_run_that_lost_its_lease_sweeps_nothing(publisher: Publisher, shops: list[ShopFolders]) -> None:
    publisher.publish(shops[1])
    publisher.publish(shops[2])
    with (
        hold_lease(publisher.target, LATE_RUN, LEASE) as late,
        hold_lease(publisher.target, LATE_RUN, LEASE),
        pytest.raises(LeaseLost),
    ):
        publish.sweep(publisher.target, late, keep=1)
    assert stored(publisher) == [1, 2]


def test_rollback_serves_the_generation_before_and_is_recorded(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    first = publisher.publish(shops[1])
    publisher.publish(shops[2], as_of=AS_OF + timedelta(hours=3))
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        record = publish.rollback(publisher.target, lease)
    assert shown(publisher) == [1, 1]
    served = publish.served(publisher.target)
    assert served is not None
    assert (served.generation, served.run_id, served.as_of) == (1, first.run_id, AS_OF)
    assert (record.kind, record.generation, record.valid_until) == ("rollback", 1, AS_OF + VALID_FOR)
    saved = publish.find_run(publisher.target, LATE_RUN)
    assert saved is not None
    assert (saved["kind"], saved["status"], saved["generation"]) == ("rollback", "succeeded", 1)
    assert saved["ended_at"] >= saved["started_at"]
    assert [(g.number, g.is_served) for g in publish.list_generations(publisher.target)] == [
        (2, False),
        (1, True),
    ]


def test_the_run_after_a_rollback_publishes_and_keeps_what_was_rolled_back_to(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    for i in range(3):
        publisher.publish(shops[i], keep=3)
    with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
        publish.rollback(publisher.target, lease, to=1)
    record = publisher.publish(shops[3], keep=2)
    assert shown(publisher) == [3, 3]
    assert stored(publisher) == [1, record.generation]


def test_a_rollback_that_was_overtaken_is_recorded_as_failed(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.publish(shops[1])
    publisher.publish(shops[2])
    with (
        hold_lease(publisher.target, LATE_RUN, LEASE) as lease,
        hold_lease(publisher.target, LATE_RUN, LEASE),
        pytest.raises(LeaseLost),
    ):
        publish.rollback(publisher.target, lease)
    saved = publish.find_run(publisher.target, LATE_RUN)
    assert saved is not None
    assert (saved["status"], saved["generation"], saved["error"]["type"]) == ("failed", None, "LeaseLost")
    assert shown(publisher) == [2, 2]


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (7, r"Generation 7 is not kept; kept are: 2 \(served\), 1"),
        (None, "before the served one"),
    ],
)
def test_a_rollback_to_an_unknown_generation_changes_nothing_and_lists_the_kept_ones(
    publisher: Publisher, shops: list[ShopFolders], to: int | None, message: str
) -> None:
    publisher.publish(shops[1])
    if to is not None:
        publisher.publish(shops[2])
    before = shown(publisher)
    with (
        hold_lease(publisher.target, LATE_RUN, LEASE) as lease,
        pytest.raises(ConfigurationError, match=message),
    ):
        publish.rollback(publisher.target, lease, to)
    assert shown(publisher) == before


def test_a_rollback_to_a_damaged_generation_is_refused(
    publisher: Publisher, shops: list[ShopFolders]
) -> None:
    publisher.publish(shops[1])
    publisher.publish(shops[2])
    publisher.target.db["customers.g1"].delete_one({"_id": 1})
    with (
        hold_lease(publisher.target, LATE_RUN, LEASE) as lease,
        pytest.raises(PublishError, match="g1 was published with 3 documents and holds 2"),
    ):
        publish.rollback(publisher.target, lease)
    assert shown(publisher) == [2, 2]


def test_a_server_killed_in_the_flip_leaves_the_last_generation_served(
    restartable_mongo: Restartable, shops: list[ShopFolders]
) -> None:
    record = record_of(LATE_RUN)
    with opened_publisher(restartable_mongo.url, "shop", timedelta(seconds=0.5)) as publisher:
        publisher.publish(shops[1])

        def kill(step: str) -> None:
            if step == "customer_metrics":
                restartable_mongo.kill()

        with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
            written = publisher.write(lease, shops[2], record)
            with pytest.raises(TargetUnavailable):
                publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR, on_step=kill)
    restartable_mongo.restart()
    with opened_publisher(restartable_mongo.url, "shop") as publisher:
        assert open_generation(publisher.target.db).number == 1
        publish.heal_views(publisher.target)
        assert shown(publisher) == [1, 1]
        # The same run again: its lease is its own still.
        with hold_lease(publisher.target, LATE_RUN, LEASE) as lease:
            written = publisher.write(lease, shops[2], record)
            publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR)
            publish.sweep(publisher.target, lease, keep=3)
        assert shown(publisher) == [2, 2]
        assert stored(publisher) == [1, written.generation]
