"""The Prefect flow against databases that are away, locked, wrong or busy, with a real Prefect server.

One process runs all flows of this module, because loading Prefect takes seconds; their stages have their own.
"""

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

import psutil
import psycopg
import pytest
from pymongo import MongoClient
from tests.support.command_line import shopsight
from tests.support.gate import Gate
from tests.support.literal_rows import load_rows
from tests.support.orchestration_service import FAULTS, ONE_ORDER, api_request

from shopsight.orchestration.prefect_server import PrefectServer
from shopsight.publish import connect, hold_lease
from shopsight_demo.servers import PostgresServer

HOST = """
import json, os, sys
from shopsight.orchestration.prefect_flow import run_shopsight
for line in sys.stdin:
    for name in [name for name in os.environ if name.startswith(("SHOPSIGHT_", "PYTHONPATH", "FAULT_"))]:
        del os.environ[name]
    os.environ.update(json.loads(line))
    state = run_shopsight(return_state=True)
    print("ENDED", json.dumps([state.name, state.message, str(state.state_details.flow_run_id)]), flush=True)
"""


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


class Host:
    """A Prefect server, and a process that runs flows, one after the other."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        self.api, self.password = server.api_url, server.password_path
        self._log = folder / "host.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", HOST],
                env={**os.environ, **server.client_environment(is_terminal=False)},
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, environment: dict[str, str]) -> tuple[str, str, str, str]:
        """Run the flow in this environment; returns its state, message, id and all that was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        said = self._log.stat().st_size
        self._process.stdin.write(json.dumps(environment) + "\n")
        self._process.stdin.flush()
        printed = ""
        while not (line := self._process.stdout.readline()).startswith("ENDED "):
            assert line, self._log.read_text()[said:]
            printed += line
        state, message, flow_run_id = json.loads(line.removeprefix("ENDED "))
        return state, message, flow_run_id, printed + self._log.read_text()[said:]

    def end(self) -> None:
        with self._process:
            pass  # closes its input, and waits


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host of this module's own."""
    folder = tmp_path_factory.mktemp("prefect")
    server = PrefectServer(folder)
    server.start()
    server.wait()
    host = Host(server, folder)
    yield host
    host.end()
    server.stop()


@pytest.fixture
def source(postgres_url: str) -> str:
    """A shop of one order."""
    load_rows(postgres_url, ONE_ORDER)
    return postgres_url


class Flow:
    """Runs the flow with settings of its own."""

    def __init__(self, host: Host, folder: Path, environment: dict[str, str]) -> None:
        self._host = host
        self._alerts = folder / "alerts.jsonl"
        self._workdir = folder / "work"
        self._environment = {
            "SHOPSIGHT_WORKDIR": str(self._workdir),
            "SHOPSIGHT_RETRY_DELAY": "PT0.1S",
            "SHOPSIGHT_ALERT_COMMAND": f"sh -c 'cat >> {self._alerts}; echo >> {self._alerts}'",
            **environment,
        }

    def run(self, **environment: str) -> Ended:
        """Run it to its end."""
        state, message, flow_run_id, output = self._host.run(self._environment | environment)
        [record] = [json.loads(path.read_text()) for path in self._workdir.glob("runs/*/run.json")]
        alerts = self._alerts.read_text().splitlines() if self._alerts.exists() else []
        tasks = self._filtered("task_runs", flow_run_id)
        known = [self._filtered(kind, flow_run_id) for kind in ("logs", "artifacts", "flow_runs")]
        return Ended(
            state=state,
            message=message,
            tries={task["name"].rsplit("-", 1)[0]: task["run_count"] for task in tasks},
            output=output,
            prefect=json.dumps([*known, tasks]),
            alerts=[json.loads(line)["shopsight"] for line in alerts],
            record=record,
        )

    def _filtered(self, kind: str, flow_run_id: str) -> list[dict[str, Any]]:
        """What Prefect has of a run: its tasks, logs or artifacts, or itself."""
        name = "id" if kind == "flow_runs" else "flow_run_id"
        body = {kind: {name: {"any_": [flow_run_id]}}}
        answer = api_request(self._host.api, self._host.password, "POST", f"/{kind}/filter", body)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


