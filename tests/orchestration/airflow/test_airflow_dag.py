"""The same pipeline as an Airflow DAG: what it publishes is what ``shopsight run`` publishes.

Runs in Airflow's own environment, in a fresh AIRFLOW_HOME on SQLite: ``make test-airflow``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient

from shopsight_demo.seed import ShopSize, seed

pytestmark = pytest.mark.timeout(600)

BIN = Path(sys.executable).parent
STAGES = ["extract", "clean", "metrics", "insights", "prove", "publish"]

# In a process of its own: Airflow reads its configuration once, as it is imported.
LOOK = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
dag = bag.dags["shopsight"]
print("SEEN", json.dumps({
    "errors": bag.import_errors,
    "loaded": sorted(name for name in ("polars", "pymongo", "pyarrow", "structlog") if name in sys.modules),
    "schedule": dag.schedule,
    "catchup": dag.catchup,
    "max_active_runs": dag.max_active_runs,
    "has_doc": dag.doc_md.startswith("A shop's SQL database to MongoDB"),
    "chain": [[task.task_id, sorted(task.downstream_task_ids)] for task in dag.topological_sort()],
    "retries": sorted({task.retries for task in dag.tasks}),
    "backoff": sorted({float(task.retry_exponential_backoff) for task in dag.tasks}),
    "timeouts": sorted({task.execution_timeout.total_seconds() for task in dag.tasks}),
    "after_failure": sorted({call.__name__ for task in dag.tasks for call in task.on_failure_callback}),
    "after_success": [
        [task.task_id, call.__name__] for task in dag.tasks for call in task.on_success_callback
    ],
    "documented": all(task.doc_md for task in dag.tasks),
}))
"""

RUN = """
import json
from airflow.dag_processing.dagbag import DagBag
run = DagBag().dags["shopsight"].test()
tries = {task.task_id: [task.state, task.try_number] for task in run.get_task_instances()}
print("SEEN", json.dumps({"state": run.state, "tries": tries}))
"""


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh home whose DAGs folder holds one file of one line, and whose database is migrated."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "shop.py").write_text(
        "from shopsight.orchestration.airflow_dag import shopsight_dag  # an Airflow dag\n"
    )
    subprocess.run(
        [BIN / "airflow", "db", "migrate"], check=True, env=_environment(home), capture_output=True
    )
    return home


def _environment(home: Path, **settings: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **{f"SHOPSIGHT_{name}": value for name, value in settings.items()},
    }


def _seen(home: Path, program: str, **settings: str) -> dict[str, Any]:
    process = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env=_environment(home, **settings),
        capture_output=True,
        text=True,
    )
    said = [line for line in process.stdout.splitlines() if line.startswith("SEEN ")]
    assert said, process.stdout[-3000:] + process.stderr[-3000:]
    seen: dict[str, Any] = json.loads(said[0].removeprefix("SEEN "))
    seen["output"] = process.stdout + process.stderr
    return seen


@pytest.fixture
def target(mongo_url: str, mongo_database: str) -> Iterator[Any]:
    with MongoClient(mongo_url) as client:
        yield client[mongo_database]


def test_the_dag_is_as_it_is_documented_and_does_nothing_when_it_is_imported(airflow_home: Path) -> None:
    # No database is there, and the settings are wrong: a DAG that looked at either would not be imported.
    seen = _seen(airflow_home, LOOK, SOURCE_URL="postgresql://nobody@127.0.0.1:1/", TOP_N="none")

    assert seen["errors"] == {}
    assert not {"polars", "pymongo", "pyarrow"} & set(seen["loaded"])
    assert seen["schedule"] == "0 */3 * * *"
    assert (seen["catchup"], seen["max_active_runs"]) == (False, 1)
    assert seen["chain"] == [
        [stage, [after] if after else []] for stage, after in zip(STAGES, [*STAGES[1:], None], strict=True)
    ]
    assert (seen["retries"], seen["backoff"], seen["timeouts"]) == ([3], [2.0], [6 * 3600.0])
    assert (seen["after_failure"], seen["after_success"]) == (["end_failed_run"], [["publish", "end_run"]])
    assert seen["has_doc"]
    assert seen["documented"]


