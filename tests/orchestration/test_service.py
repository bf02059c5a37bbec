"""``shopsight serve``, with a real Prefect server, killed and stopped in every way that was thought of.

One service for all tests of this module, because its server takes seconds to start.
"""

from __future__ import annotations

import json
import shlex
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pymongo import MongoClient
from tests.support.orchestration_service import SHOPSIGHT, Service, eventually

from shopsight.orchestration import STAGES
from shopsight.orchestration.stage_process import PUBLISH_STOP_SECONDS
from shopsight.pipeline.workspace import Workspace
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.servers import MongoServer

DATABASE = "test_orchestration_service"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Service]:
    """A service that runs, over a small SQLite shop, and publishes to the session's MongoDB."""
    folder = tmp_path_factory.mktemp("service")
    source = f"sqlite:///{folder / 'shop.db'}"
    seed(source, ShopSize(customers=50, orders=200), dirt=0.02, seed=5, constraints=False)
    alerts = shlex.quote(str(folder / "alerts.jsonl"))
    service = Service(
        folder,
        {
            "SHOPSIGHT_SOURCE_URL": source,
            "SHOPSIGHT_TARGET_URL": mongo_server.url,
            "SHOPSIGHT_TARGET_DATABASE": DATABASE,
            "SHOPSIGHT_KEEP_RUNS": "50",
            "SHOPSIGHT_ALERT_COMMAND": f"sh -c 'cat >> {alerts}; echo >> {alerts}'",
        },
    )
    service.start()
    eventually("the first run's end", lambda: any(run["end_time"] for run in service.flow_runs()))
    yield service
    if service.process.poll() is None:
        service.stop()
    with MongoClient(mongo_server.url) as client:
        client.drop_database(DATABASE)


@pytest.fixture
def database(mongo_server: MongoServer) -> Iterator[Any]:
    with MongoClient(mongo_server.url) as client:
        yield client[DATABASE]


@pytest.fixture(autouse=True)
def _running(service: Service) -> None:
    """Every test begins with a service that runs and stalls nothing."""
    service.stall()
    if service.process.poll() is not None:
        service.start()


def _alerts(service: Service) -> list[dict[str, Any]]:
    path = service.folder / "alerts.jsonl"
    return [json.loads(line)["shopsight"] for line in path.read_text().splitlines()] if path.exists() else []


def _publishes(service: Service, database: Any, flow_run_id: str) -> str:
    """The run comes to its end, and what it published is served; returns its id."""
    run_id: str = service.wait_state(flow_run_id, "Completed")["name"]
    assert database.published.find_one({"_id": "current"})["run_id"] == run_id
    assert database.pipeline_runs.find_one({"_id": run_id})["status"] == "succeeded"
    return run_id


def _lease_is_free(database: Any) -> bool:
    lease = database.lease.find_one({"_id": "publish"})
    now = database.client.admin.command("hello")["localTime"]
    return bool(lease["expires_at"] <= now)


