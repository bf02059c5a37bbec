"""What orchestration does without an orchestrator: intervals, settings for children, the watch over age."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.orchestration_service import eventually

from shopsight import errors, orchestration
from shopsight.errors import ConfigurationError, TargetUnavailable, error_from_document
from shopsight.orchestration.child import start_child
from shopsight.orchestration.environment import settings_environment
from shopsight.orchestration.prefect_server import PrefectServer
from shopsight.orchestration.schedule import cron_for
from shopsight.orchestration.serve import FreshnessWatch, scheduled
from shopsight.pipeline import run as pipeline
from shopsight.settings import Settings, load_settings

AT = datetime(2026, 11, 22, 18, tzinfo=UTC)


def test_the_stages_are_the_pipelines() -> None:
    assert orchestration.STAGES == pipeline.STAGES


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        (1, "* * * * *"),
        (5, "*/5 * * * *"),
        (30, "*/30 * * * *"),
        (60, "0 * * * *"),
        (180, "0 */3 * * *"),
        (720, "0 */12 * * *"),
        (1440, "0 0 * * *"),
    ],
)
def test_an_interval_that_divides_a_day_is_a_cron_line(minutes: int, cron: str) -> None:
    assert cron_for(timedelta(minutes=minutes)) == cron


@pytest.mark.parametrize("minutes", [0, 0.5, 7, 45, 90, 300, 2880])
def test_an_interval_that_would_drift_is_refused_with_those_that_do_not(minutes: float) -> None:
    with pytest.raises(ConfigurationError) as refused:
        cron_for(timedelta(minutes=minutes))

    assert "30m, 1h, 2h, 3h" in refused.value.remedy


def test_an_interval_becomes_a_cron_line() -> None:
    assert scheduled(load_settings(every="4h")).cron == "0 */4 * * *"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"excluded_order_statuses": [], "top_n": 7, "retry_delay": "10s", "max_rejected_share": 0.25},
        {"source_url": "postgresql://ann:p%40ss@db/shop", "alert_webhook": "https://hooks.example/T0/s3cret"},
        {"shop_name": "Fjord & Finch", "shop_currency": "eur", "report_path": Path("/var/www/report.html")},
        {"cron": "0 6 * * *", "every": "1h30m", "lease_duration": timedelta(milliseconds=1500)},
    ],
)
def test_a_child_has_the_settings_of_its_parent(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(workdir=tmp_path / "work", **given)

    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)

    assert load_settings() == settings


def test_a_child_takes_no_module_from_the_working_directory(tmp_path: Path) -> None:
    for name in ("calendar", "shopsight"):  # the tests' working directory is tmp_path
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")

    with start_child(["calendar", "2026"], environment={}, patience=5, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = child.stdout.read()  # its input stays open meanwhile: it would stop at the end of that

    assert b"November" in said
    assert child.returncode == 0


def test_a_server_whose_port_was_taken_meanwhile_gets_another_and_trusts_no_other(tmp_path: Path) -> None:
    servers = [PrefectServer(tmp_path / name) for name in "ab"]
    servers[1].port = servers[0].port
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        assert servers[0].port != servers[1].port
        for server in servers:
            user, _, secret = server.password_path.read_text().partition(":")
            answer = httpx.get(f"{server.api_url}/admin/version", auth=(user, secret), timeout=30)
            assert answer.status_code == 200
    finally:
        for server in servers:
            server.stop()


def test_serve_speaks_to_its_own_server_when_the_port_was_taken_meanwhile(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = f"""
import sys
from shopsight.cli import main
from shopsight.orchestration import prefect_server
free_port, ports = prefect_server._free_port, [{port}]
prefect_server._free_port = lambda: ports.pop() if ports else free_port()
sys.argv = ["shopsight", "serve", "--source", "sqlite:///none.db", "--target", "mongodb://127.0.0.1:1"]
main()
"""
        environment = {"PATH": os.environ["PATH"], "SHOPSIGHT_WORKDIR": str(tmp_path)}
        output = tmp_path / "output"
        with (
            output.open("wb") as stream,
            subprocess.Popen(
                [sys.executable, "-c", code], env=environment, stdout=stream, stderr=subprocess.STDOUT
            ) as serve,
        ):
            eventually("the schedule", lambda: "Schedule:" in output.read_text() or serve.poll() is not None)
            serve.terminate()
    assert serve.returncode == 0, output.read_text()
    assert f"http://127.0.0.1:{port}" not in output.read_text()


def _all_errors() -> list[type[errors.ShopsightError]]:
    found = [errors.ShopsightError]
    for kind in found:
        found += kind.__subclasses__()
    return found


@pytest.mark.parametrize("kind", _all_errors(), ids=lambda kind: kind.__name__)
def test_an_error_survives_the_trip_from_another_process(kind: type[errors.ShopsightError]) -> None:
    error = kind("it is so", remedy="do this", stage="clean", run_id="R")

    same = error_from_document(json.loads(json.dumps(error.as_document())))

    assert type(same) is kind
    assert same.as_document() == error.as_document()
    assert same.is_retryable == error.is_retryable
    assert same.exit_code == error.exit_code


class Told:
    """A watch over freshness, and the alerts that it sent, read from the command's file."""

    def __init__(self, folder: Path, served: list[dict[str, Any] | Exception | None]) -> None:
        self._file = folder / "alerts"
        settings: Settings = load_settings(alert_command=f"sh -c 'cat >> {self._file}; echo >> {self._file}'")
        answers: Iterator[dict[str, Any] | Exception | None] = iter(served)

        def look_up() -> dict[str, Any] | None:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.watch = FreshnessWatch(settings, look_up, AT)

    def after(self, *hours: float) -> list[str]:
        """The alerts' kinds after looks at these hours."""
        for hour in hours:
            self.watch.look(AT + timedelta(hours=hour))
        if not self._file.exists():
            return []
        return [json.loads(line)["shopsight"]["kind"] for line in self._file.read_text().splitlines()]


def _served(hours: float) -> dict[str, Any]:
    """Published at this hour, good for six."""
    as_of = AT + timedelta(hours=hours)
    return {"generation": 1, "run_id": "R", "as_of": as_of, "valid_until": as_of + timedelta(hours=6)}


def test_staleness_sends_one_alert_and_another_after_fresh_data(tmp_path: Path) -> None:
    told = Told(tmp_path, [_served(0), _served(0), _served(0), _served(8), _served(8)])

    assert told.after(5) == []
    assert told.after(7, 7.5) == ["stale"]
    assert told.after(9, 15) == ["stale", "stale"]


def test_a_first_publication_gets_its_time(tmp_path: Path) -> None:
    told = Told(tmp_path, [None, None])

    assert told.after(5.9) == []
    assert told.after(6.1) == ["stale"]


def test_freshness_of_an_unreachable_target_is_that_of_its_last_answer(tmp_path: Path) -> None:
    told = Told(tmp_path, [_served(0), TargetUnavailable("away"), TargetUnavailable("away")])

    assert told.after(1, 5) == []
    assert told.after(7) == ["stale"]


def test_it_looks_once_a_minute(tmp_path: Path) -> None:
    told = Told(tmp_path, [_served(0)])

    assert told.after(1, 1.001, 1.01) == []
