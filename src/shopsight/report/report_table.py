"""A table as the page, the terminal and Prefect's UI show it: columns with a kind and a label, and rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from shopsight.report.formatting import format_month, format_value

if TYPE_CHECKING:
    # For the type alone: the insights load narwhals, which the command line's help can do without.
    from shopsight.marts.insights.insight import Chart

#: Kinds whose values are figures: right-aligned, with digits of one width.
FIGURE_KINDS = frozenset(
    {"key", "money", "count", "share", "number", "exact", "figure", "plain", "day", "seconds", "memory"}
)


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
    """

    id: str
    title: str
    description: str
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    chart: Chart | None = None
    footnote: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, Any], chart: Chart | None = None) -> Self:
        """The table of a document of the ``insights`` collection, its Decimal128 already made Decimal."""
        return cls(
            id=document["_id"],
            title=document["title"],
            description=document["description"],
            columns=[dict(column) for column in document["columns"]],
            rows=[dict(row) for row in document["rows"]],
            chart=chart,
        )

    @property
    def column_names(self) -> list[str]:
        """The columns' names in order."""
        return [column["name"] for column in self.columns]

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
