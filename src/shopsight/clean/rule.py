"""Rules, and how a table's rules split its rows into kept, rejected and merged ones.

A table's module brings its rows to one wide frame: every column clean under its own name and untouched as
``raw_<column>``, beside the columns that rules look at. All outputs are filters of that one frame, so that an
engine works it out once. These columns are there for every table:

====================================  =========================================================
``raw_<column>``                      the value as it came (:mod:`shopsight.clean.parse`)
``is_unreadable``                     a value of the row cannot be read (same)
``is_<amount>_rounded``               the amount had more than two decimals (same)
``measure``, ``clean_measure``        what the row adds to its table's measure, as read and if kept
``is_sound``                          no rule rejects the row on its own (:func:`check_rows`)
``is_identical``, ``is_conflict``     another row of this key is kept (:mod:`shopsight.clean.duplicates`)
====================================  =========================================================

Each table's ``evaluate`` function lists the columns that it adds to these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import narwhals as nw
from narwhals import col

from shopsight.clean.parse import completed, raw_name
from shopsight.clean.policy import CleaningPolicy
from shopsight.contract import Table
from shopsight.engine.protocol import Frame, cache

#: The type of a measure in every file.
MEASURE = nw.Decimal(38, 2)

#: When a rule applies (null counts as no); a function if that depends on the policy.
Condition = nw.Expr | Callable[[CleaningPolicy], nw.Expr]


class Action(StrEnum):
    """The effect of a rule.

    *repair* changes a value and records it; *flag* keeps the row and counts it; *merge* folds a row into
    another; *reject* sets the whole row aside.
    """

    REPAIR = "repair"
    FLAG = "flag"
    MERGE = "merge"
    REJECT = "reject"


class Phase(StrEnum):
    """The moment at which a rejection is decided.

    ``ROW``: from the row and its parents. ``GROUP``: from other sound rows, so after those. ``REASON``: the
    rule rejects nothing, and names a nearer cause for a row that another rule rejects.
    """

    ROW = "row"
    GROUP = "group"
    REASON = "reason"


@dataclass(frozen=True)
class Rule:
    """One rule of cleaning; made with :func:`reject`, :func:`repair`, :func:`flag` or :func:`merge`.

    Attributes:
        name: unique within the table.
        action: what it does.
        sentence: its description for readers.
        when: on which rows it applies; None where no single row shows it.
        phase: for rejections.
        column: for repairs, the column that changes.
        changes_measure: for repairs, whether the table's measure changes with it.
        table: whose rows it looks at; set by :func:`table_rules`.
    """

    name: str
    action: Action
    sentence: str
    when: Condition | None
    phase: Phase = Phase.ROW
    column: str | None = None
    changes_measure: bool = False
    table: str = ""

    @property
    def id(self) -> str:
        """``<table>.<name>``."""
        return f"{self.table}.{self.name}"


def reject(name: str, sentence: str, *, when: Condition, phase: Phase = Phase.ROW) -> Rule:
    """A rule that sets rows aside."""
    return Rule(name, Action.REJECT, sentence, when, phase=phase)


def repair(
    name: str, sentence: str, *, column: str, when: Condition | None, changes_measure: bool = False
) -> Rule:
    """A rule that records why a column's value changed."""
    return Rule(name, Action.REPAIR, sentence, when, column=column, changes_measure=changes_measure)


def flag(name: str, sentence: str, *, when: Condition) -> Rule:
    """A rule that counts kept rows."""
    return Rule(name, Action.FLAG, sentence, when)


def merge(name: str, sentence: str, *, when: Condition) -> Rule:
    """A rule that folds rows into others."""
    return Rule(name, Action.MERGE, sentence, when)


