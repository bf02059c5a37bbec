"""``insights_history``: the figures of each published run, for charts over time. ``_id`` is the run's id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shopsight.publish import naming
from shopsight.publish.bson import plain, to_bson
from shopsight.publish.history import find_run
from shopsight.publish.privacy import Privacy
from shopsight.publish.target import Target
from shopsight.record import RunRecord

#: Insights with more rows than this are left out.
HISTORY_ROWS = 250
#: The history outlives ``forget``, so it holds no name and no address.
_NAMELESS = Privacy("drop", "drop")


def keep_figures(target: Target, *, keep_for: timedelta) -> None:
    """Copy the figures of each published generation that lacks them into ``insights_history``.

    A document: ``generation``, ``as_of``, ``published_at``, ``expires_at``, ``totals``, and ``insights`` with
    the rows of each small insight by id. It repeats for generations that an earlier run was stopped before.
    Documents that are there expire by ``keep_for``, too.

    Args:
        target: where.
        keep_for: how long after its snapshot a document is kept; nothing is written if it is 0.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    db = target.db
    history = db[naming.INSIGHTS_HISTORY]
    with target.translated():
        expires_at = {"$add": ["$as_of", keep_for // timedelta(milliseconds=1)]}
        history.update_many({}, [{"$set": {"expires_at": expires_at}}])
        if not keep_for:
            return
        stored = [*naming.stored_generations(db)]
        history.create_index("expires_at", expireAfterSeconds=0)
        for note in db[naming.GENERATIONS].find({"_id": {"$in": stored}, "state": "published"}):
            # A resumed run may have published twice; its newest generation stays.
            kept = {"_id": note["run_id"], "generation": {"$gte": note["_id"]}}
            if history.count_documents(kept, limit=1):
                continue
            totals = _figures_of(find_run(target, note["run_id"]))
            document = {
                "generation": note["_id"],
                "as_of": note["as_of"],
                "published_at": note["published_at"],
                "expires_at": note["as_of"] + keep_for,
                "totals": to_bson(totals),
                "insights": {
                    insight["_id"]: [_NAMELESS.protect_row(row) for row in insight["rows"]]
                    for insight in db[note["collections"][naming.INSIGHTS]].find()
                    if len(insight["rows"]) <= HISTORY_ROWS
                },
            }
            history.replace_one({"_id": note["run_id"]}, document, upsert=True)


def figures_before(target: Target, run_id: str, moment: datetime) -> dict[str, Any] | None:
    """The figures of the newest other run whose snapshot is of a moment or before, as plain values."""
    with target.translated():
        found = target.db[naming.INSIGHTS_HISTORY].find({"_id": {"$ne": run_id}, "as_of": {"$lte": moment}})
        newest: dict[str, Any] | None = plain(next(iter(found.sort("_id", -1).limit(1)), None))
    return newest


def _figures_of(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """The shop's figures of a run; none if its document is gone, or of an older form."""
    try:
        return RunRecord.from_document(document or {}).shop_figures()
    except ValueError:
        return {}
