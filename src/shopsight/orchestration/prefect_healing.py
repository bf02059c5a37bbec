"""What Prefect believes of our runs, set right: runs that are dead, and runs that were missed.

Prefect learns that a run died from the runner that watches it. When both were killed, or the server was away
at that moment, the run stays Running for ever and keeps the one slot. And after a time without service, each
missed moment of the schedule is a late run of its own; a run takes the shop as it is now, so one is enough.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed, Scheduled

from shopsight.errors import RunCrashed
from shopsight.orchestration import run_id_for
from shopsight.orchestration.aftermath import lease_holder, note_interruption
from shopsight.orchestration.alerts import send_alerts
from shopsight.orchestration.prefect_schedule import next_moments
from shopsight.settings import Settings

log = structlog.stdlib.get_logger("shopsight.serve")

#: A missed run that is no older is done as it is.
RECENT = timedelta(minutes=10)
MISSED = "Missed while the service was down; one run makes up for all."

_UNDER_WAY = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED]


async def runs_under_way(client: PrefectClient, deployment_id: UUID) -> list[FlowRun]:
    """The runs that Prefect believes to be under way."""
    return await _runs(client, deployment_id, _UNDER_WAY)


async def bury(client: PrefectClient, settings: Settings, dead: list[FlowRun]) -> list[FlowRun]:
    """Set runs whose process is gone to Crashed, which frees their slot; note it, and tell it.

    A run that holds the lease is alive, elsewhere, and is left alone.

    Returns:
        The runs that were buried.
    """
    if not dead:
        return []
    holder = await asyncio.to_thread(lease_holder, settings)
    buried = []
    for flow_run in dead:
        run_id = run_id_for(flow_run.expected_start_time or datetime.now(UTC), str(flow_run.id))
        if run_id == holder:
            log.info("left alone", run_id=run_id, reason="it holds the lease")
            continue
        error = RunCrashed.because("it left no word", stage=None, run_id=run_id)
        await client.set_flow_run_state(flow_run.id, Crashed(message=str(error)), force=True)
        record = await asyncio.to_thread(note_interruption, settings, run_id, error)
        if (record.get("error") or {}).get("type") == "RunCrashed":
            await asyncio.to_thread(send_alerts, settings, record)
        log.warning("buried", run_id=run_id, flow_run=flow_run.name)
        buried.append(flow_run)
    return buried


async def coalesce_missed(client: PrefectClient, deployment_id: UUID, now: datetime) -> int:
    """Make one run of the scheduled ones whose moment has passed: the newest, or one in its place.

    A run is named after its moment, and by that name it is sorted; so one that was due long ago is replaced
    by one for now, with the same parameters.

    Returns:
        How many there were.
    """
    scheduled = await _runs(client, deployment_id, [StateType.SCHEDULED])
    missed = [run for run in scheduled if run.expected_start_time and run.expected_start_time <= now]
    missed.sort(key=lambda run: run.expected_start_time or now)
    count = len(missed)
    if missed and now - (missed[-1].expected_start_time or now) > RECENT:
        await run_now(client, deployment_id, missed[-1].parameters)
    elif missed:
        missed.pop()
    for run in missed:
        await client.set_flow_run_state(run.id, Cancelled(message=MISSED), force=True)
    return count


async def is_due(client: PrefectClient, deployment_id: UUID, cron: str, now: datetime) -> bool:
    """Whether a run is owed: none ever ran, the last one was cut short, or a moment has passed since.

    So a service that was down runs at once when it is started again; one that was only restarted does not.
    """
    ended = await _runs(client, deployment_id, _ENDED, sort=FlowRunSort.START_TIME_DESC)
    last = next((run for run in ended if run.start_time is not None), None)
    if last is None or last.start_time is None or last.state_type is StateType.CRASHED:
        return True
    return (await next_moments(cron, last.start_time, 1))[0] <= now


async def run_now(
    client: PrefectClient, deployment_id: UUID, parameters: dict[str, Any] | None = None
) -> None:
    """Schedule one run for this moment."""
    await client.create_flow_run_from_deployment(deployment_id, parameters=parameters, state=Scheduled())


async def _runs(
    client: PrefectClient, deployment_id: UUID, states: list[StateType], sort: FlowRunSort | None = None
) -> list[FlowRun]:
    return await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
        ),
        sort=sort,
        limit=200,
    )
