"""The ledger: what became of every row, value and cent of one run.

Read from the files that cleaning left, not from cleaning's own counters: a row that cleaning lost is missing
here too, and the proof finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from shopsight.audit.control_totals import (
    Totals,
    is_native,
    totals_as_read,
    totals_as_sent,
    totals_of_repairs,
)
from shopsight.audit.exact import EXACT, exact_sum
from shopsight.audit.parquet import read_batches, sum_column
from shopsight.contract import TABLES, Kind, Table
from shopsight.record import Ledger, RuleLedger, TableLedger


@dataclass(frozen=True)
class TableTotals:
    """The control totals of one table at every station of a run.

    Attributes:
        sent: raw, every column as the database sent it.
        raw: raw, typed columns as the numbers that stand there.
        clean: what was kept.
        rejected: what was set aside, as it was read.
        merged: what was folded into another row, as it was read.
        repairs: what recorded repairs added.
    """

    sent: Totals
    raw: Totals
    clean: Totals
    rejected: Totals
    merged: Totals
    repairs: Totals


def read_totals(root: Path, *, is_ascii: bool = False, time_zone: str = "UTC") -> dict[str, TableTotals]:
    """The control totals of every table of the run whose directory is ``root``, by table.

    Args:
        root: a run's directory with ``raw``, ``clean`` and ``rejected``.
        is_ascii: whether the source counts only the ASCII characters of texts.
        time_zone: the shop's.
    """

    def of_table(table: Table) -> TableTotals:
        raw, rejected = root / "raw" / table.name, root / "rejected"
        sent = totals_as_sent(raw, table, is_ascii=is_ascii)
        return TableTotals(
            sent,
            sent if is_native(raw, table) and not is_ascii else totals_as_read(raw, table, time_zone),
            totals_as_read(root / "clean" / table.name, table),
            totals_as_read(rejected / table.name, table, time_zone),
            totals_as_read(rejected / "merged" / table.name, table, time_zone),
            totals_of_repairs(rejected / "repairs" / table.name, table),
        )

    # NumPy and Arrow let go of the interpreter while they work.
    with ThreadPoolExecutor(2, thread_name_prefix="audit") as pool:
        largest_first = sorted(TABLES.values(), key=lambda table: table.measure is None)
        totals = dict(zip((t.name for t in largest_first), pool.map(of_table, largest_first), strict=True))
    return {name: totals[name] for name in TABLES}


def build_ledger(
    root: Path, sentences: Mapping[str, tuple[str, str]], totals: Mapping[str, TableTotals]
) -> Ledger:
    """The ledger of the run whose directory is ``root``.

    Args:
        root: a run's directory with ``rejected``.
        sentences: by rule id, the rule's action and sentence.
        totals: by table, what :func:`read_totals` gives.

    Returns:
        One entry per table in the contract's order, and one per rule that applied, in the same order and
        then by rule id.
    """
    tables, rules = [], []
    for table in TABLES.values():
        tables.append(_table_ledger(root / "rejected", table, totals[table.name]))
        for rule, (rows, measure) in sorted(_rules_of(root / "rejected", table.name).items()):
            action, sentence = sentences[rule]
            rules.append(RuleLedger(rule, table.name, action, sentence, rows, measure))
    return Ledger(tables, rules)


def _table_ledger(rejected: Path, table: Table, totals: TableTotals) -> TableLedger:
    ledger = TableLedger(
        table.name,
        rows_in=totals.raw["", "rows"],
        rows_out=totals.clean["", "rows"],
        rejected=totals.rejected["", "rows"],
        merged=totals.merged["", "rows"],
        added=totals.repairs["", "rows"],
    )
    if table.measure is None:
        return ledger
    return replace(
        ledger,
        measure=table.measure,
        measure_in=_amount(table, totals.raw["", "measure"]),
        measure_out=_amount(table, totals.clean["", "measure"]),
        measure_rejected=exact_sum([sum_column(rejected / table.name, "measure")]),
        measure_merged=exact_sum([sum_column(rejected / "merged" / table.name, "measure")]),
        measure_repaired=exact_sum([sum_column(rejected / "repairs" / table.name, "measure_change")]),
    )


def _amount(table: Table, units: int) -> Decimal:
    """A measure given in cents, or in pieces where there is no money in it."""
    has_money = any(column.kind is Kind.MONEY for column in table.columns)
    return EXACT.scaleb(Decimal(units), -2) if has_money else Decimal(units)


def _rules_of(rejected: Path, table: str) -> dict[str, tuple[int, Decimal | None]]:
    """By rule: how many rows it touched and the measure they carry."""
    found: dict[str, tuple[int, Decimal | None]] = {}
    for folder, measure in (
        (rejected / table, "measure"),
        (rejected / "merged" / table, "measure"),
        (rejected / "repairs" / table, "measure_change"),
    ):
        for batch in read_batches(folder, ["rule", measure]):
            groups = pa.Table.from_batches([batch]).group_by("rule")
            for row in groups.aggregate([("rule", "count"), (measure, "sum")]).to_pylist():
                _add(found, row["rule"], row["rule_count"], row[f"{measure}_sum"])
    for batch in read_batches(rejected / "flags" / table, ["rule", "rows", "measure"]):
        for row in batch.to_pylist():
            _add(found, row["rule"], row["rows"], row["measure"])
    return found


def _add(found: dict[str, tuple[int, Decimal | None]], rule: str, rows: int, measure: Decimal | None) -> None:
    before, carried = found.get(rule, (0, None))
    total = carried if measure is None else exact_sum([measure, carried])
    found[rule] = (before + rows, total)
