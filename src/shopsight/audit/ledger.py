"""The ledger: what became of every row and every cent of one run.

Read from the files that cleaning left, not from cleaning's own counters, so that a row which cleaning lost is
missing here too and the proof finds it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.control_totals import raw_measure
from shopsight.audit.exact import exact_sum
from shopsight.audit.parquet import count_rows, read_batches, sum_column
from shopsight.contract import TABLES, Table
from shopsight.record import Ledger, RuleLedger, TableLedger

ZERO = Decimal("0.00")


def build_ledger(root: Path, sentences: dict[str, tuple[str, str]]) -> Ledger:
    """The ledger of the run whose directory is ``root``.

    Args:
        root: a run's directory with ``raw``, ``clean`` and ``rejected``.
        sentences: by rule id, the rule's action and sentence.

    Returns:
        One entry per table in the contract's order, and one per rule that applied, in the same order and
        then by rule id.
    """
    tables, rules = [], []
    for table in TABLES.values():
        applied = _rules_of(root / "rejected", table.name)
        tables.append(_table_ledger(root, table))
        for rule, (rows, measure) in sorted(applied.items()):
            action, sentence = sentences[rule]
            rules.append(RuleLedger(rule, table.name, action, sentence, rows, measure))
    return Ledger(tables, rules)


def _table_ledger(root: Path, table: Table) -> TableLedger:
    rejected, merged = root / "rejected" / table.name, root / "rejected" / "merged" / table.name
    repairs = root / "rejected" / "repairs" / table.name
    ledger = TableLedger(
        table.name,
        rows_in=count_rows(root / "raw" / table.name),
        rows_out=count_rows(root / "clean" / table.name),
        rejected=count_rows(rejected),
        merged=count_rows(merged),
        added=_count_added(repairs),
    )
    if table.measure is None:
        return ledger
    return replace(
        ledger,
        measure=table.measure,
        measure_in=raw_measure(table.name, root / "raw" / table.name) or ZERO,
        measure_out=raw_measure(table.name, root / "clean" / table.name) or ZERO,
        measure_rejected=exact_sum([sum_column(rejected, "measure")]),
        measure_merged=exact_sum([sum_column(merged, "measure")]),
        measure_repaired=exact_sum([sum_column(repairs, "measure_change")]),
    )


def _count_added(repairs: Path) -> int:
    """Rows that cleaning made itself: repairs of a key that the raw table does not hold."""
    added = 0
    for batch in read_batches(repairs, ["rule"]):
        added += pc.sum(pc.ends_with(batch.column(0), "_added")).as_py() or 0
    return added


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
