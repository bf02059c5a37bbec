"""An insight's rows as a table of text, and as a CSV file to download."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shopsight.report.formatting import format_date, format_value
from shopsight.report.geometry import lengths
from shopsight.report.report_table import FIGURE_KINDS, ReportTable

if TYPE_CHECKING:
    from shopsight.marts.insights.insight import Chart

#: More rows than this make the page heavy; the rest is in MongoDB and the page says so.
MOST_ROWS = 1000
#: Characters that a spreadsheet takes for the beginning of a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class DrawnTable:
    """Rows of (text, note, length of the bar or None) under columns of label, style and if they have bars.

    ``is_wide``: whether a telephone shows each row as a block.
    """

    columns: list[dict[str, Any]]
    rows: list[list[tuple[str, str, str | None]]]
    left_out: int
    is_wide: bool

    @property
    def cell_labels(self) -> list[str]:
        """The heading of each cell of a row; a bar has a cell of its own, and no heading."""
        return [label for c in self.columns for label in (c["label"], "")[: 1 + c["barred"]]]


def table_of(table: ReportTable, chart: Chart | None = None, most: int = MOST_ROWS) -> DrawnTable:
    """The first rows as text: all columns, or a chart's with a bar for each figure."""
    named = {chart.label, *chart.figures, *chart.detail} - {""} if chart else set()
    names = [name for name in table.column_names if not named or name in named]
    figures = [name for name in names if chart and name in chart.figures]
    rows = table.rows[:most]
    texts: dict[str, Callable[[Any], str]] = {
        name: partial(format_value, kind=table.column(name)["kind"]) for name in names
    }
    if table.chart and table.chart.label in texts:
        texts[table.chart.label] = table.namer(table.chart.label)
    scale = chart.scale if chart else None
    bars = iter(lengths([table.figure(row, name) for row in rows for name in figures], scale))
    columns = [
        {
            "label": table.column(name)["label"],
            "style": "figure" if table.column(name)["kind"] in FIGURE_KINDS else "words",
            "barred": name in figures,
        }
        for name in names
    ]

    def cell(row: dict[str, Any], name: str) -> tuple[str, str, str | None]:
        note = table.note(row, table.column(name))
        return texts[name](row.get(name)), note, next(bars) if name in figures else None

    return DrawnTable(
        columns,
        [[cell(row, name) for name in names] for row in rows],
        left_out=len(table.rows) - len(rows),
        is_wide=bool(figures) or len(names) > 3,
    )


def csv_link(table: ReportTable) -> str:
    """A data URL of a CSV file with the first :data:`MOST_ROWS` rows, unformatted, for a link to download.

    Bars are left out.

    The file begins with a byte order mark, by which spreadsheets recognise UTF-8. A text that a spreadsheet
    would take for a formula is preceded by an apostrophe.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    names = [column["name"] for column in table.columns if column["kind"] != "bar"]
    writer.writerow([_csv_value(name) for name in names])
    for row in table.rows[:MOST_ROWS]:
        writer.writerow([_csv_value(row.get(name)) for name in names])
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + file.getvalue(), safe="/:,;()*")


def _csv_value(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, date):
        return format_date(value)
    return f"{value:f}" if isinstance(value, Decimal) else value
