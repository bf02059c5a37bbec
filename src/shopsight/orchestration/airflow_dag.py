"""A shop's SQL database to MongoDB, every three hours.

`extract → clean → metrics → insights → prove → publish`, the same stages as `shopsight run`.

- **Settings** come from the workers' environment: `SHOPSIGHT_SOURCE_URL`, `SHOPSIGHT_TARGET_URL`,
  `SHOPSIGHT_WORKDIR` (a folder that all tasks of a run see), and the rest of docs/settings.md.
- **The run's id** follows from the DAG run's; the data are in the run's directory, one folder a stage. A task
  that is cleared or tried again keeps the whole stages, so the snapshot stays the same.
- **Retries** only help against databases that are away; anything else fails at once and says what to do.
- **Publication** is all or nothing: if anything fails, readers keep the last good generation. One run
  publishes at a time, no matter how it was started.
- Run it with the parameter `allow_shrink` to let the shrink guard pass once.

To use it, put a file with this line into the DAGs folder:
`from shopsight.orchestration.airflow_dag import shopsight_dag`
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import chain, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

# No heavier import here, because the scheduler loads this file repeatedly.
from shopsight.orchestration import run_id_for

#: A fallback for the stages' own timeout (``SHOPSIGHT_STAGE_TIMEOUT``, an hour by default).
OUTER_TIMEOUT = timedelta(hours=6)


def do_stage(stage: str) -> str:
    """Do one stage of this DAG run in its own process; returns the run's id.

    Raises:
        AirflowFailException: it failed, and trying again does not help.
        ShopsightError: it failed, and trying again may help.
    """
    from shopsight.errors import ShopsightError, is_retryable  # noqa: PLC0415
    from shopsight.orchestration.stage_process import run_stage_process  # noqa: PLC0415
    from shopsight.settings import load_settings  # noqa: PLC0415

    context = get_current_context()
    run_id = run_id_for(context["dag_run"].run_after, context["dag_run"].run_id)
    allow_shrink = bool(context["params"].get("allow_shrink"))
    try:
        run_stage_process(load_settings(), run_id, stage, allow_shrink=allow_shrink)
    except ShopsightError as error:
        if is_retryable(error):
            raise
        raise AirflowFailException(f"{error} {error.remedy}".strip()) from error
    return run_id


def report_failure(context: Any) -> None:
    """Record a run that failed for good, and send its alert; Airflow calls it when retries are used up."""
    from shopsight.errors import RunCrashed, RunInterrupted, ShopsightError  # noqa: PLC0415
    from shopsight.orchestration.alerts import send_alerts  # noqa: PLC0415
    from shopsight.orchestration.crash_records import mark_crashed  # noqa: PLC0415
    from shopsight.pipeline.workspace import Workspace  # noqa: PLC0415
    from shopsight.record import RunRecord  # noqa: PLC0415
    from shopsight.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    run_id = run_id_for(context["dag_run"].run_after, context["dag_run"].run_id)
    stage = context["task_instance"].task_id
    exception = context.get("exception")
    error = exception.__cause__ if isinstance(exception, AirflowFailException) else exception
    if not isinstance(error, ShopsightError):
        error = RunCrashed.because(str(exception or "its task was killed"), stage=stage, run_id=run_id)
    if isinstance(error, RunInterrupted):
        mark_crashed(settings, run_id, error)
    record = Workspace(settings.workdir, run_id).load_record()
    if record is None:
        record = RunRecord(run_id, "run", "failed", datetime.now(UTC), error=error.as_document())
    send_alerts(settings, record)


#: By stage, its task's documentation.
DOCUMENTATION = {
    "extract": "Read the six tables in one snapshot into `raw`.",
    "clean": "Apply the rules to `raw`: what is kept to `clean`, what is not to `rejected`.",
    "metrics": "Work out one row per customer.",
    "insights": "Work out the insights.",
    "prove": "Write the ledger, and compare source, raw, clean and marts to the cent.",
    "publish": "Write a new generation to MongoDB, prove it, and flip the views to it.",
}


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
        "on_failure_callback": report_failure,
    },
    params={"allow_shrink": False},
    tags=["shopsight"],
    doc_md=__doc__,
)
def shopsight() -> None:
    """The six stages, one after the other."""
    tasks = [task(task_id=stage, doc_md=text)(do_stage)(stage) for stage, text in DOCUMENTATION.items()]
    chain(*tasks)


shopsight_dag = shopsight()
