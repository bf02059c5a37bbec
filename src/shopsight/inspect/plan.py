"""What a run would change, without publishing it: every stage but the last, then a comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopsight import publish
from shopsight.audit import guards
from shopsight.audit.parquet import count_rows
from shopsight.contract import TABLES
from shopsight.errors import ShrinkRefused
from shopsight.inspect.compare import (
    Counts,
    CustomerChanges,
    RowChange,
    compare_customers,
    compare_insight,
)
from shopsight.marts.insights import INSIGHTS
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight.pipeline.stages import Progress, Run
from shopsight.publish import Difference, Served
from shopsight.record import RunRecord
from shopsight.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What publishing now would change.

    Attributes:
        record: the run that was made for it; its proof holds links 1 to 3.
        served: the generation compared with; None when nothing is served yet.
        customers: documents of ``customer_metrics`` that come, go and change, and the largest changes.
        insights: the same of ``insights``.
        rejected: the same of ``rejected_rows``.
        rows: by insight, the rows that come, go, change or move; insights without such are left out.
        shrink: what the shrink guard would say; None when it would let the run through.
    """

    record: RunRecord
    served: Served | None
    customers: CustomerChanges
    insights: Counts
    rejected: Counts
    rows: dict[str, list[RowChange]] = field(default_factory=dict)
    shrink: str | None = None

    def as_document(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "served": None if self.served is None else vars(self.served),
            "documents": {
                "customer_metrics": _counts(self.customers),
                "insights": _counts(self.insights),
                "rejected_rows": _counts(self.rejected),
            },
            "largest_changes": [
                {**dataclasses.asdict(change), "amount": change.amount} for change in self.customers.largest
            ],
            "rows": {name: [vars(change) for change in changes] for name, changes in self.rows.items()},
            "shrink_guard": self.shrink,
            "run": self.record.as_document(),
        }


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("added", "removed", "changed", "unchanged")}


def make_plan(settings: Settings, *, on_progress: Progress | None = None) -> Plan:
    """Extract, clean, work out and prove as a run does, then compare with what is served.

    Nothing is written to MongoDB and no lease is taken: a plan can be made while a run is at work.

    Raises:
        ShopsightError: as the run would.
    """
    with open_run(settings, publishes=False, on_progress=on_progress) as run:
        for stage in STAGES[:-1]:
            run_stage(run, stage)
        with open_target(settings) as target:
            return compare_with_served(run, target)


def compare_with_served(run: Run, target: publish.Target) -> Plan:
    """What a run whose marts are whole would change."""
    marts, rejected = run.workspace.folder("marts"), run.workspace.folder("rejected")
    served = publish.served(target)
    documents = publish.run_documents(
        marts,
        rejected,
        INSIGHTS.values(),
        # As if the same run had made them: what differs then is content.
        run_id=served.run_id if served else run.run_id,
        as_of=served.as_of if served else run.snapshot.as_of,
    )

    def differences(view: str, *, in_order: bool = False) -> Iterator[Difference]:
        collection = served.collections[view] if served else None
        return publish.differences_from(target, collection, documents[view], in_order=in_order)

    customers = compare_customers(
        differences("customer_metrics", in_order=True), count_rows(marts / "customer_metrics")
    )
    insights, rows = Counts(), {}
    for difference in differences("insights"):
        insights.count(difference)
        changes = _row_changes(difference)
        if changes:
            rows[difference.id] = changes
    insights.settle(len(INSIGHTS))
    set_aside = Counts()
    for difference in differences("rejected_rows"):
        set_aside.count(difference)
    set_aside.settle(sum(count_rows(rejected / table) for table in TABLES))
    in_report_order = {name: rows[name] for name in INSIGHTS if name in rows}
    return Plan(run.record, served, customers, insights, set_aside, in_report_order, _shrink(run, target))


def _row_changes(difference: Difference) -> list[RowChange]:
    # One that only stands there is a stranger's, and its _id may be anything.
    insight = INSIGHTS.get(difference.id) if difference.right is not None else None
    if insight is None or difference.right is None:
        return []
    before: Mapping[str, Any] = difference.left or {}
    served = [row for row in before.get("rows") or () if isinstance(row, Mapping)]
    return compare_insight(served, difference.right["rows"], insight.key)


def _shrink(run: Run, target: publish.Target) -> str | None:
    try:
        served = publish.served_figures(target)
        guards.check_shrink(guards.guarded_figures(run.record), served, run.settings)
    except ShrinkRefused as refused:
        return refused.message
    return None
