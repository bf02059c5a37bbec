"""What follows a run in every orchestrator: its record is completed, the report renewed, alerts are sent."""

from __future__ import annotations

from datetime import UTC, datetime

from shopsight.errors import RunInterrupted, ShopsightError
from shopsight.inspect.published import renew_report
from shopsight.orchestration.alerts import send_alerts
from shopsight.orchestration.crash_records import mark_crashed
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import Settings


def after_run(settings: Settings, run_id: str, error: ShopsightError | None) -> RunRecord:
    """Do what follows a run that has ended, and return its record.

    Args:
        settings: the settings.
        run_id: the run, which may have failed before it had a directory.
        error: why it failed, if it did.
    """
    if isinstance(error, RunInterrupted):
        mark_crashed(settings, run_id, error)
    record = Workspace(settings.workdir, run_id).load_record()
    if record is None:
        document = error.as_document() if error is not None else None
        record = RunRecord(run_id, "run", "failed", datetime.now(UTC), error=document)
    if record.status == "succeeded":
        renew_report(settings)
    send_alerts(settings, record)
    return record
