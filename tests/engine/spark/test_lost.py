"""A server or a master that dies in mid-run, or a worker's full disk: the error, and what stays served."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.spark.cluster import cluster, connect_server, kill
from tests.engine.spark.published_shop import Shop, ended, published_shop

from shopsight_demo.servers import MongoServer

# Minutes each, and more on a busy machine.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def shop(mongo_server: MongoServer, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    return published_shop(f"sqlite:///{folder}/shop.db", mongo_server.url, folder / "polars", 2000)


def again(shop: Shop, url: str, workdir: Path) -> Shop:
    """The shop on Spark, to be published to the database where Polars' generation is served."""
    ours = shop.on_spark(url, workdir)
    ours.environment["SHOPSIGHT_TARGET_DATABASE"] = shop.environment["SHOPSIGHT_TARGET_DATABASE"]
    return ours


def test_a_connect_server_killed_in_mid_run_is_unavailable_and_the_generation_stays_served(
    shop: Shop, tmp_path: Path
) -> None:
    with connect_server(tmp_path, "local[2]") as (url, server):
        ours = again(shop, url, tmp_path / "connect")
        process = ours.resume()
        ours.wait_until_cleaning()
        kill(server)
        done = ended(process)
    assert done.code == 1
    error = done.document["error"]
    assert (error["type"], error["stage"]) == ("EngineUnavailable", "clean")
    assert "generation 1 is still served" in error["message"]


def test_a_master_killed_in_mid_run_is_unavailable_and_the_generation_stays_served(
    shop: Shop, tmp_path: Path
) -> None:
    with cluster(tmp_path / "cluster") as running:
        ours = again(shop, running.master, tmp_path / "classic")
        process = ours.resume()
        ours.wait_until_cleaning()
        kill(running.process)
        done = ended(process)
    assert done.code == 1
    error = done.document["error"]
    # The workers finish what they have begun; the next stage finds nobody.
    assert (error["type"], error["stage"]) == ("EngineUnavailable", "metrics")
    assert "generation 1 is still served" in error["message"]


def test_a_full_disk_of_a_worker_is_named_and_the_generation_stays_served(shop: Shop, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", workers=1, disk="64k") as running:
        done = ended(again(shop, running.master, tmp_path / "full").resume())
    assert done.code == 1
    error = done.document["error"]
    assert (error["type"], error["stage"]) == ("WorkspaceError", "clean")
    assert "no space left" in error["message"]
    assert "spark.local.dir" in error["message"]
    assert "generation 1 is still served" in error["message"]
    assert "Exception" not in done.err
