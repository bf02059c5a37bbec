"""The six stages as a Prefect flow: one task per stage, each in its own process.

Tasks pass the run's id; the data are in the run's directory. Settings come from the environment, so that no
credential gets into Prefect. ``python -m shopsight.orchestration.prefect_flow FLOW_RUN_ID`` does a flow run
with this flow, no matter which entry point and pull steps the deployment in Prefect names.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import httpx
import structlog
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import SyncClientContext
from prefect.engine import handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run as this_flow_run
from prefect.states import Completed, Crashed, Failed
from prefect.tasks import Task, exponential_backoff

from shopsight.errors import ExitCode, RunCrashed, RunStopped, ShopsightError, is_retryable
from shopsight.logs import bind_structlog
from shopsight.orchestration import STAGES, run_id_for
from shopsight.orchestration.after_run import after_run
from shopsight.orchestration.crash_records import mark_crashed
from shopsight.orchestration.prefect_artifacts import publish_artifacts
from shopsight.orchestration.stage_process import run_stage_process
from shopsight.record import RunRecord, StageReport
from shopsight.settings import Settings, load_settings

#: How long a run waits for Prefect's server at its start.
CONNECT_SECONDS = 120.0

log = structlog.stdlib.get_logger("shopsight.flow")


def should_retry(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    """Whether trying a stage again can help: what ``is_retryable`` says, nothing else."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_retryable(error)


def do_stage(stage: str, run_id: str, allow_shrink: bool) -> StageReport:
    """Do one stage of the run in its own process."""
    return run_stage_process(load_settings(), run_id, stage, allow_shrink=allow_shrink)


def stage_task(stage: str, settings: Settings) -> Task[[str, str, bool], StageReport]:
    """A stage's task, with the retries that the settings name. Its timeout is the stage process's own."""
    return task(
        name=stage,
        cache_policy=NO_CACHE,
        retries=settings.retries,
        retry_delay_seconds=exponential_backoff(settings.retry_delay.total_seconds()),
        retry_jitter_factor=0.5,
        retry_condition_fn=should_retry,
    )(do_stage)


@flow(name="shopsight", validate_parameters=True)
def run_shopsight(allow_shrink: bool = False) -> State[Any]:
    """One run of the pipeline: extract, clean, metrics, insights, prove, publish.

    Args:
        allow_shrink: let the shrink guard pass this once.

    Returns:
        Completed; Failed; Failed as ``Refused``, if a guard or the proof said no; or Crashed, if a stage's
        process was killed.
    """
    bind_structlog()
    settings = load_settings()
    run_id = run_id_for(this_flow_run.scheduled_start_time, this_flow_run.id)
    with get_client(sync_client=True) as client:
        # The same name as in the document, the directory and the log.
        client.update_flow_run(UUID(this_flow_run.id), name=run_id)
    error: ShopsightError | None = None
    try:
        for stage in STAGES:
            stage_task(stage, settings)(stage, run_id, allow_shrink)
    except ShopsightError as raised:
        error = raised
    except BaseException:
        mark_crashed(settings, run_id, RunStopped.from_outside(run_id))
        raise
    record = after_run(settings, run_id, error)
    publish_artifacts(settings, record)
    return _state(record, error)


def _state(record: RunRecord, error: ShopsightError | None) -> State[Any]:
    if error is None:
        done = "published" if record.pinned is None else f"generation {record.pinned} is pinned, so it kept"
        return Completed(message=f"Run {record.run_id}: {done} generation {record.generation}.")
    message = f"{error.message} {error.remedy}".strip()
    if isinstance(error, RunCrashed):
        return Crashed(message=message)
    return Failed(message=message, name="Refused" if error.exit_code is ExitCode.REFUSED else "Failed")


def main() -> None:
    """Do one flow run of this flow."""
    parser = argparse.ArgumentParser(prog="python -m shopsight.orchestration.prefect_flow")
    parser.add_argument("flow_run_id", type=UUID)
    parser.add_argument("--allow-shrink", action="store_true")
    given = parser.parse_args()
    bind_structlog()
    with ExitStack() as stack:
        flow_run = _connect(stack).read_flow_run(given.flow_run_id)
        stack.enter_context(handle_engine_signals(flow_run.id))
        run_flow(
            run_shopsight,
            flow_run=flow_run,
            # The flow run's own may have changed since they were checked.
            parameters={"allow_shrink": given.allow_shrink},
            return_type="state",
        )


def _connect(stack: ExitStack) -> SyncPrefectClient:
    """The one client of the whole run, in whose context Prefect opens no other.

    Prefect's client waits for a server that is being restarted, but only if it has reached it before.
    """
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return stack.enter_context(SyncClientContext()).client
        except RuntimeError as error:
            if not isinstance(error.__cause__, httpx.TransportError) or time.monotonic() > deadline:
                raise
            log.warning("waiting for Prefect's server", error=str(error))
            time.sleep(1)


if __name__ == "__main__":
    main()
