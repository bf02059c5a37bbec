"""A shop's SQL database to MongoDB, every three hours.

`extract → clean → metrics → insights → prove → publish`, the same stages as `shopsight run`.

- **Settings** come from the workers' environment: `SHOPSIGHT_SOURCE_URL`, `SHOPSIGHT_TARGET_URL`,
  `SHOPSIGHT_WORKDIR` (a folder that all tasks of a run see), and the rest of docs/settings.md.
- **Tasks pass the run's id**; the data lie in the run's directory, one folder a stage. A task that is cleared
  or tried again goes on from the whole stages, so the snapshot stays the same.
- **Retries** only help against databases that are away; anything else fails at once and says what to do.
- **Publication** is all or nothing: whatever fails, readers keep the last good generation. One run publishes
  at a time, whoever started it.
- Run it with the parameter `allow_shrink` to let the shrink guard pass once.

To use it, put a file with this line into the DAGs folder:
`from shopsight.orchestration.airflow_dag import shopsight_dag`
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

# Nothing heavier: the scheduler loads this file again and again.
from shopsight.orchestration import run_id_for

#: The net below the stages' own timeout (``SHOPSIGHT_STAGE_TIMEOUT``, an hour by default).
OUTER_TIMEOUT = timedelta(hours=6)


def do_stage(stage: str) -> str:
    """Do one stage of this DAG run in a process of its own; returns the run's id.

    Raises:
        AirflowFailException: it failed by something that trying again does not help.
        ShopsightError: it failed by something that trying again may help.
    """
    from shopsight.errors import ShopsightError, is_retryable  # noqa: PLC0415
    from shopsight.orchestration.stage_process import StageProcess  # noqa: PLC0415
    from shopsight.settings import load_settings  # noqa: PLC0415

    context = get_current_context()
    run_id = run_id_for(context["dag_run"].run_after, context["dag_run"].run_id)
    allow_shrink = bool(context["params"].get("allow_shrink"))
    try:
        settings = load_settings()
        with StageProcess(settings, run_id, allow_shrink=allow_shrink) as process:
            process.run_stage(stage, timeout=settings.stage_timeout)
    except ShopsightError as error:
        if is_retryable(error):
            raise
        raise AirflowFailException(f"{error} {error.remedy}".strip()) from error
    return run_id


def tell_failure(context: Any) -> None:
    """Note and tell a run that failed for good; called by Airflow once the retries are used up."""
    from shopsight.errors import RunCrashed, RunInterrupted, ShopsightError  # noqa: PLC0415
    from shopsight.orchestration.aftermath import note_interruption  # noqa: PLC0415
    from shopsight.orchestration.alerts import send_alerts  # noqa: PLC0415
    from shopsight.pipeline.workspace import Workspace  # noqa: PLC0415
    from shopsight.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    run_id = run_id_for(context["dag_run"].run_after, context["dag_run"].run_id)
    stage = context["task_instance"].task_id
    exception = context.get("exception")
    cause = exception.__cause__ if isinstance(exception, AirflowFailException) else exception
    if isinstance(cause, ShopsightError):
        error = cause
    else:
        error = RunCrashed.because(str(exception or "its task was killed"), stage=stage, run_id=run_id)
    record = Workspace(settings.workdir, run_id).read_record()
    if isinstance(error, RunInterrupted):
        record = note_interruption(settings, run_id, error)
    send_alerts(settings, record or {"run_id": run_id, "status": "failed", "error": error.as_document()})


@task
def extract() -> str:
    """Read the six tables in one snapshot into `raw`."""
    return do_stage("extract")


@task
def clean(_run_id: str) -> str:
    """Apply the rules to `raw`: what is kept to `clean`, what is not to `rejected`."""
    return do_stage("clean")


@task
def metrics(_run_id: str) -> str:
    """Work out one row per customer."""
    return do_stage("metrics")


@task
def insights(_run_id: str) -> str:
    """Work out the ten insights."""
    return do_stage("insights")


@task
def prove(_run_id: str) -> str:
    """Write the ledger, and hold source, raw, clean and marts against each other to the cent."""
    return do_stage("prove")


@task
def publish(_run_id: str) -> str:
    """Write a new generation to MongoDB, prove it, and flip the views to it."""
    return do_stage("publish")


@dag(
    dag_id="shopsight",
    schedule="0 */3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": OUTER_TIMEOUT,
        "on_failure_callback": tell_failure,
    },
    params={"allow_shrink": False},
    tags=["shopsight"],
    doc_md=__doc__,
)
def shopsight() -> None:
    """The six stages, one after the other."""
    publish(prove(insights(metrics(clean(extract())))))


shopsight_dag = shopsight()
