"""One insight, or one row of it: the rows that it was worked out from, and those that were left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw

from shopsight.contract import TABLES
from shopsight.engine.protocol import Frame
from shopsight.errors import ConfigurationError
from shopsight.inspect.explain.evidence import EVIDENCE, Evidence
from shopsight.inspect.explain.listing import AddedUp, Listing, collected
from shopsight.inspect.explain.traced_run import TracedRun, raw_values
from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.marts.insights.insight import InsightKind


@dataclass(frozen=True)
class Tally:
    """How many rows of a table, and what they carry of its measure (None where it carries none)."""

    table: str
    what: str
    rows: int
    amount: Decimal | int | None


@dataclass(frozen=True)
class InsightTrace:
    """What stands behind an insight, or behind one row of it.

    Attributes:
        run: which run it is of.
        insight: its definition.
        key: the row that was asked for; None for the whole insight.
        published: its rows as published; of one row that one, or none if it is not in the list.
        behind: the rows that take part.
        left_out: those that do not: kept rows by why they do not count, then by rule those that cleaning set
            aside or merged, in every table that the insight reads.
        rows: the rows behind the one that was asked for, one by one; None for the whole insight.
        rejected: the rejected rows that are about it, as they were; None where that cannot be told.
        sums: what the rows behind add up to, against what was published.
    """

    run: dict[str, Any]
    insight: Insight
    key: dict[str, Any] | None
    published: Listing
    behind: list[Tally]
    left_out: list[Tally]
    rows: Listing | None
    rejected: Listing | None
    sums: list[AddedUp]

    @property
    def holds(self) -> bool:
        """Whether the rows add up to what was published."""
        return all(figure.holds for figure in self.sums)

    def as_document(self, limit: int | None = None) -> dict[str, Any]:
        """The trace as plain values.

        Args:
            limit: how many rows there are of each listing at most; all by default.
        """
        return {
            "run": self.run,
            "insight": self.insight.id,
            "title": self.insight.title,
            "description": self.insight.description,
            "columns": [vars(column) for column in self.insight.columns],
            "key": self.key,
            "published": self.published.rows(limit),
            "behind": [vars(tally) for tally in self.behind],
            "left_out": [vars(tally) for tally in self.left_out],
            "rows": None if self.rows is None else self.rows.rows(limit),
            "rejected": None if self.rejected is None else self.rejected.rows(limit),
            "sums": [figure.as_document() for figure in self.sums],
        }


def explain_insight(run: TracedRun, name: str, key_text: str | None = None) -> InsightTrace:
    """Trace an insight, or one row of it, back to the kept rows and to what was left out.

    Args:
        run: a kept run.
        name: the insight's id.
        key_text: the key of one row: a product's id, a month (``2026-11``), a country…; of keys with several
            columns the values, parted by commas.

    Raises:
        ConfigurationError: there is no such insight, or no row behind the key.
        WorkspaceError: the run's files cannot be read.
    """
    insight = INSIGHTS.get(name)
    if insight is None:
        raise ConfigurationError(
            f"There is no insight {name!r}.", remedy=f"Name one of {', '.join(INSIGHTS)}."
        )
    evidence = EVIDENCE[name]
    with run.reading():
        if key_text is None:
            return _whole(run, insight, evidence)
        return _one_row(run, insight, evidence, parse_key(insight, key_text))


def parse_key(insight: Insight, text: str) -> dict[str, Any]:
    """The values of an insight's key, as people write them.

    Raises:
        ConfigurationError: there are too few or too many of them, or they are of another kind.
    """
    kinds = {column.name: column.kind for column in insight.columns}
    parts = text.split(",") if len(insight.key) > 1 else [text]
    if not insight.key or len(parts) != len(insight.key):
        wanted = ", ".join(insight.key)
        raise ConfigurationError(
            f"{text!r} is no key of {insight.id}.",
            remedy=f"Give --key as {wanted}, parted by commas."
            if insight.key
            else f"{insight.id} has one row, about the whole shop: leave --key out.",
        )
    return {name: _parse(part.strip(), kinds[name]) for name, part in zip(insight.key, parts, strict=True)}


def _parse(text: str, kind: InsightKind) -> Any:
    if kind in ("key", "count") and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    if kind == "date" and (match := re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])(-01)?", text)):
        return date(int(match[1]), int(match[2]), 1)
    if kind == "text":
        return text
    wanted = "a month such as 2026-11" if kind == "date" else "a whole number"
    raise ConfigurationError(f"{text!r} is not {wanted}.", remedy=f"Give {wanted} in --key.")


def _whole(run: TracedRun, insight: Insight, evidence: Evidence) -> InsightTrace:
    published = Listing.of(run.insight(insight.id))
    base = evidence.base(run)
    behind, left_out = _tallies(evidence.table, base)
    added_up = _figures(base.filter(nw.col("is_behind")), evidence) if evidence.is_partition else {}
    sums = [
        AddedUp(f"sum({name})", added_up[name], _sum(published.frame[name]))
        for name in evidence.sums
        if name in added_up and name in published.frame.columns
    ]
    return InsightTrace(
        run.about(),
        insight,
        None,
        published,
        behind,
        [*left_out, *_by_rule(run, evidence)],
        None,
        None,
        sums,
    )


def _one_row(run: TracedRun, insight: Insight, evidence: Evidence, key: dict[str, Any]) -> InsightTrace:
    published = run.insight(insight.id)
    for name, value in key.items():
        published = published.filter(nw.col(name) == value)
    rows = Listing.of(evidence.of_key(run, key))
    rejected = Listing.of(_as_they_were(evidence, evidence.rejected(run, key))) if evidence.rejected else None
    found = Listing.of(published)
    if not len(found) and not len(rows) and not len(rejected or ()):
        raise ConfigurationError(
            f"No row stands behind {_written(key)} in {insight.id} of run {run.run_id}.",
            remedy=f"Its rows are listed by `shopsight explain insight {insight.id}`.",
        )
    kept = rows.frame.lazy()
    behind, left_out = _tallies(evidence.key_table or evidence.table, kept)
    figures = _figures(kept.filter(nw.col("is_behind")), evidence)
    row: Mapping[str, Any] = next(iter(found.rows()), {})
    sums = [AddedUp(name, figure, row[name]) for name, figure in figures.items() if name in row]
    if rejected is not None:
        left_out += _rules_of(evidence.table, rejected.frame.lazy())
    return InsightTrace(run.about(), insight, key, found, behind, left_out, rows, rejected, sums)


def _tallies(table: str, base: Frame) -> tuple[list[Tally], list[Tally]]:
    """The kept rows that take part, and the others by why they do not."""
    counted = base.group_by("is_behind", "why").agg(
        nw.len().cast(nw.Int64).alias("rows"), nw.col("amount").sum()
    )
    found = collected(counted.sort("rows", "why", descending=[True, False], nulls_last=True)).rows(named=True)
    behind = [row for row in found if row["is_behind"]]
    together = Tally(table, "kept", sum(row["rows"] for row in behind), sum(row["amount"] for row in behind))
    left_out = [Tally(table, row["why"], row["rows"], row["amount"]) for row in found if not row["is_behind"]]
    return [together], left_out


def _by_rule(run: TracedRun, evidence: Evidence) -> list[Tally]:
    """Rejected and merged rows of all tables that the insight reads."""
    tallies = []
    for table in evidence.reads:
        tallies += _rules_of(table, run.rejected(table))
        tallies += _rules_of(table, run.merged(table))
    return tallies


def _rules_of(table: str, rows: Frame) -> list[Tally]:
    counted = rows.group_by("rule").agg(nw.len().cast(nw.Int64).alias("rows"), nw.col("measure").sum())
    has_measure = TABLES[table].measure is not None
    return [
        Tally(table, row["rule"], row["rows"], row["measure"] if has_measure else None)
        for row in collected(counted.sort("rows", "rule", descending=[True, False])).rows(named=True)
    ]


def _as_they_were(evidence: Evidence, rows: Frame) -> Frame:
    table = TABLES[evidence.table]
    return rows.sort(table.key, "rule", nulls_last=True).select(*raw_values(table), "rule", "measure")


def _figures(rows: Frame, evidence: Evidence) -> dict[str, Any]:
    """What the rows add up to, by column; nothing adds up to 0."""
    sums = {name: expression.alias(name) for name, expression in evidence.sums.items()}
    (row,) = collected(rows.select(*sums.values())).rows(named=True)
    figures = {name: row[name] if row[name] is not None else 0 for name in sums}
    return {**figures, **{name: ratio(figures) for name, ratio in evidence.ratios.items()}}


def _sum(column: nw.Series[Any]) -> Any:
    return column.sum() if len(column) else 0


def _written(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())
