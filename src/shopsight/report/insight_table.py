"""One published insight as readers get it: a title, columns with a kind and a label, rows, and its chart."""

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
FIGURE_KINDS = frozenset({"key", "money", "count", "share", "number"})


@dataclass(frozen=True)
class InsightTable:
    """An insight to be shown.

    Attributes:
        id: the insight's id, e.g. ``top_customers``.
        columns: one dict a column: ``name``, ``kind`` and ``label``. Kinds: key, text, date, money, count,
            share (of 1) and number.
        rows: one dict a row, by column name, in the insight's own order. Money is Decimal.
        chart: how the page draws it; None draws a table.
    """

    id: str
    title: str
    description: str
    columns: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    chart: Chart | None = None

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

    def column(self, name: str) -> dict[str, str]:
        """The column of a name."""
        return next(column for column in self.columns if column["name"] == name)

    def figure(self, row: Mapping[str, Any], name: str) -> Decimal | float | None:
        """A row's value to draw; None if it is null or not finite."""
        value: Decimal | float | None = row.get(name)
        return None if value is None or not math.isfinite(value) else value

    def text(self, row: Mapping[str, Any], name: str) -> str:
        """A row's value as text, by its column's kind."""
        return format_value(row.get(name), self.column(name)["kind"])

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
