"""Gross regressions only: a whole run against reading the same tables once, both here and now.

`make bench` measures properly. This is a ratio within one test, so that a slow machine fails nothing: both
sides wait for the same cores and the same servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from pydantic import SecretStr

from shopsight.contract import TABLES
from shopsight.pipeline import run as pipeline
from shopsight.settings import Settings
from shopsight_demo.seed import ShopSize, seed

# About 7 where it was tried, mostly what a run of any size costs: six fsyncs, a lease, a generation, a flip.
GROSS = 25


def test_a_whole_run_takes_a_small_multiple_of_reading_the_tables_once(
    postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    seed(postgres_url, ShopSize(customers=5_000, orders=50_000), dirt=0.05)
    settings = Settings(
        source_url=SecretStr(postgres_url),
        target_url=SecretStr(mongo_url),
        target_database=mongo_database,
        workdir=workdir,
    )

    def read_tables() -> None:
        with psycopg.connect(postgres_url) as connection:
            for table in TABLES:
                connection.execute(f"SELECT * FROM {table}").fetchall()

    readings, runs = [], []
    for _ in range(2):
        readings.append(seconds_of(read_tables))
        runs.append(seconds_of(lambda: pipeline.run(settings)))

    assert min(runs) < GROSS * min(readings), f"runs took {runs}, readings {readings} seconds"


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
