"""What a rule is, and how a table's rules make of its rows what is kept, set aside, folded and written down.

A table's function brings its rows to one wide frame, the *judged* rows: every column clean under its own name
and untouched as ``raw_<column>``, beside whatever its rules look at. All that leaves is a filter of that one
frame, so that an engine works it out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import narwhals as nw

from shopsight.clean.parse import completed, raw_name
from shopsight.clean.policy import CleaningPolicy
from shopsight.contract import Table
from shopsight.engine.protocol import Frame

#: What a measure is in every file of the ledger.
MEASURE = nw.Decimal(38, 2)

Predicate = Callable[[CleaningPolicy], nw.Expr]


class Action(StrEnum):
    """What a rule does.

    *repair* changes a value and says so; *flag* keeps the row and counts it; *merge* folds a row into
    another; *reject* sets the row aside, whole.
    """

    REPAIR = "repair"
    FLAG = "flag"
    MERGE = "merge"
    REJECT = "reject"


class Phase(StrEnum):
    """When a rejection can be decided.

    ``ROW``: from the row and its parents. ``GROUP``: from sound rows beside it, so after those. ``REASON``:
    it names, for a row that another rule rejects, a nearer cause.
    """

    ROW = "row"
    GROUP = "group"
    REASON = "reason"


@dataclass(frozen=True)
class Rule:
    """One rule of cleaning.

    Attributes:
        id: ``<table>.<name>``.
        table: the table whose rows it looks at.
        action: what it does.
        sentence: what it says to people.
        predicate: on which of the judged rows it applies (null counts as no); None where no single row
            shows it.
        phase: for rejections.
        column: for repairs, the column that changes.
        changes_measure: for repairs, whether the table's measure changes with it.
    """

    id: str
    table: str
    action: Action
    sentence: str
    predicate: Predicate | None = None
    phase: Phase = Phase.ROW
    column: str | None = None
    changes_measure: bool = False


@dataclass(frozen=True)
class Cleaned:
    """What became of one table's rows.

    Attributes:
        kept: the contract's columns in its types.
        rejected: the raw columns, ``rule`` and ``measure``.
        repairs: ``table``, ``key``, ``rule``, ``column``, ``old_value``, ``new_value``, ``measure_change``.
        merged: ``table``, ``key``, ``into_key``, ``rule``, ``measure``.
        flags: ``table``, ``rule``, ``rows``, ``measure``; one row per rule that applied, to be summed over
            the parts in which a table is cleaned.
    """

    kept: Frame
    rejected: Frame
    repairs: Frame
    merged: Frame
    flags: Frame


def any_applies(rules: Iterable[Rule], policy: CleaningPolicy) -> nw.Expr:
    """Whether at least one of the rules applies to the row."""
    predicates = [rule.predicate(policy) for rule in rules if rule.predicate is not None]
    return nw.any_horizontal(nw.lit(False), *predicates, ignore_nulls=True)


def with_soundness(rows: Frame, rules: Sequence[Rule], policy: CleaningPolicy) -> Frame:
    """The rows with ``is_sound``: no rule rejects them for what they and their parents are."""
    rejecting = [rule for rule in rules if rule.action is Action.REJECT and rule.phase is Phase.ROW]
    return rows.with_columns(is_sound=~any_applies(rejecting, policy))


def with_fate(rows: Frame, rules: Sequence[Rule], policy: CleaningPolicy) -> Frame:
    """The sound rows' fates: ``is_kept``, ``is_merged``; a row that is neither is rejected.

    Args:
        rows: judged, with all that the table's GROUP and MERGE rules look at.
        rules: the table's.
        policy: the shop's.
    """
    rivals = [rule for rule in rules if rule.action is Action.REJECT and rule.phase is Phase.GROUP]
    merging = [rule for rule in rules if rule.action is Action.MERGE]
    rows = rows.with_columns(
        stands=nw.col("is_sound") & ~any_applies(rivals, policy), folds=any_applies(merging, policy)
    )
    return rows.with_columns(
        is_kept=nw.col("stands") & ~nw.col("folds"), is_merged=nw.col("stands") & nw.col("folds")
    ).drop("stands", "folds")


def outcome(
    rows: Frame,
    table: Table,
    rules: Sequence[Rule],
    policy: CleaningPolicy,
    *,
    kept: Sequence[str] = (),
    with_reasons: Callable[[Frame], Frame] | None = None,
) -> Cleaned:
    """What the rules make of the rows.

    Args:
        rows: judged, with fates, ``measure`` (what the row carries as it was read) and ``clean_measure``
            (what it carries when kept), and, where a rule merges, ``into_key``.
        table: their table.
        rules: the table's; the first rejection in this order names a rejected row.
        policy: the shop's.
        kept: columns of the clean table beside the contract's.
        with_reasons: adds to rejected rows the columns that REASON rules look at.
    """
    rejected = rows.filter(~nw.col("is_kept") & ~nw.col("is_merged"))
    if with_reasons is not None:
        rejected = with_reasons(rejected)
    by_action = {action: [rule for rule in rules if rule.action is action] for action in Action}
    return Cleaned(
        kept=rows.filter(nw.col("is_kept")).select(*table.column_names, *kept),
        rejected=rejected.select(
            *(nw.col(raw_name(name)).alias(name) for name in table.column_names),
            _first_that_applies(by_action[Action.REJECT], policy).alias("rule"),
            "measure",
        ),
        repairs=nw.concat([_repairs(rows, table, rule, policy) for rule in by_action[Action.REPAIR]]),
        merged=nw.concat([_merged(rows, table, rule, policy) for rule in by_action[Action.MERGE]]),
        flags=flags(rows, by_action[Action.FLAG], policy, table),
    )


def flags(rows: Frame, rules: Sequence[Rule], policy: CleaningPolicy, table: Table) -> Frame:
    """How many kept rows each flag applies to, and what they carry; rules that apply to none are left out.

    Grain: one row per rule.

    Args:
        rows: with ``is_kept`` and ``clean_measure``.
        rules: the flags among the table's rules; with none, the frame is empty.
        policy: the shop's.
        table: the table.
    """
    measure = nw.lit(None) if table.measure is None else nw.col("measure")
    counted = [_flagged(rows, rule.id, any_applies([rule], policy), measure) for rule in rules]
    counted = counted or [_flagged(rows, "", nw.lit(False), measure)]
    return (
        nw.concat(counted)
        .filter(nw.col("rows") > 0)
        .select(nw.lit(table.name).alias("table"), "rule", "rows", "measure")
    )


def _flagged(rows: Frame, rule_id: str, applies: nw.Expr, measure: nw.Expr) -> Frame:
    return (
        rows.filter(nw.col("is_kept") & applies)
        .select(nw.len().cast(nw.Int64).alias("rows"), nw.col("clean_measure").sum().alias("measure"))
        .with_columns(nw.lit(rule_id).alias("rule"), measure.cast(MEASURE).alias("measure"))
    )


def _first_that_applies(rules: Sequence[Rule], policy: CleaningPolicy) -> nw.Expr:
    name: nw.Expr = nw.lit(None, dtype=nw.String)
    for rule in reversed(rules):
        name = nw.when(any_applies([rule], policy)).then(nw.lit(rule.id)).otherwise(name)
    return name


def _repairs(rows: Frame, table: Table, rule: Rule, policy: CleaningPolicy) -> Frame:
    if rule.column is None:
        raise ValueError(f"{rule.id} is a repair and names no column")
    change = nw.lit(None)
    if rule.changes_measure:
        change = nw.col("clean_measure") - nw.col("measure").fill_null(0)
    return rows.filter(nw.col("is_kept") & any_applies([rule], policy)).select(
        nw.lit(table.name).alias("table"),
        nw.col(table.key).alias("key"),
        nw.lit(rule.id).alias("rule"),
        nw.lit(rule.column).alias("column"),
        nw.col(raw_name(rule.column)).cast(nw.String).alias("old_value"),
        nw.col(rule.column).cast(nw.String).alias("new_value"),
        change.cast(MEASURE).alias("measure_change"),
    )


def _merged(rows: Frame, table: Table, rule: Rule, policy: CleaningPolicy) -> Frame:
    return rows.filter(nw.col("is_merged") & any_applies([rule], policy)).select(
        nw.lit(table.name).alias("table"),
        nw.col(table.key).alias("key"),
        nw.col("into_key"),
        nw.lit(rule.id).alias("rule"),
        "measure",
    )


def measured(rows: Frame, table: Table, measure: nw.Expr | None = None) -> Frame:
    """The completed rows with ``measure`` and ``clean_measure``, the same; null where there is none."""
    expression = nw.lit(None) if measure is None else measure
    return completed(rows, table).with_columns(
        measure=expression.cast(MEASURE), clean_measure=expression.cast(MEASURE)
    )


def common_rules(table: Table) -> tuple[Rule, ...]:
    """The rules that every table has, under its own name; rejections first."""
    return (
        Rule(
            f"{table.name}.key_missing",
            table.name,
            Action.REJECT,
            f"A row without {table.key}.",
            lambda _: nw.col(table.key).is_null() & ~nw.col("is_unreadable"),
        ),
        Rule(
            f"{table.name}.unreadable_value",
            table.name,
            Action.REJECT,
            "A key, a number, an amount or a date that cannot be read as one.",
            lambda _: nw.col("is_unreadable"),
        ),
        Rule(
            f"{table.name}.duplicate_key",
            table.name,
            Action.REJECT,
            f"Another row with this {table.key} says something else and is kept.",
            lambda _: nw.col("is_conflict"),
            phase=Phase.GROUP,
        ),
        Rule(
            f"{table.name}.identical_row",
            table.name,
            Action.MERGE,
            f"Another row with this {table.key} says the same and is kept.",
            lambda _: nw.col("is_identical"),
        ),
    )
