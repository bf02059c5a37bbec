"""The three views that readers read, and the document that says where they should point.

``published`` / ``_id: "current"`` is the one truth about what is served. Views are pointed just before it is
changed; whenever they disagree with it, :func:`heal_views` points them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError, OperationFailure

from shopsight.errors import ConfigurationError, PublishError
from shopsight.publish import naming
from shopsight.publish.target import DURABLE, Target
from shopsight.publish.values import plain

_NAMESPACE_NOT_FOUND = 26
_CURRENT = {"_id": "current"}
_ATTEMPTS = 20


@dataclass(frozen=True)
class Served:
    """What is served: the content of ``published``.

    Attributes:
        generation: its number.
        run_id: the run that made it.
        as_of: the moment of the snapshot it was made from.
        valid_until: from then on it counts as stale.
        collections: by view, the collection that holds it.
        token: the fencing token of whoever flipped to it.
        published_at: when that was, by the server's clock.
    """

    generation: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    collections: dict[str, str]
    token: int
    published_at: datetime


def served(target: Target) -> Served | None:
    """What is served now; None before the first run."""
    with target.translated():
        document = target.db[naming.PUBLISHED].find_one(_CURRENT)
    if document is None:
        return None
    return Served(**{name: document[name] for name in Served.__dataclass_fields__})


def served_figures(target: Target) -> dict[str, Any] | None:
    """The served generation's clean rows by table and its revenue; None when nothing is served."""
    current = served(target)
    if current is None:
        return None
    figures: dict[str, Any] = generation_note(target, current.generation).get("figures", {})
    return figures


def generation_note(target: Target, generation: int) -> dict[str, Any]:
    """What was noted of a generation when it was written and published; empty when there is no such note."""
    with target.translated():
        document = target.db[naming.GENERATIONS].find_one({"_id": generation})
    note: dict[str, Any] = plain(document or {})
    return note


def point_view(target: Target, view: str, collection: str) -> None:
    """Make a view show a collection, from one moment to the next; open cursors go on where they are."""
    with target.translated():
        try:
            _command(target, "collMod", view, collection)
        except OperationFailure as error:
            if error.code != _NAMESPACE_NOT_FOUND:
                raise
            _command(target, "create", view, collection)


def set_published(target: Target, served_next: Mapping[str, Any], token: int) -> bool:
    """Say what is served from now on, unless a greater token said so already.

    Args:
        target: where.
        served_next: generation, run_id, as_of, valid_until and collections.
        token: the fencing token of whoever says so.

    Returns:
        Whether it was said.
    """
    document = {name: {"$literal": value} for name, value in {**served_next, "token": token}.items()}
    with target.translated():
        try:
            target.db[naming.PUBLISHED].update_one(
                {**_CURRENT, "token": {"$lte": token}},
                [{"$set": {**document, "published_at": "$$NOW"}}],
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # it is there, and its token is greater
    return True


def heal_views(target: Target) -> list[str]:
    """Point the views to where ``published`` says; to be called by whoever holds the lease.

    A process that lost its lease may still be pointing views back while this goes on: both sides look again
    after every change, so whoever is last leaves them right.

    Returns:
        The views that had to be pointed; none before the first generation is published.

    Raises:
        ConfigurationError: a view's name is taken by a collection.
        PublishError: somebody else changes the views again and again.
        TargetUnavailable: MongoDB does not answer.
    """
    healed: set[str] = set()
    for _ in range(_ATTEMPTS):
        current = served(target)
        wanted = current.collections if current else {}
        astray = _astray(target, wanted)
        if not astray:
            if current is not None:
                _note_published(target, current)
            return sorted(healed)
        check_names(target)
        for view in astray:
            if view in wanted:
                point_view(target, view, wanted[view])
            else:
                with target.translated():
                    target.db.drop_collection(view)
        healed.update(astray)
    raise PublishError(
        f"The views in MongoDB at {target.redacted_url} are pointed elsewhere again and again: somebody else"
        " changes them. `published` says what is served.",
        remedy="Find out who else writes to this database (`shopsight runs`), and stop it.",
    )


def shown_collections(target: Target) -> dict[str, str | None]:
    """By view, the collection that it shows as it is; None for one that is gone or shows something else."""
    with target.translated():
        views = list(target.db.list_collections(filter={"name": {"$in": [*naming.VIEWS]}, "type": "view"}))
    plain_views = {v["name"]: v["options"]["viewOn"] for v in views if not v["options"].get("pipeline")}
    return {view: plain_views.get(view) for view in naming.VIEWS}


def check_names(target: Target) -> None:
    """Make sure that the names readers read are free to be views.

    Raises:
        ConfigurationError: one of them is a collection of somebody's.
    """
    with target.translated():
        taken = target.db.list_collection_names(
            filter={"name": {"$in": [*naming.VIEWS]}, "type": {"$ne": "view"}}
        )
    if taken:
        raise ConfigurationError(
            f"The database {target.db.name!r} already has a collection {sorted(taken)[0]!r} that is not"
            " shopsight's; it was left alone, and nothing was published.",
            remedy="Rename it, or give another database in SHOPSIGHT_TARGET_DATABASE.",
        )


def _note_published(target: Target, current: Served) -> None:
    """Say of the served generation that it was published, so that it is kept once another one is served."""
    with target.translated():
        target.db[naming.GENERATIONS].update_one(
            {"_id": current.generation},
            {
                "$set": {
                    "state": "published",
                    "valid_until": current.valid_until,
                    "published_at": current.published_at,
                }
            },
        )


def _astray(target: Target, wanted: Mapping[str, str]) -> list[str]:
    with target.translated():
        views = list(target.db.list_collections(filter={"name": {"$in": [*naming.VIEWS]}, "type": "view"}))
    found = {view["name"]: view["options"] for view in views}
    expected = {view: {"viewOn": collection, "pipeline": []} for view, collection in wanted.items()}
    return [view for view in naming.VIEWS if found.get(view) != expected.get(view)]


def _command(target: Target, command: str, view: str, collection: str) -> None:
    target.db.command(command, view, viewOn=collection, pipeline=[], writeConcern=DURABLE.document)
