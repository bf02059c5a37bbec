"""``shopsight serve``: all that an operator starts.

::

    serve (this process: light, knows no Prefect)
    ├─ Prefect's server        unless PREFECT_API_URL names one
    ├─ worker                  waits for the schedule
    │  └─ flow run             one at a time
    │     └─ stage process     does the work, holds the lease
    └─ embedded databases      when the settings say so

A child that dies is started again. Ctrl-C and SIGTERM end all of it, from the inside out: a publication comes
to its end first, anything else is dropped and done anew after the next start. When this process is killed,
its children see it, and end.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.inspect.freshness import freshness
from shopsight.logs import bind_structlog
from shopsight.orchestration.aftermath import served_now
from shopsight.orchestration.alerts import send, stale_alert
from shopsight.orchestration.child import descendants, end_child, start_child
from shopsight.orchestration.environment import settings_environment
from shopsight.orchestration.prefect_server import PrefectServer, is_healthy, prefect_environment
from shopsight.orchestration.schedule import cron_for, longest_gap
from shopsight.orchestration.stage_process import PUBLISH_STOP_SECONDS, STOP_SECONDS
from shopsight.pipeline.databases import source_address, target_address
from shopsight.settings import Settings

if find_spec("prefect") is None:
    # Said here: the children that need it would only end.
    raise ModuleNotFoundError("No module named 'prefect'", name="prefect")

#: What a worker gets to stop: a publication's time, and then some.
WORKER_STOP_SECONDS = PUBLISH_STOP_SECONDS + 4 * STOP_SECONDS
#: A child that dies sooner than this after its start is started again after a pause, which doubles.
STEADY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0
FRESHNESS_SECONDS = 60.0
HEALTH_SECONDS = 3.0
#: So many looks in a row without an answer mean that the server was away, and not only busy.
AWAY_MISSES = 3
WATCH_SECONDS = 0.5

log = structlog.stdlib.get_logger("shopsight.serve")


class _Stop(BaseException):
    """Ctrl-C or SIGTERM; not an Exception, so that nothing on the way holds it up."""


def _say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def serve(settings: Settings, *, port: int | None = None, announce: Callable[[str], None] = _say) -> None:
    """Run the pipeline by itself, on a schedule, until Ctrl-C or SIGTERM.

    Args:
        settings: ``cron``, or ``every`` made a cron line, says when; UTC.
        port: the port of Prefect's UI; by default 4200, or any free one.
        announce: told, once all of it runs, where the UI is and what the schedule is.

    Raises:
        ConfigurationError: the schedule cannot be, or another ``serve`` works in this directory.
        ShopsightError: Prefect's server does not start.
    """
    bind_structlog()
    settings = scheduled(settings)
    external = os.environ.get("PREFECT_API_URL")
    with _only_one(settings.workdir), _signals(), ExitStack() as stack:
        try:
            # Children restart the demo's servers if they die; they stay while this process lives.
            stack.enter_context(source_address(settings))
            stack.enter_context(target_address(settings))
            service = _Service(settings, None if external else port, external)
            stack.callback(service.stop)
            service.start()
            for line in service.description:
                announce(line)
            service.watch()
        except _Stop:
            log.info("stopping")


def scheduled(settings: Settings) -> Settings:
    """The settings with ``cron`` and ``every`` that belong together.

    ``every`` also says how long data count as fresh; with a cron line it becomes the line's longest gap.

    Raises:
        ConfigurationError: the cron line cannot be read, or no cron line has this interval.
    """
    if settings.cron is None:
        return settings.model_copy(update={"cron": cron_for(settings.every)})
    # Only here: loading Prefect takes seconds, and this process is to stay light.
    from shopsight.orchestration.prefect_schedule import next_moments  # noqa: PLC0415

    moments = asyncio.run(next_moments(settings.cron, datetime.now(UTC), 100))
    return settings.model_copy(update={"every": longest_gap(moments)})


class _Service:
    """The children, kept alive."""

    def __init__(self, settings: Settings, port: int | None, external: str | None) -> None:
        self._settings = settings
        self._home = settings.workdir / "prefect"
        self._server = None if external else PrefectServer(self._home, port=port)
        self._api_url = external or (self._server.api_url if self._server else "")
        self._worker: subprocess.Popen[bytes] | None = None
        self._pauses = {"server": _Pause(), "worker": _Pause()}
        self._next_health = 0.0
        self._misses = 0
        self._freshness = FreshnessWatch(settings, lambda: served_now(settings), datetime.now(UTC))

    @property
    def description(self) -> list[str]:
        """Where to look and what to expect."""
        ui = self._server.url if self._server else self._api_url.removesuffix("/api")
        return [
            f"Prefect's UI: {ui}",
            f"Schedule: {self._settings.cron} (UTC). Stop with Ctrl-C or SIGTERM.",
        ]

    def start(self) -> None:
        """Start the server, wait for it, and start the worker."""
        if self._server is not None:
            self._server.start()
            self._server.wait()
        elif not is_healthy(self._api_url, seconds=10):
            raise ShopsightError(
                f"No Prefect server answers at {self._api_url}.",
                remedy="Correct PREFECT_API_URL, or unset it: then serve starts a server of its own.",
            )
        self._start_worker()

    def watch(self) -> None:
        """Keep the children alive, until this is interrupted."""
        while True:
            time.sleep(WATCH_SECONDS)
            if self._server is not None and not self._server.is_alive and self._pauses["server"].is_over():
                log.error("the Prefect server ended and is started again", log=str(self._server.log_path))
                self._server.start()
                self._misses = AWAY_MISSES
            if self._worker is not None and self._worker.poll() is not None and self._may_start_worker():
                log.error("the worker ended and is started again", exit_code=self._worker.returncode)
                self._start_worker()
            self._look_at_server()
            self._freshness.look(datetime.now(UTC))

    def stop(self) -> None:
        """End the worker, then the server."""
        if self._worker is not None:
            end_child(self._worker, WORKER_STOP_SECONDS)
        if self._server is not None:
            self._server.stop()

    def _look_at_server(self) -> None:
        """Renew the worker after the server was away: its ear for cancellations does not survive that.

        Only once no run is under way; runs survive it.
        """
        now = time.monotonic()
        if now < self._next_health:
            return
        self._next_health = now + HEALTH_SECONDS
        if not is_healthy(self._api_url, seconds=HEALTH_SECONDS):
            self._misses += 1
        elif self._misses < AWAY_MISSES:
            self._misses = 0
        elif self._worker is not None and not descendants(self._worker.pid):
            log.info("the Prefect server was away: the worker is renewed")
            end_child(self._worker, WORKER_STOP_SECONDS)
            self._start_worker()
            self._misses = 0

    def _may_start_worker(self) -> bool:
        return self._pauses["worker"].is_over() and is_healthy(self._api_url)

    def _start_worker(self) -> None:
        is_terminal = sys.stderr.isatty()
        environment = {
            **prefect_environment(self._home, self._api_url, is_terminal=is_terminal),
            **settings_environment(self._settings),
        }
        self._worker = start_child(
            ["shopsight.orchestration.prefect_worker"],
            environment=environment,
            patience=WORKER_STOP_SECONDS,
            # When this process is killed, the worker still has to tell the server how its run ended.
            lifelines=self._server.lifelines if self._server is not None else (),
        )


class _Pause:
    """The wait before a child is started again: none after a long life, doubled after each short one."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = time.monotonic()
        self._until: float | None = None

    def is_over(self) -> bool:
        """Whether the child, which is dead, may be started now; to be asked again until it may."""
        now = time.monotonic()
        if self._until is None:
            is_steady = now - self._since > STEADY_SECONDS
            self._seconds = 0.0 if is_steady else min(max(1.0, 2 * self._seconds), LONGEST_PAUSE_SECONDS)
            self._until = now + self._seconds
        if now < self._until:
            return False
        self._since, self._until = now, None
        return True


