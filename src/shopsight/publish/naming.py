"""The names in the MongoDB database, and which collections belong to which generation."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from pymongo.database import Database

CUSTOMER_METRICS = "customer_metrics"
INSIGHTS = "insights"
REJECTED_ROWS = "rejected_rows"

#: What readers read, each a view of a collection of the served generation.
VIEWS = (CUSTOMER_METRICS, INSIGHTS, REJECTED_ROWS)

PIPELINE_RUNS = "pipeline_runs"
PUBLISHED = "published"
GENERATIONS = "generations"
LEASE = "lease"

_GENERATION = re.compile(rf"({'|'.join(VIEWS)})\.g(\d+)")


def collections_of(generation: int) -> dict[str, str]:
    """By view, the collection that holds it in a generation.

    >>> collections_of(7)["insights"]
    'insights.g7'
    """
    return {view: f"{view}.g{generation}" for view in VIEWS}


def stored_generations(db: Database[Any]) -> dict[int, list[str]]:
    """By generation number, the collections that are there, whole or not, in the order of their names."""
    stored: dict[int, list[str]] = defaultdict(list)
    for name in sorted(db.list_collection_names()):
        if match := _GENERATION.fullmatch(name):
            stored[int(match[2])].append(name)
    return stored


def greatest_generation(db: Database[Any]) -> int:
    """The greatest number that a generation of this database ever had; 0 for none."""
    published = db[PUBLISHED].find_one({"_id": "current"}) or {}
    newest = db[GENERATIONS].find_one(sort=[("_id", -1)]) or {}
    return max(0, int(published.get("token", 0)), int(newest.get("_id", 0)), *stored_generations(db))
