"""What is said of the run itself: the shop's figures, the ledger, the rules, the proof and the stages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopsight.audit.exact import exact_sum
from shopsight.errors import redact
from shopsight.record import Figure
from shopsight.report.charts import lengths, per_cent
from shopsight.report.figures import (
    DASH,
    divide_money,
    format_count,
    format_exact,
    format_moment,
    format_money,
    format_number,
    format_seconds,
    format_share,
)

Document = dict[str, Any]


@dataclass(frozen=True)
class Tile:
    """One of the shop's big figures."""

    value: str
    label: str


def tiles(record: Document) -> list[Tile]:
    """The shop's figures; what cannot be known (no orders, no reviews) is a dash."""
    totals: dict[str, Figure] = record["totals"]
    revenue, orders = totals.get("revenue"), totals.get("counting_orders")
    average = divide_money(Decimal(revenue), int(orders)) if revenue is not None and orders else None
    return [
        Tile(format_money(revenue), "revenue"),
        Tile(format_count(orders), "counting orders"),
        Tile(format_count(totals.get("customers")), "customers"),
        Tile(format_money(average), "average order value"),
        Tile(format_count(totals.get("units")), "units ordered"),
        Tile(format_number(average_rating(record)), "average rating"),
    ]


def average_rating(record: Document) -> Decimal | None:
    """The mean of all kept ratings, from the ledger's exact sum; None without reviews."""
    for table in record["ledger"]["tables"]:
        if table["table"] == "reviews" and table["rows_out"]:
            measure: Decimal | None = table["measure_out"]
            return None if measure is None else measure / table["rows_out"]
    return None


@dataclass(frozen=True)
class LedgerRow:
    """One table's rows, and the bar that shows what became of them."""

    table: str
    rows_in: str
    added: str
    rows_out: str
    merged: str
    rejected: str
    out_length: str
    merged_length: str
    rejected_length: str
    balances: bool


@dataclass(frozen=True)
class MeasureRow:
    """One table's measure: ``in + repaired = out + merged + rejected``."""

    table: str
    measure: str
    measure_in: str
    repaired: str
    measure_out: str
    merged: str
    rejected: str
    balances: bool


def rows_balance(table: Document) -> bool:
    """Whether every row of a table's ledger went somewhere."""
    went: int = table["rows_out"] + table["rejected"] + table["merged"]
    return bool(went == table["rows_in"] + table.get("added", 0))


def measure_balances(table: Document) -> bool:
    """Whether the table's measure is conserved to the cent."""
    went = exact_sum(table[f"measure_{fate}"] for fate in ("out", "rejected", "merged"))
    return went == exact_sum(table[f"measure_{origin}"] for origin in ("in", "repaired"))


def ledger_rows(record: Document) -> list[LedgerRow]:
    """One row per table, in the ledger's order."""
    rows = []
    for table in record["ledger"]["tables"]:
        whole = max(table["rows_in"] + table.get("added", 0), 1)
        rows.append(
            LedgerRow(
                table=table["table"],
                rows_in=format_count(table["rows_in"]),
                added=format_count(table.get("added", 0)),
                rows_out=format_count(table["rows_out"]),
                merged=format_count(table["merged"]),
                rejected=format_count(table["rejected"]),
                out_length=per_cent(table["rows_out"] / whole),
                merged_length=per_cent(table["merged"] / whole),
                rejected_length=per_cent(table["rejected"] / whole),
                balances=rows_balance(table),
            )
        )
    return rows


def format_measure(table: str, value: Decimal | int | None) -> str:
    """A measure as it reads: ratings are whole numbers, everything else is money."""
    if value is None:
        return DASH
    return format_count(value) if table == "reviews" and value == int(value) else format_money(value)


def measure_rows(record: Document) -> list[MeasureRow]:
    """One row per table that carries a measure."""
    return [
        MeasureRow(
            table=table["table"],
            measure=table["measure"],
            measure_in=format_measure(table["table"], table["measure_in"]),
            repaired=format_measure(table["table"], table["measure_repaired"]),
            measure_out=format_measure(table["table"], table["measure_out"]),
            merged=format_measure(table["table"], table["measure_merged"]),
            rejected=format_measure(table["table"], table["measure_rejected"]),
            balances=measure_balances(table),
        )
        for table in record["ledger"]["tables"]
        if table["measure"] is not None
    ]


@dataclass(frozen=True)
class RuleRow:
    """What one rule did."""

    rule: str
    action: str
    sentence: str
    rows: str
    share: str
    length: str
    measure: str


