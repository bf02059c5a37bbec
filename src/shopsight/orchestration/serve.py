"""``shopsight serve``: the only process that an operator starts.

::

    serve                        keeps the server alive, and starts the runs that are due
    ├─ Prefect's server          unless PREFECT_API_URL names one
    ├─ flow run                  one at a time
    │  └─ shopsight stage        does the work
    └─ embedded databases        if the settings say so

Ctrl-C and SIGTERM end all of it, from the inside out: a publication ends by itself first, anything else is
dropped and done again after the next start. If this process is killed, its children end by themselves.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

from shopsight import publish
from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.inspect.doctor import examine
from shopsight.inspect.freshness import freshness
from shopsight.inspect.reach import addresses
from shopsight.logs import ROOT, bind_structlog
from shopsight.orchestration.alerts import send, stale_alert
from shopsight.orchestration.prefect_server import PrefectServer, client_environment, is_healthy
from shopsight.orchestration.schedule import cron_for, longest_gap
from shopsight.pipeline.databases import open_target, source_address, target_address
from shopsight.pipeline.workspace import make_folder
from shopsight.settings import Settings

if find_spec("prefect") is None:
    raise ModuleNotFoundError("No module named 'prefect'", name="prefect")

FRESHNESS_SECONDS = 60.0
LOOK_SECONDS = 2.0
#: A server that ended is started again after this pause.
RESTART_SECONDS = 5.0

log = structlog.stdlib.get_logger("shopsight.serve")


def _say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def serve(settings: Settings) -> None:
    """Run the pipeline on a schedule, until KeyboardInterrupt, which the command line makes of SIGTERM, too.

    Args:
        settings: ``cron``, or ``every`` made a cron line, is the schedule; UTC.

    Raises:
        ConfigurationError: an address cannot be used, the schedule cannot be, or another ``serve`` works in
            this directory.
        ShopsightError: Prefect's server does not start.
    """
    bind_structlog()
    addresses(settings)
    with _only_one(settings.workdir), ExitStack() as stack:
        try:
            # The demo's servers stay while this process lives.
            stack.enter_context(source_address(settings))
            stack.enter_context(target_address(settings))
            _serve(settings, stack)
        except KeyboardInterrupt:
            log.info("stopping")


def _serve(settings: Settings, stack: ExitStack) -> None:
    external = os.environ.get("PREFECT_API_URL")
    home, is_terminal = settings.workdir / "prefect", sys.stderr.isatty()
    server = None if external else PrefectServer(home)
    _say_what_is_missing(settings)
    if server is not None:
        stack.callback(server.stop)
        server.start()
        server.wait()  # it may have taken another port
        environment = server.client_environment(is_terminal=is_terminal)
    else:
        environment = client_environment(home, external or "", is_terminal=is_terminal)
    # Prefect reads the environment when it is imported, and the runs' processes inherit it.
    os.environ.update(environment)
    api_url = environment["PREFECT_API_URL"]
    if server is None and not is_healthy(api_url, seconds=10):
        raise ShopsightError(
            f"No Prefect server answers at {api_url}.",
            remedy="Correct PREFECT_API_URL, or unset it: then serve starts its own server.",
        )
    settings = scheduled(settings)
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from shopsight.orchestration.prefect_runner import FlowRunner  # noqa: PLC0415

    # Prefect has given the root logger a handler, which would write each of our lines again.
    logging.getLogger(ROOT).propagate = False
    runner = FlowRunner(stack.enter_context(get_client(sync_client=True)), settings)
    runner.start()
    stack.callback(runner.stop)
    _say(f"Prefect's UI: {api_url.removesuffix('/api')}")
    if server is not None:
        _say(f"Its user and password: {server.password_path}")
    _say(f"Schedule: {settings.cron} (UTC). Stop with Ctrl-C or SIGTERM.")
    watch = FreshnessWatch(settings, lambda: _served_now(settings), datetime.now(UTC))
    while True:
        if server is not None and not server.is_alive:
            log.error("the Prefect server ended and is started again", log=str(server.log_path))
            time.sleep(RESTART_SECONDS)
            server.start()
        if server.answers() if server is not None else is_healthy(api_url):
            try:
                runner.look()
            except Exception:
                # The API may go away between two calls. The next round checks everything again.
                log.exception("runs could not be checked")
        watch.look(datetime.now(UTC))
        time.sleep(LOOK_SECONDS)


def _say_what_is_missing(settings: Settings) -> None:
    """Log in one line why a run would fail now. It is only logged, because a database may come later."""
    missing = [
        f"{found.area}: {found.message} {found.remedy}" for found in examine(settings) if not found.is_ok
    ]
    if missing:
        log.error("a run would fail now", findings=missing)


def _served_now(settings: Settings) -> dict[str, Any] | None:
    with open_target(settings) as target:
        served = publish.served(target)
    return vars(served) if served is not None else None


def scheduled(settings: Settings) -> Settings:
    """The settings with ``cron`` and ``every`` that belong together.

    ``every`` also says how long data count as fresh; with a cron line it becomes the line's longest gap.

    Raises:
        ConfigurationError: the cron line cannot be read, or no cron line has this interval.
    """
    if settings.cron is None:
        return settings.model_copy(update={"cron": cron_for(settings.every)})
    from shopsight.orchestration.prefect_schedule import next_moments  # noqa: PLC0415 - loads Prefect

    moments = asyncio.run(next_moments(settings.cron, datetime.now(UTC), 100))
    return settings.model_copy(update={"every": longest_gap(moments)})


class FreshnessWatch:
    """Sends one alert when nothing was published for too long, and again after it was fresh in between.

    Args:
        settings: where alerts go, and how long a first publication may take.
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
        """Check, if it is time to. While MongoDB is away, its last answer counts."""
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
    make_folder(workdir)
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
