"""Loading on a real MongoDB: exact, indexed, and whole or not at all when something goes away."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import bson
import pytest
from bson import Decimal128
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from tests.conftest import Restartable
from tests.support.publish_content import content_digest
from tests.support.publish_shop import (
    LEASE,
    VALID_FOR,
    Publisher,
    ShopFolders,
    customer,
    opened_publisher,
    record_of,
    rejected_rows,
    write_shop,
)

from shopsight import publish
from shopsight.errors import LeaseLost, PublishError, TargetUnavailable
from shopsight.publish import Target, hold_lease, load, naming
from shopsight.publish.privacy import Privacy
from shopsight_demo.servers import MongoServer

RUN = "20261122T180100Z-aaaaaa"
HOSTILE = [
    "$where",
    "a.b.c",
    "nul\0inside",
    "😀 Ünï",
    "\u202eright to left",
    " " * 100,
    "'; DROP TABLE x; --",
]


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def numbered(count: int) -> Iterator[list[bytes]]:
    """Encoded documents in batches that are no multiple of anything."""
    for first in range(0, count, 7_001):
        yield [bson.encode({"_id": i, "n": i % 10}) for i in range(first, min(count, first + 7_001))]


def nothing() -> None:
    """A guard that lets everything pass."""


def durable_write(publisher: Publisher) -> Callable[[], None]:
    """A barrier: when it is through, so is everything that was written before."""
    return lambda: publish.save_run(publisher.target, record_of(RUN))


def stages(plan: Any) -> set[str]:
    """All stages of a query's plan."""
    if isinstance(plan, list):
        return set().union(*map(stages, plan)) if plan else set()
    if not isinstance(plan, dict):
        return set()
    own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
    return own | stages([value for key, value in plan.items() if key != "rejectedPlans"])


def server_version(publisher: Publisher) -> tuple[int, ...]:
    return tuple(publisher.target.client.server_info()["versionArray"][:2])


@pytest.mark.parametrize("threads", [1, 3])
def test_every_document_is_loaded_once_and_counted(publisher: Publisher, threads: int) -> None:
    told: list[int] = []
    loaded = load.load_collection(
        publisher.target, "many", numbered(25_000), guard=nothing, on_rows=told.append, threads=threads
    )
    assert loaded.documents == sum(told) == 25_000
    load.flush(publisher.target, {"many": loaded}, barrier=durable_write(publisher))
    assert loaded.bytes == 25_000 * len(bson.encode({"_id": 1, "n": 1}))
    found = publisher.target.db["many"].find(sort=[("_id", 1)])
    assert [(document["_id"], document["n"]) for document in found] == [(i, i % 10) for i in range(25_000)]


def test_large_documents_are_split_over_inserts_and_too_large_ones_refused(publisher: Publisher) -> None:
    large = [bson.encode({"_id": i, "text": "x" * 5_000_000}) for i in range(6)]
    told: list[int] = []
    loaded = load.load_collection(publisher.target, "large", [large], guard=nothing, on_rows=told.append)
    load.flush(publisher.target, {"large": loaded}, barrier=durable_write(publisher))
    assert told == [2, 2, 2]
    with pytest.raises(PublishError, match="too large"):
        load.load_collection(
            publisher.target, "large", [[bson.encode({"_id": 9, "text": "x" * 17_000_000})]], guard=nothing
        )


def test_documents_are_loaded_with_a_command_listener_attached(publisher: Publisher, mongo_url: str) -> None:
    class Inserts(CommandListener):
        ids: ClassVar[list[int]] = []

        def started(self, event: CommandStartedEvent) -> None:
            if event.command_name == "insert":
                self.ids.extend(document["_id"] for document in event.command["documents"])

        def succeeded(self, event: CommandSucceededEvent) -> None:
            pass

        def failed(self, event: CommandFailedEvent) -> None:
            pass

    with MongoClient(mongo_url, event_listeners=[Inserts()]) as client:
        db = client[publisher.target.db.name]
        loaded = load.load_collection(
            Target(client, db, "mongodb://db"), "many", numbered(12_000), guard=nothing
        )
        assert sorted(Inserts.ids) == [*range(12_000)]
        assert db["many"].count_documents({}) == loaded.documents == 12_000


def test_documents_are_encoded_only_as_fast_as_they_are_inserted(publisher: Publisher) -> None:
    taken, ahead = 0, []

    def batches() -> Iterator[list[bytes]]:
        nonlocal taken
        for i in range(40):
            taken += 1
            ahead.append(taken - publisher.target.db["slow"].estimated_document_count())
            yield [bson.encode({"_id": i})]

    load.load_collection(publisher.target, "slow", batches(), guard=nothing, threads=2)
    assert max(ahead) <= 5, "never more than the inserts under way and the one waiting"


