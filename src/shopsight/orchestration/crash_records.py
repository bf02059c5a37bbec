"""Records of runs whose process could not write how they ended: it was killed, or its machine went down."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import structlog

from shopsight import publish
from shopsight.errors import RunCrashed, ShopsightError, WorkspaceError
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import Settings

log = structlog.stdlib.get_logger("shopsight.serve")


def mark_crashed(settings: Settings, run_id: str, error: ShopsightError) -> RunRecord | None:
    """Note in the run's directory and in ``pipeline_runs`` that the run failed by this error.

    A run that ended by itself keeps its end, and one that published has succeeded. A MongoDB that does not
    answer is logged, not raised.

    Returns:
        The run's record; None if there is none, or if a process works on the run.
    """
    workspace = Workspace(settings.workdir, run_id)
    if not workspace.root.is_dir():
        return None
    try:
        with workspace.in_use():
            record = workspace.load_record()
            if record is None or not _is_unfinished(record):
                return record
            record = _ended(settings, record, error)
            workspace.write_record(record)
            return record
    except WorkspaceError as unwritten:
        log.info("left alone", run_id=run_id, reason=str(unwritten))
        return None


def mark_crashed_runs(settings: Settings, *, except_for: Collection[str] = ()) -> list[RunRecord]:
    """Mark every run of this working directory whose record says it is running and whose process is gone.

    Args:
        settings: the settings.
        except_for: runs that are between two stages now, and so without a process.
    """
    marked = []
    for run_id in Workspace.run_ids(settings.workdir):
        if run_id not in except_for:
            workspace = Workspace(settings.workdir, run_id)
            if workspace.read_record().get("status") == "running" and not workspace.is_in_use:
                error = RunCrashed.because("it ended without saying why", stage=None, run_id=run_id)
                if (record := mark_crashed(settings, run_id, error)) is not None:
                    marked.append(record)
    return marked


def _ended(settings: Settings, record: RunRecord, error: ShopsightError) -> RunRecord:
    ended_at = datetime.now(UTC)
    try:
        with open_target(settings) as target:
            stored, served = publish.find_run(target, record.run_id), publish.served(target)
            waiting = publish.newest_waiting(target, served)
            if stored is not None and not _is_unfinished(kept := RunRecord.from_document(stored)):
                return kept
            if served is not None and served.run_id == record.run_id:
                # Its process was killed after the flip.
                record.generation, record.valid_until = served.generation, served.valid_until
                record.status, record.ended_at = "succeeded", ended_at
            elif served is not None and waiting is not None and waiting["run_id"] == record.run_id:
                # Killed after it kept its generation behind a pin.
                record.generation, record.valid_until = waiting["_id"], waiting["valid_until"]
                record.status, record.ended_at, record.pinned = "succeeded", ended_at, served.generation
            else:
                record.status, record.ended_at, record.error = "failed", ended_at, error.as_document()
            if record.kind == "run":
                publish.save_run(target, record)
    except ShopsightError as away:
        log.warning("history not saved", run_id=record.run_id, error=str(away))
        record.status, record.ended_at, record.error = "failed", ended_at, error.as_document()
    return record


def _is_unfinished(record: RunRecord) -> bool:
    """Whether the record says that the run is at work, or only that it was stopped."""
    return record.status == "running" or (record.error or {}).get("type") == "RunStopped"
