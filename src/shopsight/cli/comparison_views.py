"""The results of ``plan`` and ``verify`` on the terminal. :func:`say` and the tables make texts safe."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from shopsight.cli.output import out, say
from shopsight.cli.tables import Field, FittingTable, figures, one_line
from shopsight.inspect.compare import EXAMPLES, CustomerChange, RowChange, changed_fields
from shopsight.inspect.plan import Plan
from shopsight.inspect.verify import AlteredDocument, Verification
from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.record import Check
from shopsight.report.formatting import (
    DASH,
    format_count,
    format_date,
    format_exact,
    format_moment,
    format_money,
    format_value,
)

SHA256_DIGITS = 64
YES, BUT, NO = ("✓ ", "green"), ("✗ ", "yellow"), ("✗ ", "bold red")


def print_plan(plan: Plan) -> None:
    """The changes that publishing would make: documents, customers, ranks, insights; guard and proof."""
    if plan.served is None:
        say("Nothing is published yet: this would be the first generation.")
    else:
        as_of = format_moment(plan.served.as_of)
        say(f"What publishing would change, against generation {plan.served.generation} as of {as_of}.")
    documents = [
        (name, counts.added, counts.removed, counts.changed, counts.unchanged)
        for name, counts in plan.documents.items()
    ]
    out.print(
        _counts_table("Documents", ("Collection", "Added", "Removed", "Changed", "The same"), documents)
    )
    if plan.served is not None:
        if plan.largest:
            out.print(_customers_table(plan.largest))
        for name, changes in plan.rows.items():
            movement = _movement_table(INSIGHTS[name], changes)
            if movement.rows:
                out.print(movement)
        if plan.rows:
            rows = [(name, *_row_counts(changes)) for name, changes in plan.rows.items()]
            headings = ("Insight", "Added", "Removed", "Changed", "Moved")
            out.print(_counts_table("Rows of the insights", headings, rows))
    say("")
    for link in plan.record.proof:
        say(YES, f"Proof {link.name}: {link.equalities:,} equalities hold.")
    if plan.shrink is None:
        say(YES, "The shrink guard lets it through.")
    else:
        say(BUT, f"The shrink guard would withhold it. {plan.shrink}")
    say("")
    say(("Nothing was published. To publish exactly this:", "dim"))
    say(f"  shopsight run --resume --run-id {plan.record.run_id}{' --allow-shrink' if plan.shrink else ''}")


def _counts_table(title: str, headings: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> FittingTable:
    first, *others = headings
    table = FittingTable(title, [Field(first), *figures(*others)])
    for name, *counts in rows:
        table.add(name, *(format_count(count) if count else DASH for count in counts))
    return table


def _customers_table(changes: list[CustomerChange]) -> FittingTable:
    fields = [
        *figures("Customer"),
        Field("Name"),
        Field("", is_whole=True),
        *figures("Served", "New", "Change"),
    ]
    table = FittingTable("Largest changes of total_amount_spent", fields)
    for change in changes:
        what = change.kind if change.amount or not change.fields else ", ".join(change.fields)
        before = DASH if change.kind == "added" else format_money(change.before)
        after = DASH if change.kind == "removed" else format_money(change.after)
        amount = _signed(change.amount, format_money(change.amount))
        table.add(str(change.customer_id), change.name, Text(what, style="dim"), before, after, amount)
    return table


def _movement_table(insight: Insight, changes: list[RowChange]) -> FittingTable:
    """The places of an insight's rows, if it ranks things that have names; else a table without rows."""
    names = [column.name for column in insight.columns if column.name.endswith("name")]
    figure = next(column for column in insight.columns if column.kind not in ("key", "text", "date"))
    new = f"New: {figure.label.lower()}"
    fields = [*figures("Place", "Was"), Field(""), *figures("Served", new)]
    table = FittingTable(f"{insight.title}: movement", fields)
    for change in changes if names else ():
        before, after = change.before or {}, change.after or {}
        is_moved = change.place_before != change.place_after
        if is_moved or {figure.name, *names} & changed_fields(before, after).keys():
            sides = (
                format_value(row.get(figure.name), figure.kind) if row else DASH for row in (before, after)
            )
            name = " + ".join(str((after or before).get(name)) for name in names)
            table.add(str(change.place_after or "out"), str(change.place_before or "new"), name, *sides)
    return table


def _row_counts(changes: list[RowChange]) -> tuple[int, int, int, int]:
    """Rows added, removed, changed, and those that are the same at another place."""
    added = sum(change.before is None for change in changes)
    removed = sum(change.after is None for change in changes)
    moved = sum(change.before == change.after for change in changes)
    return added, removed, len(changes) - added - removed - moved, moved


def print_verification(found: Verification) -> None:
    """Whether what is served is as it was proven, and whether the source has moved on."""
    served = found.served
    as_of = format_moment(served.as_of)
    say(f"Generation {served.generation}, run {served.run_id}, as of {as_of}.")
    say("")
    if found.is_intact:
        same = f"{len(found.target)} figures and digests are the same, every document included"
        say(YES, f"MongoDB serves what was proven: {same}.")
    else:
        say(NO, "What MongoDB serves was altered after it was published.")
        out.print(_checks_table(found.altered, "Proven", "Served"))
        if found.documents:
            _print_documents(found.documents)
        elif not found.has_files:
            say((f"The documents cannot be named: the files of run {served.run_id} are gone.", "dim"))
        say(
            ("Remedy: ", "bold"),
            "`shopsight run` publishes anew from the source; `shopsight rollback` serves an earlier"
            " generation. Find out who else may write to this database.",
        )
        say("")
    if not found.source:
        say("The source was not compared: the run's record with its snapshot is gone.")
    elif found.is_current:
        say(YES, f"The source still says the same: {len(found.source)} figures are as in the snapshot.")
    else:
        say(("→ ", "cyan"), f"The source has moved on since {as_of}; the next run reads it.")
        out.print(_checks_table(found.moved, "In the snapshot", "Now"))


def _checks_table(checks: list[Check], expected: str, found: str) -> FittingTable:
    change = Field("Change", is_figure=True, spared=1)
    table = FittingTable("", [Field("Figure"), *figures(expected, found), change])
    for check in checks:
        table.add(
            check.what, _shown(check.expected), _shown(check.found), _change(check.expected, check.found)
        )
    return table


def _print_documents(documents: list[AlteredDocument]) -> None:
    say("")
    say((f"Documents that differ (at most {EXAMPLES} of each collection):", "bold"))
    for document in documents:
        name = f"  {document.collection} {document.id}: "
        if not document.fields:
            say(one_line(f"{name}{document.kind}"))
        for path, (published, served) in document.fields.items():
            say(one_line(f"{name}{path} was {_shown(published)}, is {_shown(served)}"))
    say("")


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
    sides = [Decimal(side) for side in (before, after) if isinstance(side, int | Decimal)]
    if len(sides) < 2 or not all(side.is_finite() for side in sides):
        return ""
    return _signed(sides[1] - sides[0], format_exact(sides[1] - sides[0]))


def _signed(figure: Decimal, text: str) -> str:
    return f"+{text}" if figure > 0 else text