def test_money_is_exact_far_beyond_what_a_float_can_hold(publisher: Publisher, tmp_path: Path) -> None:
    huge = "90071992547409.93"  # in cents: 2^53 + 1
    shop = write_shop(
        tmp_path, [customer(i, huge, average_order_value=None, average_rating=None) for i in range(1, 1001)]
    )
    publisher.publish(shop)
    served = publish.served(publisher.target)
    assert served is not None
    figures = publish.read_back(publisher.target, served)["customers"]
    assert figures["sum(total_amount_spent)"] == 1000 * Decimal(huge)
    assert publisher.target.db["customer_metrics"].find_one({"total_amount_spent": Decimal128(huge)})
    assert publisher.target.db["customer_metrics"].count_documents({"average_order_value": None}) == 1000


def test_the_server_reads_back_every_figure_of_the_generation(publisher: Publisher, tmp_path: Path) -> None:
    months = [
        {"month": date(2026, 9, 1), "revenue": Decimal("0.10"), "orders": 1},
        {"month": date(2026, 10, 1), "revenue": Decimal("0.20"), "orders": 2},
    ]
    rejected = rejected_rows(
        "reviews",
        [
            {
                "review_id": "1",
                "rating": "9",
                "rule": "reviews.rating_out_of_range",
                "measure": Decimal("9.00"),
            },
            {
                "review_id": "2",
                "rating": "8",
                "rule": "reviews.rating_out_of_range",
                "measure": Decimal("8.00"),
            },
            {"review_id": "3", "rating": None, "rule": "reviews.null_rating", "measure": None},
        ],
    )
    shop = write_shop(
        tmp_path, [customer(1, "0.10"), customer(2, "0.20")], months=months, rejected={"reviews": rejected}
    )
    with hold_lease(publisher.target, RUN, LEASE) as lease:
        written = publisher.write(lease, shop, record_of(RUN))
        figures = publish.read_back(publisher.target, written)
        assert figures == {
            "customers": {
                "rows": 2,
                "sum(total_amount_spent)": Decimal("0.30"),
                "sum(total_orders)": 6,
                "sum(average_order_value)": Decimal("20.00"),
                "sum(total_products_ordered)": 12,
                "sum(days_since_last_order)": 6,
                "sum(recency_score)": 2,
                "sum(frequency_score)": 4,
                "sum(monetary_score)": 6,
            },
            "top_customers": {"rows": 2, "sum(total_amount_spent)": Decimal("0.30")},
            "monthly_sales": {"rows": 2, "sum(revenue)": Decimal("0.30"), "sum(orders)": 3},
            "rejected_rows": {
                "rows": 3,
                "rows(reviews.null_rating)": 1,
                "sum(measure, reviews.null_rating)": 0,
                "rows(reviews.rating_out_of_range)": 2,
                "sum(measure, reviews.rating_out_of_range)": Decimal("17.00"),
            },
        }
        publisher.target.db[written.collections["customers"]].update_one(
            {"_id": 1}, {"$set": {"total_amount_spent": Decimal128("0.11")}}
        )
        altered = publish.read_back(publisher.target, written)
        assert altered["customers"]["sum(total_amount_spent)"] == Decimal("0.31")


