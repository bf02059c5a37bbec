"""A run's record as tables for the page, the terminal and Prefect's UI: stages, ledger, rules, proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopsight.audit.exact import exact_sum
from shopsight.record import Link, Watched, average_order_value, average_rating
from shopsight.report.formatting import format_count, format_money, format_number, format_share, format_value
from shopsight.report.report_table import ReportTable, column
from shopsight.report.trend import Trend

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Tile:
    """One of the shop's figures.

    Attributes:
        value: as text; a dash for what is not known, such as an average of no orders.
        change: by how much it grew, as text, and the period's own value; None where that is not known.
        is_money: whether it is an amount.
    """

    value: str
    label: str
    change: tuple[str, str] | None = None
    is_money: bool = False


def tiles(record: Document, trend: Trend | None = None) -> list[Tile]:
    """The shop's totals, with their change where the trend has it."""
    now, then = (trend.now, trend.then) if trend else ({}, {})

    def tile(label: str, figure: Callable[[Document], Any], kind: str) -> Tile:
        return Tile(
            format_value(figure(record["totals"]), kind),
            label,
            _change(figure(now), figure(then), kind),
            kind == "money",
        )

    rating = format_number(average_rating(record))
    return [
        tile("revenue", lambda totals: totals.get("revenue"), "money"),
        tile("counting orders", lambda totals: totals.get("counting_orders"), "count"),
        tile("average order value", average_order_value, "money"),
        tile("customers", lambda totals: totals.get("customers"), "count"),
        tile("units ordered", lambda totals: totals.get("units"), "count"),
        Tile(rating, "average rating"),
    ]


def _change(now: Any, then: Any, kind: str) -> tuple[str, str] | None:
    """The change in per cent and the newer figure; None if one is not known, or nothing was there to grow."""
    if now is None or then is None or then <= 0:
        return None
    share = float((now - then) / then)
    sign = "▲ +" if share > 0 else "▼ −" if share < 0 else "= "
    return f"{sign}{format_share(abs(share))}", format_value(now, kind)


def stages(record: Document) -> ReportTable:
    """One row per stage in the order they ran; its bar begins where the stages before it ended."""
    whole = sum(stage["seconds"] for stage in record["stages"]) or 1.0
    rows, before = [], 0.0
    for stage in record["stages"]:
        share = stage["seconds"] / whole
        outcome = None if stage["outcome"] == "done" else stage["outcome"]
        # Rows a second: those that entered, or else those that left. A stage that did not run has no speed.
        worked = 0 if outcome else stage["rows_in"] or stage["rows_out"]
        rate = round(worked / stage["seconds"]) if worked and stage["seconds"] else None
        bar = [("", before, share)]
        memory = stage.get("peak_memory_bytes")
        rows.append({**stage, "outcome": outcome, "rate": rate, "peak_memory_bytes": memory, "bar": bar})
        before += share
    columns = [
        column("name", "text", "Stage", note="outcome"),
        column("rows_in", "count", "Rows in"),
        column("rows_out", "count", "Rows out"),
        column("rejected", "count", "Rejected"),
        column("rate", "count", "Rows/s", spared=2),
        column("peak_memory_bytes", "memory", "Memory", spared=1),
        column("seconds", "seconds", "Time"),
        column("bar", "bar", "Where the time goes"),
    ]
    return ReportTable("stages", "Stages", "Rows and time of each stage.", columns, rows)


def ledger(record: Document) -> ReportTable:
    """One row per table for its rows, in the ledger's order."""
    rows = []
    for table in record["ledger"]["tables"]:
        row = {**table, "added": table.get("added", 0)}
        whole = row["rows_in"] + row["added"]
        went = {"kept": row["rows_out"], "merged": row["merged"], "rejected": row["rejected"]}
        bar = [(outcome, 0.0, count / max(whole, 1)) for outcome, count in went.items()]
        rows.append({**row, "bar": bar, "balances": whole == sum(went.values())})
    columns = [
        column("table", "text", "Rows"),
        column("rows_in", "count", "In"),
        column("added", "count", "Added"),
        column("rows_out", "count", "Kept"),
        column("merged", "count", "Merged"),
        column("rejected", "count", "Rejected"),
        column("bar", "bar", "Shares"),
        column("balances", "tick", "Balances"),
    ]
    return ReportTable(
        "ledger",
        "Ledger",
        "What became of every row: in + added = kept + merged + rejected.",
        columns,
        rows,
        footnote="In + added = kept + merged + rejected.",
    )