def test_the_first_start_runs_at_once_and_an_operator_sees_what_it_did(
    service: Service, database: Any
) -> None:
    first = service.flow_runs()[-1]

    run_id = _publishes(service, database, first["id"])

    # One canonical line a stage, on the output and in Prefect's UI.
    lines = service.lines("stage", run_id)
    assert [line["stage"] for line in lines] == list(STAGES)
    assert all(line["outcome"] == "done" for line in lines)
    assert {"rows_in", "rows_out", "rejected", "seconds"} <= set(lines[0])
    logs = eventually(
        "logs in Prefect",
        lambda: _stage_logs(service, first["id"]) if len(_stage_logs(service, first["id"])) == 6 else None,
    )
    assert [f"stage={stage} " in message for stage, message in zip(STAGES, logs, strict=True)] == [True] * 6

    # The insights, the ledger, the rules and the proof as artifacts.
    artifacts = service.call("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [first["id"]]}}})
    by_key = {artifact["key"]: artifact for artifact in artifacts}
    assert {"run", "ledger", "ledger-amounts", "rules", "proof", "top-customers"} <= set(by_key)
    assert len(by_key) == 15
    top = json.loads(by_key["top-customers"]["data"])
    assert len(top) == 5
    [served] = list(database.insights.find({"_id": "top_customers"}))
    assert top[0]["Total spent"] == f"{served['rows'][0]['total_amount_spent'].to_decimal():,.2f}"
    assert {row["Holds"] for row in json.loads(by_key["proof"]["data"])} == {"yes"}

    # Stages are tasks by their names.
    tasks = service.call("/task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [first["id"]]}}})
    assert {task["name"].rsplit("-", 1)[0] for task in tasks} == set(STAGES)


def _stage_logs(service: Service, flow_run_id: str) -> list[str]:
    logs = service.call(
        "/logs/filter", {"logs": {"flow_run_id": {"any_": [flow_run_id]}}, "sort": "TIMESTAMP_ASC"}
    )
    return [log["message"] for log in logs if log["message"].startswith("stage ")]


def test_it_listens_on_loopback_alone_and_keeps_its_files_to_itself(service: Service) -> None:
    addresses = {
        connection.laddr.ip
        for process in service.family()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}
    assert (service.workdir / "prefect" / "prefect.db").exists()


def test_another_user_of_the_machine_cannot_have_code_of_their_own_run(service: Service) -> None:
    deployment = service.call("/deployments/name/shopsight/scheduled")["id"]
    change = {"entrypoint": "evil.run", "path": "/evil", "pull_steps": [], "parameters": {"path": "x"}}
    for method, path, body in (
        ("PATCH", f"/deployments/{deployment}", change),
        ("POST", f"/deployments/{deployment}/create_flow_run", {}),
        ("POST", "/flow_runs/filter", {}),
        ("GET", f"/deployments/{deployment}", None),
    ):
        for auth in (None, ("shopsight", "guess")):
            answer = httpx.request(method, service.api + path, json=body, auth=auth, timeout=30)
            # What changes something fails even before the password is asked for.
            assert answer.status_code == (401 if method == "GET" else 403), (method, path)
    assert service.call(f"/deployments/{deployment}")["entrypoint"].endswith("prefect_flow.run_shopsight")


def test_api_requires_the_password_even_with_a_csrf_token(service: Service) -> None:
    password = service.workdir / "prefect" / "password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.parent.stat().st_mode & 0o777 == 0o700
    user, _, secret = password.read_text().partition(":")
    deployment = service.call("/deployments/name/shopsight/scheduled")["id"]
    assert httpx.get(f"{service.api}/csrf-token?client=evil", timeout=30).status_code == 401
    token = httpx.get(f"{service.api}/csrf-token?client=evil", auth=(user, secret), timeout=30).json()[
        "token"
    ]
    answer = httpx.patch(
        f"{service.api}/deployments/{deployment}",
        json={"entrypoint": "evil.run"},
        headers={"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "evil"},
        timeout=30,
    )
    assert answer.status_code == 401


def test_web_page_of_another_origin_is_refused(service: Service) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        answer = httpx.options(
            f"{service.api}/deployments/filter", headers={"Origin": origin, **asked}, timeout=30
        )
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers
    own = service.api.removesuffix("/api")
    answer = httpx.options(f"{service.api}/deployments/filter", headers={"Origin": own, **asked}, timeout=30)
    assert answer.headers["access-control-allow-origin"] == own


def test_deployment_that_names_other_code_still_runs_our_flow_and_one_run_at_a_time(
    service: Service, database: Any
) -> None:
    evil = service.folder / "evil.py"
    evil.write_text(
        "import pathlib\nfrom prefect import flow\n\n\n@flow(name='shopsight')\n"
        f"def run_shopsight(allow_shrink=False):\n    pathlib.Path({str(evil) + '.ran'!r}).touch()\n"
    )
    deployment = service.call("/deployments/name/shopsight/scheduled")["id"]
    change = {
        "entrypoint": f"{evil}:run_shopsight",
        "path": str(service.folder),
        "pull_steps": [{"prefect.deployments.steps.run_shell_script": {"script": f"touch {evil}.ran"}}],
        "enforce_parameter_schema": False,
    }
    assert service.request("PATCH", f"/deployments/{deployment}", change).is_success

    service.stall(clean=6)
    first = service.schedule()
    service.wait_at("clean")
    second = service.schedule()
    assert service.wait_state(second, "Cancelled")["state"]["message"] == "Another run is at work."
    _publishes(service, database, first)

    assert not Path(f"{evil}.ran").exists()
    for parameters, said in (
        ({"settings": "x"}, "parameters that shopsight's flow does not know: settings"),
        ({"allow_shrink": "--run-id=x"}, "allow_shrink is neither true nor false"),
    ):
        body = {"parameters": parameters, "enforce_parameter_schema": False, "state": {"type": "SCHEDULED"}}
        created = service.request("POST", f"/deployments/{deployment}/create_flow_run", body)
        refused = service.wait_state(created.raise_for_status().json()["id"], "Refused")
        assert said in refused["state"]["message"]
        assert refused["run_count"] == 0
    assert "run refused" in service.text()


def test_a_second_serve_in_the_same_directory_is_refused(service: Service) -> None:
    second = subprocess.run(
        [SHOPSIGHT, "serve"],
        check=False,
        env=service.environment,
        cwd=service.folder,
        capture_output=True,
        text=True,
    )

    assert second.returncode == 2
    assert f"Another `shopsight serve` (process {service.process.pid})" in " ".join(second.stderr.split())


@pytest.mark.parametrize(
    "stage",
    [stage if stage == "clean" else pytest.param(stage, marks=pytest.mark.orchestration) for stage in STAGES],
)
def test_a_killed_run_is_marked_crashed_alerted_and_repeated(
    service: Service, database: Any, stage: str
) -> None:
    before = database.published.find_one({"_id": "current"})["run_id"]
    service.stall(**{stage: 300})
    flow_run_id = service.schedule()
    service.wait_at(stage)
    worker = service.child(f"shopsight stage {stage}")

    service.child("prefect_flow").kill()

    run_id = service.wait_state(flow_run_id, "Crashed")["name"]
    # One that is publishing is given that long to come to its own end.
    eventually("the stage's process gone", lambda: not worker.is_running(), seconds=PUBLISH_STOP_SECONDS + 30)
    # What ends without a word leaves its lease to expire.
    eventually("the lease free", lambda: _lease_is_free(database), seconds=90)
    assert database.published.find_one({"_id": "current"})["run_id"] == before
    told = eventually("the alert", lambda: [a for a in _alerts(service) if a["run_id"] == run_id], seconds=30)
    assert [alert["kind"] for alert in told] == ["crashed"]
    record = database.pipeline_runs.find_one({"_id": run_id})
    assert (record["status"], record["error"]["type"]) == ("failed", "RunCrashed")
    assert Workspace(service.workdir, run_id).read_record()["status"] == "failed"

    service.stall()
    _publishes(service, database, service.schedule())


@pytest.mark.orchestration
def test_a_stage_process_that_is_killed_crashes_the_run(service: Service, database: Any) -> None:
    service.stall(metrics=60)
    flow_run_id = service.schedule()
    service.wait_at("metrics")

    service.child("shopsight stage metrics").kill()

    known = service.wait_state(flow_run_id, "Crashed")
    assert "it ended by SIGKILL" in known["state"]["message"]
    record = database.pipeline_runs.find_one({"_id": known["name"]})
    assert (record["error"]["type"], record["error"]["stage"]) == ("RunCrashed", "metrics")
    service.stall()
    _publishes(service, database, service.schedule())


@pytest.mark.orchestration
def test_a_run_survives_the_restart_of_prefect_s_server(service: Service, database: Any) -> None:
    service.stall(metrics=15)
    flow_run_id = service.schedule()
    service.wait_at("metrics")
    server = service.child("prefect server start")

    server.kill()

    _publishes(service, database, flow_run_id)
    assert service.child("prefect server start") != server
    # Cancelling works all the same.
    service.stall(clean=60)
    cancelled = service.schedule()
    service.wait_at("clean")
    service.call(f"/flow_runs/{cancelled}/set_state", {"state": {"type": "CANCELLING"}})
    service.wait_state(cancelled, "Cancelled")
    eventually("the lease free", lambda: _lease_is_free(database), seconds=30)


@pytest.mark.orchestration
def test_a_run_that_begins_while_prefect_s_server_is_away_waits_for_it(
    service: Service, database: Any
) -> None:
    flow_run_id = service.schedule()
    service.child(flow_run_id)
    # It would start the server again, perhaps before the run calls it.
    service.process.send_signal(signal.SIGSTOP)
    try:
        service.child("prefect server start").kill()
        eventually("the run waiting", lambda: "waiting for Prefect's server" in service.text())
    finally:
        service.process.send_signal(signal.SIGCONT)

    _publishes(service, database, flow_run_id)


@pytest.mark.orchestration
def test_a_service_that_is_killed_leaves_nothing_and_goes_on_when_started_again(
    service: Service, database: Any
) -> None:
    service.stall(clean=60)
    flow_run_id = service.schedule()
    service.wait_at("clean")
    family = service.family()

    service.process.kill()
    service.process.wait()

    eventually("all gone", lambda: not any(_is_there(process) for process in family))
    service.stall()
    service.start()
    crashed = service.wait_state(flow_run_id, "Crashed")
    again = eventually("another run", lambda: _since(service, crashed))
    _publishes(service, database, again["id"])


def test_stopped_while_publishing_it_publishes_first(service: Service, database: Any) -> None:
    service.stall(publish=4)
    flow_run_id = service.schedule()
    service.wait_at("publish")
    tomorrow = datetime.now(UTC) + timedelta(hours=12)
    for n in range(5):  # Prefect itself has put three of the schedule's moments down
        service.schedule(tomorrow + timedelta(hours=n))
    family = service.family()

    service.process.send_signal(signal.SIGTERM)
    service.process.wait(120)

    assert service.process.returncode == 0
    assert not [process for process in family if _is_there(process)]
    run_id = next(line["run_id"] for line in reversed(_lines(service)) if line["event"] == "stage")
    assert database.published.find_one({"_id": "current"})["run_id"] == run_id
    assert database.pipeline_runs.find_one({"_id": run_id})["status"] == "succeeded"
    assert _lease_is_free(database)

    # Started again after a day, in which its schedule named eight moments: one run makes up for all.
    missed = _put_back(service, days=1)
    assert len(missed) == 8
    service.stall()
    service.start()

    before = service.wait_state(flow_run_id, "Completed")
    assert before["name"] == run_id
    newest = eventually("the run", lambda: _since(service, before))
    made_up = _publishes(service, database, newest["id"])
    assert made_up > run_id
    states = [service.flow_run(flow_run)["state"] for flow_run in missed]
    assert {state["name"] for state in states} == {"Cancelled"}
    assert {state["message"] for state in states} == {
        "Missed while the service was down; one run makes up for all."
    }
    started = [run for run in service.flow_runs() if run["start_time"]]
    assert [run["id"] for run in started[:2]] == [newest["id"], flow_run_id]


def _since(service: Service, earlier: dict[str, Any]) -> dict[str, Any] | None:
    """The newest run that was started after an earlier one."""
    newest = next((run for run in service.flow_runs() if run["start_time"]), earlier)
    return newest if newest["id"] != earlier["id"] else None


def _put_back(service: Service, days: int) -> list[str]:
    """Let days pass for Prefect's schedule, whose database nobody has open; returns the runs then missed."""
    with closing(sqlite3.connect(service.workdir / "prefect" / "prefect.db")) as connection, connection:
        [deployment] = connection.execute("SELECT id FROM deployment").fetchone()
        scheduled = connection.execute(
            "SELECT id FROM flow_run WHERE state_type = 'SCHEDULED' AND deployment_id = ?", (deployment,)
        ).fetchall()
        for (flow_run,) in scheduled:
            for column in ("expected_start_time", "next_scheduled_start_time"):
                earlier = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{days} days')"
                connection.execute(f"UPDATE flow_run SET {column} = {earlier} WHERE id = ?", (flow_run,))
    return [str(uuid.UUID(flow_run)) for (flow_run,) in scheduled]


def _lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.text().splitlines() if line.startswith("{")]


def _is_there(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_no_output_ever_holds_a_credential(service: Service, mongo_server: MongoServer) -> None:
    everything = service.text() + "".join(
        path.read_text(errors="replace") for path in _texts(service.workdir)
    )

    assert "stage" in everything
    assert mongo_server.password not in everything


def _texts(workdir: Path) -> Iterator[Path]:
    yield from workdir.glob("runs/*/*.json")
    yield from workdir.glob("runs/*/manifests/*.json")
    yield from (path for path in (workdir / "prefect").rglob("*") if path.is_file())