def test_an_empty_shop_is_published_as_one(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish(write_shop(tmp_path, [], months=[]))
    served = publish.served(publisher.target)
    assert served is not None
    figures = publish.read_back(publisher.target, served)
    assert figures["customers"]["rows"] == figures["top_customers"]["rows"] == 0
    assert figures["customers"]["sum(total_amount_spent)"] == 0
    assert [document["_id"] for document in publisher.view("insights")] == ["monthly_sales", "top_customers"]
    assert naming.stored_generations(publisher.target.db) == {1: sorted(served.collections.values())}


def test_hostile_text_stays_text(publisher: Publisher, tmp_path: Path) -> None:
    customers = [customer(i, name=text, email=text, country=text) for i, text in enumerate(HOSTILE)]
    rejected = rejected_rows(
        "customers",
        [{"customer_id": text, "name": text, "rule": "customers.unreadable_key"} for text in HOSTILE],
    )
    publisher.publish(write_shop(tmp_path, customers, rejected={"customers": rejected}))
    assert [row["name"] for row in publisher.view("customer_metrics")] == HOSTILE
    assert {row["row"]["name"] for row in publisher.view("rejected_rows")} == set(HOSTILE)
    for text in HOSTILE:
        assert publisher.target.db["customer_metrics"].count_documents({"country": {"$eq": text}}) == 1
        assert publisher.target.db["rejected_rows"].count_documents({"key": {"$eq": text}}) == 1


@pytest.mark.parametrize(
    ("view", "query", "uses"),
    [
        ("customer_metrics", {"filter": {"_id": 7}}, {"CLUSTERED_IXSCAN"}),
        ("customer_metrics", {"filter": {"email": "c7@example.com"}}, {"IXSCAN", "FETCH"}),
        ("customer_metrics", {"filter": {"country": "Germany"}}, {"IXSCAN", "FETCH"}),
        ("customers", {"filter": {"segment": "At risk"}}, {"IXSCAN", "FETCH"}),
        ("customers", {"sort": {"last_order_date": -1}, "limit": 5}, {"IXSCAN", "FETCH", "LIMIT"}),
        ("customers", {"sort": {"total_amount_spent": -1}, "limit": 5}, {"IXSCAN", "FETCH", "LIMIT"}),
        ("insights", {"filter": {"_id": "monthly_sales"}}, {"CLUSTERED_IXSCAN"}),
        ("rejected_rows", {"filter": {"table": "orders"}}, {"IXSCAN", "FETCH"}),
        ("rejected_rows", {"filter": {"rule": "orders.null_total"}}, {"IXSCAN", "FETCH"}),
    ],
)
def test_queries_through_the_views_use_the_indexes(
    publisher: Publisher, tmp_path: Path, view: str, query: dict[str, Any], uses: set[str]
) -> None:
    rejected = rejected_rows("orders", [{"order_id": "1", "rule": "orders.null_total"}])
    publisher.publish(write_shop(tmp_path, [customer(i) for i in range(50)], rejected={"orders": rejected}))
    plan = publisher.target.db.command("explain", {"find": view, **query}, verbosity="queryPlanner")
    if "CLUSTERED_IXSCAN" in uses and server_version(publisher) < (5, 3):
        uses = {"IDHACK"}
    assert stages(plan) >= uses
    assert not stages(plan) & {"COLLSCAN", "SORT"}


def test_an_aggregation_through_a_view_uses_an_index_and_joins_with_another_view(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path, [customer(i, f"{i}.00") for i in range(1, 51)]))
    db = publisher.target.db
    pipeline: list[dict[str, Any]] = [
        {"$match": {"country": "Germany"}},
        {"$group": {"_id": "$country", "spent": {"$sum": "$total_amount_spent"}}},
    ]
    command = {"aggregate": "customer_metrics", "pipeline": pipeline, "cursor": {}}
    plan = db.command("explain", command, verbosity="queryPlanner")
    assert "IXSCAN" in stages(plan)
    assert "COLLSCAN" not in stages(plan)
    assert list(db["customer_metrics"].aggregate(pipeline)) == [
        {"_id": "Germany", "spent": Decimal128("1275.00")}
    ]
    joined = db["insights"].aggregate(
        [
            {"$match": {"_id": "top_customers"}},
            {"$unwind": "$rows"},
            {
                "$lookup": {
                    "from": "customer_metrics",
                    "localField": "rows.customer_id",
                    "foreignField": "_id",
                    "as": "customer",
                }
            },
        ]
    )
    assert [row["customer"][0]["email"] for row in joined] == [f"c{i}@example.com" for i in range(50, 45, -1)]


def test_dates_are_dates_and_counts_are_whole_numbers_in_mongodb(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path, [customer(1)]))
    (types,) = publisher.target.db["customer_metrics"].aggregate(
        [
            {
                "$project": {
                    "_id": 0,
                    "spent": {"$type": "$total_amount_spent"},
                    "orders": {"$type": "$total_orders"},
                }
            }
        ]
    )
    assert types == {"spent": "decimal", "orders": "long"}
    month = publisher.target.db["insights"].find_one({"rows.month": {"$lt": datetime(2026, 11, 1)}})  # noqa: DTZ001
    assert month is not None
    assert month["_id"] == "monthly_sales"


def test_a_refused_document_ends_the_load_and_changes_nothing_that_is_served(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path / "good", [customer(1)]))
    twice = write_shop(tmp_path / "bad", [customer(1), customer(1)])
    with pytest.raises(PublishError, match=r"duplicate key.*\{ _id: 1 \}") as caught:
        publisher.publish(twice)
    assert not caught.value.is_retryable
    assert len(publisher.view("customer_metrics")) == 1


def test_a_run_without_its_lease_stops_loading(publisher: Publisher) -> None:
    guarded = 0

    def guard() -> None:
        nonlocal guarded
        guarded += 1
        if guarded == 3:
            raise LeaseLost("expired")

    with pytest.raises(LeaseLost):
        load.load_collection(publisher.target, "many", numbered(60_000), guard=guard)
    assert publisher.target.db["many"].count_documents({}) <= 2 * load.INSERT_DOCUMENTS