@pytest.fixture
def flow(host: Host, tmp_path: Path, source: str, mongo_url: str, mongo_database: str) -> Flow:
    return Flow(
        host,
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


def test_a_run_tries_again_what_may_pass_keeps_what_is_whole_and_renews_the_report(
    flow: Flow,
    postgres_server: PostgresServer,
    source: str,
    scratch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mongo_url: str,
    mongo_database: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shopsight("insight", "new", "countries_lately").code == 0
    report, folder = tmp_path / "web" / "report.html", scratch / "gate"
    (tmp_path / "fail.json").write_text(json.dumps({"publish": 2}))
    folder.mkdir()
    with _through(folder, postgres_server, source, refused=2) as (gate, url):
        ended = flow.run(
            SHOPSIGHT_SOURCE_URL=url,
            SHOPSIGHT_INSIGHTS=str(tmp_path / "my_insights"),
            SHOPSIGHT_REPORT_PATH=str(report),
            SHOPSIGHT_SHOP_NAME="Fjord & Finch",
            PYTHONPATH=str(FAULTS),
            FAULT_FOLDER=str(tmp_path),
        )

    assert ended.state == "Completed", ended.output
    assert ended.tries == {"extract": 3, "clean": 1, "metrics": 1, "insights": 1, "prove": 1, "publish": 3}
    assert gate.callers > 2
    assert ended.alerts == []
    # A retry keeps the whole stages of the same snapshot.
    outcomes = {stage["name"]: stage["outcome"] for stage in ended.record["stages"]}
    assert outcomes == dict.fromkeys(ended.tries, "done")
    assert len({stage["started_at"] for stage in ended.record["stages"]}) == 6
    # That they were found whole again is not worth a line each: two that failed, and one.
    assert ended.output.count('"stage": "extract"') == 3
    with MongoClient(mongo_url) as client:
        db = client[mongo_database]
        assert db.customer_metrics.find_one({"_id": 1})["total_orders"] == 1
        assert db.published.find_one({"_id": "current"})["run_id"] == ended.record["run_id"]
    assert "<h1><bdi>Fjord &amp; Finch</bdi></h1>" in report.read_text()
    assert ended.record["run_id"] in report.read_text()
    assert '"key": "countries-lately"' in ended.prefect


def test_a_target_that_stays_away_fails_the_run_and_no_password_is_said(
    flow: Flow,
) -> None:
    ended = flow.run(
        SHOPSIGHT_TARGET_URL="mongodb://ann:s3cret@127.0.0.1:1/",
        SHOPSIGHT_RETRIES="1",
        SHOPSIGHT_CONNECT_TIMEOUT="PT0.2S",
    )

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

    ended = flow.run(SHOPSIGHT_RETRIES="3")

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
        ended = flow.run(SHOPSIGHT_STAGE_TIMEOUT="PT12S", SHOPSIGHT_RETRIES="3")
        watch.stop()

    assert ended.state == "Failed"
    assert "extract took longer than 12 s and was stopped" in ended.message
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


def test_a_run_beside_another_one_is_refused_names_it_and_sends_no_alert(
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

    ended = flow.run(SHOPSIGHT_MAX_REJECTED_SHARE="0.1", SHOPSIGHT_MIN_REJECTED_ROWS="0")

    assert ended.state == "Refused"
    assert ended.tries == {"extract": 1, "clean": 1}
    assert [(alert["kind"], alert["stage"]) for alert in ended.alerts] == [("refused", "clean")]
    assert "DataQualityError" in ended.prefect


def test_a_cron_line_says_how_long_data_are_fresh_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    look = (
        "from shopsight.orchestration.serve import scheduled; from shopsight.settings import load_settings;"
        "print(scheduled(load_settings(cron='0 6,18 * * 1-5')).valid_for);"
        "scheduled(load_settings(cron='61 * * * *'))"
    )

    process = subprocess.run([sys.executable, "-c", look], check=False, capture_output=True, text=True)

    # From Friday evening to Monday morning, twice.
    assert process.stdout == "5 days, 0:00:00\n"
    assert "ConfigurationError: '61 * * * *' is no cron line." in process.stderr
