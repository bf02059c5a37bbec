"""One insight, or one row of it: the rows that it was computed from, and those that were left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw

from shopsight.audit.watch import split_key
from shopsight.contract import TABLES
from shopsight.engine.protocol import Frame
from shopsight.errors import ConfigurationError
from shopsight.inspect.explain.trace import AddedUp, Listing, Trace
from shopsight.inspect.explain.traced_run import TracedRun, raw_values
from shopsight.marts.insights import INSIGHTS, Insight, InsightColumn, InsightKind
from shopsight.marts.insights.evidence import Evidence

#: By table, the order in which rows are listed, and whether it descends.
_ORDERS = {
    "orders": (["order_date", "order_id"], [False, False]),
    "order_items": (["order_date", "item_id"], [False, False]),
    "reviews": (["review_date", "review_id"], [False, False]),
    "customers": (["amount", "customer_id"], [True, False]),
}


@dataclass(frozen=True)
class Tally:
    """A number of a table's rows, and their share of its measure (None where it has none)."""

    table: str
    what: str
    rows: int
    amount: Decimal | int | None


@dataclass(frozen=True)
class InsightTrace(Trace):
    """The rows behind an insight, or behind one row of it.

    Attributes:
        insight: its definition.
        key: the row that was asked for; None for the whole insight.
        published: its rows as published; with a key that row, or none if it is not in the list.
        behind: the rows that take part; empty if the insight declares no evidence.
        left_out: those that do not: kept rows by why they do not count, then by rule those that cleaning set
            aside or merged, in every table that the insight reads.
        rows: the rows behind the one that was asked for, one by one; None for the whole insight.
        rejected: the rejected rows that belong to it, as they were; None where that cannot be told.
    """

    insight: Insight
    key: dict[str, Any] | None
    published: Listing
    behind: list[Tally]
    left_out: list[Tally]
    rows: Listing | None = None
    rejected: Listing | None = None

    def as_document(self, limit: int | None = None) -> dict[str, Any]:
        """The trace as plain values, with at most ``limit`` rows of each listing; all by default."""
        insight = self.insight
        columns = [vars(column) for column in insight.columns]
        about = {"insight": insight.id, "title": insight.title, "description": insight.description}
        return {**super().as_document(limit), **about, "columns": columns}


def explain_insight(
    run: TracedRun, name: str, key_text: str | None = None, insights: Mapping[str, Insight] = INSIGHTS
) -> InsightTrace:
    """Trace an insight, or one row of it, back to the kept rows and to what was left out.

    Args:
        run: a kept run.
        name: the insight's id.
        key_text: the key of one row: a product's id, a month (``2026-11``), a country…; for a key of several
            columns the values, separated by commas.
        insights: the run's insights, own ones only if their files are as they were then.

    Raises:
        ConfigurationError: there is no such insight, or no row behind the key.
        WorkspaceError: the run's files cannot be read.
    """
    own = {str(own["id"]): own for own in run.record.get("own_insights") or ()}
    insight = insights.get(name)
    if insight is None and name in own:
        insight = _stand_in(run, own[name])
    if insight is None:
        raise ConfigurationError.unknown("insight", name, dict.fromkeys([*insights, *own]))
    key = None if key_text is None else parse_key(insight, key_text)
    with run.reading():
        published = Listing.of(_with_key(run.insight(insight.id), key or {}))
        if insight.evidence is None:
            return InsightTrace(run.about(), [], insight, key, published, [], [])
        if key is None:
            return _whole(run, insight, insight.evidence, published)
        return _one_row(run, insight, insight.evidence, key, published)


def _stand_in(run: TracedRun, own: Mapping[str, Any]) -> Insight:
    """For an own insight whose file is no longer as it was: its rows as they are in the run, unexplained."""
    kinds: dict[Any, InsightKind] = {
        nw.String: "text",
        nw.Date: "date",
        nw.Float64: "number",
        nw.Int64: "count",
    }
    with run.reading():
        schema = run.insight(str(own["id"])).collect_schema()
    columns = tuple(
        InsightColumn(name, kinds.get(type(dtype), "money"), name) for name, dtype in schema.items()
    )
    gone = f"{own['file']} has changed since the run or is gone, so only the published rows are shown."
    return Insight(str(own["id"]), str(own["id"]), gone, columns, (), lambda shop, _: shop.customers)


def parse_key(insight: Insight, text: str) -> dict[str, Any]:
    """The values of an insight's key, as people write them.

    Raises:
        ConfigurationError: there are too few or too many of them, or they are of another kind.
    """
    kinds = {column.name: column.kind for column in insight.columns}
    parts = split_key(text, insight.key)
    if len(parts) != len(insight.key):
        wanted = ", ".join(insight.key)
        raise ConfigurationError(
            f"{text!r} is no key of {insight.id}.",
            remedy=f"Give --key as {wanted}, separated by commas."
            if insight.key
            else f"{insight.id} has one row, about the whole shop: leave --key out.",
        )
    return {name: _parse(part, kinds[name]) for name, part in zip(insight.key, parts, strict=True)}