def test_documents_that_a_server_confirmed_and_lost_are_missed(publisher: Publisher) -> None:
    loaded = load.load_collection(publisher.target, "many", numbered(100), guard=nothing)
    load.flush(publisher.target, {"many": loaded}, barrier=durable_write(publisher))
    publisher.target.db["many"].delete_one({"_id": 50})
    with pytest.raises(TargetUnavailable, match=r"should hold 100 documents and holds 99"):
        load.flush(publisher.target, {"many": loaded}, barrier=durable_write(publisher))


def test_a_server_killed_during_the_load_leaves_the_last_generation_and_the_next_run_mends_all(
    restartable_mongo: Restartable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = write_shop(tmp_path / "small", [customer(1, "7.77")])
    large = write_shop(tmp_path / "large", [customer(i) for i in range(8_000)])
    with opened_publisher(restartable_mongo.url, "shop", timedelta(seconds=0.5)) as publisher:
        publisher.publish(small)
        before = content_digest(publisher.target, "customer_metrics")
        with hold_lease(publisher.target, RUN, LEASE) as lease, pytest.raises(TargetUnavailable):
            publish.write_generation(
                publisher.target,
                lease,
                marts=large.marts,
                rejected=large.rejected,
                record=record_of(RUN),
                insights=[],
                privacy=Privacy(),
                on_rows=lambda *_: restartable_mongo.kill() if restartable_mongo.server.process() else None,
            )
    restartable_mongo.restart()
    with opened_publisher(restartable_mongo.url, "shop") as publisher:
        assert content_digest(publisher.target, "customer_metrics") == before
        with hold_lease(publisher.target, RUN, LEASE) as lease:
            record = record_of(RUN)
            written = publisher.write(lease, large, record)
            publish.flip(publisher.target, lease, written, record, valid_for=VALID_FOR)
            publish.sweep(publisher.target, lease, keep=3)
        assert sorted(naming.stored_generations(publisher.target.db)) == [1, written.generation]
        assert len(publisher.view("customer_metrics")) == 8_000


def test_a_server_restarted_during_the_load_costs_a_retry_or_nothing_but_never_a_document(
    restartable_mongo: Restartable,
) -> None:
    restarted = False

    def batches() -> Iterator[list[bytes]]:
        nonlocal restarted
        for batch in numbered(30_000):
            yield batch
            if not restarted:
                restartable_mongo.kill()
                restartable_mongo.restart()
                restarted = True

    with opened_publisher(restartable_mongo.url, "shop", timedelta(seconds=10)) as publisher:
        target = publisher.target
        is_whole = True
        try:
            loaded = load.load_collection(target, "many", batches(), guard=nothing)
            load.flush(target, {"many": loaded}, barrier=durable_write(publisher))
        except TargetUnavailable:
            is_whole = False
        assert restarted
        assert not is_whole or target.db["many"].count_documents({}) == 30_000


def test_a_server_that_hangs_is_given_up_after_a_while(restartable_mongo: Restartable) -> None:
    url = f"{restartable_mongo.url}&heartbeatFrequencyMS=500"
    with opened_publisher(url, "shop", timedelta(seconds=1)) as publisher:
        publish.save_run(publisher.target, record_of(RUN))
        restartable_mongo.pause()
        started = time.monotonic()
        with pytest.raises(TargetUnavailable):
            publish.save_run(publisher.target, record_of(RUN))
        assert time.monotonic() - started < 15
        restartable_mongo.resume()
        publish.save_run(publisher.target, record_of(RUN))


@pytest.fixture
def single_server(mongo_server: MongoServer, tmp_path: Path) -> Iterator[str]:
    """A mongod that is no member of a replica set: no retried writes, no transactions."""
    process = mongo_server.process()
    assert process is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = tmp_path / "single"
    data.mkdir()
    started = subprocess.Popen(
        [process.exe(), "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **process.environ()},
    )
    yield f"mongodb://127.0.0.1:{port}/"
    started.kill()
    started.wait()


def test_a_single_server_without_a_replica_set_will_do(single_server: str, tmp_path: Path) -> None:
    shops: list[ShopFolders] = [
        write_shop(tmp_path / str(i), [customer(k) for k in range(i)]) for i in range(1, 4)
    ]
    with opened_publisher(single_server, "shop", timedelta(seconds=10)) as publisher:
        for shop in shops:
            publisher.publish(shop, keep=2)
        with hold_lease(publisher.target, RUN, LEASE) as lease:
            publish.rollback(publisher.target, lease)
        assert len(publisher.view("customer_metrics")) == 2
    checks = publish.check_target(single_server, "shop", timedelta(seconds=5))
    assert all(check.is_ok for check in checks)
    assert "single server" in next(check.message for check in checks if check.name == "replica set")
