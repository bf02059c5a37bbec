"""The names in the MongoDB database, and whether shopsight owns the collections that have them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pymongo.database import Database

from shopsight.audit import customer_checks
from shopsight.errors import ConfigurationError
from shopsight.publish.target import Document, Target

CUSTOMER_METRICS = "customer_metrics"
CUSTOMERS = "customers"
INSIGHTS = "insights"
REJECTED_ROWS = "rejected_rows"

#: The names that readers read, each a view of a collection of the served generation.
VIEWS = (CUSTOMER_METRICS, CUSTOMERS, INSIGHTS, REJECTED_ROWS)

#: These have a document a customer, ``_id`` = customer_id, and are written in its order.
OF_CUSTOMERS = (CUSTOMER_METRICS, CUSTOMERS)

#: The fields of ``customer_metrics``, beside ``_id``.
METRICS = (*customer_checks.METRICS.column_names, "average_rating")
#: How a generation's ``customer_metrics`` shows its ``customers``.
METRICS_OF_CUSTOMERS: list[Document] = [{"$project": dict.fromkeys(METRICS, 1)}]

PIPELINE_RUNS = "pipeline_runs"
INSIGHTS_HISTORY = "insights_history"
PUBLISHED = "published"
GENERATIONS = "generations"
LEASE = "lease"

#: For each of shopsight's own collections, the form of its documents.
_SHAPES: dict[str, Document] = {
    LEASE: {"_id": "publish", "token": {"$type": "number"}, "expires_at": {"$type": "date"}},
    PUBLISHED: {"_id": "current", "token": {"$type": "number"}, "generation": {"$type": "number"}},
    GENERATIONS: {"_id": {"$type": "number"}, "state": {"$type": "string"}},
    INSIGHTS_HISTORY: {"_id": {"$type": "string"}, "insights": {"$type": "object"}},
    PIPELINE_RUNS: {"_id": {"$type": "string"}, "kind": {"$type": "string"}, "status": {"$type": "string"}},
}
#: The number of documents that are checked in each of them, because histories grow for years.
_SHAPE_DOCUMENTS = 100

_GENERATION = re.compile(rf"({'|'.join(VIEWS)})\.g(\d+)")


def collections_of(generation: int) -> dict[str, str]:
    """By view, the collection that holds it in a generation.

    >>> collections_of(7)["insights"]
    'insights.g7'
    """
    return {view: f"{view}.g{generation}" for view in VIEWS}


def with_documents(target: Target, collections: Mapping[str, str]) -> dict[str, str]:
    """Those of a generation's collections that hold documents.

    Its ``customer_metrics`` is a view of its ``customers``, unless an older version wrote it.
    """
    with target.translated():
        views = target.db.list_collection_names(filter={"type": "view"})
    return {view: name for view, name in collections.items() if name not in views}


def stored_generations(db: Database[Any]) -> dict[int, list[str]]:
    """By generation number, the collections that are there, whole or not, in the order of their names."""
    stored: dict[int, list[str]] = defaultdict(list)
    for name in sorted(db.list_collection_names()):
        if match := _GENERATION.fullmatch(name):
            stored[int(match[2])].append(name)
    return stored


def check_names(target: Target) -> None:
    """Refuse a database in which somebody else's collections or views have shopsight's names.

    Shopsight's are the views of generations, and collections whose documents look like its own.

    Raises:
        ConfigurationError: what was found; nothing was changed.
        TargetUnavailable: MongoDB does not answer.
    """
    with target.translated():
        names = {"name": {"$in": [*VIEWS, *_SHAPES]}}
        for entry in sorted(target.db.list_collections(filter=names), key=lambda entry: entry["name"]):
            found = _foreign(target, entry["name"], entry)
            if found:
                raise ConfigurationError(
                    f"The database {target.db.name!r} already has {found} that is not shopsight's. It was"
                    " left alone, and nothing was changed or published.",
                    remedy="Give another database in SHOPSIGHT_TARGET_DATABASE, or rename what is there.",
                )


def _foreign(target: Target, name: str, entry: Any) -> str | None:
    """A description of what has this name without being shopsight's; None if it is shopsight's."""
    kind = entry["type"]
    if name in VIEWS:
        if kind != "view":
            return f"a {kind} {name!r}"
        shown = entry["options"]["viewOn"]
        return None if _GENERATION.fullmatch(shown) else f"a view {name!r} of {shown!r}"
    if kind != "collection":
        return f"a {kind} {name!r}"
    first, unlike = {"$limit": _SHAPE_DOCUMENTS}, {"$match": {"$nor": [_SHAPES[name]]}}
    strange = next(iter(target.db[name].aggregate([first, unlike, {"$project": {"_id": 1}}])), None)
    return None if strange is None else f"a collection {name!r} (with a document {strange['_id']!r})"
