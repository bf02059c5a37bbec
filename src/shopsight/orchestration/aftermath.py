"""What is noted of a run whose process could not do so itself: it was killed, or its machine went down.

Such a run published nothing, and its lease ends by itself; but its document would say ``running`` for ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from shopsight.errors import RunCrashed, ShopsightError
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.workspace import Workspace
from shopsight.publish.lease import held_until
from shopsight.publish.naming import PIPELINE_RUNS, PUBLISHED
from shopsight.publish.target import Target
from shopsight.record import RunRecord
from shopsight.settings import Settings

log = structlog.stdlib.get_logger("shopsight.serve")

#: What may be overwritten: a run that seems to go on, or that noted only that it was stopped.
_UNFINISHED = {"$or": [{"status": "running"}, {"error.type": "RunStopped"}]}


def note_interruption(settings: Settings, run_id: str, error: ShopsightError) -> dict[str, Any]:
    """Note in the run's directory and in ``pipeline_runs`` that a run failed by this error.

    A run that came to an end of its own keeps it. MongoDB being away is logged, not raised.

    Returns:
        The run's document; empty when its directory is gone.
    """
    end = {"status": "failed", "ended_at": datetime.now(UTC), "error": error.as_document()}
    workspace = Workspace(settings.workdir, run_id)
    record = workspace.read_record()
    if record and _is_unfinished(record):
        record |= end
        workspace.write_record(RunRecord.from_document(record))
    try:
        with open_target(settings) as target:
            _note(target, run_id, end)
    except ShopsightError as away:
        log.warning("history", run_id=run_id, error=str(away))
    return record


def note_abandoned_runs(settings: Settings) -> list[dict[str, Any]]:
    """Note as crashed every run of this working directory that says it goes on, and does not.

    A run goes on while it holds the lease, or has written its record within a lease's duration (Airflow's
    tasks hold the lease one after the other).

    Returns:
        The documents of the runs that were noted.
    """
    suspects = [run_id for run_id in Workspace.run_ids(settings.workdir) if _is_silent(run_id, settings)]
    if not suspects:
        return []
    noted = []
    with open_target(settings) as target:
        held = held_until(target)
        for run_id in suspects:
            if held is not None and held[0] == run_id:
                continue
            error = RunCrashed.because("it left no word", stage=None, run_id=run_id)
            record = Workspace(settings.workdir, run_id).read_record()
            record |= {"status": "failed", "ended_at": datetime.now(UTC), "error": error.as_document()}
            Workspace(settings.workdir, run_id).write_record(RunRecord.from_document(record))
            _note(target, run_id, {name: record[name] for name in ("status", "ended_at", "error")})
            noted.append(record)
    return noted


def lease_holder(settings: Settings) -> str | None:
    """The run that holds the lease now; None when it is free, or when nobody can be asked."""
    try:
        with open_target(settings) as target:
            held = held_until(target)
    except ShopsightError as away:
        log.warning("lease unknown", error=str(away))
        return None
    return held[0] if held else None


def served_now(settings: Settings) -> dict[str, Any] | None:
    """The ``published`` document; None when nothing was ever published.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    with open_target(settings) as target, target.translated():
        return target.db[PUBLISHED].find_one({"_id": "current"})


def _note(target: Target, run_id: str, end: Mapping[str, Any]) -> None:
    with target.translated():
        target.db[PIPELINE_RUNS].update_one({"_id": run_id, **_UNFINISHED}, {"$set": dict(end)})


def _is_unfinished(record: Mapping[str, Any]) -> bool:
    return record["status"] == "running" or (record.get("error") or {}).get("type") == "RunStopped"


def _is_silent(run_id: str, settings: Settings) -> bool:
    workspace = Workspace(settings.workdir, run_id)
    if workspace.read_record().get("status") != "running":
        return False
    silence = time.time() - (workspace.root / "run.json").stat().st_mtime
    return timedelta(seconds=silence) > settings.lease_duration
