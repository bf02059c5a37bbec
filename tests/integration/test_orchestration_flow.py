"""The Prefect flow against databases that are away, locked, wrong or busy; each run a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import psycopg
import pytest
from pymongo import MongoClient
from tests.gate import Gate

from shopsight.embedded import PostgresServer
from shopsight.orchestration.prefect_server import PrefectServer, prefect_environment
from shopsight.publish import connect, hold_lease
from shopsight.seed import load_rows

RUN = """
import json
from shopsight.orchestration.prefect_flow import run_shopsight
state = run_shopsight(return_state=True)
print(json.dumps([state.name, state.message, str(state.state_details.flow_run_id)]))
"""

ROWS = {
    "categories": [(1, "Books")],
    "products": [(1, "Atlas", 1)],
    "customers": [(1, "Ann", "ann@example.org", "France")],
    "orders": [(1, 1, "2026-01-05", "10.00", "completed")],
    "order_items": [(1, 1, 1, 1, "10.00")],
    "reviews": [(1, 1, 1, 5, "2026-01-06")],
}


@dataclass(frozen=True)
class Ended:
    """A flow run that has ended: its state, how often each stage was tried, what was said and told."""

    state: str
    message: str
    tries: dict[str, int]
    output: str
    prefect: str
    alerts: list[dict[str, Any]]
    record: dict[str, Any]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server of this module's own."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect"), port=None)
    server.start()
    server.wait()
    yield server
    server.stop()


@pytest.fixture
def source(postgres_url: str) -> str:
    """A shop of one order."""
    load_rows(postgres_url, ROWS)
    return postgres_url


class Flow:
    """Runs the flow with settings of its own."""

    def __init__(self, prefect: PrefectServer, folder: Path, settings: dict[str, str]) -> None:
        self._api = prefect.api_url
        self._folder = folder
        self.workdir = folder / "work"
        alerts = folder / "alerts.jsonl"
        self._environment = {
            **os.environ,
            **prefect_environment(folder / "home", prefect.api_url, is_terminal=False),
            "SHOPSIGHT_WORKDIR": str(self.workdir),
            "SHOPSIGHT_RETRY_DELAY": "PT0.1S",
            "SHOPSIGHT_ALERT_COMMAND": f"sh -c 'cat >> {alerts}; echo >> {alerts}'",
            **settings,
        }

    def run(self, **settings: str) -> Ended:
        """Run it to its end."""
        given = {f"SHOPSIGHT_{name}": value for name, value in settings.items()}
        process = subprocess.run(
            [sys.executable, "-c", RUN],
            check=True,
            capture_output=True,
            text=True,
            env=self._environment | given,
        )
        state, message, flow_run_id = json.loads(process.stdout.splitlines()[-1])
        [record] = [json.loads(path.read_text()) for path in self.workdir.glob("runs/*/run.json")]
        alerts = self._folder / "alerts.jsonl"
        tasks = self._filtered("task_runs", flow_run_id)
        return Ended(
            state=state,
            message=message,
            tries={task["name"].rsplit("-", 1)[0]: task["run_count"] for task in tasks},
            output=process.stdout + process.stderr,
            prefect=json.dumps([self._filtered(kind, flow_run_id) for kind in ("logs", "artifacts")])
            + httpx.get(f"{self._api}/flow_runs/{flow_run_id}", timeout=30).text
            + json.dumps(tasks),
            alerts=[json.loads(line)["shopsight"] for line in alerts.read_text().splitlines()]
            if alerts.exists()
            else [],
            record=record,
        )

    def _filtered(self, kind: str, flow_run_id: str) -> list[dict[str, Any]]:
        """Tasks, logs or artifacts of a run."""
        body = {kind: {"flow_run_id": {"any_": [flow_run_id]}}}
        answer = httpx.post(f"{self._api}/{kind}/filter", json=body, timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


@pytest.fixture
def flow(prefect: PrefectServer, tmp_path: Path, source: str, mongo_url: str, mongo_database: str) -> Flow:
    return Flow(
        prefect,
        tmp_path,
        {
            "SHOPSIGHT_SOURCE_URL": source,
            "SHOPSIGHT_TARGET_URL": mongo_url,
            "SHOPSIGHT_TARGET_DATABASE": mongo_database,
        },
    )


@contextmanager
def _through(folder: Path, server: PostgresServer, source: str, refused: int) -> Iterator[tuple[Gate, str]]:
    """A gate before the source, and the source's URL through it."""
    name = next(server.socket_folder.glob(".s.PGSQL.*[0-9]")).name
    gate = Gate(folder / name, server.socket_folder / name, refused)
    yield gate, source.replace(quote(str(server.socket_folder), safe=""), quote(str(folder), safe=""))
    gate.close()


