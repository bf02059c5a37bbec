"""The views that a flip points, and the document that says which generation is served.

``published`` / ``_id: "current"`` is the one truth about what is served. The views are pointed just before it
is changed; when they disagree with it, :func:`heal_views` points them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError, OperationFailure

from shopsight.errors import PublishError
from shopsight.publish import naming
from shopsight.publish.bson import plain
from shopsight.publish.flat_views import refresh_flat_views
from shopsight.publish.target import DURABLE, Document, Target

_NAMESPACE_NOT_FOUND = 26
_CURRENT = {"_id": "current"}
_ATTEMPTS = 20


@dataclass(frozen=True)
class Served:
    """The served generation: the content of ``published``.

    Attributes:
        generation: its number.
        run_id: the run that made it.
        as_of: the moment of the snapshot it was made from.
        valid_until: from then on it counts as stale.
        collections: by view, the collection that holds it.
        token: the fencing token of the run that flipped to it.
        published_at: the moment of the flip, by the server's clock.
        pinned: the fencing token of the rollback that pinned it; None if later runs are served.
    """

    generation: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    collections: dict[str, str]
    token: int
    published_at: datetime
    pinned: int | None = None


def served(target: Target) -> Served | None:
    """The generation that is served now; None before the first run."""
    with target.translated():
        document = target.db[naming.PUBLISHED].find_one(_CURRENT)
    if document is None:
        return None
    return Served(**{field.name: document[field.name] for field in fields(Served) if field.name in document})


def newest_waiting(target: Target, current: Served | None) -> dict[str, Any] | None:
    """The note of the newest generation that was proven since ``current`` was pinned; None if none was."""
    if current is None or current.pinned is None:
        return None
    with target.translated():
        waiting = {"state": "proven", "_id": {"$gt": current.pinned}}
        return target.db[naming.GENERATIONS].find_one(waiting, sort=[("_id", -1)])


def baseline(target: Target) -> tuple[datetime, dict[str, Any]] | None:
    """The figures that a new run is compared with; None when nothing is served.

    Returns:
        The snapshot's moment, the clean rows by table and the revenue of the served generation, or of the
        newest that waits while that is pinned.
    """
    current = served(target)
    if current is None:
        return None
    note = plain(newest_waiting(target, current)) or generation_note(target, current.generation)
    return note.get("as_of", current.as_of), note.get("figures", {})


def generation_note(target: Target, generation: int) -> dict[str, Any]:
    """The note made when a generation was written and published; empty when there is none."""
    with target.translated():
        document = target.db[naming.GENERATIONS].find_one({"_id": generation})
    note: dict[str, Any] = plain(document or {})
    return note


def point_view(target: Target, view: str, collection: str, pipeline: Sequence[Document] = ()) -> None:
    """Make a view show a collection, from one moment to the next; open cursors stay where they are."""
    options: Document = {"viewOn": collection, "pipeline": pipeline, "writeConcern": DURABLE.document}
    with target.translated():
        try:
            target.db.command("collMod", view, **options)
        except OperationFailure as error:
            if error.code != _NAMESPACE_NOT_FOUND:
                raise
            target.db.command("create", view, **options)


def set_published(target: Target, served_next: Mapping[str, Any], token: int) -> bool:
    """Write what is served from now on, unless a greater token has written it already.

    Args:
        target: where.
        served_next: generation, run_id, as_of, valid_until, collections and pinned.
        token: the fencing token of the run.

    Returns:
        Whether it was written.
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
    """Point the views to where ``published`` says; to be called by the holder of the lease.

    A process that lost its lease may be pointing views back meanwhile. Both sides look again after every
    change, so the last one leaves them right.

    Returns:
        The views that had to be pointed, or dropped because nothing was ever published.

    Raises:
        ConfigurationError: a view's name is taken by somebody else's collection or view.
        PublishError: somebody else changes the views again and again.
        TargetUnavailable: MongoDB does not answer.
    """
    healed: set[str] = set()
    for _ in range(_ATTEMPTS):
        current = served(target)
        wanted = current.collections if current else {}
        expected = {view: {"viewOn": name, "pipeline": []} for view, name in wanted.items()}
        found = _views(target, naming.VIEWS)
        astray = [view for view in naming.VIEWS if found.get(view) != expected.get(view)]
        if not astray:
            if current is not None:
                with suppress(PublishError):  # the next run makes up for it
                    refresh_flat_views(target, current.collections[naming.INSIGHTS])
                _note_published(target, current)
            return sorted(healed)
        naming.check_names(target)
        for view in astray:
            if view in wanted:
                point_view(target, view, wanted[view])
            else:
                with target.translated():
                    target.db.drop_collection(view)
        healed.update(astray)
    raise PublishError(
        f"Another client keeps changing the views in MongoDB at {target.redacted_url}."
        " `published` says what is served.",
        remedy="Find out who else writes to this database (`shopsight runs`), and stop it.",
    )


def shown_collections(target: Target) -> dict[str, str | None]:
    """By view, the collection that it shows unchanged; None if it is gone or shows something else."""
    views = _views(target, naming.VIEWS)
    shown = {view: options["viewOn"] for view, options in views.items() if not options.get("pipeline")}
    return {view: shown.get(view) for view in naming.VIEWS}


def shows_its_customers(target: Target, generation: Served) -> bool:
    """Whether the generation's ``customer_metrics`` shows its ``customers`` as when it was written."""
    view = generation.collections[naming.CUSTOMER_METRICS]
    customers = generation.collections.get(naming.CUSTOMERS)
    return _views(target, [view]) == {view: {"viewOn": customers, "pipeline": naming.METRICS_OF_CUSTOMERS}}


def _views(target: Target, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The options of the views that have these names."""
    wanted = {"name": {"$in": [*names]}, "type": "view"}
    with target.translated():
        return {view["name"]: view["options"] for view in target.db.list_collections(filter=wanted)}


def _note_published(target: Target, current: Served) -> None:
    """Note that the served generation was published, so that it is kept once another one is served."""
    note = {"state": "published", "valid_until": current.valid_until, "published_at": current.published_at}
    with target.translated():
        target.db[naming.GENERATIONS].update_one({"_id": current.generation}, {"$set": note})
