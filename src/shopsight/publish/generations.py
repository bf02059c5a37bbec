"""Generations: which are kept, which one is served, and how that changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shopsight.errors import ConfigurationError, LeaseLost, PublishError, ShopsightError
from shopsight.publish import naming
from shopsight.publish.history import save_run
from shopsight.publish.lease import Lease
from shopsight.publish.load import WrittenGeneration
from shopsight.publish.target import Document, Target
from shopsight.publish.views import heal_views, point_view, served, set_published
from shopsight.record import RunRecord

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Generation:
    """A generation that was published and is kept.

    Attributes:
        number: its number.
        run_id: the run that made it.
        as_of: the moment of the snapshot it was made from.
        valid_until: from then on it counts as stale.
        published_at: when it was last flipped to, by the server's clock.
        counts: by view, its documents.
        bytes: by view, their size in BSON.
        is_served: whether readers see it now.
    """

    number: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    published_at: datetime
    counts: dict[str, int]
    bytes: dict[str, int]
    is_served: bool

    @property
    def customers(self) -> int:
        """The number of its customers."""
        return self.counts[naming.CUSTOMER_METRICS]

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
    """Serve a written generation: wait for its indexes, point the three views, update ``published``.

    Each view changes from one moment to the next, and all three within milliseconds. A reader that needs them
    of one generation asks ``published`` (:mod:`shopsight.reader`). The record is given its generation and
    until when it is valid.

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
    for built in written.indexes:
        built.result()
    valid_until = written.as_of + valid_for
    entry = {
        "generation": written.generation,
        "run_id": written.run_id,
        "as_of": written.as_of,
        "valid_until": valid_until,
        "collections": written.collections,
    }
    _serve(target, lease, entry, on_step)
    record.generation, record.valid_until = written.generation, valid_until


def rollback(target: Target, lease: Lease, to: int | None = None) -> RunRecord:
    """Serve an earlier generation again; ``pipeline_runs`` records it as a run of kind ``rollback``.

    Args:
        target: where.
        lease: held for this.
        to: the generation's number; by default the greatest below the served one.

    Returns:
        The record, already saved.

    Raises:
        ConfigurationError: there is no such generation.
        PublishError: it lacks documents.
        LeaseLost: another run took over.
    """
    heal_views(target)
    generation = _chosen(list_generations(target), to)
    entry = _kept_entry(target, generation.number)
    record = RunRecord(lease.run_id, "rollback", "running", datetime.now(UTC))
    save_run(target, record)
    try:
        _serve(target, lease, entry)
        record.status = "succeeded"
        record.generation, record.valid_until = generation.number, generation.valid_until
    except ShopsightError as error:
        record.status, record.error = "failed", error.as_document()
        raise
    finally:
        record.ended_at = datetime.now(UTC)
        record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)
        with suppress(PublishError):  # the generation is served even if its history cannot be written
            save_run(target, record)
    return record


def list_generations(target: Target) -> list[Generation]:
    """The generations that are kept and can be served, the newest number first."""
    current = served(target)
    with target.translated():
        stored = naming.stored_generations(target.db)
        kept = {"_id": {"$in": [*stored]}, "state": "published"}
        documents = list(target.db[naming.GENERATIONS].find(kept, sort=[("_id", -1)]))
    same = ("run_id", "as_of", "valid_until", "published_at", "counts", "bytes")
    served_number = current.generation if current is not None else None
    return [
        Generation(
            document["_id"],
            **{name: document[name] for name in same},
            is_served=document["_id"] == served_number,
        )
        for document in documents
        if set(stored[document["_id"]]) == set(document["collections"].values())
    ]


def sweep(target: Target, lease: Lease, *, keep: int) -> list[int]:
    """Drop generations beyond ``keep``, and those that dead runs left behind.

    Kept are the served generation and those that were served last, ``keep`` in all. Only the holder of the
    lease may be writing a generation, so any other that was never published is a leftover.

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
        published = {"_id": {"$in": [*stored]}, "state": "published"}
        latest = list(target.db[naming.GENERATIONS].find(published, sort=[("published_at", -1)]))
    kept = {current.generation} if current else set()
    for document in latest:
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


def _serve(target: Target, lease: Lease, entry: Mapping[str, Any], on_step: OnStep | None = None) -> None:
    """Views first, ``published`` last; if anything fails, the views are pointed to what is published."""

    def done(step: str) -> None:
        if on_step is not None:
            on_step(step)

    lease.check()
    done("checked")
    try:
        for view in naming.VIEWS:
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
    # It is served from here on, and the next run does what is left undone.
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


def _chosen(kept: list[Generation], to: int | None) -> Generation:
    """The generation to go back to."""
    served_number = next((generation.number for generation in kept if generation.is_served), None)
    for generation in kept:
        is_before = served_number is not None and generation.number < served_number
        if generation.number == to or (to is None and is_before):
            return generation
    names = ", ".join(f"{g.number}{' (served)' if g.is_served else ''}" for g in kept) or "none"
    missing = f"Generation {to} is not" if to is not None else "No generation before the served one is"
    raise ConfigurationError(
        f"{missing} kept; kept are: {names}. Nothing was changed.",
        remedy="Name one of the kept generations (`shopsight generations`) with --to.",
    )


def _kept_entry(target: Target, generation: int) -> Document:
    """The content of ``published`` for a kept generation.

    Raises:
        PublishError: a collection does not hold the documents it was published with.
    """
    with target.translated():
        document = target.db[naming.GENERATIONS].find_one({"_id": generation}) or {}
        for view, collection in document["collections"].items():
            found, expected = target.db[collection].count_documents({}), document["counts"][view]
            if found != expected:
                raise PublishError(
                    f"{collection} was published with {expected:,} documents and holds {found:,} now."
                    " Nothing was changed.",
                    remedy="Name another generation with --to (`shopsight generations`), or run anew.",
                )
    fields = ("run_id", "as_of", "valid_until", "collections")
    return {"generation": generation, **{name: document[name] for name in fields}}
