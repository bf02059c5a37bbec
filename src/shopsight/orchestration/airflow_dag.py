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
from typing import TYPE_CHECKING, Any

from airflow.sdk import chain, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

# No heavier import here, because the scheduler loads this file repeatedly.
from shopsight.orchestration import run_id_for

if TYPE_CHECKING:
    from shopsight.errors import ShopsightError

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
    run_id = _run_id(context)
    allow_shrink = bool(context["params"].get("allow_shrink"))
    try:
        run_stage_process(load_settings(), run_id, stage, allow_shrink=allow_shrink)
    except ShopsightError as error:
        if is_retryable(error):
            raise
        raise AirflowFailException(f"{error} {error.remedy}".strip()) from error
    return run_id


def end_run(context: Any) -> None:
    """Renew the report and send the alerts of a run that published; Airflow calls it after the last task."""
    _after_run(context, None)


def end_failed_run(context: Any) -> None:
    """Record a run that failed for good, and send its alert; Airflow calls it when retries are used up."""
    from shopsight.errors import RunCrashed, ShopsightError  # noqa: PLC0415

    exception = context.get("exception")
    error = exception.__cause__ if isinstance(exception, AirflowFailException) else exception
    if not isinstance(error, ShopsightError):
        reason, stage = str(exception or "its task was killed"), context["task_instance"].task_id
        error = RunCrashed.because(reason, stage=stage, run_id=_run_id(context))
    _after_run(context, error)


def _after_run(context: Any, error: ShopsightError | None) -> None:
    from shopsight.orchestration.after_run import after_run  # noqa: PLC0415
    from shopsight.settings import load_settings  # noqa: PLC0415

    after_run(load_settings(), _run_id(context), error)


def _run_id(context: Any) -> str:
    return run_id_for(context["dag_run"].run_after, context["dag_run"].run_id)


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
        "on_failure_callback": end_failed_run,
    },
    params={"allow_shrink": False},
    tags=["shopsight"],
    doc_md=__doc__,
)
def shopsight() -> None:
    """The six stages, one after the other."""
    tasks = [
        task(task_id=stage, doc_md=text, on_success_callback=end_run if stage == "publish" else None)(
            do_stage
        )(stage)
        for stage, text in DOCUMENTATION.items()
    ]
    chain(*tasks)


shopsight_dag = shopsight()
