"""The results of ``plan`` and ``verify`` on the terminal. :func:`say` and the tables make texts safe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from shopsight.cli.output import one_line, out, say
from shopsight.cli.tables import terminal_table
from shopsight.inspect.compare import EXAMPLES, CustomerChange, RowChange, changed_fields
from shopsight.inspect.plan import Plan
from shopsight.inspect.verify import AlteredDocument, Verification
from shopsight.marts.insights import Insight
from shopsight.record import Check
from shopsight.report import ReportTable
from shopsight.report.formatting import format_exact, format_moment, format_plain
from shopsight.report.report_table import column

YES, BUT, NO = ("✓ ", "green"), ("✗ ", "yellow"), ("✗ ", "bold red")

Rows = Iterable[dict[str, Any]]


def print_plan(plan: Plan) -> None:
    """The changes that publishing would make: documents, customers, ranks, insights; guard and proof."""
    if plan.served is None:
        say("Nothing is published yet: this would be the first generation.")
    else:
        as_of = format_moment(plan.served.as_of)
        say(f"What publishing would change, against generation {plan.served.generation} as of {as_of}.")
        if plan.served.pinned is not None:
            say("That generation is pinned: a run would be kept, and served by `shopsight unpin`.")
    documents = [
        {"name": name, **vars(counts), "other": counts.unchanged} for name, counts in plan.documents.items()
    ]
    _print_counts("Documents", "Collection", "The same", documents)
    if plan.served is not None:
        if plan.largest:
            _print_customers(plan.largest)
        for name, changes in plan.rows.items():
            _print_movement(plan.insights[name], changes)
        if plan.rows:
            rows = [{"name": name, **_row_counts(changes)} for name, changes in plan.rows.items()]
            _print_counts("Rows of the insights", "Insight", "Moved", rows)
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


def _print(title: str, columns: list[dict[str, Any]], rows: Rows) -> None:
    out.print(terminal_table(ReportTable("", title, "", columns, list(rows))))


def _print_counts(title: str, heading: str, other: str, rows: Rows) -> None:
    """Numbers by name; 0 is a dash."""
    counts = {"added": "Added", "removed": "Removed", "changed": "Changed", "other": other}
    columns = [
        column("name", "text", heading),
        *(column(name, "count", label) for name, label in counts.items()),
    ]
    _print(title, columns, ({name: value or None for name, value in row.items()} for row in rows))


def _print_customers(changes: list[CustomerChange]) -> None:
    columns = [
        column("customer_id", "key", "Customer"),
        column("name", "text", "Name"),
        column("what", "word", ""),
        column("before", "money", "Served"),
        column("after", "money", "New"),
        column("change", "figure", "Change"),
    ]
    rows = [
        {
            **vars(change),
            "what": change.kind if change.amount or not change.fields else ", ".join(change.fields),
            "before": None if change.kind == "added" else change.before,
            "after": None if change.kind == "removed" else change.after,
            "change": _signed(change.amount),
        }
        for change in changes
    ]
    _print("Largest changes of total_amount_spent", columns, rows)


def _print_movement(insight: Insight, changes: list[RowChange]) -> None:
    """The places of an insight's rows, if it ranks things that have names."""
    names = [shown.name for shown in insight.columns if shown.name.endswith("name")]
    figure = next(shown for shown in insight.columns if shown.kind not in ("key", "text", "date"))
    columns = [
        column("place", "figure", "Place"),
        column("was", "figure", "Was"),
        column("name", "text", ""),
        column("before", figure.kind, "Served"),
        column("after", figure.kind, f"New: {figure.label.lower()}"),
    ]
    rows = list(_moved(changes, figure.name, names)) if names else []
    if rows:
        _print(f"{insight.title}: movement", columns, rows)


def _moved(changes: list[RowChange], figure: str, names: list[str]) -> Iterator[dict[str, Any]]:
    for change in changes:
        before, after = change.before or {}, change.after or {}
        is_moved = change.place_before != change.place_after
        if is_moved or {figure, *names} & changed_fields(before, after).keys():
            yield {
                "place": str(change.place_after or "out"),
                "was": str(change.place_before or "new"),
                "name": " + ".join(str((after or before).get(name)) for name in names),
                "before": before.get(figure),
                "after": after.get(figure),
            }


def _row_counts(changes: list[RowChange]) -> dict[str, int]:
    """Rows added, removed, changed, and (other) those that are the same at another place."""
    added = sum(change.before is None for change in changes)
    removed = sum(change.after is None for change in changes)
    moved = sum(change.before == change.after for change in changes)
    changed = len(changes) - added - removed - moved
    return {"added": added, "removed": removed, "changed": changed, "other": moved}


def print_verification(found: Verification) -> None:
    """Whether what is served is as it was proven, and whether the source has moved on."""
    served = found.served
    as_of = format_moment(served.as_of)
    say(f"Generation {served.generation}, run {served.run_id}, as of {as_of}.")
    say("")
    if found.is_intact:
        same = f"{len(found.target)} figures and digests are the same, every document included"
        say(YES, f"MongoDB serves what was proven: {same}.")
        if found.forgotten:
            say(f"  Since then `shopsight forget` blanked a person in {found.forgotten:,} documents.")
        if found.rejected_until:
            since = format_moment(found.rejected_until)
            say(f"  Its rejected rows were not compared: MongoDB removes them since {since} (keep_rejected).")
    else:
        say(NO, "What MongoDB serves was altered after it was published.")
        _print_checks(found.altered, "Proven", "Served")
        if found.documents:
            _print_documents(found.documents)
        elif not found.has_files:
            say((f"The documents cannot be named: the files of run {served.run_id} are gone.", "dim"))
        say(
            ("Remedy: ", "bold"),
            "`shopsight run` publishes again from the source; `shopsight rollback` serves an earlier"
            " generation. Find out who else may write to this database.",
        )
        say("")
    if not found.source:
        say("The source was not compared: the run's record with its snapshot is gone.")
    elif found.is_current:
        say(YES, f"The source still says the same: {len(found.source)} figures are as in the snapshot.")
    else:
        say(("→ ", "cyan"), f"The source has moved on since {as_of}; the next run reads it.")
        _print_checks(found.moved, "In the snapshot", "Now")


def _print_checks(checks: list[Check], expected: str, found: str) -> None:
    columns = [
        column("what", "text", "Figure"),
        column("expected", "plain", expected),
        column("found", "plain", found),
        column("change", "figure", "Change", spared=1),
    ]
    _print("", columns, ({**vars(check), "change": _change(check)} for check in checks))


def _print_documents(documents: list[AlteredDocument]) -> None:
    say("")
    say((f"Documents that differ (at most {EXAMPLES} of each collection):", "bold"))
    for document in documents:
        name = f"  {document.collection} {document.id}: "
        if not document.fields:
            say(one_line(f"{name}{document.kind}"))
        for path, (published, served) in document.fields.items():
            say(one_line(f"{name}{path} was {format_plain(published)}, is {format_plain(served)}"))
    say("")


def _change(check: Check) -> str:
    sides = [Decimal(side) for side in (check.expected, check.found) if isinstance(side, int | Decimal)]
    if len(sides) < 2 or not all(side.is_finite() for side in sides):
        return ""
    return _signed(sides[1] - sides[0])


def _signed(figure: Decimal) -> str:
    return f"+{format_exact(figure)}" if figure > 0 else format_exact(figure)
