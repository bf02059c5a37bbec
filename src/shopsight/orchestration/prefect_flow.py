"""The six stages as a Prefect flow: a task a stage, retries, timeouts; and what an operator sees of a run.

Tasks pass the run's id and nothing else: every arrow between stages is a folder of the run's directory. The
work is done in a process of its own (:mod:`shopsight.orchestration.stage_process`), so that a timeout or a
cancelled run really ends it. Settings come from the environment, so no credential gets into Prefect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from prefect import Flow, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.runtime import flow_run as this_flow_run
from prefect.states import Completed, Crashed, Failed
from prefect.tasks import Task, exponential_backoff

from shopsight.errors import ExitCode, RunCrashed, RunInterrupted, RunStopped, ShopsightError, is_retryable
from shopsight.logs import bind_structlog
from shopsight.orchestration import run_id_for
from shopsight.orchestration.aftermath import note_interruption
from shopsight.orchestration.alerts import send_alerts
from shopsight.orchestration.child import follow_parent
from shopsight.orchestration.prefect_artifacts import publish_artifacts
from shopsight.orchestration.stage_process import STOP_SECONDS, StageProcess
from shopsight.pipeline.workspace import Workspace
from shopsight.record import StageReport
from shopsight.settings import Settings, load_settings

log = structlog.stdlib.get_logger("shopsight.flow")


def should_retry(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    """Whether trying a stage again can help: what ``is_retryable`` says, nothing else."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_retryable(error)


# One process does the stages of one run; tasks find it by the run's id, because that is all they pass.
_processes: dict[str, StageProcess] = {}


def _do(run_id: str, stage: str) -> StageReport:
    process = _processes[run_id]
    return process.run_stage(stage, timeout=process.settings.stage_timeout)


@task(cache_policy=NO_CACHE)
def extract(run_id: str) -> StageReport:
    """Read the six tables in one snapshot into ``raw``."""
    return _do(run_id, "extract")


@task(cache_policy=NO_CACHE)
def clean(run_id: str) -> StageReport:
    """Apply the rules to ``raw``: what is kept to ``clean``, what is not to ``rejected``."""
    return _do(run_id, "clean")


@task(cache_policy=NO_CACHE)
def metrics(run_id: str) -> StageReport:
    """Work out one row per customer."""
    return _do(run_id, "metrics")


@task(cache_policy=NO_CACHE)
def insights(run_id: str) -> StageReport:
    """Work out the ten insights."""
    return _do(run_id, "insights")


@task(cache_policy=NO_CACHE)
def prove(run_id: str) -> StageReport:
    """Write the ledger, and hold source, raw, clean and marts against each other to the cent."""
    return _do(run_id, "prove")


@task(cache_policy=NO_CACHE)
def publish(run_id: str) -> StageReport:
    """Write a new generation to MongoDB, prove it, and flip the views to it."""
    return _do(run_id, "publish")


STAGE_TASKS: tuple[Task[[str], StageReport], ...] = (extract, clean, metrics, insights, prove, publish)


def with_settings(stage: Task[[str], StageReport], settings: Settings) -> Task[[str], StageReport]:
    """A stage's task with the retries and the timeout that the settings name.

    The timeout that counts is the stage process's own; Prefect's is the net below it.
    """
    return stage.with_options(
        retries=settings.retries,
        retry_delay_seconds=exponential_backoff(settings.retry_delay.total_seconds()),
        retry_jitter_factor=0.5,
        retry_condition_fn=should_retry,
        timeout_seconds=settings.stage_timeout.total_seconds() + 4 * STOP_SECONDS,
    )


def tell_crash(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """The flow run's process is gone: note it, and tell it. Runs in the runner's process.

    Prefect calls hooks by these very names.
    """
    bind_structlog()
    scheduled_at = flow_run.expected_start_time
    if scheduled_at is None:
        return
    settings, run_id = load_settings(), run_id_for(scheduled_at, str(flow_run.id))
    error = RunCrashed.because((state.message or "no reason is known").rstrip("."), stage=None, run_id=run_id)
    record = note_interruption(settings, run_id, error)
    record = record or {"run_id": run_id, "status": "failed", "error": error.as_document()}
    send_alerts(settings, record)


@flow(name="shopsight", on_crashed=[tell_crash], validate_parameters=True)
def run_shopsight(allow_shrink: bool = False) -> State[Any]:
    """One run of the pipeline: extract, clean, metrics, insights, prove, publish.

    Args:
        allow_shrink: let the shrink guard pass this once.

    Returns:
        Completed; Failed; Failed as ``Refused``, when nothing is broken but a guard said no; or Crashed, when
        the process that did the stages was killed.
    """
    bind_structlog()
    follow_parent()
    settings = load_settings()
    run_id = run_id_for(this_flow_run.scheduled_start_time, this_flow_run.id)
    _name_flow_run(run_id)
    error: ShopsightError | None = None
    try:
        with _process(settings, run_id, allow_shrink=allow_shrink):
            for stage in STAGE_TASKS:
                with_settings(stage, settings)(run_id)
    except ShopsightError as raised:
        error = raised
        if isinstance(error, RunInterrupted):
            note_interruption(settings, run_id, error)
    except BaseException:
        # Stopped or cancelled; the stage itself may have been too deep in its work to note it.
        note_interruption(settings, run_id, RunStopped.from_outside(run_id))
        raise
    record = Workspace(settings.workdir, run_id).read_record()
    publish_artifacts(settings, run_id, record)
    send_alerts(settings, record)
    return _state(run_id, record, error)


@contextmanager
def _process(settings: Settings, run_id: str, *, allow_shrink: bool) -> Iterator[None]:
    with StageProcess(settings, run_id, allow_shrink=allow_shrink) as process:
        _processes[run_id] = process
        try:
            yield
        finally:
            del _processes[run_id]


def _state(run_id: str, record: dict[str, Any], error: ShopsightError | None) -> State[Any]:
    if error is None:
        return Completed(message=f"Run {run_id} published generation {record.get('generation')}.")
    message = f"{error.message} {error.remedy}".strip()
    if isinstance(error, RunCrashed):
        return Crashed(message=message)
    return Failed(message=message, name="Refused" if error.exit_code is ExitCode.REFUSED else "Failed")


def _name_flow_run(run_id: str) -> None:
    """Call the flow run what everybody else calls it: the document, the directory, the log."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(this_flow_run.id), name=run_id)