def rules_by_table(record: Document) -> dict[str, list[RuleRow]]:
    """By table, in the ledger's order: every rule that applied. Bars compare the rules of one table."""
    rows_in = {table["table"]: table["rows_in"] for table in record["ledger"]["tables"]}
    grouped: dict[str, list[Document]] = {}
    for rule in record["ledger"]["rules"]:
        grouped.setdefault(rule["table"], []).append(rule)
    return {table: _rule_rows(rules, rows_in.get(table)) for table, rules in grouped.items()}


def _rule_rows(rules: list[Document], rows_in: int | None) -> list[RuleRow]:
    return [
        RuleRow(
            rule=rule["rule"],
            action=rule["action"],
            sentence=rule["sentence"],
            rows=format_count(rule["rows"]),
            share=format_share(rule["rows"] / rows_in) if rows_in else DASH,
            length=length,
            measure=format_measure(rule["table"], rule["measure"]),
        )
        for rule, length in zip(rules, lengths([rule["rows"] for rule in rules]), strict=True)
    ]


@dataclass(frozen=True)
class CheckRow:
    """One equality."""

    what: str
    expected: str
    found: str
    holds: bool


@dataclass(frozen=True)
class LinkView:
    """One link of the proof."""

    name: str
    seconds: str
    checks: list[CheckRow]

    @property
    def holding(self) -> int:
        """How many of its equalities hold."""
        return sum(check.holds for check in self.checks)

    @property
    def holds(self) -> bool:
        """Whether all of them do."""
        return self.holding == len(self.checks)


def links(record: Document) -> list[LinkView]:
    """The proof, link by link; every figure with all its digits."""
    return [
        LinkView(
            name=link["name"],
            seconds=format_seconds(link["seconds"]),
            checks=[
                CheckRow(
                    check["what"],
                    format_exact(check["expected"]),
                    format_exact(check["found"]),
                    check["holds"],
                )
                for check in link["checks"]
            ],
        )
        for link in record["proof"]
    ]


@dataclass(frozen=True)
class StageRow:
    """One stage; its bar begins where the stages before it ended."""

    name: str
    outcome: str
    rows_in: str
    rows_out: str
    rejected: str
    seconds: str
    rate: str
    memory: str
    left: str
    width: str


def stage_rows(record: Document) -> list[StageRow]:
    """One row per stage, in the order they ran."""
    stages = record["stages"]
    whole = sum(stage["seconds"] for stage in stages) or 1.0
    rows, before = [], 0.0
    for stage in stages:
        rows.append(
            StageRow(
                name=stage["name"],
                outcome=stage["outcome"],
                rows_in=format_count(stage["rows_in"]),
                rows_out=format_count(stage["rows_out"]),
                rejected=format_count(stage["rejected"]),
                seconds=format_seconds(stage["seconds"]),
                rate=format_rate(stage),
                memory=format_memory(stage.get("peak_memory_bytes")),
                left=per_cent(before / whole),
                width=per_cent(stage["seconds"] / whole),
            )
        )
        before += stage["seconds"]
    return rows


def format_rate(stage: Document) -> str:
    """Rows a second: those that entered, or those that left when none did; a kept stage has no speed."""
    rows = stage["rows_in"] or stage["rows_out"]
    if not rows or not stage["seconds"] or stage["outcome"] != "done":
        return DASH
    return format_count(round(rows / stage["seconds"]))


def format_memory(size: int | None) -> str:
    """Bytes as whole MB (a million bytes); a dash for what is not known."""
    return DASH if size is None else f"{format_count(round(size / 1e6))} MB"


def run_facts(record: Document) -> list[tuple[str, str]]:
    """What identifies the run, as names and values."""
    return [
        ("Run", record["run_id"]),
        ("Status", record["status"]),
        ("Started", format_moment(record["started_at"])),
        ("Ended", format_moment(record["ended_at"])),
        ("Took", format_seconds(record["seconds"])),
        ("Generation", DASH if record["generation"] is None else str(record["generation"])),
        ("Fresh until", format_moment(record["valid_until"])),
    ]


def source_facts(record: Document) -> list[tuple[str, str]]:
    """Where the data came from, without credentials; nothing when no snapshot was taken."""
    snapshot = record["snapshot"]
    if snapshot is None:
        return []
    return [
        ("Data as of", format_moment(snapshot["as_of"])),
        ("Snapshot", snapshot["snapshot_id"]),
        ("Address", redact(snapshot["source"])),
        ("Schema", snapshot["schema"] or "the connection's own"),
        ("Database", f"{snapshot['dialect']} {snapshot['server_version']}"),
    ]
