"""From PostgreSQL to MongoDB with the middle on a real cluster, and what happens when a part of it dies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.engine.spark.cluster import Cluster, cluster, connect_server, kill
from tests.support.command_line import Ended

from shopsight.pipeline.workspace import new_run_id
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.servers import MongoServer, PostgresServer

pytestmark = pytest.mark.timeout(3600)

ORDERS = int(os.environ.get("SPARK_TEST_ORDERS", "200000"))


@dataclass(frozen=True)
class Shop:
    """A dirty shop in PostgreSQL, published once with Polars."""

    source: str
    target: str
    workdir: Path
    run_id: str
    published: dict[str, Any]

    def environment(self, workdir: Path, url: str) -> dict[str, str]:
        """What a run on Spark needs that publishes to a database of its own."""
        return {
            "SHOPSIGHT_SOURCE_URL": self.source,
            "SHOPSIGHT_TARGET_URL": self.target,
            "SHOPSIGHT_TARGET_DATABASE": workdir.name,
            "SHOPSIGHT_WORKDIR": str(workdir),
            "SHOPSIGHT_ENGINE": "spark",
            "SHOPSIGHT_SPARK_URL": url,
        }

    def resume(self, workdir: Path, url: str, *more: str) -> Ended:
        """The same run on Spark, from the same snapshot."""
        if not workdir.exists():
            run = self.workdir / "runs" / self.run_id
            copy = workdir / "runs" / self.run_id
            shutil.copytree(run / "raw", copy / "raw")
            (copy / "manifests").mkdir()
            shutil.copy(run / "manifests" / "extract.json", copy / "manifests")
        return shopsight(
            self.environment(workdir, url), "run", "--resume", "--run-id", self.run_id, "--json", *more
        )


def shopsight(environment: dict[str, str], *arguments: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "shopsight", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def shop(
    postgres_server: PostgresServer, mongo_server: MongoServer, tmp_path_factory: pytest.TempPathFactory
) -> Shop:
    workdir, run_id = tmp_path_factory.mktemp("shop") / "polars", new_run_id()
    source, target = postgres_server.url, mongo_server.url
    seed(source, ShopSize(customers=ORDERS // 10, orders=ORDERS, products=2000), dirt=0.05, seed=3)
    settings = {
        "SHOPSIGHT_SOURCE_URL": source,
        "SHOPSIGHT_TARGET_URL": target,
        "SHOPSIGHT_WORKDIR": str(workdir),
    }
    ended = shopsight(settings, "run", "--run-id", run_id, "--json")
    assert ended.code == 0, ended.err
    return Shop(source, target, workdir, run_id, ended.document)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_a_connect_server_publishes_what_polars_does_and_a_lost_one_is_unavailable(
    shop: Shop, running: Cluster, tmp_path: Path
) -> None:
    workdir = tmp_path / "connect"
    with connect_server(running, tmp_path) as server:
        ended = shop.resume(workdir, running.connect)
        assert ended.code == 0, ended.err[-3000:]
        assert ended.document["figures"] == shop.published["figures"]
        assert ended.document["ledger"] == shop.published["ledger"]
        assert ended.document["versions"]["spark"]

        (workdir / "runs" / shop.run_id / "manifests" / "clean.json").unlink()
        again = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "shopsight",
                "run",
                "--resume",
                "--run-id",
                shop.run_id,
                "--retries",
                "0",
                "--json",
            ],
            env={**os.environ, **shop.environment(workdir, running.connect)},
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until_cleaning(workdir / "runs" / shop.run_id)
        kill(server)
        out, _ = again.communicate()
    assert again.returncode == 1
    error = json.loads(out)["error"]
    assert (error["type"], error["stage"]) == ("EngineUnavailable", "clean")
    assert "generation 1 is still served" in error["message"]


def test_a_cluster_publishes_what_polars_does_though_a_worker_is_killed(
    shop: Shop, running: Cluster, tmp_path: Path
) -> None:
    workdir = tmp_path / "master"
    run = workdir / "runs" / shop.run_id
    shutil.copytree(shop.workdir / "runs" / shop.run_id / "raw", run / "raw")
    (run / "manifests").mkdir()
    shutil.copy(shop.workdir / "runs" / shop.run_id / "manifests" / "extract.json", run / "manifests")
    process = subprocess.Popen(
        [sys.executable, "-m", "shopsight", "run", "--resume", "--run-id", shop.run_id, "--json"],
        env={**os.environ, **shop.environment(workdir, running.master)},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until_cleaning(run)
    running.kill_worker()
    out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["figures"] == shop.published["figures"]
    assert json.loads(out)["ledger"] == shop.published["ledger"]


def wait_until_cleaning(run: Path) -> None:
    """Wait until Spark has written the first table and is at work on the customers."""
    while not list((run / "clean" / "categories").glob("*.parquet")):
        time.sleep(0.1)
