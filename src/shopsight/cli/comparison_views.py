"""What ``plan`` and ``verify`` found, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from shopsight.inspect.compare import Counts, CustomerChange, RowChange, changed_fields
from shopsight.inspect.plan import Plan
from shopsight.inspect.verify import EXAMPLES, AlteredDocument, Verification
from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.record import Check
from shopsight.report.fitting_table import Field, FittingTable
from shopsight.report.formatting import (
    DASH,
    format_count,
    format_date,
    format_exact,
    format_moment,
    format_money,
    format_value,
)
from shopsight.report.terminal import one_line

SHA256_DIGITS = 64


def plan_view(plan: Plan) -> Iterator[RenderableType]:
    """What publishing would change: documents, customers, top lists, other insights; guard and proof."""
    if plan.served is None:
        yield "Nothing is published yet: this would be the first generation."
    else:
        yield (
            f"What publishing would change, against generation {plan.served.generation}"
            f" as of {format_moment(plan.served.as_of)}."
        )
    yield _documents_table(plan)
    if plan.served is not None:
        if plan.customers.largest:
            yield _customers_table(plan.customers.largest)
        for insight in INSIGHTS.values():
            if not insight.is_ranking:
                continue
            movement = _movement_table(insight, plan.rows.get(insight.id, []))
            if movement.rows:
                yield movement
        if plan.rows:
            yield _rows_table(plan.rows)
    yield ""
    yield from _judgement(plan)


def _documents_table(plan: Plan) -> FittingTable:
    table = FittingTable(
        "Documents",
        [
            Field("Collection"),
            *(Field(name, is_figure=True) for name in ("Added", "Removed", "Changed", "The same")),
        ],
    )
    collections: dict[str, Counts] = {
        "customer_metrics": plan.customers,
        "insights": plan.insights,
        "rejected_rows": plan.rejected,
    }
    for name, counts in collections.items():
        figures = (counts.added, counts.removed, counts.changed, counts.unchanged)
        table.add(name, *(format_count(figure) if figure else DASH for figure in figures))
    return table


def _customers_table(changes: list[CustomerChange]) -> FittingTable:
    table = FittingTable(
        "Largest changes of total_amount_spent",
        [
            Field("Customer", is_figure=True),
            Field("Name"),
            Field("", is_whole=True),
            Field("Served", is_figure=True),
            Field("New", is_figure=True),
            Field("Change", is_figure=True),
        ],
    )
    for change in changes:
        what = change.kind if change.amount or not change.fields else ", ".join(change.fields)
        table.add(
            str(change.customer_id),
            one_line(change.name),
            Text(one_line(what), style="dim"),
            DASH if change.kind == "added" else format_money(change.before),
            DASH if change.kind == "removed" else format_money(change.after),
            signed_money(change.amount),
        )
    return table


def _movement_table(insight: Insight, changes: list[RowChange]) -> FittingTable:
    """Who comes, goes, rises and falls in a top list."""
    names = [column.name for column in insight.columns if column.name.endswith("name")]
    figure = next(column for column in insight.columns if column.kind in ("money", "count"))
    shown = {figure.name, *names}
    table = FittingTable(
        f"{insight.title}: movement",
        [
            Field("Place", is_figure=True),
            Field("Was", is_figure=True),
            Field(""),
            Field("Served", is_figure=True),
            Field(f"New: {figure.label.lower()}", is_figure=True),
        ],
    )
    for change in changes:
        is_seen = change.before is None or change.after is None or change.place_before != change.place_after
        if not is_seen and not shown & changed_fields(change.before or {}, change.after or {}).keys():
            continue
        row = change.after or change.before or {}
        before, after = (
            format_value(side.get(figure.name), figure.kind) if side else DASH
            for side in (change.before, change.after)
        )
        table.add(
            str(change.place_after or "out"),
            str(change.place_before or "new"),
            one_line(" + ".join(str(row.get(name)) for name in names)),
            before,
            after,
        )
    return table


def _rows_table(rows: dict[str, list[RowChange]]) -> FittingTable:
    table = FittingTable(
        "Rows of the insights",
        [
            Field("Insight"),
            *(Field(name, is_figure=True) for name in ("Added", "Removed", "Changed", "Moved")),
        ],
    )
    for name, changes in rows.items():
        table.add(name, *(format_count(count) if count else DASH for count in _row_counts(changes)))
    return table


def _row_counts(changes: list[RowChange]) -> tuple[int, int, int, int]:
    """Rows added, removed, changed, and those that are the same at another place."""
    both = [change for change in changes if change.before is not None and change.after is not None]
    changed = sum(change.before != change.after for change in both)
    added = sum(change.before is None for change in changes)
    removed = sum(change.after is None for change in changes)
    return added, removed, changed, len(both) - changed


def _judgement(plan: Plan) -> Iterator[RenderableType]:
    for link in plan.record.proof:
        holding = sum(check.holds for check in link.checks)
        yield Text.assemble(("✓ ", "green"), f"Proof {link.name}: {holding} of {len(link.checks)} hold.")
    if plan.shrink is None:
        yield Text.assemble(("✓ ", "green"), "The shrink guard lets it through.")
    else:
        yield Text.assemble(("✗ ", "yellow"), f"The shrink guard would withhold it. {plan.shrink}")
    yield ""
    allow = " --allow-shrink" if plan.shrink else ""
    yield Text("Nothing was published. To publish exactly this:", style="dim")
    yield Text(f"  shopsight run --resume --run-id {plan.record.run_id}{allow}")


def verification_view(found: Verification) -> Iterator[RenderableType]:
    """Whether what is served is as it was proven, and whether the source has moved on."""
    served = found.served
    yield f"Generation {served.generation}, run {served.run_id}, as of {format_moment(served.as_of)}."
    yield ""
    if found.is_intact:
        yield Text.assemble(
            ("✓ ", "green"),
            f"MongoDB serves what was proven: {len(found.target)} figures and digests are the same,"
            " every document included.",
        )
    else:
        yield Text.assemble(("✗ ", "bold red"), "What MongoDB serves was altered after it was published.")
        yield _checks_table(found.altered, "Proven", "Served")
        if found.documents:
            yield from _altered_lines(found.documents)
        elif not found.has_files:
            yield Text(
                f"Which documents cannot be said: the files of run {served.run_id} are not here any more.",
                style="dim",
            )
        yield Text.assemble(
            ("Remedy: ", "bold"),
            "`shopsight run` publishes anew from the source; `shopsight rollback` serves an earlier"
            " generation; and find out who else may write to this database.",
        )
        yield ""
    yield from _source_view(found)


def _source_view(found: Verification) -> Iterator[RenderableType]:
    as_of = format_moment(found.served.as_of)
    if not found.source:
        yield "The source was not compared: the run's record with its snapshot is gone."
    elif found.is_current:
        yield Text.assemble(
            ("✓ ", "green"),
            f"The source still says the same: {len(found.source)} figures are as in the snapshot.",
        )
    else:
        yield Text.assemble(
            ("→ ", "cyan"), f"The source has moved on since {as_of}; the next run takes it in."
        )
        yield _checks_table(found.moved, "In the snapshot", "Now")


def _checks_table(checks: list[Check], expected: str, found: str) -> FittingTable:
    table = FittingTable(
        "",
        [
            Field("Figure"),
            Field(expected, is_figure=True),
            Field(found, is_figure=True),
            Field("Change", is_figure=True, spared=1),
        ],
    )
    for check in checks:
        sides = (one_line(_shown(side)) for side in (check.expected, check.found))
        table.add(check.what, *sides, _change(check.expected, check.found))
    return table


def _altered_lines(documents: list[AlteredDocument]) -> Iterator[RenderableType]:
    yield ""
    yield Text(f"Documents that differ (at most {EXAMPLES} of each collection):", style="bold")
    for document in documents:
        name = f"  {document.collection} {one_line(str(document.id))}: "
        if not document.fields:
            yield Text(f"{name}{document.kind}")
        for path, (published, served) in document.fields.items():
            was, now = (one_line(_shown(value)) for value in (published, served))
            yield Text(f"{name}{one_line(path)} was {was}, is {now}")
    yield ""


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value)
        case int() | Decimal() | None:
            return format_exact(value)
        case datetime():
            return format_moment(value)
        case date():
            return format_date(value)
        case str() if len(value) == SHA256_DIGITS:
            return format_exact(value)
    return str(value)


def _change(before: Any, after: Any) -> str:
    figures = [Decimal(side) for side in (before, after) if isinstance(side, int | Decimal)]
    return (
        signed(figures[1] - figures[0]) if len(figures) == 2 and all(map(Decimal.is_finite, figures)) else ""
    )


def signed_money(amount: Decimal) -> str:
    """An amount with its sign: ``+12.00``."""
    return f"{'+' if amount > 0 else ''}{format_money(amount)}"


def signed(figure: Decimal | int) -> str:
    """A figure with its sign and all its digits."""
    return f"{'+' if figure > 0 else ''}{format_exact(figure)}"
