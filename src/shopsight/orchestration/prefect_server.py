"""Prefect's server as a child: on this machine alone, its files in the working directory, telling nobody.

Imports nothing of Prefect, which takes seconds.
"""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import structlog

from shopsight.errors import ShopsightError
from shopsight.orchestration.child import end_child, read_text, start_child

#: Prefect's own port; when somebody else has it, any free one.
USUAL_PORT = 4200
START_SECONDS = 120.0
STOP_SECONDS = 10.0

log = structlog.stdlib.get_logger("shopsight.serve")


def prefect_environment(home: Path, api_url: str, *, is_terminal: bool) -> dict[str, str]:
    """The environment in which Prefect's server, runner and flows work.

    Args:
        home: for its database, its leases and its profile; so the user's own profile changes nothing.
        api_url: the server's, ending in ``/api``.
        is_terminal: readable log lines; otherwise JSON.
    """
    environment = {
        "PREFECT_HOME": str(home.absolute()),
        "PREFECT_API_URL": api_url,
        # Nothing is sent to anybody.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # In memory, the default, a restart of the server kills healthy runs or blocks the slot for good.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        # Our own log lines in its UI.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "shopsight",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        # Events of runs long gone, and the runs, would fill the disk.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(30 * 86400),
    }
    if not is_terminal:
        environment["PREFECT_LOGGING_SETTINGS_PATH"] = str(Path(__file__).with_name("prefect_logging.yml"))
    return environment


class PrefectServer:
    """The server, its address, and its restart when it dies.

    Args:
        home: where it keeps its files.
        port: the port of the UI; by default Prefect's usual one, or any free one.
    """

    def __init__(self, home: Path, *, port: int | None = None) -> None:
        self._home = home
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The address of the API."""
        return f"{self.url}/api"

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def lifelines(self) -> list[int]:
        """Its input, to be held open by whoever needs it to the last."""
        process = self._process
        return [process.stdin.fileno()] if process is not None and process.stdin is not None else []

    @property
    def log_path(self) -> Path:
        """What it says."""
        return self._home / "server.log"

    def start(self) -> None:
        """Start its process; it takes some seconds to answer, see :meth:`wait`."""
        self._home.mkdir(parents=True, exist_ok=True)
        environment = {
            **prefect_environment(self._home, self.api_url, is_terminal=True),
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
        }
        with self.log_path.open("w") as output:
            self._process = start_child(
                ["prefect", "server", "start"], environment=environment, patience=STOP_SECONDS, output=output
            )

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait until it answers.

        Raises:
            ShopsightError: it ended, or did not answer in time; the message has its last words.
        """
        deadline = time.monotonic() + seconds
        while not is_healthy(self.api_url):
            if not self.is_alive or time.monotonic() > deadline:
                how = "does not answer" if self.is_alive else "ended at once"
                raise ShopsightError(
                    f"Prefect's server {how}. It said: {read_text(self.log_path, 15) or 'nothing'}",
                    remedy=f"See {self.log_path}. Damaged files under {self._home} may be removed: they hold"
                    " the history of schedules, nothing of the shop.",
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end_child(self._process, STOP_SECONDS)
            self._process = None


def is_healthy(api_url: str, seconds: float = 2.0) -> bool:
    """Whether a Prefect server answers at this address."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=seconds) as answer:  # noqa: S310 - http, ours
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _free_port() -> int:
    for port in (USUAL_PORT, 0):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise ShopsightError("No port is free on 127.0.0.1.", remedy="Close a program that listens.")
