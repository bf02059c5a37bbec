"""Generations: which are kept, which one is served, and how a run changes that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from shopsight.errors import LeaseLost, ShopsightError
from shopsight.publish import naming
from shopsight.publish.lease import Lease
from shopsight.publish.load import WrittenGeneration
from shopsight.publish.target import Target
from shopsight.publish.views import heal_views, newest_waiting, point_view, served, set_published
from shopsight.record import RunRecord

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Generation:
    """A generation that was proven and is kept.

    Attributes:
        number: its number.
        run_id: the run that made it.
        as_of: the moment of the snapshot it was made from.
        valid_until: from then on it counts as stale.
        published_at: when it was last flipped to, by the server's clock; None if it never was.
        counts: by view, its documents.
        bytes: by view, their size in BSON.
        is_served: whether readers see it now.
        is_pinned: whether it is served until ``unpin``.
        is_waiting: whether ``unpin`` would serve it.
    """

    number: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    published_at: datetime | None
    counts: dict[str, int]
    bytes: dict[str, int]
    is_served: bool
    is_pinned: bool
    is_waiting: bool

    @property
    def customers(self) -> int:
        """The number of its customers."""
        counted = naming.CUSTOMERS if naming.CUSTOMERS in self.counts else naming.CUSTOMER_METRICS
        return self.counts[counted]

    def as_document(self) -> dict[str, Any]:
        """The generation as plain values."""
        return asdict(self)


def flip(
    target: Target,
    lease: Lease,
    written: WrittenGeneration,
    record: RunRecord,
    *,
    valid_for: timedelta,
    on_step: OnStep | None = None,
) -> None:
    """Serve a written generation: wait for its indexes, point the views, update ``published``.

    Each view changes from one moment to the next, and all within milliseconds. A reader that needs all of
    them from one generation asks ``published`` (:mod:`shopsight.reader`). The record gets its generation and
    ``valid_until``.

    Args:
        target: where.
        lease: held by this run.
        written: the generation to serve.
        record: the run's record.
        valid_for: how long after its snapshot the generation counts as fresh.
        on_step: called with the name of each step that is done: ``checked``, the views, ``published``,
            ``generations``.

    Raises:
        LeaseLost: another run took over; the views point to what is served.
        TargetUnavailable: MongoDB went away; the next run heals the views.
        PublishError: an index cannot be built.
    """
    written.wait_for_indexes()
    valid_until = written.as_of + valid_for
    entry = {
        "generation": written.generation,
        "run_id": written.run_id,
        "as_of": written.as_of,
        "valid_until": valid_until,
        "collections": written.collections,
        "pinned": None,
    }
    serve(target, lease, entry, on_step)
    record.generation, record.valid_until = written.generation, valid_until


def keep(
    target: Target,
    lease: Lease,
    written: WrittenGeneration,
    record: RunRecord,
    *,
    pinned: int,
    valid_for: timedelta,
) -> None:
    """Keep a proven generation while ``pinned`` stays served; otherwise like :func:`flip`."""
    written.wait_for_indexes()
    lease.check()
    valid_until = written.as_of + valid_for
    note = {"state": "proven", "valid_until": {"$literal": valid_until}, "proven_at": "$$NOW"}
    with target.translated():
        target.db[naming.GENERATIONS].update_one({"_id": written.generation}, [{"$set": note}])
    lease.check()
    record.generation, record.valid_until, record.pinned = written.generation, valid_until, pinned


def list_generations(target: Target) -> list[Generation]:
    """The generations that are kept and can be served, the newest number first."""
    current = served(target)
    with target.translated():
        stored = naming.stored_generations(target.db)
        documents = list(target.db[naming.GENERATIONS].find(_kept(stored), sort=[("_id", -1)]))
    same = ("run_id", "as_of", "valid_until", "counts", "bytes")
    served_number = current.generation if current is not None else None
    waiting = newest_waiting(target, current)
    return [
        Generation(
            document["_id"],
            **{name: document[name] for name in same},
            published_at=document.get("published_at"),
            is_served=(is_served := document["_id"] == served_number),
            is_pinned=is_served and current is not None and current.pinned is not None,
            is_waiting=waiting is not None and document["_id"] == waiting["_id"],
        )
        for document in documents
        if set(stored[document["_id"]]) == set(document["collections"].values())
    ]


def sweep(target: Target, lease: Lease, *, keep: int) -> list[int]:
    """Drop generations beyond ``keep``, and those that dead runs left behind.

    Kept are the served generation, the newest that waits behind a pin, and those that were served or proven
    last, ``keep`` in all. Only the holder of the lease may be writing a generation, so any other that was
    never proven is a leftover.

    Returns:
        The numbers of the generations dropped.

    Raises:
        LeaseLost: another run took over.
        TargetUnavailable: MongoDB does not answer.
    """
    lease.check()
    heal_views(target)
    current = served(target)
    with target.translated():
        stored = naming.stored_generations(target.db)
        documents = list(target.db[naming.GENERATIONS].find(_kept(stored)))
    waiting = newest_waiting(target, current)
    kept = {current.generation} if current else set()
    kept |= {waiting["_id"]} if waiting else set()
    for document in sorted(documents, key=_last_used, reverse=True):
        if len(kept) < keep:
            kept.add(document["_id"])
    dropped = sorted(set(stored) - kept - {lease.token})
    for generation in dropped:
        lease.guard()
        with target.translated():
            target.db[naming.GENERATIONS].update_one({"_id": generation}, {"$set": {"state": "retired"}})
            for collection in stored[generation]:
                target.db.drop_collection(collection)
    return dropped


def _kept(stored: Iterable[int]) -> dict[str, Any]:
    """The filter for the notes of generations that were proven and whose collections are there."""
    return {"_id": {"$in": [*stored]}, "state": {"$in": ["published", "proven"]}}


def _last_used(note: Mapping[str, Any]) -> datetime:
    moments: list[datetime] = [note[name] for name in ("published_at", "proven_at") if note.get(name)]
    return max(moments)


def serve(target: Target, lease: Lease, entry: Mapping[str, Any], on_step: OnStep | None = None) -> None:
    """Views first, ``published`` last; if anything fails, the views are pointed to what is published.

    Args:
        target: where.
        lease: held for this.
        entry: the content of ``published``, without token and moment.
        on_step: see :func:`flip`.

    Raises:
        LeaseLost: another run took over.
    """

    def done(step: str) -> None:
        if on_step is not None:
            on_step(step)

    lease.check()
    done("checked")
    try:
        for view in naming.VIEWS:
            if view not in entry["collections"]:
                continue  # a generation of an older version; the view is dropped below
            lease.guard()
            point_view(target, view, entry["collections"][view])
            done(view)
        lease.guard()
        _publish(target, lease, entry)
        done(naming.PUBLISHED)
    except BaseException:
        with suppress(ShopsightError):
            heal_views(target)
        raise
    # From here on it is served; the next run finishes what fails below.
    with suppress(ShopsightError):
        heal_views(target)
    done(naming.GENERATIONS)


def _publish(target: Target, lease: Lease, entry: Mapping[str, Any]) -> None:
    if set_published(target, entry, lease.token):
        return
    current = served(target)
    by = f"run {current.run_id} published generation {current.generation}" if current else "another run"
    raise LeaseLost(
        f"Run {lease.run_id} (token {lease.token}) was overtaken: {by} meanwhile.",
        remedy="Nothing needs to be done; start a new run if the shop has changed since.",
    )
