"""From PostgreSQL to MongoDB with the middle on a master and two workers, by both of Spark's ways in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.spark.cluster import Cluster, cluster, connect_server, kill
from tests.engine.spark.published_shop import Shop, doctor_on_engine, ended, published_shop

from shopsight_demo.servers import MongoServer, PostgresServer

# Minutes each, and more on a busy machine.
pytestmark = pytest.mark.timeout(3600)

ORDERS = int(os.environ.get("SPARK_TEST_ORDERS", "200000"))


@pytest.fixture(scope="module")
def shop(
    postgres_server: PostgresServer, mongo_server: MongoServer, tmp_path_factory: pytest.TempPathFactory
) -> Shop:
    return published_shop(
        postgres_server.url, mongo_server.url, tmp_path_factory.mktemp("shop") / "polars", ORDERS
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster") as running:
        yield running


def test_spark_connect_publishes_what_polars_does(shop: Shop, running: Cluster, tmp_path: Path) -> None:
    with connect_server(tmp_path, running.master) as (url, _):
        ours = shop.on_spark(url, tmp_path / "connect")
        doctor = doctor_on_engine(ours.environment)
        assert doctor["is_ok"]
        done = ended(ours.resume())
    assert done.code == 0
    assert done.document["figures"] == shop.published["figures"]
    assert done.document["ledger"] == shop.published["ledger"]
    assert f"spark {done.document['versions']['spark']}" in doctor["message"]


def test_a_cluster_publishes_what_polars_does_though_a_worker_is_killed(
    shop: Shop, running: Cluster, tmp_path: Path
) -> None:
    ours = shop.on_spark(running.master, tmp_path / "classic")
    assert doctor_on_engine(ours.environment)["is_ok"]
    process = ours.resume()
    ours.wait_until_cleaning()
    kill(running.workers[0])
    done = ended(process)
    assert done.code == 0
    assert done.document["figures"] == shop.published["figures"]
    assert done.document["ledger"] == shop.published["ledger"]
