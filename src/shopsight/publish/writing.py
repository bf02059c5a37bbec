"""A new generation, written beside the served one; nobody reads it before it is flipped to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from shopsight.publish import naming
from shopsight.publish.documents import InsightText, run_documents
from shopsight.publish.indexes import IndexBuild
from shopsight.publish.lease import Lease
from shopsight.publish.load import THREADS, OnRows, load_collection, settle
from shopsight.publish.target import Target
from shopsight.publish.values import to_bson
from shopsight.publish.views import check_names
from shopsight.record import Figure, RunRecord


@dataclass(frozen=True)
class WrittenGeneration:
    """A generation whose documents are all there; its indexes are being built, and it is not served yet.

    Attributes:
        generation: its number.
        run_id: the run that wrote it.
        as_of: the moment of the snapshot it was made from.
        collections: by view, the collection.
        counts: by view, the documents.
        bytes: by view, their size in BSON.
        digests: by view, the digest of the documents as they were encoded (:mod:`shopsight.publish.digest`).
        indexes: what the flip waits for.
    """

    generation: int
    run_id: str
    as_of: datetime
    collections: dict[str, str]
    counts: dict[str, int]
    bytes: dict[str, int]
    digests: dict[str, str]
    indexes: tuple[IndexBuild, ...]

    @property
    def documents(self) -> int:
        """All documents."""
        return sum(self.counts.values())


def write_generation(
    target: Target,
    lease: Lease,
    *,
    marts: Path,
    rejected: Path,
    record: RunRecord,
    insights: Iterable[InsightText],
    on_rows: OnRows | None = None,
    threads: int = THREADS,
) -> WrittenGeneration:
    """Write the run's marts and rejected rows as a generation of their own.

    Each collection's indexes are begun when its documents are there, and are still in the making when this
    returns: reading the documents back goes on beside it.

    Args:
        target: where.
        lease: held by this run.
        marts: holds ``customer_metrics`` and ``insights/<id>``.
        rejected: holds one folder per table.
        record: the run: its id, its snapshot and its figures.
        insights: what the insights say of themselves, in the order of the report.
        on_rows: told of each insert's view and number of documents.
        threads: how many inserts are under way at a time.

    Raises:
        LeaseLost: another run took over.
        TargetUnavailable: MongoDB went away; what was written is swept by a later run.
        PublishError: it refuses a document, its disk is full, or a view's name is taken by a collection.
    """
    if record.snapshot is None:
        raise ValueError("a run without a snapshot has nothing to publish")
    run_id, as_of = record.run_id, record.snapshot.as_of
    check_names(target)
    generation = lease.take_generation()
    collections = naming.collections_of(generation)
    batches = run_documents(marts, rejected, insights, run_id=run_id, as_of=as_of)
    loaded, indexes = {}, []
    for view, collection in collections.items():
        loaded[view] = load_collection(
            target,
            collection,
            batches[view],
            guard=lease.guard,
            on_rows=partial(on_rows, view) if on_rows is not None else None,
            threads=threads,
        )
        lease.guard()
        indexes.append(IndexBuild(target, view, collection))
    settle(target, {collections[view]: what for view, what in loaded.items()}, barrier=lease.check)
    written = WrittenGeneration(
        generation,
        run_id,
        as_of,
        collections,
        {view: what.documents for view, what in loaded.items()},
        {view: what.bytes for view, what in loaded.items()},
        {view: what.digest for view, what in loaded.items()},
        tuple(indexes),
    )
    _note(target, written, record)
    return written


def _note(target: Target, written: WrittenGeneration, record: RunRecord) -> None:
    """Say that the generation has all its documents. One that nobody says it of is a leftover."""
    with target.translated():
        target.db[naming.GENERATIONS].insert_one(
            {
                "_id": written.generation,
                "state": "written",
                "run_id": written.run_id,
                "as_of": written.as_of,
                "collections": written.collections,
                "counts": written.counts,
                "bytes": written.bytes,
                "digests": written.digests,
                "figures": to_bson(_figures(record)),
            }
        )


def _figures(record: RunRecord) -> dict[str, Figure]:
    """What the shrink guard of the next run compares with: clean rows by table, and the revenue."""
    figures: dict[str, Figure] = {table.table: table.rows_out for table in record.ledger.tables}
    if "revenue" in record.totals:
        figures["revenue"] = record.totals["revenue"]
    return figures
