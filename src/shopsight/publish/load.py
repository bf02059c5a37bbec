"""Many encoded documents into one collection, fast.

Batches are inserted unordered by a few threads while the next ones are encoded. The inserts themselves wait
for the primary's memory only; :func:`settle` then waits once, for all of them, until they are on the disks of
most members, and counts them: a server that was restarted in between may have lost what it had confirmed.
An insert that is cut off is not tried again by itself, for then these are counted anew as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError

from shopsight.errors import TargetUnavailable
from shopsight.publish.digest import ContentDigest
from shopsight.publish.target import Target

INSERT_DOCUMENTS = 5_000
_INSERT_BYTES = 12 * 2**20  # below what a document may have, for that is how the driver counts
THREADS = 2

_IN_MEMORY = WriteConcern(w=1, j=False)

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


def _portions(batch: list[bytes]) -> Iterator[list[bytes]]:
    """What goes into one insert: some thousand documents, fewer if they are large."""
    first = size = 0
    for at, document in enumerate(batch):
        size += len(document)
        if at > first and (at - first == INSERT_DOCUMENTS or size > _INSERT_BYTES):
            yield batch[first:at]
            first, size = at, len(document)
    if batch:
        yield batch[first:]


class _Encoded(RawBSONDocument):
    """Many encoded documents as one for the driver, which sends on what is encoded as it is.

    The documents of an insert follow each other on the wire with nothing in between: for the server these are
    as many as they are. The driver's own way makes an object of each and copies it by itself, which costs as
    much as encoding did.
    """

    __slots__ = ("_encoded",)

    def __init__(self, encoded: list[bytes]) -> None:
        self._encoded = b"".join(encoded)

    def __repr__(self) -> str:
        return f"{len(self._encoded)} bytes of documents"

    @property
    def raw(self) -> bytes:
        """What is sent."""
        return self._encoded


def _insert(target: Target, collection: str, encoded: list[bytes]) -> None:
    with target.translated():
        answer = target.db.command(
            "insert",
            collection,
            documents=[_Encoded(encoded)],
            ordered=False,
            writeConcern=_IN_MEMORY.document,
        )
        errors = [*answer.get("writeErrors", ()), *filter(None, [answer.get("writeConcernError")])]
        if errors or answer["n"] != len(encoded):
            raise BulkWriteError({"writeErrors": errors or [{"errmsg": f"took {answer['n']} documents"}]})


@contextmanager
def _inserter(target: Target, collection: str, threads: int) -> Iterator[Callable[[list[bytes]], None]]:
    """A function that hands documents to the threads, and waits while they have enough to do."""
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
                f" {collection} should hold {expected.documents:,} documents and holds {found:,}.",
                remedy="Run again: `shopsight run --resume` writes a new generation from the same snapshot.",
            )