def test_the_dag_publishes_what_the_command_publishes_and_sends_alerts_and_a_report(
    airflow_home: Path,
    postgres_url: str,
    mongo_url: str,
    mongo_database: str,
    target: Any,
    workdir: Path,
    tmp_path: Path,
) -> None:
    alerts, report = tmp_path / "alerts.jsonl", tmp_path / "report.html"
    seed(postgres_url, ShopSize(customers=200, orders=1_000), dirt=0.05, seed=3, constraints=False)
    settings = {"SOURCE_URL": postgres_url, "TARGET_URL": mongo_url, "WORKDIR": str(workdir)}
    by_command = f"{mongo_database}_by_command"

    seen = _seen(
        airflow_home,
        RUN,
        TARGET_DATABASE=mongo_database,
        REPORT_PATH=str(report),
        ALERT_COMMAND=f"sh -c 'cat >> {alerts}; echo >> {alerts}'",
        ALERT_REJECTED_SHARE="0.01",
        WATCH='[{"figure": "orders", "above": 10}]',
        **settings,
    )
    subprocess.run(
        [BIN / "shopsight", "run"],
        check=True,
        env=_environment(airflow_home, TARGET_DATABASE=by_command, **settings),
        capture_output=True,
    )

    assert seen["state"] == "success", seen["output"]
    assert seen["tries"] == {stage: ["success", 1] for stage in STAGES}
    other = target.client[by_command]
    try:
        for name in ("customer_metrics", "rejected_rows", "insights"):
            documents, expected = _documents(target[name]), _documents(other[name])
            assert len(documents) == len(expected) > 5
            for document, same in zip(documents, expected, strict=True):
                assert document == same
        run, same_run = target.pipeline_runs.find_one(), other.pipeline_runs.find_one()
        assert run["status"] == same_run["status"] == "succeeded"
        assert [stage["name"] for stage in run["stages"]] == STAGES
        assert run["ledger"] == same_run["ledger"]
        assert run["totals"] == same_run["totals"]
        assert run["_id"] in report.read_text()
        told = [json.loads(line)["shopsight"] for line in alerts.read_text().splitlines()]
        assert {alert["kind"] for alert in told} == {"watch", "rejected_rows"}
        assert {alert["run_id"] for alert in told} == {run["_id"]}
    finally:
        target.client.drop_database(by_command)


def _documents(collection: Any) -> list[dict[str, Any]]:
    """All documents, without what names the run that made them."""
    return [
        {name: value for name, value in document.items() if name not in ("run_id", "as_of", "generation")}
        for document in collection.find().sort("_id", 1)
    ]


def test_a_pinned_generation_is_told_of_once_a_day(
    airflow_home: Path, postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path, tmp_path: Path
) -> None:
    alerts = tmp_path / "alerts.jsonl"
    seed(postgres_url, ShopSize(customers=20, orders=50), dirt=0, seed=3, constraints=False)
    settings = {
        "SOURCE_URL": postgres_url,
        "TARGET_URL": mongo_url,
        "TARGET_DATABASE": mongo_database,
        "WORKDIR": str(workdir),
        "ALERT_COMMAND": f"sh -c 'cat >> {alerts}; echo >> {alerts}'",
    }
    for command in (["run"], ["run"], ["rollback"]):
        subprocess.run(
            [BIN / "shopsight", *command],
            check=True,
            env=_environment(airflow_home, **settings),
            capture_output=True,
        )

    runs = [_seen(airflow_home, RUN, **settings) for _ in range(2)]

    assert [run["state"] for run in runs] == ["success", "success"], runs[-1]["output"]
    (told,) = [json.loads(line)["shopsight"] for line in alerts.read_text().splitlines()]
    assert (told["kind"], told["pinned"], told["generation"]) == ("pinned", 1, 4)


def test_a_permanent_error_is_tried_once_and_reported(
    airflow_home: Path, postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path, tmp_path: Path
) -> None:
    seed(postgres_url, ShopSize(customers=20, orders=50), dirt=0, seed=3, constraints=False)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("ALTER TABLE orders DROP COLUMN status")
    alerts = tmp_path / "alerts.json"

    seen = _seen(
        airflow_home,
        RUN,
        SOURCE_URL=postgres_url,
        TARGET_URL=mongo_url,
        TARGET_DATABASE=mongo_database,
        WORKDIR=str(workdir),
        ALERT_COMMAND=f"sh -c 'cat > {alerts}'",
    )

    assert seen["state"] == "failed"
    assert seen["tries"]["extract"] == ["failed", 1]
    assert {state for stage, (state, _) in seen["tries"].items() if stage != "extract"} == {"upstream_failed"}
    told = json.loads(alerts.read_text())["shopsight"]
    assert (told["kind"], told["error"], told["stage"]) == ("failed", "SchemaMismatch", "extract")
    password = postgres_url.partition(":")[2].partition("@")[0].rpartition(":")[2]
    assert password
    assert password not in seen["output"]


def test_the_tasks_timeout_lies_beyond_the_stages_own() -> None:
    from shopsight.orchestration.airflow_dag import OUTER_TIMEOUT
    from shopsight.settings import Settings

    default: timedelta = Settings.model_fields["stage_timeout"].default
    assert default < OUTER_TIMEOUT
