"""What a view of an insight is: the figures as they are written, and the places of the marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shopsight.report.figures import format_count, format_value
from shopsight.report.insight_table import FIGURE_KINDS, InsightTable

#: Lists longer than this are cut in the chart; the table below it has them all.
MOST_MARKS = 24
#: More rows than this make the page heavy; the rest is in MongoDB and the page says so.
MOST_ROWS = 1000


@dataclass(frozen=True)
class Fact:
    """A figure set beside a chart, with what it is."""

    value: str
    label: str


@dataclass(frozen=True)
class View:
    """What the page shows of an insight.

    Attributes:
        chart: the template that draws it, without its suffix; ``note`` when there is nothing to draw.
        data: what the template needs.
        facts: figures set beside the chart.
        is_wide: whether it takes the page's whole width.
        has_table: whether the rows follow as a table that can be opened.
        footnote: a sentence below the chart.
    """

    chart: str
    data: Any
    facts: list[Fact] = field(default_factory=list)
    is_wide: bool = False
    has_table: bool = False
    footnote: str = ""


@dataclass(frozen=True)
class TableView:
    """A table as text: columns (``style`` is figure or words), cells, and the count of rows left out."""

    columns: list[dict[str, str]]
    rows: list[list[str]]
    left_out: int


def table_view(table: InsightTable) -> TableView:
    """All rows as text, up to :data:`MOST_ROWS`."""
    rows = [
        [format_value(row.get(column["name"]), column["kind"]) for column in table.columns]
        for row in table.rows[:MOST_ROWS]
    ]
    columns = [
        {**column, "style": "figure" if column["kind"] in FIGURE_KINDS else "words"}
        for column in table.columns
    ]
    return TableView(columns, rows, max(len(table.rows) - MOST_ROWS, 0))


def note(text: str) -> View:
    """A sentence in place of a chart."""
    return View("note", text)


def counted(count: int | None, noun: str) -> str:
    """A count and its noun: ``1 order``, ``2,000 orders``."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def footnote_of_cut(table: InsightTable) -> str:
    """What is said below a chart that shows only the first rows; nothing below one that shows all."""
    if len(table.rows) <= MOST_MARKS:
        return ""
    return f"The first {MOST_MARKS} of {format_count(len(table.rows))}; the table has the rest."
