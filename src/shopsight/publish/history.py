"""The runs' documents in ``pipeline_runs``: one per run, ``_id`` = run_id, which sorts by time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from shopsight.errors import PublishError, ShopsightError
from shopsight.publish import naming
from shopsight.publish.bson import plain, to_bson
from shopsight.publish.lease import Lease
from shopsight.publish.target import Target
from shopsight.record import RunRecord


def save_run(target: Target, record: RunRecord) -> None:
    """Save a run's record, in the place of an earlier one; exact figures become Decimal128.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    document = to_bson(record.as_document())
    with target.translated():
        target.db[naming.PIPELINE_RUNS].replace_one({"_id": record.run_id}, document, upsert=True)


@contextmanager
def recorded(target: Target, lease: Lease, kind: str) -> Iterator[RunRecord]:
    """A record in ``pipeline_runs``, from the start of the context to its end or its error."""
    record = RunRecord(lease.run_id, kind, "running", datetime.now(UTC))
    save_run(target, record)
    try:
        yield record
        record.status = "succeeded"
    except ShopsightError as error:
        record.status, record.error = "failed", error.as_document()
        raise
    finally:
        record.ended_at = datetime.now(UTC)
        record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)
        with suppress(PublishError):  # what was done stays done even if the history cannot be written
            save_run(target, record)


def find_run(target: Target, run_id: str) -> dict[str, Any] | None:
    """A run's document as plain values; None when there is none."""
    with target.translated():
        document = target.db[naming.PIPELINE_RUNS].find_one({"_id": run_id})
    return None if document is None else plain(document)


def list_runs(target: Target, *, limit: int = 10, kind: str | None = None) -> list[dict[str, Any]]:
    """The latest runs' documents as plain values, the newest first.

    Args:
        target: where.
        limit: how many.
        kind: ``run``, ``rollback``, ``unpin`` or ``forget``; all kinds by default.
    """
    with target.translated():
        documents = target.db[naming.PIPELINE_RUNS].find({"kind": kind} if kind else {})
        return [plain(document) for document in documents.sort("_id", -1).limit(limit)]


def latest_run(target: Target) -> dict[str, Any] | None:
    """The newest document of kind ``run``; None when there is none."""
    return next(iter(list_runs(target, limit=1, kind="run")), None)
