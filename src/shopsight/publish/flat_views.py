"""``insight_<id>``: the rows of each served insight as documents of their own, for tools that read tables.

They are views of the view ``insights``, so they show the served generation without being pointed to it.
"""

from __future__ import annotations

from typing import Any

import structlog

from shopsight.publish import naming
from shopsight.publish.target import Document, Target

PREFIX = "insight_"

log = structlog.stdlib.get_logger("shopsight.publish")


def refresh_flat_views(target: Target, collection: str) -> None:
    """Have a view for each insight in the served collection, and none for others.

    A view that is lost with the server's power comes back by the next run, so creating it waits for no disk.
    A name that is taken by something else is left alone and warned of. To be called by the holder of the
    lease.
    """
    with target.translated():
        wanted = {f"{PREFIX}{id_}": _options(id_) for id_ in _ids(target, collection)}
        found = _found(target)
        for name in found.keys() - wanted.keys():
            begin = [{"$match": {"_id": name.removeprefix(PREFIX)}}]
            if _shows_insights(found[name]) and found[name].get("pipeline", [])[:1] == begin:
                target.db.drop_collection(name)
        for name, options in wanted.items():
            if name not in found:
                target.db.command("create", name, **options)
            elif not _shows_insights(found[name]):
                log.warning("flat view", name=name, warning="another collection or view has this name")
            elif found[name] != options:
                target.db.command("collMod", name, **options)


def altered_flat_views(target: Target, collection: str) -> dict[str, bool]:
    """By name, whether the view of a served insight is missing or shows something else."""
    with target.translated():
        ids = _ids(target, collection)
        found = _found(target)
    return {f"{PREFIX}{id_}": found.get(f"{PREFIX}{id_}") != _options(id_) for id_ in ids}


def _ids(target: Target, collection: str) -> list[str]:
    """The insights' ids, those that are valid ones: somebody may have altered the collection."""
    named = {"_id": {"$regex": "^[a-z][a-z0-9_]*$"}}
    return [document["_id"] for document in target.db[collection].find(named, ["_id"])]


def _options(insight: str) -> Document:
    """The view of an insight: ``_id`` is the row's number from 1; then the moment, and the row's columns."""
    row = {"_id": {"$toInt": {"$add": ["$row", 1]}}, "as_of": "$as_of"}
    return {
        "viewOn": naming.INSIGHTS,
        "pipeline": [
            {"$match": {"_id": insight}},
            {"$unwind": {"path": "$rows", "includeArrayIndex": "row"}},
            {"$replaceWith": {"$mergeObjects": [row, "$rows"]}},
        ],
    }


def _found(target: Target) -> dict[str, Any]:
    """By name, the options of each such view; an empty dict for a collection."""
    entries = target.db.list_collections(filter={"name": {"$regex": f"^{PREFIX}"}})
    return {entry["name"]: entry["options"] if entry["type"] == "view" else {} for entry in entries}


def _shows_insights(options: Document) -> bool:
    return options.get("viewOn") == naming.INSIGHTS
