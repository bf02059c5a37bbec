"""A dirty shop that was published once with Polars, to be published again with Spark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command_line import Ended

from shopsight.pipeline.workspace import new_run_id
from shopsight_demo.seed import ShopSize, seed


@dataclass(frozen=True)
class Shop:
    """Where the shop is, and the run that Polars did of it.

    Attributes:
        environment: the run's settings.
        workdir: the run's.
        run_id: the run's.
        published: the run's record.
    """

    environment: dict[str, str]
    workdir: Path
    run_id: str
    published: dict[str, Any]

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.workdir / "runs" / self.run_id

    def on_spark(self, url: str, workdir: Path) -> Shop:
        """The same extracted snapshot in a folder of its own, to be published to a database of its own."""
        settings = {
            "SHOPSIGHT_WORKDIR": str(workdir),
            "SHOPSIGHT_TARGET_DATABASE": workdir.name,
            "SHOPSIGHT_ENGINE": "spark",
            "SHOPSIGHT_SPARK_URL": url,
        }
        copy = Shop(self.environment | settings, workdir, self.run_id, self.published)
        shutil.copytree(self.run / "raw", copy.run / "raw")
        (copy.run / "manifests").mkdir()
        shutil.copy(self.run / "manifests" / "extract.json", copy.run / "manifests")
        return copy

    def resume(self) -> subprocess.Popen[str]:
        """The run, to be gone on with where it is."""
        return started(
            self.environment, "run", "--resume", "--run-id", self.run_id, "--retries", "0", "--json"
        )

    def wait_until_cleaning(self) -> None:
        """Wait until the first table has been written and the customers are at work."""
        while not list((self.run / "clean" / "categories").glob("*.parquet")):
            time.sleep(0.1)


def published_shop(source: str, target: str, workdir: Path, orders: int) -> Shop:
    """Make up the shop and publish it with Polars."""
    seed(source, ShopSize(customers=orders // 10, orders=orders, products=2000), dirt=0.05, seed=3)
    environment = {
        "SHOPSIGHT_SOURCE_URL": source,
        "SHOPSIGHT_TARGET_URL": target,
        "SHOPSIGHT_TARGET_DATABASE": f"polars_{orders}",
        "SHOPSIGHT_WORKDIR": str(workdir),
    }
    run_id = new_run_id()
    done = ended(started(environment, "run", "--run-id", run_id, "--json"))
    assert done.code == 0, done.err
    return Shop(environment, workdir, run_id, done.document)


def started(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "shopsight", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Ended:
    """How the command ended; its error, if it has one, is shown with a failing test."""
    out, err = process.communicate()
    print(err[-3000:])
    return Ended(process.returncode, out, err)


def doctor_on_engine(environment: dict[str, str]) -> dict[str, Any]:
    """What ``doctor`` finds of the engine."""
    findings = ended(started(environment, "doctor", "--json")).document
    (engine,) = (finding for finding in findings if finding["area"] == "engine")
    found: dict[str, Any] = engine
    return found
