"""A real ``shopsight serve`` with its Prefect server, for tests to kill and to stop."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

SHOPSIGHT = Path(sys.executable).with_name("shopsight")
FAULTS = Path(__file__).with_name("faults")
# A machine that is shared may be ten times slower than the one this was written on.
PATIENCE_SECONDS = 240.0

#: The smallest shop of which every table has a row.
ONE_ORDER = {
    "categories": [(1, "Books")],
    "products": [(1, "Atlas", 1)],
    "customers": [(1, "Ann", "ann@example.org", "France")],
    "orders": [(1, 1, "2026-01-05", "10.00", "completed")],
    "order_items": [(1, 1, 1, 1, "10.00")],
    "reviews": [(1, 1, 1, 5, "2026-01-06")],
}

_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that ``look`` finds (not None, not False)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


def api_request(
    api: str, password: Path, method: str, path: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    """One request to a Prefect API that asks for a password and a CSRF token."""
    user, _, secret = password.read_text().partition(":")
    with httpx.Client(base_url=api, auth=(user, secret), timeout=30) as client:
        headers = {}
        if method != "GET":
            token = client.get("/csrf-token", params={"client": "tests"}).raise_for_status().json()["token"]
            headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "tests"}
        for _ in range(5):
            answer = client.request(method, path, json=body, headers=headers)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # The server's SQLite is busy; Prefect's own client tries again, too.
            time.sleep(1)
        return answer


class Service:
    """``shopsight serve`` in a process of its own; may be started again after it has ended.

    Args:
        folder: for its working directory, its output and the faults.
        environment: its settings.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.workdir = folder / "work"
        self.output = folder / "output.log"
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SHOPSIGHT_", "PREFECT_"))
            },
            **environment,
            "SHOPSIGHT_WORKDIR": str(self.workdir),
            "PYTHONPATH": str(FAULTS),
            "FAULT_FOLDER": str(folder),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.stall()

    def stall(self, **seconds: float) -> None:
        """Hold these stages up from now on, and only these."""
        (self.folder / "at").unlink(missing_ok=True)
        (self.folder / "stall.json").write_text(json.dumps(seconds))

    def wait_at(self, stage: str) -> None:
        """Wait until a run is in this stage."""
        at = self.folder / "at"
        eventually(f"a run in {stage}", lambda: at.exists() and at.read_text() == stage)

    def start(self) -> None:
        """Start it, and wait until it says where its UI is."""
        said = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [SHOPSIGHT, "serve"],
                env=self.environment,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def address() -> str | None:
            assert self.process.poll() is None, self.text()
            match = re.search(r"Prefect's UI: (\S+)", self.text()[said:])
            return match[1] if match else None

        self.api = eventually("the address of the UI", address) + "/api"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that an operator would stop."""
        assert self._process is not None
        return self._process

    def text(self) -> str:
        """All that it and its children said."""
        return self.output.read_text(errors="replace")

    def lines(self, event: str, run_id: str) -> list[dict[str, Any]]:
        """Its log lines of this event and run."""
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event and line.get("run_id") == run_id]

    def family(self) -> list[psutil.Process]:
        """It and all its children, theirs too."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def child(self, word: str) -> psutil.Process:
        """The one process of the family whose command line has this word."""

        def only() -> psutil.Process | None:
            found = [process for process in self.family() if word in " ".join(_command(process))]
            return found[0] if found else None

        return eventually(f"a process with {word}", only)

    def stop(self) -> float:
        """SIGTERM, and wait; returns the seconds that it took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        return time.monotonic() - started

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """An answer of Prefect's API; a server that is busy or is being started is asked again.

        What is not there yet is waited for, too.
        """

        def answer() -> list[Any] | None:
            try:
                response = self.request("GET" if body is None else "POST", path, body)
            except httpx.TransportError:
                return None
            assert response.status_code != 422, response.text
            return [response.json()] if response.is_success else None

        return eventually(f"an answer from {path}", answer)[0]

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One request to Prefect's API, by somebody who knows its password."""
        return api_request(self.api, self.workdir / "prefect" / "password", method, path, body)

    def schedule(self, at: datetime | None = None) -> str:
        """Schedule a run, by default for now; returns its id."""
        details = {"scheduled_time": at.isoformat()} if at else {}
        state = {"type": "SCHEDULED", "state_details": details}
        deployment = self.call("/deployments/name/shopsight/scheduled")["id"]
        flow_run: str = self.call(f"/deployments/{deployment}/create_flow_run", {"state": state})["id"]
        return flow_run

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        """What Prefect knows of a run."""
        known: dict[str, Any] = self.call(f"/flow_runs/{flow_run_id}")
        return known

    def flow_runs(self) -> list[dict[str, Any]]:
        """All runs that are or were under way, or were cancelled, the newest first."""
        known: list[dict[str, Any]] = self.call(
            "/flow_runs/filter",
            {
                "sort": "EXPECTED_START_TIME_DESC",
                "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}},
            },
        )
        return known

    def wait_state(self, flow_run_id: str, *names: str) -> dict[str, Any]:
        """Wait until a run is in one of these states; returns what Prefect knows of it."""

        def reached() -> dict[str, Any] | None:
            known = self.flow_run(flow_run_id)
            assert known["state_name"] in names or known["state_type"] not in _ENDED, (
                known["state_name"],
                self.text()[-3000:],
            )
            return known if known["state_name"] in names else None

        return eventually(f"{' or '.join(names)}", reached)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
