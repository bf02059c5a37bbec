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
from shopsight.publish.target import Document, Target
from shopsight.publish.views import heal_views, point_view, served, set_published
from shopsight.publish.writing import WrittenGeneration
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
        is_served: whether it is what readers see.
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
        """How many customers it has."""
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
    """Serve a written generation: wait for its indexes, point the three views, say so in ``published``.

    Each view changes from one moment to the next, and all three within milliseconds; a reader that needs
    them of one generation asks ``published`` (:mod:`shopsight.reader`). The record learns its generation and
    until when it is valid.

    Args:
        target: where.
        lease: held by this run.
        written: what to serve.
        record: the run's record.
        valid_for: how long after its snapshot the generation counts as fresh.
        on_step: told of each step when it is done: ``checked``, the views' names, ``published``,
            ``generations``.

    Raises:
        LeaseLost: another run took over; the views point to what is served.
        TargetUnavailable: MongoDB went away; the views are healed by the next run.
    """
    for indexes in written.indexes:
        indexes.wait()
    valid_until = written.as_of + valid_for
    entry = {
        "generation": written.generation,
        "run_id": written.run_id,
        "as_of": written.as_of,
        "valid_until": valid_until,
        "collections": written.collections,
    }
    _serve(target, lease, entry, on_step or _ignore)
    record.generation, record.valid_until = written.generation, valid_until


def rollback(target: Target, lease: Lease, to: int | None = None) -> RunRecord:
    """Serve an earlier generation again; recorded in ``pipeline_runs`` as a run of its own kind.

    Args:
        target: where.
        lease: held for this.
        to: the generation's number; by default the greatest below the served one.

    Returns:
        The record, already saved.

    Raises:
        ConfigurationError: there is no such generation.
        PublishError: it is not whole any more.
        LeaseLost: another run took over.
    """
    heal_views(target)
    generation = _chosen(list_generations(target), to)
    entry = _kept_entry(target, generation.number)
    record = RunRecord(lease.run_id, "rollback", "running", datetime.now(UTC))
    save_run(target, record)
    try:
        _serve(target, lease, entry, _ignore)
        record.status = "succeeded"
        record.generation, record.valid_until = generation.number, generation.valid_until
    except ShopsightError as error:
        record.status, record.error = "failed", error.as_document()
        raise
    finally:
        record.ended_at = datetime.now(UTC)
        record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)
        with suppress(PublishError):  # what is served must not hang on its history
            save_run(target, record)
    return record


def list_generations(target: Target) -> list[Generation]:
    """The generations that are kept and can be served, the newest number first."""
    current = served(target)
    with target.translated():
        stored = naming.stored_generations(target.db)
        documents = list(target.db[naming.GENERATIONS].find({"_id": {"$in": [*stored]}}, sort=[("_id", -1)]))
    return [
        Generation(
            document["_id"],
            document["run_id"],
            document["as_of"],
            document["valid_until"],
            document["published_at"],
            document["counts"],
            document["bytes"],
            is_served=current is not None and document["_id"] == current.generation,
        )
        for document in documents
        if _is_published(document) and set(stored[document["_id"]]) == set(document["collections"].values())
    ]


def sweep(target: Target, lease: Lease, *, keep: int) -> list[int]:
    """Drop what nobody needs: generations beyond ``keep``, and what dead runs left.

    Kept are the served generation and those that were served last, ``keep`` in all. The holder of the lease
    is the only one who may be writing a generation: whatever else was never published is a leftover, except
    its own.

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


def _serve(target: Target, lease: Lease, entry: Mapping[str, Any], on_step: OnStep) -> None:
    """Views first, ``published`` last; whatever goes wrong, the views are pointed to what is published."""
    lease.check()
    on_step("checked")
    try:
        for view in naming.VIEWS:
            lease.guard()
            point_view(target, view, entry["collections"][view])
            on_step(view)
        lease.guard()
        _publish(target, lease, entry)
        on_step(naming.PUBLISHED)
    except BaseException:
        with suppress(ShopsightError):
            heal_views(target)
        raise
    # From here on it is served, whatever happens; what is left undone the next run does.
    with suppress(ShopsightError):
        heal_views(target)
    on_step(naming.GENERATIONS)


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
    names = ", ".join(f"{g.number}{' (served)' if g.is_served else ''}" for g in kept) or "none"
    remedy = "Name one of the kept generations (`shopsight generations`) with --to."
    if to is not None:
        for generation in kept:
            if generation.number == to:
                return generation
        raise ConfigurationError(
            f"Generation {to} is not kept; kept are: {names}. Nothing was changed.", remedy=remedy
        )
    served_number = next((g.number for g in kept if g.is_served), None)
    for generation in kept:
        if served_number is not None and generation.number < served_number:
            return generation
    raise ConfigurationError(
        f"No generation before the served one is kept; kept are: {names}. Nothing was changed.", remedy=remedy
    )


def _kept_entry(target: Target, generation: int) -> Document:
    """What ``published`` will say of a kept generation, which is looked at first.

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


def _is_published(document: Mapping[str, Any]) -> bool:
    return bool(document["state"] == "published")


def _ignore(_: str) -> None:
    """For whoever needs not be told."""
