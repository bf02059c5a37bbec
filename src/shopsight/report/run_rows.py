"""The run's own figures as text: its totals, ledger, rules, proof and stages.

The page, the terminal and Prefect's tables show these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopsight.audit.exact import exact_sum
from shopsight.record import Link
from shopsight.report.formatting import (
    DASH,
    divide_money,
    format_count,
    format_exact,
    format_money,
    format_number,
    format_seconds,
    format_share,
)
from shopsight.report.geometry import per_cent

Document = dict[str, Any]


@dataclass(frozen=True)
class Tile:
    """One of the shop's totals."""

    value: str
    label: str


def tiles(record: Document) -> list[Tile]:
    """The shop's totals; a dash for what is not known, such as an average of no orders."""
    totals = record["totals"]
    revenue, orders = totals.get("revenue"), totals.get("counting_orders")
    average = divide_money(Decimal(revenue), int(orders)) if revenue is not None and orders else None
    return [
        Tile(format_money(revenue), "revenue"),
        Tile(format_count(orders), "counting orders"),
        Tile(format_count(totals.get("customers")), "customers"),
        Tile(format_money(average), "average order value"),
        Tile(format_count(totals.get("units")), "units ordered"),
        Tile(format_number(_average_rating(record)), "average rating"),
    ]


def _average_rating(record: Document) -> Decimal | None:
    """The mean of all kept ratings, from the ledger's exact sum; None without reviews."""
    for table in record["ledger"]["tables"]:
        if table["table"] == "reviews" and table["rows_out"] and table["measure_out"] is not None:
            return Decimal(table["measure_out"]) / int(table["rows_out"])
    return None


@dataclass(frozen=True)
class LedgerRow:
    """One table's rows, ``in + added = out + merged + rejected``, and these three as shares of all."""

    table: str
    rows_in: str
    added: str
    rows_out: str
    merged: str
    rejected: str
    shares: dict[str, str]
    balances: bool


def ledger_rows(record: Document) -> list[LedgerRow]:
    """One row per table, in the ledger's order."""
    rows = []
    for table in record["ledger"]["tables"]:
        whole = table["rows_in"] + table.get("added", 0)
        went = {"kept": table["rows_out"], "merged": table["merged"], "rejected": table["rejected"]}
        rows.append(
            LedgerRow(
                table=table["table"],
                rows_in=format_count(table["rows_in"]),
                added=format_count(table.get("added", 0)),
                rows_out=format_count(table["rows_out"]),
                merged=format_count(table["merged"]),
                rejected=format_count(table["rejected"]),
                shares={outcome: per_cent(count / max(whole, 1)) for outcome, count in went.items()},
                balances=bool(whole == sum(went.values())),
            )
        )
    return rows


@dataclass(frozen=True)
class MeasureRow:
    """One table's amount: ``in + repaired = out + merged + rejected``."""

    table: str
    measure: str
    measure_in: str
    repaired: str
    measure_out: str
    merged: str
    rejected: str
    balances: bool


def measure_rows(record: Document) -> list[MeasureRow]:
    """One row per table that has an amount."""
    rows = []
    for table in record["ledger"]["tables"]:
        if table["measure"] is None:
            continue
        amounts = [table[f"measure_{part}"] for part in ("in", "repaired", "out", "merged", "rejected")]
        came_in, repaired, out, merged, rejected = (format_measure(table["table"], x) for x in amounts)
        balances = exact_sum(amounts[:2]) == exact_sum(amounts[2:])
        rows.append(
            MeasureRow(table["table"], table["measure"], came_in, repaired, out, merged, rejected, balances)
        )
    return rows


def format_measure(table: str, value: Decimal | int | None) -> str:
    """A table's amount: a sum of ratings is a whole number, the others are money."""
    is_count = table == "reviews" and value is not None and value == int(value)
    return format_count(value) if is_count else format_money(value)


@dataclass(frozen=True)
class RuleRow:
    """The effect of one rule; ``length`` is its rows as a share of the table's."""

    rule: str
    action: str
    sentence: str
    rows: str
    share: str
    length: str
    measure: str


def rules_by_table(record: Document) -> dict[str, list[RuleRow]]:
    """Every rule that applied, by table, in the ledger's order."""
    rows_in = {table["table"]: table["rows_in"] for table in record["ledger"]["tables"]}
    grouped: dict[str, list[RuleRow]] = {}
    for rule in record["ledger"]["rules"]:
        whole = rows_in.get(rule["table"])
        share = rule["rows"] / whole if whole else None
        grouped.setdefault(rule["table"], []).append(
            RuleRow(
                rule["rule"],
                rule["action"],
                rule["sentence"],
                format_count(rule["rows"]),
                format_share(share),
                per_cent(share or 0.0),
                format_measure(rule["table"], rule["measure"]),
            )
        )
    return grouped


@dataclass(frozen=True)
class LinkRow:
    """One link of the proof.

    Attributes:
        equalities: how many were checked.
        subjects: what they are about: table, mart or collection, how many equalities, how many broken.
        broken: those that do not hold: what, expected and found, with all digits.
    """

    name: str
    seconds: str
    equalities: int
    subjects: list[tuple[str, int, int]]
    broken: list[tuple[str, str, str]]


def links(record: Document) -> list[LinkRow]:
    """The proof, link by link."""
    rows = []
    for document in record["proof"]:
        link = Link.from_document(document)
        broken = Link.of(link.name, link.broken).compared
        rows.append(
            LinkRow(
                link.name,
                format_seconds(link.seconds),
                link.equalities,
                [(what, count, broken.get(what, 0)) for what, count in link.compared.items()],
                [(c.what, format_exact(c.expected), format_exact(c.found)) for c in link.broken],
            )
        )
    return rows


@dataclass(frozen=True)
class StageRow:
    """One stage; its bar begins (``left``) where the stages before it ended."""

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
    whole = sum(stage["seconds"] for stage in record["stages"]) or 1.0
    rows, before = [], 0.0
    for stage in record["stages"]:
        memory = stage.get("peak_memory_bytes")
        rows.append(
            StageRow(
                stage["name"],
                stage["outcome"],
                format_count(stage["rows_in"]),
                format_count(stage["rows_out"]),
                format_count(stage["rejected"]),
                format_seconds(stage["seconds"]),
                _rate(stage),
                DASH if memory is None else f"{format_count(round(memory / 1e6))} MB",
                per_cent(before / whole),
                per_cent(stage["seconds"] / whole),
            )
        )
        before += stage["seconds"]
    return rows


def _rate(stage: Document) -> str:
    """Rows a second: those that entered, or else those that left. A stage that did not run has no speed."""
    rows = stage["rows_in"] or stage["rows_out"]
    if not rows or not stage["seconds"] or stage["outcome"] != "done":
        return DASH
    return format_count(round(rows / stage["seconds"]))
