"""A new generation, written beside the served one; readers do not see it before the flip.

A few threads insert batches while the next ones are encoded. An insert is confirmed from the primary's
memory. :func:`flush` then waits once until everything is on the disks of most members, and counts it: a
server that was restarted in between may have lost what it had confirmed. Indexes are built in the background
while the generation is proven.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel, WriteConcern
from pymongo.errors import BulkWriteError, OperationFailure

from shopsight.audit.guards import guarded_figures
from shopsight.audit.identities import DeclaredInsight
from shopsight.errors import TargetUnavailable
from shopsight.publish import naming
from shopsight.publish.bson import to_bson
from shopsight.publish.digest import ContentDigest
from shopsight.publish.documents import run_documents
from shopsight.publish.lease import Lease
from shopsight.publish.privacy import Privacy
from shopsight.publish.target import Target
from shopsight.publish.views import point_view
from shopsight.record import RunRecord

INSERT_DOCUMENTS = 5_000
_INSERT_BYTES = 12 * 2**20
THREADS = 2

_IN_MEMORY = WriteConcern(w=1, j=False)

#: The fields that readers look up by, beside ``_id``.
INDEXES = {
    naming.CUSTOMERS: ("total_amount_spent", "country", "email", "segment", "last_order_date"),
    naming.INSIGHTS: (),
    naming.REJECTED_ROWS: ("table", "rule"),
}

#: MongoDB removes a document when the moment in this field has passed.
_EXPIRING = IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)

OnRows = Callable[[str, int], None]


@dataclass(frozen=True)
class Loaded:
    """The documents inserted into a collection; ``digest`` is that of the bytes that were sent."""

    documents: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class WrittenGeneration:
    """A generation with all its documents; its indexes are being built, and it is not served yet.

    Attributes:
        generation: its number.
        run_id: the run that wrote it.
        as_of: the moment of the snapshot it was made from.
        collections: by view, the collection; for ``customer_metrics`` a view of ``customers``.
        loaded: by view, what was inserted.
        truncated: for each insight whose rows are not all published, the number of published rows.
        indexes: the index builds that the flip waits for.
    """

    generation: int
    run_id: str
    as_of: datetime
    collections: dict[str, str]
    loaded: dict[str, Loaded] = field(default_factory=dict)
    truncated: dict[str, int] = field(default_factory=dict)
    indexes: list[Future[None]] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """The number of documents in all collections."""
        return sum(loaded.documents for loaded in self.loaded.values())

    @property
    def counts(self) -> dict[str, int]:
        """The number of documents by view."""
        return {view: loaded.documents for view, loaded in self.loaded.items()}

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the encoded documents by view (:mod:`shopsight.publish.digest`)."""
        return {view: loaded.digest for view, loaded in self.loaded.items()}

    def wait_for_indexes(self) -> None:
        """Wait until all indexes are built; raises what prevented one."""
        for built in self.indexes:
            built.result()


def write_generation(
    target: Target,
    lease: Lease,
    *,
    marts: Path,
    rejected: Path,
    record: RunRecord,
    insights: Iterable[DeclaredInsight],
    privacy: Privacy,
    keep_rejected: timedelta | None = None,
    on_rows: OnRows | None = None,
) -> WrittenGeneration:
    """Write the run's marts and rejected rows as a new generation.

    Args:
        target: where.
        lease: held by this run.
        marts: holds ``customers`` and ``insights/<id>``.
        rejected: holds one folder per table.
        record: the run: its id, its snapshot and its figures.
        insights: the text and columns of the insights, in the order of the report.
        privacy: what becomes of names and addresses.
        keep_rejected: how long MongoDB keeps the rejected rows; None for as long as the generation.
        on_rows: called with the view and the number of documents of each insert.

    Raises:
        LeaseLost: another run took over.
        TargetUnavailable: MongoDB went away; a later run sweeps what was written.
        PublishError: MongoDB refuses a document, or its disk is full.
    """
    if record.snapshot is None:
        raise ValueError("a run without a snapshot has nothing to publish")
    run_id, as_of = record.run_id, record.snapshot.as_of
    generation = lease.take_generation()
    written = WrittenGeneration(generation, run_id, as_of, naming.collections_of(generation))
    rejected_until = target.clock() + keep_rejected if keep_rejected else None
    batches = run_documents(
        marts,
        rejected,
        insights,
        run_id=run_id,
        as_of=as_of,
        privacy=privacy,
        rejected_until=rejected_until,
        on_truncated=written.truncated.__setitem__,
    )
    metrics, customers = (written.collections[view] for view in naming.OF_CUSTOMERS)
    point_view(target, metrics, customers, naming.METRICS_OF_CUSTOMERS)
    for view, fields in INDEXES.items():
        collection = written.collections[view]
        written.loaded[view] = load_collection(
            target,
            collection,
            batches[view],
            guard=lease.guard,
            on_rows=partial(on_rows, view) if on_rows is not None else None,
        )
        lease.guard()
        if fields:
            is_kept = view != naming.REJECTED_ROWS or rejected_until is None
            expiring = [] if is_kept else [_EXPIRING]
            written.indexes.append(_build_indexes(target, collection, fields, expiring))
    loaded = {written.collections[view]: loaded for view, loaded in written.loaded.items()}
    flush(target, loaded, barrier=lease.check)
    # Without this note the generation is a leftover of a run that died.
    note = {
        "_id": generation,
        "state": "written",
        "run_id": run_id,
        "as_of": as_of,
        "collections": written.collections,
        "counts": written.counts,
        "bytes": {view: loaded.bytes for view, loaded in written.loaded.items()},
        "digests": written.digests,
        "rejected_until": rejected_until,
        "figures": to_bson(guarded_figures(record)),
    }
    with target.translated():
        target.db[naming.GENERATIONS].insert_one(note)
    return written