def amounts(record: Document) -> ReportTable:
    """One row per table that carries an amount."""
    parts = {"in": "In", "repaired": "Repaired", "out": "Kept", "merged": "Merged", "rejected": "Rejected"}
    rows = []
    for table in record["ledger"]["tables"]:
        if table["measure"] is None:
            continue
        values = [table[f"measure_{part}"] for part in parts]
        row = {part: format_measure(table["table"], value) for part, value in zip(parts, values, strict=True)}
        balances = exact_sum(values[:2]) == exact_sum(values[2:])
        rows.append({"table": table["table"], "measure": table["measure"], **row, "balances": balances})
    columns = [
        column("table", "text", "Amounts", note="measure"),
        *(column(part, "figure", label) for part, label in parts.items()),
        column("balances", "tick", "Balances"),
    ]
    return ReportTable(
        "ledger_amounts",
        "",
        "What became of every cent: in + repaired = kept + merged + rejected.",
        columns,
        rows,
        footnote="In + repaired = kept + merged + rejected.",
    )


def format_measure(table: str, value: Decimal | int | None) -> str:
    """A table's amount: a sum of ratings is a whole number, the others are money."""
    is_count = table == "reviews" and value is not None and value == int(value)
    return format_count(value) if is_count else format_money(value)


def rules(record: Document) -> ReportTable:
    """One row per rule that applied, in the ledger's order."""
    rows_in = {table["table"]: table["rows_in"] for table in record["ledger"]["tables"]}
    rows = []
    for rule in record["ledger"]["rules"]:
        whole, measure = rows_in.get(rule["table"]), format_measure(rule["table"], rule["measure"])
        rows.append({**rule, "share": rule["rows"] / whole if whole else 0.0, "measure": measure})
    columns = [
        column("rule", "text", "Rule"),
        column("action", "word", "Action"),
        column("rows", "count", "Rows"),
        column("measure", "figure", "Amount"),
        column("sentence", "prose", "What it says"),
    ]
    return ReportTable(
        "rules",
        "Rules that applied",
        "The cleaning rules that applied.",
        columns,
        rows,
        footnote="" if rows else "no rule applied",
    )


def links(record: Document) -> list[Link]:
    """The proof, link by link."""
    return [Link.from_document(link) for link in record["proof"]]


def watched(record: Document) -> list[Watched]:
    """The watched figures, as the rules are listed."""
    return [Watched(**figure) for figure in record["watched"]]


def compared(*links: Link) -> ReportTable:
    """How many equalities hold, one row per link and table, mart or collection."""
    rows = []
    for link in links:
        broken = Link.of(link.name, link.broken).compared
        for what, equalities in link.compared.items():
            holds = not broken.get(what)
            rows.append({"what": what, "equalities": equalities, "link": link.name, "holds": holds})
    columns = [
        column("what", "text", "Compared"),
        column("equalities", "count", "Equalities"),
        column("holds", "tick", "Holds"),
    ]
    if len(links) > 1:
        columns.append(column("link", "text", "Link"))
    description = "The equalities that must hold before anything is published."
    return ReportTable("proof", "Proof", description, columns, rows)


def broken(link: Link) -> ReportTable:
    """A link's equalities that do not hold, with all digits."""
    columns = [
        column("what", "text", "Broken"),
        column("expected", "exact", "Expected"),
        column("found", "exact", "Found"),
    ]
    return ReportTable("broken", "Broken", "", columns, [vars(check) for check in link.broken])


def proof(record: Document) -> ReportTable:
    """One row per link with how many equalities hold, and one per equality that does not."""
    rows: list[dict[str, Any]] = []
    for link in links(record):
        held = f"{link.equalities - len(link.broken):,} of {link.equalities:,} hold"
        rows.append({"what": link.name, "expected": "", "found": held, "holds": not link.broken})
        table = broken(link)
        for check in table.rows:
            rows.append({**{name: table.text(check, name) for name in table.column_names}, "holds": False})
    columns = [
        column("what", "text", "Link"),
        column("expected", "figure", "Expected"),
        column("found", "figure", "Found"),
        column("holds", "tick", "Holds"),
    ]
    return ReportTable("proof", "Proof", "", columns, rows, footnote="" if rows else "no proof")


def runs(records: Iterable[Document]) -> ReportTable:
    """One row per run, in the order given."""
    rows = []
    for record in records:
        status = record["status"] if record.get("pinned") is None else "kept"
        rows.append({**(record.get("totals") or {}), **record, "status": status})
    columns = [
        column("run_id", "id", "Run"),
        column("status", "word", "Status"),
        column("started_at", "minute", "Started (UTC)", spared=2),
        column("seconds", "seconds", "Time"),
        column("generation", "key", "Generation", spared=1),
        column("counting_orders", "count", "Orders", spared=2),
        column("revenue", "money", "Revenue"),
    ]
    return ReportTable("runs", "Runs", "", columns, rows, footnote="" if rows else "no runs yet")