def test_a_source_that_is_away_for_two_tries_is_read_at_the_third(
    flow: Flow,
    postgres_server: PostgresServer,
    source: str,
    scratch: Path,
    mongo_url: str,
    mongo_database: str,
) -> None:
    folder = scratch / "gate"
    folder.mkdir()
    with _through(folder, postgres_server, source, refused=2) as (gate, url):
        ended = flow.run(SOURCE_URL=url)

    assert ended.state == "Completed", ended.output
    assert ended.tries == {"extract": 3, "clean": 1, "metrics": 1, "insights": 1, "prove": 1, "publish": 1}
    assert gate.callers > 2
    assert ended.alerts == []
    with MongoClient(mongo_url) as client:
        assert client[mongo_database].customer_metrics.find_one({"_id": 1})["total_orders"] == 1


def test_a_target_that_stays_away_fails_the_run_and_no_password_is_said(
    flow: Flow,
) -> None:
    ended = flow.run(TARGET_URL="mongodb://ann:s3cret@127.0.0.1:1/", RETRIES="1", CONNECT_TIMEOUT="PT0.2S")

    assert ended.state == "Failed"
    assert "MongoDB at mongodb://127.0.0.1:1 does not answer" in ended.message
    assert ended.tries == {"extract": 2}
    assert [(alert["kind"], alert["error"]) for alert in ended.alerts] == [("failed", "TargetUnavailable")]
    assert ended.record["status"] == "failed"
    for said in (ended.output, ended.prefect, json.dumps(ended.alerts), json.dumps(ended.record)):
        assert "does not answer" in said
        assert "s3cret" not in said


def test_a_permanent_error_is_tried_once(flow: Flow, source: str) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("ALTER TABLE orders DROP COLUMN status")

    ended = flow.run(RETRIES="3")

    assert ended.state == "Failed"
    assert ended.tries == {"extract": 1}
    assert [(a["kind"], a["error"], a["stage"]) for a in ended.alerts] == [
        ("failed", "SchemaMismatch", "extract")
    ]
    assert "status" in ended.message


def test_a_stage_that_hangs_is_stopped_at_its_timeout_wherever_it_hangs(
    flow: Flow, source: str, mongo_url: str, mongo_database: str
) -> None:
    with psycopg.connect(source) as locking, psycopg.connect(source, autocommit=True) as looking:
        locking.execute("LOCK TABLE order_items IN ACCESS EXCLUSIVE MODE")
        watch = _Watch(looking)
        ended = flow.run(STAGE_TIMEOUT="PT4S", RETRIES="3")
        watch.stop()

    assert ended.state == "Failed"
    assert "extract took longer than 4 s and was stopped" in ended.message
    assert ended.tries == {"extract": 1}
    [alert] = ended.alerts
    assert (alert["kind"], alert["error"], alert["stage"]) == ("failed", "StageTimeout", "extract")
    assert watch.most_waiters > 0
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if ended.record["run_id"] in (process.info["cmdline"] or ())
    ]
    with connect(mongo_url, mongo_database, timedelta(seconds=10)) as target:
        assert target.db.pipeline_runs.find_one()["error"]["type"] == "StageTimeout"
        with hold_lease(target, "20261122T180000Z-1f3a9c", timedelta(seconds=60)):
            pass  # it is free for another run


class _Watch:
    """Counts, until it is stopped, how many wait for a lock."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._over = threading.Event()
        self.most_waiters = 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.most_waiters = max(self.most_waiters, _waiters(self._connection))

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def _waiters(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_run_beside_another_one_is_refused_says_whose_and_alarms_nobody(
    flow: Flow, mongo_url: str, mongo_database: str
) -> None:
    with (
        connect(mongo_url, mongo_database, timedelta(seconds=10)) as target,
        hold_lease(target, "20261122T180000Z-1f3a9c", timedelta(seconds=60)),
    ):
        ended = flow.run()

    assert ended.state == "Refused"
    assert "Run 20261122T180000Z-1f3a9c" in ended.message
    assert ended.tries == {"extract": 1}
    assert ended.alerts == []


def test_a_refused_publication_shows_how_far_it_came(flow: Flow, source: str) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("UPDATE orders SET customer_id = 99")

    ended = flow.run(MAX_REJECTED_SHARE="0.1", MIN_REJECTED_ROWS="0")

    assert ended.state == "Refused"
    assert ended.tries == {"extract": 1, "clean": 1}
    assert [(alert["kind"], alert["stage"]) for alert in ended.alerts] == [("refused", "clean")]
    assert "DataQualityError" in ended.prefect