def load_collection(
    target: Target,
    collection: str,
    batches: Iterable[list[bytes]],
    *,
    guard: Callable[[], None],
    on_rows: Callable[[int], None] | None = None,
    threads: int = THREADS,
) -> Loaded:
    """Insert encoded documents into a collection, in no particular order.

    Args:
        target: where.
        collection: its name; it is created even if there are no documents.
        batches: encoded documents; taken only as fast as they are inserted, so the memory is bounded.
        guard: called before each insert; an error that it raises ends the load.
        on_rows: called with the number of documents of each insert.
        threads: the number of inserts under way at a time.

    Raises:
        TargetUnavailable: MongoDB went away.
        PublishError: it refuses a document, or its disk is full.
    """
    _create(target, collection)
    count = size = 0
    digest = ContentDigest()
    with _inserter(target, collection, threads) as insert:
        for batch in batches:
            for portion in _portions(batch):
                guard()
                insert(portion)
                count += len(portion)
                size += sum(map(len, portion))
                digest.add(portion)
                if on_rows is not None:
                    on_rows(len(portion))
    return Loaded(count, size, digest.hexdigest())


def _create(target: Target, collection: str) -> None:
    """Create the collection unless it is there; without an index of ``_id`` beside it, if the server can.

    A clustered collection (MongoDB 5.3) takes a load at 0.6 of the server's CPU.
    """
    with target.translated():
        if collection in target.db.list_collection_names(filter={"name": collection}):
            return
        try:
            target.db.create_collection(collection, clusteredIndex={"key": {"_id": 1}, "unique": True})
        except OperationFailure:
            target.db.create_collection(collection)


def flush(target: Target, loaded: dict[str, Loaded], *, barrier: Callable[[], None]) -> None:
    """Wait until everything loaded is on most members' disks, and make sure that all of it is there.

    Args:
        target: where.
        loaded: by collection, what was inserted.
        barrier: makes one durable write. Writes become durable in their order, so those before it are, too.

    Raises:
        TargetUnavailable: documents that were confirmed are gone.
    """
    barrier()
    for collection, expected in loaded.items():
        with target.translated():
            found = target.db[collection].count_documents({})
        if found != expected.documents:
            raise TargetUnavailable(
                f"MongoDB at {target.redacted_url} was restarted or changed its primary during the load:"
                f" {collection} should hold {expected.documents:,} documents and holds {found:,}.",
                remedy="Run again: `shopsight run --resume` writes a new generation from the same snapshot.",
            )


def _portions(batch: list[bytes]) -> Iterator[list[bytes]]:
    """A batch's documents, insert by insert: fewer if they are large."""
    first = size = 0
    for at, document in enumerate(batch):
        size += len(document)
        if at > first and (at - first == INSERT_DOCUMENTS or size > _INSERT_BYTES):
            yield batch[first:at]
            first, size = at, len(document)
    if batch:
        yield batch[first:]


def _insert(target: Target, collection: str, encoded: list[bytes]) -> None:
    # As a command: insert_many takes twice the time of this process. The driver does not retry it.
    with target.translated():
        answer = target.db.command(
            "insert",
            collection,
            documents=[RawBSONDocument(document) for document in encoded],
            ordered=False,
            writeConcern=_IN_MEMORY.document,
        )
        errors = [*answer.get("writeErrors", ()), *filter(None, [answer.get("writeConcernError")])]
        if errors or answer["n"] != len(encoded):
            raise BulkWriteError({"writeErrors": errors or [{"errmsg": f"took {answer['n']} documents"}]})


@contextmanager
def _inserter(target: Target, collection: str, threads: int) -> Iterator[Callable[[list[bytes]], None]]:
    """A function that hands documents to the threads, and waits while all of them are busy."""
    pending: set[Future[None]] = set()

    with ThreadPoolExecutor(threads, thread_name_prefix="shopsight-load") as pool:

        def hand_over(encoded: list[bytes]) -> None:
            pending.add(pool.submit(_insert, target, collection, encoded))
            if len(pending) > threads:
                finish_one()

        def finish_one() -> None:
            done, left = wait(pending, return_when=FIRST_COMPLETED)
            pending.intersection_update(left)
            for future in done:
                future.result()

        try:
            yield hand_over
            while pending:
                finish_one()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _build_indexes(
    target: Target, collection: str, fields: Iterable[str], more: Iterable[IndexModel]
) -> Future[None]:
    """Build a collection's indexes in the background, all in one pass over its documents."""
    built: Future[None] = Future()

    def build() -> None:
        try:
            with target.translated():
                models = [IndexModel([(name, ASCENDING)], name=name) for name in fields]
                target.db[collection].create_indexes([*models, *more])
        except Exception as error:  # noqa: BLE001 - raised by the future's result
            built.set_exception(error)
        else:
            built.set_result(None)

    # A daemon and no pool: a run that is stopped or fails does not wait for the server.
    threading.Thread(target=build, name=f"shopsight-index-{collection}", daemon=True).start()
    return built
