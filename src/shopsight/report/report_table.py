"""A table as the page, the terminal and Prefect's UI show it: columns with a kind and a label, and rows."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from shopsight.audit.identities import SumsTo
from shopsight.report.formatting import format_month, format_value

if TYPE_CHECKING:
    # For the type alone: the insights load narwhals, which the command line's help can do without.
    from shopsight.marts.insights.insight import Chart, Insight

#: Kinds whose values are figures: right-aligned, with digits of one width.
FIGURE_KINDS = frozenset(
    {"key", "money", "count", "share", "number", "exact", "figure", "plain", "day", "seconds", "memory"}
)

#: Notes beside a row of an insight, and the field that holds them.
NOT_OVER, NOT_RECOGNISED, _NOTE = "not over", "not recognised", "_note"


def column(name: str, kind: str, label: str, *, note: str = "", spared: int = 0) -> dict[str, Any]:
    """A column of a :class:`ReportTable`.

    Args:
        name: the field of a row that it shows.
        kind: how a value is written.
        label: its heading.
        note: a field whose text stands beside the value.
        spared: left out where there is no room, the greatest number first; 0 never.
    """
    return {"name": name, "kind": kind, "label": label, "note": note, "spared": spared}


@dataclass(frozen=True)
class ReportTable:
    """An insight, or a part of a run's record, to be shown.

    Attributes:
        id: e.g. the insight's, ``top_customers``.
        columns: one dict a column: ``name``, ``kind`` and ``label``, see :func:`column`. Kinds of insights:
            key, text, date, money, count, share (of 1) and number. Others: exact, figure (a text), plain (by
            the value's type), day, seconds, memory, minute, id, word, flag (yes or no) and tick (right or
            wrong); for the page alone prose and bar (a list of style, left and width).
        rows: one dict a row, by column name, in their own order. Money is Decimal.
        chart: how the page draws an insight; None draws a table.
        footnote: a line below the table.
        key: the columns of an insight's key.
        totals: by total of the shop, the column of an insight that adds up to it.
        is_explained: whether ``shopsight explain`` shows the rows behind it.
    """

    id: str
    title: str
    description: str
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    chart: Chart | None = None
    footnote: str = ""
    key: tuple[str, ...] = ()
    totals: dict[str, str] = field(default_factory=dict)
    is_explained: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any], insight: Insight | None = None) -> Self:
        """The table of a document of the ``insights`` collection, its Decimal128 already made Decimal.

        Args:
            document: as published.
            insight: its definition, if this installation has one of its id.
        """
        names = {column["name"] for column in document["columns"]}
        sums = (
            [identity for identity in insight.identities if isinstance(identity, SumsTo)] if insight else []
        )
        return cls(
            id=document["_id"],
            title=document["title"],
            description=document["description"],
            columns=[dict(column) for column in document["columns"]],
            rows=[dict(row) for row in document["rows"]],
            chart=insight.chart if insight else None,
            key=insight.key if insight else (),
            totals={part.total: part.column for part in sums if part.where is None and part.column in names},
            is_explained=insight is not None and insight.evidence is not None,
        )

    def annotated(self, as_of: date | None) -> Self:
        """The same with a note beside a period that is not over and beside a name that is not recognised.

        What compares a period that is not over with the one before it is left out.

        Args:
            as_of: the day of the snapshot; None if it is not known.
        """
        chart, rows = self.chart, self.rows
        if chart is None or chart.label not in self.column_names:
            return self
        if chart.kind == "line" and self.column(chart.label)["kind"] == "date":
            name = self.namer(chart.label)
            today = None if as_of is None else name(as_of)
            unfinished = {_NOTE: NOT_OVER, **dict.fromkeys(chart.compares)}
            rows = [{**row, **unfinished} if name(row.get(chart.label)) == today else row for row in rows]
        elif chart.recognises is not None:
            recognises = chart.recognises
            unknown = {_NOTE: NOT_RECOGNISED}
            rows = [row if recognises(row) else {**row, **unknown} for row in rows]
        columns = [
            {**shown, "note": _NOTE} if shown["name"] == chart.label else shown for shown in self.columns
        ]
        return replace(self, columns=columns, rows=rows)

    def noted(self, row: Mapping[str, Any]) -> str:
        """The note of :meth:`annotated` beside a row."""
        return str(row.get(_NOTE, ""))

    @property
    def explain_command(self) -> str:
        """The command that explains one row of the insight: the latest of a line, else the first."""
        command = f"shopsight explain insight {self.id}"
        row = (
            self.rows[-1 if self.chart is not None and self.chart.kind == "line" else 0] if self.rows else {}
        )
        values = [row.get(name) for name in self.key]
        if not values or None in values:
            return command
        texts = (f"{value:%Y-%m}" if isinstance(value, date) else str(value) for value in values)
        return f"{command} --key {shlex.quote(','.join(texts))}"

    @property
    def column_names(self) -> list[str]:
        """The columns' names in order."""
        return [column["name"] for column in self.columns]

    @property
    def cell_labels(self) -> list[str]:
        """The heading of each cell of a row; a bar has none."""
        return ["" if column["kind"] == "bar" else column["label"] for column in self.columns]

    def column(self, name: str) -> dict[str, Any]:
        """The column of a name."""
        return next(column for column in self.columns if column["name"] == name)

    def figure(self, row: Mapping[str, Any], name: str) -> Decimal | float | None:
        """A row's value to draw; None if it is null or not finite."""
        value: Decimal | float | None = row.get(name)
        return None if value is None or not math.isfinite(value) else value

    def text(self, row: Mapping[str, Any], name: str) -> str:
        """A row's value as text, by its column's kind."""
        return format_value(row.get(name), self.column(name)["kind"])

    def note(self, row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
        """The text beside a row's value; empty if there is none."""
        return row.get(column.get("note", "")) or ""

    def namer(self, name: str) -> Callable[[Any], str]:
        """The format of a column's values as names: dates that are all the first of a month become months."""
        kind = self.column(name)["kind"]
        values = [row[name] for row in self.rows if row.get(name) is not None]
        if kind == "date" and all(isinstance(value, date) and value.day == 1 for value in values):
            return format_month
        return partial(format_value, kind=kind)

    def details(self, row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        """A row's values with what they are: ``212 orders``, ``revenue 1,234.50``; a text stands alone."""
        details = []
        for name in names:
            column, text = self.column(name), self.text(row, name)
            label = column["label"].lower()
            if column["kind"] == "count":
                text = f"{text} {label.removesuffix('s') if row.get(name) == 1 else label}"
            elif column["kind"] not in {"text", "date"}:
                text = f"{label} {text}"
            details.append(text)
        return details
