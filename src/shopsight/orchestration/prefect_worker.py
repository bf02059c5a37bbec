"""The process that waits for the schedule and starts the flow's runs; ``shopsight serve`` starts it.

It sets right what an earlier one left behind, serves the flow, and keeps an eye on runs that die unnoticed.
SIGTERM ends it: runs under way are stopped, except that a publication comes to its end first.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from uuid import UUID

import psutil
import structlog
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from shopsight.logs import bind_structlog
from shopsight.orchestration import prefect_healing as healing
from shopsight.orchestration.aftermath import note_abandoned_runs
from shopsight.orchestration.prefect_flow import run_shopsight
from shopsight.orchestration.schedule import cron_for
from shopsight.orchestration.stage_process import PUBLISH_STOP_SECONDS, STOP_SECONDS
from shopsight.settings import Settings, load_settings

#: The deployment's name in Prefect; the same whatever the schedule, so that history stays in one place.
DEPLOYMENT = "scheduled"
HEAL_SECONDS = 60.0
POLL_SECONDS = 5.0

log = structlog.stdlib.get_logger("shopsight.serve")


async def work(settings: Settings) -> None:
    """Serve the flow until SIGTERM or SIGINT."""
    cron = settings.cron or cron_for(settings.every)
    runner = Runner(name="shopsight", query_seconds=POLL_SECONDS, limit=None, pause_on_shutdown=False)
    async with get_client() as client:
        deployment_id = await runner.aadd_deployment(await _deployment(cron))
        await _set_right(client, settings, deployment_id, cron)
        serving = asyncio.create_task(runner.start())
        stop = await _stop_signal()
        healer = asyncio.create_task(_heal(client, settings, deployment_id))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        healer.cancel()
        if not serving.done():
            await _stop_flow_runs()
            await runner.astop()
        stopping.cancel()
        await serving


async def _deployment(cron: str) -> RunnerDeployment:
    return await run_shopsight.ato_deployment(
        name=DEPLOYMENT,
        description="All six stages, by themselves. A run that comes while another is at work is cancelled.",
        schedule=Cron(cron, timezone="UTC"),
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


async def _set_right(client: PrefectClient, settings: Settings, deployment_id: UUID, cron: str) -> None:
    """What a start owes to what was before it: dead runs buried, missed ones made up for by one."""
    await healing.bury(client, settings, await healing.runs_under_way(client, deployment_id))
    await asyncio.to_thread(note_abandoned_runs, settings)
    now = datetime.now(UTC)
    missed = await healing.coalesce_missed(client, deployment_id, now)
    if not missed and await healing.is_due(client, deployment_id, cron, now):
        log.info("due", schedule=cron)
        await healing.run_now(client, deployment_id)


async def _heal(client: PrefectClient, settings: Settings, deployment_id: UUID) -> None:
    """Bury runs that have no process here, twice in a row: one that is just starting has none yet."""
    suspects: set[UUID] = set()
    while True:
        await asyncio.sleep(HEAL_SECONDS)
        try:
            under_way = await healing.runs_under_way(client, deployment_id)
            missing = [run for run in under_way if str(run.id) not in _flow_run_ids()]
            await healing.bury(client, settings, [run for run in missing if run.id in suspects])
            suspects = {run.id for run in missing}
            await asyncio.to_thread(note_abandoned_runs, settings)
        except Exception:
            log.exception("healing")


def _flow_runs() -> list[psutil.Process]:
    """The processes of flow runs: this process has no other children."""
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


def _flow_run_ids() -> set[str]:
    ids = set()
    for process in _flow_runs():
        try:
            ids.add(process.environ().get("PREFECT__FLOW_RUN_ID", ""))
        except psutil.Error:
            continue
    return ids


async def _stop_flow_runs() -> None:
    """Ask the runs under way to stop, and wait; a publication gets its time."""
    for process in _flow_runs():
        log.info("stopping", flow_run_process=process.pid)
        process.terminate()
    deadline = asyncio.get_running_loop().time() + PUBLISH_STOP_SECONDS + STOP_SECONDS
    while _flow_runs() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)


async def _stop_signal() -> asyncio.Event:
    """An event for SIGTERM and SIGINT; the runner's own handler, set as it starts, would kill the runs."""
    stop = asyncio.Event()
    await asyncio.sleep(0)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def main() -> None:
    """Serve with the settings of the environment."""
    bind_structlog()
    exit_code = 0
    try:
        asyncio.run(work(load_settings()))
    except Exception:
        log.exception("the worker failed")
        exit_code = 1
    # Prefect's threads may wait for a server that is gone; everything of ours is done.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    main()
