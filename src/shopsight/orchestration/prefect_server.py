"""Prefect's server as a child: on this machine alone, behind a password, its files in the working directory.

Imports nothing of Prefect, which takes seconds.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import psutil

from shopsight.errors import ShopsightError, translated_disk_errors
from shopsight.orchestration.child import end_child, start_child

#: Prefect's usual port; if it is taken, any free one is used.
USUAL_PORT = 4200
#: Usually some seconds; minutes on an overloaded machine.
START_SECONDS = 300.0
STOP_SECONDS = 10.0


def client_environment(home: Path, api_url: str, *, is_terminal: bool) -> dict[str, str]:
    """The environment in which a client of Prefect's API and its flows work.

    Args:
        home: for its files and its profile, so that the user's own profile changes nothing.
        api_url: the server's, ending in ``/api``.
        is_terminal: log readable lines; otherwise JSON.
    """
    environment = {
        "PREFECT_HOME": str(home.absolute()),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        # No telemetry.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Our own log lines in its UI.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "shopsight",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
    if not is_terminal:
        environment["PREFECT_LOGGING_SETTINGS_PATH"] = str(Path(__file__).with_name("prefect_logging.yml"))
    return environment


class PrefectServer:
    """The server, its address and its password; ``home`` holds its files."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.port = _free_port()
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
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """The file with its output."""
        return self._home / "server.log"

    @property
    def password_path(self) -> Path:
        """The file with ``user:password`` for the API and the UI."""
        return self._home / "password"

    def client_environment(self, *, is_terminal: bool) -> dict[str, str]:
        """The environment of this server's clients, with its password."""
        return {
            **client_environment(self._home, self.api_url, is_terminal=is_terminal),
            "PREFECT_API_AUTH_STRING": self._password(),
            # serve restarts the server, which it cannot do while a call of its own waits for it.
            "PREFECT_CLIENT_MAX_RETRIES": "1",
        }

    def start(self) -> None:
        """Start its process; it takes some seconds to answer, see :meth:`wait`.

        Raises:
            WorkspaceError: its files cannot be written.
        """
        password = self._password()
        environment = {
            **client_environment(self._home, self.api_url, is_terminal=True),
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            # Other users of this machine, and web pages in a browser, can reach the API and could start runs.
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_API_AUTH_STRING": password,
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{self.url},http://localhost:{self.port}",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            # Runs that ended long ago, and their events, would fill the disk.
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(30 * 86400),
        }
        with self.log_path.open("w") as output:
            self._process = start_child(
                ["prefect", "server", "start"],
                environment=environment,
                patience=STOP_SECONDS,
                stdout=output,
                stderr=output,
            )

    def _password(self) -> str:
        with translated_disk_errors(self._home):
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._home.chmod(0o700)
            try:
                return self.password_path.read_text()
            except FileNotFoundError:
                password = f"shopsight:{secrets.token_urlsafe(24)}"
                descriptor = os.open(self.password_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(password)
                return password

    def answers(self) -> bool:
        """Whether this very server answers: its clients' password must not go to somebody else's."""
        return self._listens() and is_healthy(self.api_url)

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait until it answers. If its port was taken meanwhile, it is started again on another.

        Raises:
            ShopsightError: it ended, or did not answer in time; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not self.answers():
            if not self.is_alive and not _is_free(self.port) and time.monotonic() < deadline:
                self.stop()
                self.port = _free_port()
                self.start()
            if not self.is_alive or time.monotonic() > deadline:
                how = "does not answer" if self.is_alive else "ended at once"
                raise ShopsightError(
                    f"Prefect's server {how}. It said: {self._last_words() or 'nothing'}",
                    remedy=f"See {self.log_path}. Damaged files under {self._home} may be removed: they hold"
                    " the history of schedules and no data of the shop.",
                )
            time.sleep(0.2)

    def _listens(self) -> bool:
        """Whether the port is its own."""
        try:
            process = psutil.Process(self._process.pid if self._process else 0)
            family = [process, *process.children(recursive=True)]
            found = [one for member in family for one in member.net_connections("inet")]
        except psutil.Error:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == self.port for one in found)

    def _last_words(self) -> str:
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-15:])
        except OSError:
            return ""

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


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    if _is_free(USUAL_PORT):
        return USUAL_PORT
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