def _parse(text: str, kind: InsightKind) -> Any:
    if kind in ("key", "count") and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if kind == "date" and (match := re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])(-01)?", text)):
        return date(int(match[1]), int(match[2]), 1)
    if kind == "text":
        return text
    wanted = "a month such as 2026-11" if kind == "date" else "a whole number"
    raise ConfigurationError(f"{text!r} is not {wanted}.", remedy=f"Give {wanted} in --key.")


def _whole(run: TracedRun, insight: Insight, evidence: Evidence, published: Listing) -> InsightTrace:
    kept = evidence.rows(run.shop)
    behind, left_out = _tallies(evidence.table, kept)
    for table in evidence.reads:
        left_out += [*_by_rule(table, run.rejected(table)), *_by_rule(table, run.merged(table))]
    added_up = _added_up(kept, evidence) if evidence.is_partition else {}
    columns = {name: published.frame[name] for name in evidence.sums if name in published.frame.columns}
    sums = [
        AddedUp(f"sum({name})", added_up[name], column.sum() if len(column) else 0)
        for name, column in columns.items()
        if name in added_up
    ]
    return InsightTrace(run.about(), sums, insight, None, published, behind, left_out)


def _one_row(
    run: TracedRun, insight: Insight, evidence: Evidence, key: dict[str, Any], published: Listing
) -> InsightTrace:
    table = evidence.table_of_key or evidence.table
    if evidence.rows_of_key is not None:
        kept = evidence.rows_of_key(run.shop, key)
    else:
        kept = _with_key(evidence.rows(run.shop), key)
    order, descending = _ORDERS.get(table, ([TABLES[table].key], [False]))
    rows = Listing.of(kept.sort(order, descending=descending))
    behind, left_out = _tallies(table, rows.frame.lazy())
    rejected = None
    if evidence.rejected is not None:
        found = _with_key(evidence.rejected(run.shop, run.rejected(evidence.table)), key)
        contract = TABLES[evidence.table]
        as_they_were = found.select(*raw_values(contract), "rule", "measure")
        rejected = Listing.of(as_they_were, contract.key, "rule")
        left_out += _by_rule(evidence.table, rejected.frame.lazy())
    if not len(published) and not len(rows) and not len(rejected or ()):
        written = ", ".join(f"{name} {value}" for name, value in key.items())
        raise ConfigurationError(
            f"There is no row behind {written} in {insight.id} of run {run.run_id}.",
            remedy=f"Its rows are listed by `shopsight explain insight {insight.id}`.",
        )
    added_up = _added_up(rows.frame.lazy(), evidence)
    sums = [
        AddedUp(name, figure, row[name])
        for row in published.rows(1)
        for name, figure in added_up.items()
        if name in row
    ]
    return InsightTrace(run.about(), sums, insight, key, published, behind, left_out, rows, rejected)


def _with_key(rows: Frame, key: dict[str, Any]) -> Frame:
    for name, value in key.items():
        rows = rows.filter(nw.col(name) == value)
    return rows


def _tallies(table: str, kept: Frame) -> tuple[list[Tally], list[Tally]]:
    """The kept rows that take part, and the others by why they do not."""
    counted = kept.group_by("is_behind", "why").agg(
        nw.len().cast(nw.Int64).alias("rows"), nw.col("amount").sum()
    )
    in_order = counted.sort("rows", "why", descending=[True, False], nulls_last=True)
    found = Listing.of(in_order).rows()
    behind = [row for row in found if row["is_behind"]]
    together = Tally(table, "kept", sum(row["rows"] for row in behind), sum(row["amount"] for row in behind))
    left_out = [Tally(table, row["why"], row["rows"], row["amount"]) for row in found if not row["is_behind"]]
    return [together], left_out


def _by_rule(table: str, rows: Frame) -> list[Tally]:
    """Rejected or merged rows by rule."""
    counted = rows.group_by("rule").agg(nw.len().cast(nw.Int64).alias("rows"), nw.col("measure").sum())
    has_measure = TABLES[table].measure is not None
    return [
        Tally(table, row["rule"], row["rows"], row["measure"] if has_measure else None)
        for row in Listing.of(counted.sort("rows", "rule", descending=[True, False])).rows()
    ]


def _added_up(kept: Frame, evidence: Evidence) -> dict[str, Any]:
    """What the rows that take part add up to, by column; nothing adds up to 0."""
    expressions = [expression.alias(name) for name, expression in evidence.sums.items()]
    (row,) = Listing.of(kept.filter(nw.col("is_behind")).select(*expressions)).rows()
    sums = {name: row[name] if row[name] is not None else 0 for name in evidence.sums}
    return {**sums, **{name: ratio(sums) for name, ratio in evidence.ratios.items()}}
