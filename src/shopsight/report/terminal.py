"""The run's and the insights' figures for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from shopsight.report import run_rows
from shopsight.report.fitting_table import Field, FittingTable
from shopsight.report.formatting import DASH, format_count, format_money, format_seconds, format_value, in_utc
from shopsight.report.insight_table import FIGURE_KINDS, InsightTable

_ACTION_STYLES = {"repair": "cyan", "flag": "yellow", "merge": "blue", "reject": "red"}
_STATUS_STYLES = {"succeeded": "green", "failed": "red", "refused": "yellow", "running": "cyan"}


def insight_table(table: InsightTable) -> FittingTable:
    """An insight's rows in its own order, with its title."""
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
        fitting.add(
            *(one_line(format_value(row.get(column["name"]), column["kind"])) for column in table.columns)
        )
    return fitting


def _name_of(key: str) -> str:
    """The column that names what a key stands for: ``product_a_name`` for ``product_a_id``."""
    return "name" if key == "customer_id" else key.removesuffix("_id") + "_name"


def one_line(text: str) -> str:
    """Text of the shop on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def stages_table(record: dict[str, Any]) -> FittingTable:
    """One row per stage: rows, seconds, speed and peak memory."""
    table = FittingTable(
        "Stages",
        [
            Field("Stage"),
            Field("Rows in", is_figure=True),
            Field("Rows out", is_figure=True),
            Field("Rejected", is_figure=True),
            Field("Time", is_figure=True),
            Field("Rows/s", is_figure=True, spared=2),
            Field("Memory", is_figure=True, spared=1),
        ],
    )
    for stage in run_rows.stage_rows(record):
        name = Text(stage.name)
        if stage.outcome != "done":
            name.append(f" {stage.outcome}", style="red" if stage.outcome == "failed" else "dim")
        table.add(
            name, stage.rows_in, stage.rows_out, stage.rejected, stage.seconds, stage.rate, stage.memory
        )
    return table


def ledger_table(record: dict[str, Any]) -> Group:
    """One row per table for its rows, then one column per table that carries a measure."""
    figures = ("In", "Added", "Kept", "Merged", "Rejected")
    rows = FittingTable(
        "Ledger",
        [Field("Rows"), *(Field(figure, is_figure=True) for figure in figures), Field("")],
        caption="In + added = kept + merged + rejected.",
    )
    for row in run_rows.ledger_rows(record):
        rows.add(
            row.table, row.rows_in, row.added, row.rows_out, row.merged, row.rejected, _tick(row.balances)
        )
    return Group(rows, _measures_table(record))


def _measures_table(record: dict[str, Any]) -> FittingTable:
    """Amounts, set upright: three columns have room for any of them."""
    measures = run_rows.measure_rows(record)
    table = FittingTable(
        "",
        [Field("Amounts"), *(Field(measure.table, is_figure=True) for measure in measures)],
        caption="In + repaired = kept + merged + rejected.",
    )
    table.add("", *(Text(measure.measure, style="dim") for measure in measures))
    for name, figures in (
        ("In", [measure.measure_in for measure in measures]),
        ("Repaired", [measure.repaired for measure in measures]),
        ("Kept", [measure.measure_out for measure in measures]),
        ("Merged", [measure.merged for measure in measures]),
        ("Rejected", [measure.rejected for measure in measures]),
    ):
        table.add(name, *figures)
    table.add("", *(_tick(measure.balances) for measure in measures))
    return table


def rules_table(record: dict[str, Any]) -> FittingTable:
    """One row per rule that applied, by table: rows and amount. What a rule says stands in the report."""
    table = FittingTable(
        "Rules that applied",
        [Field("Rule"), Field("Action"), Field("Rows", is_figure=True), Field("Amount", is_figure=True)],
        caption="" if record["ledger"]["rules"] else "no rule applied",
    )
    for rules in run_rows.rules_by_table(record).values():
        for rule in rules:
            action = Text(rule.action, style=_ACTION_STYLES.get(rule.action, ""))
            table.add(rule.rule, action, rule.rows, rule.measure)
    return table


def proof_table(record: dict[str, Any]) -> FittingTable:
    """One row per link: how many equalities it has; those that do not hold with both their figures."""
    links = run_rows.links(record)
    table = FittingTable(
        "Proof",
        [Field("Link"), Field("Expected", is_figure=True), Field("Found", is_figure=True), Field("")],
        caption="" if links else "no proof",
    )
    for link in links:
        broken = [check for check in link.checks if not check.holds]
        held = f"{len(link.checks) - len(broken)} of {len(link.checks)} hold"
        table.add(Text(link.name), "", Text(held), _tick(not broken))
        for check in broken:
            table.add(check.what, check.expected, check.found, _tick(False))
    return table


def runs_table(records: Sequence[dict[str, Any]]) -> FittingTable:
    """One row per run, in the order given."""
    table = FittingTable(
        "Runs",
        [
            Field("Run", is_whole=True),
            Field("Status", is_whole=True),
            Field("Started (UTC)", is_whole=True, spared=2),
            Field("Time", is_figure=True),
            Field("Generation", is_figure=True, spared=1),
            Field("Orders", is_figure=True, spared=2),
            Field("Revenue", is_figure=True),
        ],
        caption="" if records else "no runs yet",
    )
    for record in records:
        totals = record.get("totals") or {}
        generation = record.get("generation")
        table.add(
            record["run_id"],
            Text(record["status"], style=_STATUS_STYLES.get(record["status"], "")),
            f"{in_utc(record['started_at']):%Y-%m-%d %H:%M}",
            format_seconds(record.get("seconds")),
            DASH if generation is None else str(generation),
            format_count(totals.get("counting_orders")),
            format_money(totals.get("revenue")),
        )
    return table


def _tick(holds: bool) -> Text:
    return Text("✓", style="green") if holds else Text("✗", style="bold red")