def table_rules(table: Table, *rules: Rule, nearer: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """A table's rules: ``nearer``, which name causes of unreadable values, the common ones, then its own."""
    common = (
        reject(
            "unreadable_value",
            "A key, number, amount or date that cannot be read.",
            when=col("is_unreadable"),
        ),
        reject("key_missing", f"A row without {table.key}.", when=col(table.key).is_null()),
        reject(
            "duplicate_key",
            f"Another row with this {table.key} has other values and is kept.",
            when=col("is_conflict"),
            phase=Phase.GROUP,
        ),
        merge(
            "identical_row",
            f"Another row with this {table.key} has the same values and is kept.",
            when=col("is_identical"),
        ),
    )
    return tuple(replace(rule, table=table.name) for rule in (*nearer, *common, *rules))


@dataclass(frozen=True)
class Cleaned:
    """One table's rows after cleaning.

    Attributes:
        kept: the contract's columns in its types.
        rejected: the raw columns, ``rule`` and ``measure``.
        repairs: ``table``, ``key``, ``rule``, ``column``, ``old_value``, ``new_value``, ``measure_change``.
        merged: ``table``, ``key``, ``into_key``, ``rule``, ``measure``, and the raw columns.
        flags: ``table``, ``rule``, ``rows``, ``measure``; one row per rule that applied, to be summed over
            the parts in which a table is cleaned.
    """

    kept: Frame
    rejected: Frame
    repairs: Frame
    merged: Frame
    flags: Frame


def check_rows(
    rows: Frame,
    table: Table,
    rules: Iterable[Rule],
    policy: CleaningPolicy,
    measure: nw.Expr | None = None,
) -> Frame:
    """The rows with the columns that every table has, except those about duplicates.

    Args:
        rows: as read, with the columns that the table's ROW rules look at.
        table: their table.
        rules: the table's.
        policy: the shop's.
        measure: what a row adds to the table's measure; None for a table without one.
    """
    carried = (nw.lit(None) if measure is None else measure).cast(MEASURE)
    rows = completed(rows, table).with_columns(measure=carried, clean_measure=carried)
    rejecting = [rule for rule in rules if rule.action is Action.REJECT and rule.phase is Phase.ROW]
    return rows.with_columns(is_sound=~_any_applies(rejecting, policy))


def split_rows(
    rows: Frame,
    table: Table,
    rules: Sequence[Rule],
    policy: CleaningPolicy,
    *,
    merged_into: nw.Expr | None = None,
    more_columns: Sequence[str] = (),
    add_reasons: Callable[[Frame], Frame] = lambda rejected: rejected,
) -> Cleaned:
    """Split the rows: each is kept, merged or rejected.

    Args:
        rows: checked, with all columns that the table's rules look at.
        table: their table.
        rules: the table's; the first rejection in this order names a rejected row.
        policy: the shop's.
        merged_into: the key that a merged row goes into; its own key if not given.
        more_columns: columns of the clean table beside the contract's.
        add_reasons: adds to rejected rows the columns that REASON rules look at.
    """
    rows = cache(assign_outcome(rows, rules, policy))
    rejected = add_reasons(rows.filter(~col("is_kept") & ~col("is_merged")))
    by_action = {action: [rule for rule in rules if rule.action is action] for action in Action}
    into_key = col(table.key) if merged_into is None else merged_into
    return Cleaned(
        kept=rows.filter(col("is_kept")).select(*table.column_names, *more_columns),
        rejected=rejected.select(
            *(col(raw_name(name)).alias(name) for name in table.column_names),
            _first_that_applies(by_action[Action.REJECT], policy).alias("rule"),
            "measure",
        ),
        repairs=nw.concat([_repairs(rows, table, rule, policy) for rule in by_action[Action.REPAIR]]),
        merged=nw.concat([_merged(rows, table, rule, policy, into_key) for rule in by_action[Action.MERGE]]),
        flags=count_flags(rows, table, by_action[Action.FLAG], policy),
    )


def assign_outcome(rows: Frame, rules: Sequence[Rule], policy: CleaningPolicy) -> Frame:
    """The checked rows with ``is_kept`` and ``is_merged``; a row that is neither is rejected."""
    rejecting = [rule for rule in rules if rule.action is Action.REJECT and rule.phase is Phase.GROUP]
    merging = [rule for rule in rules if rule.action is Action.MERGE]
    rows = rows.with_columns(
        passes=col("is_sound") & ~_any_applies(rejecting, policy), is_merging=_any_applies(merging, policy)
    )
    return rows.with_columns(
        is_kept=col("passes") & ~col("is_merging"), is_merged=col("passes") & col("is_merging")
    ).drop("passes", "is_merging")


def count_flags(rows: Frame, table: Table, rules: Sequence[Rule], policy: CleaningPolicy) -> Frame:
    """How many kept rows each flag applies to, and their measure; flags that apply to no row are left out.

    Args:
        rows: with ``is_kept`` and ``clean_measure``.
        table: their table.
        rules: the table's flags; without any, the frame is empty.
        policy: the shop's.
    """
    measure = nw.lit(None) if table.measure is None else col("measure")
    counted = [_flagged(rows, rule.id, _any_applies([rule], policy), measure) for rule in rules]
    counted = counted or [_flagged(rows, "", nw.lit(False), measure)]
    return (
        nw.concat(counted)
        .filter(col("rows") > 0)
        .select(nw.lit(table.name).alias("table"), "rule", "rows", "measure")
    )


def _any_applies(rules: Iterable[Rule], policy: CleaningPolicy) -> nw.Expr:
    conditions = [
        rule.when if isinstance(rule.when, nw.Expr) else rule.when(policy)
        for rule in rules
        if rule.when is not None
    ]
    return nw.any_horizontal(nw.lit(False), *conditions, ignore_nulls=True)


def _flagged(rows: Frame, rule_id: str, applies: nw.Expr, measure: nw.Expr) -> Frame:
    return (
        rows.filter(col("is_kept") & applies)
        .select(nw.len().cast(nw.Int64).alias("rows"), col("clean_measure").sum().alias("measure"))
        .with_columns(nw.lit(rule_id).alias("rule"), measure.cast(MEASURE).alias("measure"))
    )


def _first_that_applies(rules: Sequence[Rule], policy: CleaningPolicy) -> nw.Expr:
    rule_id: nw.Expr = nw.lit(None, dtype=nw.String)
    for rule in reversed(rules):
        rule_id = nw.when(_any_applies([rule], policy)).then(nw.lit(rule.id)).otherwise(rule_id)
    return rule_id


def _repairs(rows: Frame, table: Table, rule: Rule, policy: CleaningPolicy) -> Frame:
    column = rule.column or ""
    change = col("clean_measure") - col("measure").fill_null(0) if rule.changes_measure else nw.lit(None)
    return rows.filter(col("is_kept") & _any_applies([rule], policy)).select(
        nw.lit(table.name).alias("table"),
        col(table.key).alias("key"),
        nw.lit(rule.id).alias("rule"),
        nw.lit(column).alias("column"),
        col(raw_name(column)).cast(nw.String).alias("old_value"),
        col(column).cast(nw.String).alias("new_value"),
        change.cast(MEASURE).alias("measure_change"),
    )


def _merged(rows: Frame, table: Table, rule: Rule, policy: CleaningPolicy, into_key: nw.Expr) -> Frame:
    return rows.filter(col("is_merged") & _any_applies([rule], policy)).select(
        nw.lit(table.name).alias("table"),
        col(table.key).alias("key"),
        into_key.alias("into_key"),
        nw.lit(rule.id).alias("rule"),
        "measure",
        *(col(raw_name(name)).alias(name) for name in table.column_names),
    )
