"""Finds what a run would change without publishing it: every stage but the last, then a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shopsight import publish
from shopsight.audit import guards
from shopsight.audit.parquet import count_rows
from shopsight.contract import TABLES
from shopsight.errors import ShrinkRefused
from shopsight.inspect.compare import (
    Counts,
    CustomerChange,
    RowChange,
    changed_fields,
    compare_insight,
    largest_changes,
)
from shopsight.marts.insights import Insight
from shopsight.pipeline.current_run import Progress, Run
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight.publish import Difference, Served
from shopsight.publish.naming import METRICS
from shopsight.publish.privacy import Privacy
from shopsight.record import RunRecord
from shopsight.settings import Settings


@dataclass(frozen=True)
class Plan:
    """The changes that publishing now would make.

    Attributes:
        record: the run that was made for it; its proof holds links 1 to 3.
        served: the generation compared with; None when nothing is served yet.
        documents: by collection, how many documents are added, removed, changed and the same.
        largest: the customers whose total_amount_spent changes most.
        rows: by insight in report order, the rows that are added, removed, changed or moved; if any.
        insights: those of the run by id, in report order.
        shrink: the shrink guard's message; None when it would let the run pass.
    """

    record: RunRecord
    served: Served | None
    documents: dict[str, Counts]
    largest: list[CustomerChange]
    rows: dict[str, list[RowChange]]
    insights: Mapping[str, Insight]
    shrink: str | None = None

    @property
    def changes_something(self) -> bool:
        """Whether publishing would change what readers read."""
        return any(counts.added or counts.removed or counts.changed for counts in self.documents.values())

    def as_document(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "served": None if self.served is None else vars(self.served),
            "documents": {name: vars(counts) for name, counts in self.documents.items()},
            "largest_changes": [{**asdict(change), "amount": change.amount} for change in self.largest],
            "rows": {name: [vars(change) for change in changes] for name, changes in self.rows.items()},
            "shrink_guard": self.shrink,
            "run": self.record.as_document(),
        }


def make_plan(settings: Settings, *, on_progress: Progress | None = None) -> Plan:
    """Extract, clean, compute and prove as a run does, then compare with what is served.

    Writes nothing to MongoDB and takes no lease, so a run may be at work at the same time.

    Raises:
        ShopsightError: as the run would.
    """
    with open_run(settings, publishes=False, on_progress=on_progress) as run:
        for stage in STAGES[:-1]:
            run_stage(run, stage)
        with open_target(settings) as target:
            return compare_with_served(run, target)


def compare_with_served(run: Run, target: publish.Target) -> Plan:
    """The changes that a run with complete marts would make."""
    marts, rejected = run.workspace.folder("marts"), run.workspace.folder("rejected")
    served = publish.served(target)
    # The served run's id and moments, so that only differences of content are found.
    run_id, as_of = (served.run_id, served.as_of) if served else (run.run_id, run.snapshot.as_of)
    note = publish.generation_note(target, served.generation) if served else {}
    new = publish.run_documents(
        marts,
        rejected,
        run.insights.values(),
        run_id=run_id,
        as_of=as_of,
        privacy=Privacy.of(run.settings),
        rejected_until=note.get("rejected_until"),
    )
    numbers = {
        "customer_metrics": count_rows(marts / "customer_metrics"),
        "customers": count_rows(marts / "customers"),
        "insights": len(run.insights),
        "rejected_rows": sum(count_rows(rejected / table) for table in TABLES),
    }
    counts = {view: Counts() for view in numbers}

    def differences(view: str) -> Iterator[Difference]:
        collection = served.collections.get(view) if served else None
        found = publish.differences_from(target, collection, new[view], in_order=view == "customers")
        return counts[view].counted(found, numbers[view])

    of_metrics = _of_metrics(differences("customers"))
    largest = largest_changes(counts["customer_metrics"].counted(of_metrics, numbers["customer_metrics"]))
    rows = {
        difference.id: _row_changes(difference, run.insights[difference.id].key)
        for difference in differences("insights")
        if difference.right
    }
    for _ in differences("rejected_rows"):
        pass
    in_report_order = {name: rows[name] for name in run.insights if rows.get(name)}
    return Plan(run.record, served, counts, largest, in_report_order, run.insights, _shrink(run, target))


def _of_metrics(differences: Iterable[Difference]) -> Iterator[Difference]:
    """The differences of customers that show in ``customer_metrics``."""
    for difference in differences:
        left, right = (
            side and {name: value for name, value in side.items() if name in METRICS}
            for side in (difference.left, difference.right)
        )
        if left is None or right is None or changed_fields(left, right):
            yield Difference(difference.id, left, right)


def _row_changes(difference: Difference, key: tuple[str, ...]) -> list[RowChange]:
    before: Mapping[str, Any] = difference.left or {}
    after: Mapping[str, Any] = difference.right or {}
    served = [row for row in before.get("rows") or () if isinstance(row, Mapping)]
    return compare_insight(served, after["rows"], key)


def _shrink(run: Run, target: publish.Target) -> str | None:
    try:
        _, figures = publish.baseline(target) or (None, None)
        guards.check_shrink(guards.guarded_figures(run.record), figures, run.settings)
    except ShrinkRefused as refused:
        return refused.message
    return None
