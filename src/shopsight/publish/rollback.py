"""Roll back to an earlier generation, which pins it, and unpin.

While a generation is pinned, runs write, prove and keep theirs without serving them. The pin is a part of
``published``: the fencing token under which it was set. Generations proven under a greater token wait.
"""

from __future__ import annotations

from shopsight.errors import ConfigurationError, PublishError
from shopsight.publish import naming
from shopsight.publish.generations import Generation, list_generations, serve
from shopsight.publish.history import recorded
from shopsight.publish.lease import Lease
from shopsight.publish.target import Document, Target
from shopsight.publish.views import heal_views, newest_waiting, served
from shopsight.record import RunRecord

_DAY_MILLISECONDS = 86_400_000


def rollback(target: Target, lease: Lease, to: int | None = None) -> RunRecord:
    """Serve a kept generation and pin it; ``pipeline_runs`` records it as a run of kind ``rollback``.

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
    current = served(target)
    # Generations proven since the first of several rollbacks keep waiting.
    pinned = current.pinned if current is not None and current.pinned is not None else lease.token
    entry = {**_kept_entry(target, generation.number), "pinned": pinned}
    with recorded(target, lease, "rollback") as record:
        serve(target, lease, entry)
        record.generation, record.valid_until = generation.number, generation.valid_until
    return record


def unpin(target: Target, lease: Lease) -> RunRecord:
    """Serve the newest generation that waits, and serve later ones again; recorded as ``unpin``.

    If none waits, what is served stays, and the next run is served.

    Raises:
        ConfigurationError: nothing is pinned.
        PublishError: the generation lacks documents.
        LeaseLost: another run took over.
    """
    heal_views(target)
    current = served(target)
    if current is None or current.pinned is None:
        raise ConfigurationError(
            "No generation is pinned. Nothing was changed.",
            remedy="`shopsight generations` shows what is served; `shopsight rollback` pins.",
        )
    waiting = newest_waiting(target, current)
    entry = _kept_entry(target, waiting["_id"] if waiting else current.generation)
    with recorded(target, lease, "unpin") as record:
        serve(target, lease, {**entry, "pinned": None})
        record.generation, record.valid_until = entry["generation"], entry["valid_until"]
    return record


def pin_note(target: Target) -> str | None:
    """The pinned generation and what waits, as a sentence; None when nothing is pinned."""
    current = served(target)
    if current is None or current.pinned is None:
        return None
    waiting = newest_waiting(target, current)
    waits = f"generation {waiting['_id']} waits" if waiting else "none waits"
    return (
        f"Generation {current.generation} is pinned since {current.published_at:%Y-%m-%d %H:%M} UTC, and"
        f" {waits}: `shopsight unpin` serves the newest."
    )


def take_pin_alert(target: Target) -> bool:
    """Whether an alert about the pin is due: one a day, across all processes."""
    current = served(target)
    if current is None or current.pinned is None:
        return False
    a_day_ago = {"$subtract": ["$$NOW", _DAY_MILLISECONDS]}
    is_due = {"$lte": [{"$ifNull": ["$pin_alerted_at", a_day_ago]}, a_day_ago]}
    with target.translated():
        taken = target.db[naming.GENERATIONS].update_one(
            {"_id": current.generation, "$expr": is_due}, [{"$set": {"pin_alerted_at": "$$NOW"}}]
        )
    return taken.matched_count == 1


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
        (document,) = target.db[naming.GENERATIONS].find({"_id": generation})
        until = document.get("rejected_until")
        has_expired = until is not None and until <= target.clock()
        for view, expected in document["counts"].items():
            if view == naming.REJECTED_ROWS and has_expired:
                continue
            collection = document["collections"][view]
            found = target.db[collection].count_documents({})
            if found != expected:
                raise PublishError(
                    f"{collection} was published with {expected:,} documents and holds {found:,} now."
                    " Nothing was changed.",
                    remedy="Name another generation with `shopsight rollback --to` (`shopsight generations`),"
                    " or publish again with `shopsight run`.",
                )
    fields = ("run_id", "as_of", "valid_until", "collections")
    return {"generation": generation, **{name: document[name] for name in fields}}
