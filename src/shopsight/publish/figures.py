"""What MongoDB itself says of a generation: the fourth link of the proof, and ``verify``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from shopsight.publish import naming
from shopsight.publish.target import Document, Target
from shopsight.publish.values import plain
from shopsight.record import Figure

Figures = dict[str, Figure]

_CUSTOMER_FIGURES = ("total_amount_spent", "total_orders", "average_order_value", "total_products_ordered")


class Stored(Protocol):
    """A generation, written or served."""

    @property
    def collections(self) -> Mapping[str, str]:
        """By view, the collection that holds it."""


def read_back(target: Target, generation: Stored) -> dict[str, Figures]:
    """A generation's figures by the server's own aggregation over its collections.

    Args:
        target: where.
        generation: written or served.

    Returns:
        By mart (``customer_metrics``, each insight by its id, ``rejected_rows``): ``rows`` and
        ``sum(<column>)``, money as Decimal, exact. For insights each column but ids and texts is summed;
        ``rejected_rows`` has ``rows(<rule>)`` and ``sum(measure, <rule>)`` for each rule as well.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    names = generation.collections
    with target.translated():
        figures = {
            naming.CUSTOMER_METRICS: _aggregate(
                target, names[naming.CUSTOMER_METRICS], [], {name: f"${name}" for name in _CUSTOMER_FIGURES}
            )
        }
        for insight in target.db[names[naming.INSIGHTS]].find({}, {"columns": 1}):
            # What a stranger did to a document must not keep verify from telling of it.
            columns = [c["name"] for c in insight.get("columns", ()) if _is_figure(c)]
            unwound: list[Document] = [{"$match": {"_id": insight["_id"]}}, {"$unwind": "$rows"}]
            paths = {name: f"$rows.{name}" for name in columns}
            figures[insight["_id"]] = _aggregate(target, names[naming.INSIGHTS], unwound, paths)
        figures[naming.REJECTED_ROWS] = _rejected(target, names[naming.REJECTED_ROWS])
    return figures


def _is_figure(column: Mapping[str, str]) -> bool:
    return column["kind"] not in ("text", "date") and not column["name"].endswith("_id")


def _aggregate(
    target: Target, collection: str, before: Iterable[Document], paths: Mapping[str, str]
) -> Figures:
    """Rows and sums; nulls count nothing, and no rows sum up to 0."""
    sums = {f"sum_{i}": {"$sum": path} for i, path in enumerate(paths.values())}
    group: Document = {"$group": {"_id": None, "rows": {"$sum": 1}, **sums}}
    found = next(iter(target.db[collection].aggregate([*before, group])), {})
    figures: Figures = {"rows": found.get("rows", 0)}
    for i, name in enumerate(paths):
        figures[f"sum({name})"] = plain(found.get(f"sum_{i}", 0))
    return figures


def _rejected(target: Target, collection: str) -> Figures:
    group: Document = {"_id": "$rule", "rows": {"$sum": 1}, "measure": {"$sum": "$measure"}}
    by_rule: list[dict[str, Any]] = list(
        target.db[collection].aggregate([{"$group": group}, {"$sort": {"_id": 1}}])
    )
    figures: Figures = {"rows": sum(one["rows"] for one in by_rule)}
    for one in by_rule:
        figures[f"rows({one['_id']})"] = one["rows"]
        figures[f"sum(measure, {one['_id']})"] = plain(one["measure"])
    return figures
