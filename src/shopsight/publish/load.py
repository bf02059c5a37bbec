"""Many encoded documents into one collection, fast.

Batches are inserted unordered by a few threads while the next ones are encoded. The inserts themselves wait
for the primary's memory only; :func:`settle` then waits once, for all of them, until they are on the disks of
most members, and counts them: a server that was restarted in between may have lost what it had confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel, WriteConcern
from pymongo.collection import Collection

from shopsight.errors import TargetUnavailable
from shopsight.publish import naming
from shopsight.publish.digest import ContentDigest
from shopsight.publish.target import Document, Target

INSERT_DOCUMENTS = 5_000
THREADS = 2

_IN_MEMORY = WriteConcern(w=1, j=False)

#: What readers look up by, beside ``_id``.
INDEXES = {
    naming.CUSTOMER_METRICS: ("total_amount_spent", "country", "email"),
    naming.INSIGHTS: (),
    naming.REJECTED_ROWS: ("table", "rule"),
}

OnRows = Callable[[str, int], None]


@dataclass(frozen=True)
class Loaded:
    """What went into a collection; ``digest`` is that of the very bytes that were sent."""

    documents: int
    bytes: int
    digest: str


def load_collection(
    target: Target,
    collection: str,
    batches: Iterable[list[bytes]],
    *,
    guard: Callable[[], None],
    on_rows: Callable[[int], None] | None = None,
    threads: int = THREADS,
) -> Loaded:
    """Insert encoded documents into a collection, in no order.

    Args:
        target: where.
        collection: its name; it is made if it is not there, for an empty one is one too.
        batches: encoded documents; taken only as fast as they are inserted, so the memory is bounded.
        guard: called before each insert; what it raises ends the load.
        on_rows: told of each insert's documents.
        threads: how many inserts are under way at a time.

    Raises:
        TargetUnavailable: MongoDB went away.
        PublishError: it refuses a document, or its disk is full.
    """
    with target.translated():
        if collection not in target.db.list_collection_names(filter={"name": collection}):
            target.db.create_collection(collection)
    into = target.db.get_collection(collection, write_concern=_IN_MEMORY)
    count = size = 0
    digest = ContentDigest()
    with _inserter(target, into, threads) as insert:
        for batch in batches:
            for first in range(0, len(batch), INSERT_DOCUMENTS):
                guard()
                portion = batch[first : first + INSERT_DOCUMENTS]
                insert(portion)
                count += len(portion)
                size += sum(map(len, portion))
                digest.add(portion)
                if on_rows is not None:
                    on_rows(len(portion))
    return Loaded(count, size, digest.hexdigest())


@contextmanager
def _inserter(
    target: Target, collection: Collection[Document], threads: int
) -> Iterator[Callable[[list[bytes]], None]]:
    """A function that hands documents to the threads, and waits while they have enough to do."""
    pending: set[Future[None]] = set()

    def work(encoded: list[bytes]) -> None:
        with target.translated():
            collection.insert_many([RawBSONDocument(document) for document in encoded], ordered=False)

    with ThreadPoolExecutor(threads, thread_name_prefix="shopsight-load") as pool:

        def hand_over(encoded: list[bytes]) -> None:
            pending.add(pool.submit(work, encoded))
            if len(pending) > threads:
                finish(FIRST_COMPLETED)

        def finish(when: str) -> None:
            done, left = wait(pending, return_when=when)
            pending.intersection_update(left)
            for future in done:
                future.result()

        try:
            yield hand_over
            while pending:
                finish(FIRST_COMPLETED)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def build_indexes(target: Target, view: str, collection: str) -> None:
    """Build the indexes of a view's collection, all of them in one pass over its documents."""
    fields = INDEXES[view]
    if fields:
        with target.translated():
            target.db[collection].create_indexes(
                [IndexModel([(field, ASCENDING)], name=field) for field in fields]
            )


def settle(target: Target, loaded: dict[str, Loaded], *, barrier: Callable[[], None]) -> None:
    """Wait until everything loaded is on most members' disks, and make sure that all of it is there.

    Args:
        target: where.
        loaded: by collection, what was inserted.
        barrier: makes one durable write. Writes are confirmed in their order: when it is durable, so is all
            that was written before it.

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
                f" {collection} should hold {expected.documents:,} documents and holds {found:,}. The last"
                " generation is still served.",
                remedy="Run again: `shopsight run --resume` writes a new generation from the same snapshot.",
            )
