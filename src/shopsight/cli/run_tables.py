"""A run's record and the insights as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from shopsight.cli.tables import Field, FittingTable, figures
from shopsight.report import InsightTable, run_rows
from shopsight.report.formatting import DASH, format_count, format_money, format_seconds, format_value, in_utc
from shopsight.report.insight_table import FIGURE_KINDS

_STYLES = {
    **{"repair": "cyan", "flag": "yellow", "merge": "blue", "reject": "red"},
    **{"succeeded": "green", "kept": "yellow", "failed": "red", "refused": "yellow", "running": "cyan"},
}


def insight_table(table: InsightTable) -> FittingTable:
    """An insight's rows in its own order. A key can be spared where the name it stands for is beside it."""
    names = set(table.column_names)
    fields = [
        Field(
            column["label"],
            is_figure=column["kind"] in FIGURE_KINDS,
            spared=int(column["kind"] == "key" and _name_of(column["name"]) in names),
        )
        for column in table.columns
    ]
    fitting = FittingTable(table.title, fields, caption="" if table.rows else "no rows")
    for row in table.rows:
        fitting.add(*(format_value(row.get(column["name"]), column["kind"]) for column in table.columns))
    return fitting


def _name_of(key: str) -> str:
    """The column that names what a key stands for: ``product_a_name`` for ``product_a_id``."""
    return "name" if key == "customer_id" else key.removesuffix("_id") + "_name"


def stages_table(record: dict[str, Any]) -> FittingTable:
    """One row per stage: rows, seconds, speed and peak memory."""
    fields = [Field("Stage"), *figures("Rows in", "Rows out", "Rejected", "Time")]
    fields += [Field("Rows/s", is_figure=True, spared=2), Field("Memory", is_figure=True, spared=1)]
    table = FittingTable("Stages", fields)
    for stage in run_rows.stage_rows(record):
        name = Text(stage.name)
        if stage.outcome != "done":
            name.append(f" {stage.outcome}", style="red" if stage.outcome == "failed" else "dim")
        table.add(
            name, stage.rows_in, stage.rows_out, stage.rejected, stage.seconds, stage.rate, stage.memory
        )
    return table


def ledger_table(record: dict[str, Any]) -> Group:
    """One row per table for its rows, then one column per table that carries an amount."""
    fields = [Field("Rows"), *figures("In", "Added", "Kept", "Merged", "Rejected"), Field("")]
    rows = FittingTable("Ledger", fields, caption="In + added = kept + merged + rejected.")
    for row in run_rows.ledger_rows(record):
        counts = (row.rows_in, row.added, row.rows_out, row.merged, row.rejected)
        rows.add(row.table, *counts, tick(row.balances))
    measures = run_rows.measure_rows(record)
    amounts = FittingTable(
        "",
        [Field("Amounts"), *figures(*(measure.table for measure in measures))],
        caption="In + repaired = kept + merged + rejected.",
    )
    amounts.add("", *(Text(measure.measure, style="dim") for measure in measures))
    amounts.add("In", *(measure.measure_in for measure in measures))
    amounts.add("Repaired", *(measure.repaired for measure in measures))
    amounts.add("Kept", *(measure.measure_out for measure in measures))
    amounts.add("Merged", *(measure.merged for measure in measures))
    amounts.add("Rejected", *(measure.rejected for measure in measures))
    amounts.add("", *(tick(measure.balances) for measure in measures))
    return Group(rows, amounts)


def rules_table(record: dict[str, Any]) -> FittingTable:
    """One row per rule that applied, by table: rows and amount."""
    fields = [Field("Rule"), Field("Action"), *figures("Rows", "Amount")]
    caption = "" if record["ledger"]["rules"] else "no rule applied"
    table = FittingTable("Rules that applied", fields, caption=caption)
    for rules in run_rows.rules_by_table(record).values():
        for rule in rules:
            table.add(rule.rule, styled(rule.action), rule.rows, rule.measure)
    return table


def proof_table(record: dict[str, Any]) -> FittingTable:
    """One row per link: how many equalities it has; each that does not hold, with both figures."""
    links = run_rows.links(record)
    fields = [Field("Link"), *figures("Expected", "Found"), Field("")]
    table = FittingTable("Proof", fields, caption="" if links else "no proof")
    for link in links:
        held = f"{link.equalities - len(link.broken):,} of {link.equalities:,} hold"
        table.add(link.name, "", held, tick(not link.broken))
        for broken in link.broken:
            table.add(*broken, tick(False))
    return table


def runs_table(records: Sequence[dict[str, Any]]) -> FittingTable:
    """One row per run, in the order given."""
    fields = [
        Field("Run", is_whole=True),
        Field("Status", is_whole=True),
        Field("Started (UTC)", is_whole=True, spared=2),
        Field("Time", is_figure=True),
        Field("Generation", is_figure=True, spared=1),
        Field("Orders", is_figure=True, spared=2),
        Field("Revenue", is_figure=True),
    ]
    table = FittingTable("Runs", fields, caption="" if records else "no runs yet")
    for record in records:
        totals = record.get("totals") or {}
        generation = record.get("generation")
        table.add(
            record["run_id"],
            styled(record["status"] if record.get("pinned") is None else "kept"),
            f"{in_utc(record['started_at']):%Y-%m-%d %H:%M}",
            format_seconds(record.get("seconds")),
            DASH if generation is None else str(generation),
            format_count(totals.get("counting_orders")),
            format_money(totals.get("revenue")),
        )
    return table


def tick(holds: bool) -> Text:
    """The mark for right or wrong."""
    return Text("✓", style="green") if holds else Text("✗", style="bold red")


def styled(word: str) -> Text:
    """A rule's action or a run's status in its colour."""
    return Text(word, style=_STYLES.get(word, ""))
