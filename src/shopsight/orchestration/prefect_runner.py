"""Starts the scheduled runs of our deployment in Prefect, one at a time, each in its own process.

Prefect's own workers run the code that the deployment names. So any client that may write to the API could
have them run anything. This one runs our own flow and nothing else: it takes from the API only that a run is
due, and the parameter ``allow_shrink``.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.schedules import Cron
from prefect.states import Cancelled, Crashed, Failed, Pending, Scheduled
from prefect.types.entrypoint import EntrypointType

from shopsight.errors import RunCrashed
from shopsight.orchestration import run_id_for
from shopsight.orchestration.alerts import send_alerts
from shopsight.orchestration.child import end_child, start_child
from shopsight.orchestration.crash_records import mark_crashed, mark_crashed_runs
from shopsight.orchestration.environment import settings_environment
from shopsight.orchestration.prefect_flow import run_shopsight
from shopsight.orchestration.prefect_schedule import next_moments
from shopsight.orchestration.stage_process import PUBLISH_STOP_SECONDS, STOP_SECONDS
from shopsight.pipeline.workspace import Workspace
from shopsight.settings import Settings

#: The deployment's name in Prefect; the same for every schedule, so that history stays in one place.
DEPLOYMENT = "scheduled"
#: How long a flow run may take to stop: a publication's time, and a little to say so.
FLOW_STOP_SECONDS = PUBLISH_STOP_SECONDS + 3 * STOP_SECONDS
#: Their pauses grow from 2 to 64 seconds, two minutes in all: enough for a restart of Prefect's server.
FLOW_RETRIES = "6"
#: A missed run that is not older than this is done unchanged.
RECENT = timedelta(minutes=10)
RECONCILE_EVERY = timedelta(minutes=1)
MISSED = "Missed while the service was down; one run makes up for all."
BUSY = "Another run is at work."

_UNDER_WAY = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED]

log = structlog.stdlib.get_logger("shopsight.serve")


class FlowRunner:
    """The deployment, and the one flow run that is under way.

    Args:
        client: of Prefect's API.
        settings: ``cron`` is the schedule; all go to the flow's process by environment.
    """

    def __init__(self, client: SyncPrefectClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._flow_run: FlowRun | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._next_reconcile = datetime.now(UTC)

    def start(self) -> None:
        """Register the deployment, mark dead runs, and schedule a run if one is owed."""
        deployment = run_shopsight.to_deployment(
            name=DEPLOYMENT,
            description="All six stages. A run that comes while another is at work is cancelled.",
            schedule=Cron(self._settings.cron or "", timezone="UTC"),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        self._deployment_id = UUID(str(deployment.apply()))  # type: ignore[union-attr]
        now = datetime.now(UTC)
        self._reconcile(now)
        if not self._due(now) and self._is_owed(now):
            log.info("due", schedule=self._settings.cron)
            self._schedule_now({})

    def look(self) -> None:
        """Check the run under way, and start one that is due."""
        now = datetime.now(UTC)
        self._look_at_process()
        due = self._due(now)
        if due and self._flow_run is None:
            newest = due.pop()
            for missed in due:
                self._set_state(missed, Cancelled(message=MISSED))
            if now - _moment(newest) > RECENT:
                # A run is named after its moment and sorted by its name; so this one gets a new moment.
                self._set_state(newest, Cancelled(message=MISSED))
                self._schedule_now(newest.parameters)
            else:
                self._begin(newest)
        elif due and not self._is_ending():
            for late in due:
                self._set_state(late, Cancelled(message=BUSY))
        if now >= self._next_reconcile:
            self._reconcile(now)

    def stop(self) -> None:
        """Stop the run under way; a publication ends by itself first."""
        if self._process is not None:
            end_child(self._process, FLOW_STOP_SECONDS)
            try:
                self._finish()
            except Exception:
                # The next start marks it as crashed.
                log.exception("could not report the run's end to Prefect")

    def _begin(self, flow_run: FlowRun) -> None:
        refusal = _refusal(flow_run.parameters)
        if refusal:
            log.error("run refused", flow_run=flow_run.name, reason=refusal)
            self._set_state(flow_run, Failed(message=refusal, name="Refused"))
            return
        claim: OrchestrationResult[Any] = self._client.set_flow_run_state(flow_run.id, Pending())
        if claim.status is not SetStateStatus.ACCEPT:
            return
        self._flow_run = flow_run
        self._process = start_child(
            [
                "shopsight.orchestration.prefect_flow",
                str(flow_run.id),
                *(["--allow-shrink"] * bool(flow_run.parameters.get("allow_shrink"))),
            ],
            environment={**settings_environment(self._settings), "PREFECT_CLIENT_MAX_RETRIES": FLOW_RETRIES},
            patience=FLOW_STOP_SECONDS,
        )

    def _look_at_process(self) -> None:
        if self._process is None or self._flow_run is None:
            return
        is_cancelled = False
        if self._process.poll() is None:
            state = self._client.read_flow_run(self._flow_run.id).state
            is_cancelled = state is not None and state.type is StateType.CANCELLING
            if not is_cancelled:
                return
            end_child(self._process, FLOW_STOP_SECONDS)
        self._finish(is_cancelled=is_cancelled)

    def _is_ending(self) -> bool:
        """Whether the run under way has said how it ended, and only its process has not."""
        state = self._client.read_flow_run(self._flow_run.id).state if self._flow_run is not None else None
        return state is not None and state.is_final()

    def _finish(self, *, is_cancelled: bool = False) -> None:
        """Report how the run ended, if its process ended without reporting it.

        The flow itself reports the signal that ends a cancelled run as a crash.
        """
        if self._process is None or self._flow_run is None:
            return
        flow_run = self._client.read_flow_run(self._flow_run.id)
        state = None if flow_run.state is None else flow_run.state.type
        if state is StateType.CANCELLING or (is_cancelled and state is StateType.CRASHED):
            self._set_state(flow_run, Cancelled(message="The run was cancelled."))
        elif flow_run.state is None or not flow_run.state.is_final():
            self._mark_crashed(flow_run, f"exit code {self._process.returncode}")
        self._process = self._flow_run = None

    def _reconcile(self, now: datetime) -> None:
        """Mark as crashed the runs that Prefect or their record calls running and that have no process."""
        self._next_reconcile = now + RECONCILE_EVERY
        ours = self._flow_run
        for flow_run in self._read(_UNDER_WAY):
            is_alive = Workspace(self._settings.workdir, _run_id(flow_run)).is_in_use
            if not is_alive and (ours is None or flow_run.id != ours.id):
                self._mark_crashed(flow_run, "it ended without saying why")
        mark_crashed_runs(self._settings, except_for={_run_id(ours)} if ours is not None else ())

    def _mark_crashed(self, flow_run: FlowRun, reason: str) -> None:
        run_id = _run_id(flow_run)
        error = RunCrashed.because(reason, stage=None, run_id=run_id)
        record = mark_crashed(self._settings, run_id, error)
        self._set_state(flow_run, Crashed(message=str(error)))
        log.warning("crashed", run_id=run_id, flow_run=flow_run.name, reason=reason)
        if record is not None and (record.error or {}).get("type") == "RunCrashed":
            send_alerts(self._settings, record)

    def _is_owed(self, now: datetime) -> bool:
        """Whether no run ever ran, the last one was cut short, or a later one was due since."""
        ended = self._read(_ENDED, sort=FlowRunSort.START_TIME_DESC)
        last = next((run for run in ended if run.start_time is not None), None)
        if last is None or last.start_time is None or last.state_type is StateType.CRASHED:
            return True
        return asyncio.run(next_moments(self._settings.cron or "", last.start_time, 1))[0] <= now

    def _due(self, now: datetime) -> list[FlowRun]:
        """The scheduled runs whose moment has come, the newest last."""
        return sorted(self._read([StateType.SCHEDULED], before=now), key=_moment)

    def _schedule_now(self, parameters: dict[str, Any]) -> None:
        self._client.create_flow_run_from_deployment(
            self._deployment_id, parameters=parameters, state=Scheduled()
        )

    def _set_state(self, flow_run: FlowRun, state: State[Any]) -> None:
        self._client.set_flow_run_state(flow_run.id, state, force=True)

    def _read(
        self, states: list[StateType], *, before: datetime | None = None, sort: FlowRunSort | None = None
    ) -> list[FlowRun]:
        return self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[self._deployment_id]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
                next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=before),  # type: ignore[arg-type]
            ),
            sort=sort,
            limit=200,
        )


def _refusal(parameters: Mapping[str, Any]) -> str:
    """The reason to refuse a run with these parameters; empty if there is none."""
    unknown = sorted(set(parameters) - {"allow_shrink"})
    if unknown:
        return f"The run has parameters that shopsight's flow does not know: {', '.join(unknown)}."
    if not isinstance(parameters.get("allow_shrink", False), bool):
        return "The parameter allow_shrink is neither true nor false."
    return ""


def _moment(flow_run: FlowRun) -> datetime:
    return flow_run.expected_start_time or datetime.now(UTC)


def _run_id(flow_run: FlowRun) -> str:
    return run_id_for(_moment(flow_run), str(flow_run.id))