class FreshnessWatch:
    """Tells, once, that nothing was published for too long; and again after it was fresh in between.

    Args:
        settings: whom to tell, and how long a first publication may take.
        look_up: the ``published`` document, None when there is none; may raise a ShopsightError.
        started_at: from when a first publication is waited for.
    """

    def __init__(
        self, settings: Settings, look_up: Callable[[], dict[str, Any] | None], started_at: datetime
    ) -> None:
        self._settings = settings
        self._look_up = look_up
        self._first_due = started_at + settings.valid_for
        self._next_look = started_at
        self._served: dict[str, Any] | None = None
        self._is_told = False

    def look(self, now: datetime) -> None:
        """Look, if it is time to. A MongoDB that is away is judged by what it said last."""
        if now < self._next_look:
            return
        self._next_look = now + timedelta(seconds=FRESHNESS_SECONDS)
        try:
            self._served = self._look_up()
        except ShopsightError as away:
            log.warning("freshness unknown", error=str(away))
        is_fine = freshness(self._served, now).is_fresh or (self._served is None and now < self._first_due)
        if not is_fine and not self._is_told:
            send(self._settings, stale_alert(self._served, now))
        self._is_told = not is_fine


@contextmanager
def _only_one(workdir: Path) -> Iterator[None]:
    """Hold the working directory's lock; the operating system takes it back however this process ends.

    Raises:
        ConfigurationError: another ``serve`` holds it.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ConfigurationError(
                f"Another `shopsight serve` (process {lock.read().strip() or 'unknown'}) works in {workdir}.",
                remedy="Stop it first, or give this one another --workdir.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _signals() -> Iterator[None]:
    """The first SIGINT or SIGTERM raises :class:`_Stop`; later ones change nothing, the end is under way."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in earlier:
            signal.signal(number, signal.SIG_IGN)
        raise _Stop

    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in earlier:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
