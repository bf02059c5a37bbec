"""Draws an insight on the page: by its :class:`shopsight.marts.insights.insight.Chart`, or as a table.

This module knows no insight by its id: it draws by the chart and the kinds of its columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from shopsight.report.formatting import DASH, format_compact, format_count, format_value
from shopsight.report.geometry import Scale, area_path, lengths, line_path, per_cent
from shopsight.report.report_table import FIGURE_KINDS, NOT_OVER, ReportTable
from shopsight.report.tables import MOST_ROWS, table_of

if TYPE_CHECKING:
    from shopsight.marts.insights.insight import Chart

#: Longer lists are cut in the chart; the table below it has more.
MOST_BARS = 12
#: Rows and columns of a matrix.
MOST_CELLS = 24
#: Names that the time axis can hold on a wide page and on a telephone.
_MOST_NAMES, _MOST_NAMES_NARROW = 14, 5
#: Periods between two names. Each step divides the next, so a narrow axis only leaves names out.
_STEPS = (1, 3, 6, 12, 24, 48, 96, 192, 384)


@dataclass(frozen=True)
class Drawing:
    """An insight as the page shows it.

    Attributes:
        kind: the macro in ``charts.html`` that draws it; ``note`` is a sentence in place of a chart.
        data: what the macro needs.
        facts: figures above the chart, as (label, value).
        footnote: a sentence below the chart.
    """

    kind: str
    data: Any
    facts: list[tuple[str, str]] = field(default_factory=list)
    footnote: str = ""


def draw(table: ReportTable) -> Drawing:
    """The insight's chart; a table if it has none that fits; a sentence if there is nothing to show.

    Args:
        table: the published insight, annotated.
    """
    chart = table.chart
    if not table.rows:
        return Drawing("note", "Nothing to show yet: there are no rows.")
    if chart is None or not fits(table, chart):
        return Drawing("table", table_of(table))
    if chart.figures and all(table.figure(row, name) is None for row in table.rows for name in chart.figures):
        return Drawing("note", chart.without_values)
    by_kind = {"line": _line, "bars": _bars, "figures": _figures, "heat": _heat, "table": _table}
    return by_kind[chart.kind](table, chart)


def fits(table: ReportTable, chart: Chart) -> bool:
    """Whether the published columns are those that the chart draws: another version's may differ."""
    kinds = {column["name"]: column["kind"] for column in table.columns}
    needed = {"line": [chart.label], "bars": [chart.label], "heat": [chart.label, chart.across]}
    named = {*needed.get(chart.kind, []), *chart.figures, *chart.detail}
    if chart.kind == "heat" and chart.size:
        named.add(chart.size)
    return (
        named <= set(kinds)
        and all(kinds[name] in FIGURE_KINDS for name in chart.figures)
        and (bool(chart.figures) or chart.kind == "table")
        and (chart.kind != "line" or kinds[chart.label] == "date")
    )


def _bars(table: ReportTable, chart: Chart) -> Drawing:
    """A list with one bar a row."""
    figure = chart.figures[0]
    shown = table.rows[:MOST_BARS]
    name = table.namer(chart.label)
    bars = [
        {
            "label": name(row.get(chart.label)),
            "note": table.noted(row),
            "value": table.text(row, figure),
            "detail": table.details(row, chart.detail),
            "length": length,
        }
        for row, length in zip(
            shown, lengths([table.figure(row, figure) for row in shown], chart.scale), strict=True
        )
    ]
    notes = _notes(chart, len(shown), len(table.rows))
    unknown = [name(row.get(chart.label)) for row in table.rows[MOST_BARS:] if table.noted(row)]
    if unknown:
        notes.append(f"Of the rest, not recognised: {', '.join(unknown[:MOST_BARS])}.")
    heading = (table.column(chart.label)["label"], table.column(figure)["label"])
    return Drawing("bars", {"heading": heading, "bars": bars}, footnote=" ".join(notes))


def _table(table: ReportTable, chart: Chart) -> Drawing:
    """The chart's columns of the first rows, with bars; the table below it has the rest."""
    drawn = table_of(table, chart, MOST_CELLS)
    notes = _notes(chart, len(drawn.rows), len(table.rows))
    return Drawing("table", replace(drawn, left_out=0), footnote=" ".join(notes))


def _notes(chart: Chart, shown: int, total: int) -> list[str]:
    """The scale of the bars, and how many of the rows are drawn; nothing for what goes without saying."""
    scale = [f"Bars run from {chart.scale[0]:g} to {chart.scale[1]:g}."] if chart.scale else []
    rest = [f"The first {shown} of {format_count(total)}; the table has the rest."] if shown < total else []
    return scale + rest


def _figures(table: ReportTable, chart: Chart) -> Drawing:
    """The first row's values; a share has a bar."""
    row = table.rows[0]
    values = []
    for name in (*chart.figures, *chart.detail):
        column = table.column(name)
        length = per_cent(float(table.figure(row, name) or 0)) if column["kind"] == "share" else None
        values.append((column["label"], table.text(row, name), length))
    return Drawing("figures", values)


def periods(table: ReportTable, chart: Chart) -> list[dict[str, Any]]:
    """The rows of a line in the order of their dates, the latest :data:`MOST_ROWS`."""
    dated = (row for row in table.rows if row.get(chart.label) is not None)
    return sorted(dated, key=lambda row: row[chart.label])[-MOST_ROWS:]


def _line(table: ReportTable, chart: Chart) -> Drawing:
    """A panel with a line for each figure, on one time axis; the period that the snapshot cuts is dotted."""
    rows = periods(table, chart)
    if not rows:
        return Drawing("table", table_of(table))
    name = table.namer(chart.label)
    names = [name(row[chart.label]) for row in rows]
    is_unfinished = table.noted(rows[-1]) == NOT_OVER
    whole = rows[:-1] if is_unfinished else rows
    width = 100 / len(rows)
    middles = [round(width * (index + 0.5), 4) for index in range(len(rows))]
    panels: list[dict[str, Any]] = []
    for figure in chart.figures:
        values = [table.figure(row, figure) for row in rows]
        scale = Scale.over([value for value in values if value is not None], most=2 if panels else 5)
        points = [
            (x, scale.top(value)) for x, value in zip(middles, values, strict=True) if value is not None
        ]
        has_unfinished = is_unfinished and values[-1] is not None
        panels.append(
            {
                "label": table.column(figure)["label"],
                "points": points,
                "line": line_path(points[:-1] if has_unfinished else points),
                "unfinished": line_path(points[-2:]) if has_unfinished else "",
                "area": area_path(points, scale.top(0)),
                "axis": [(scale.top(mark), format_compact(mark), mark == 0) for mark in scale.marks],
            }
        )
    told = (*chart.figures, *chart.detail)
    axis = _axis_names([row[chart.label] for row in rows], names)
    hits = [
        {
            "name": names[index],
            "note": table.noted(row),
            "left": round(width * index, 4),
            "middle": middles[index],
            "told": [(table.column(column)["label"], table.text(row, column)) for column in told],
            "axis_name": axis[index][0],
            "is_on_narrow_axis": axis[index][1],
        }
        for index, row in enumerate(rows)
    ]
    span = f"{names[0]} to {names[-1]}"
    return Drawing(
        "line",
        {"periods": hits, "width": round(width, 4), "panels": panels, "span": span},
        facts=_line_facts(table, chart, whole, names),
        footnote=f"{names[-1]} is not over: it holds the days up to the snapshot." if is_unfinished else "",
    )


def _axis_names(days: list[date], names: list[str]) -> list[tuple[str, bool]]:
    """For each period its name on the axis, empty for most, and whether a narrow axis shows it too.

    Months are named in whole steps, so that the same months of each year have a name.
    """
    step = next((s for s in _STEPS if len(days) / s <= _MOST_NAMES), _STEPS[-1])
    narrow = next((s for s in _STEPS if len(days) / s <= _MOST_NAMES_NARROW), _STEPS[-1])
    is_monthly = all(day.day == 1 for day in days)
    named = []
    for index, day in enumerate(days):
        number = day.year * 12 + day.month - 1 if is_monthly else index
        name = str(day.year) if is_monthly and step >= 12 else names[index]
        named.append((name if number % step == 0 else "", number % narrow == 0))
    if not any(name for name, _ in named):
        named[0] = (names[0], True)
    return named


def _line_facts(
    table: ReportTable, chart: Chart, whole: list[dict[str, Any]], names: list[str]
) -> list[tuple[str, str]]:
    """The values of the last whole period, and the greatest first figure; nothing if no period is over."""
    if not whole:
        return []
    figure = chart.figures[0]
    facts = [
        (f"{table.column(name)['label']}, {names[len(whole) - 1]}", table.text(whole[-1], name))
        for name in (*chart.figures, *chart.detail)
        if whole[-1].get(name) is not None
    ]
    valued = [
        (row[figure], name)
        for row, name in zip(whole, names, strict=False)
        if table.figure(row, figure) is not None
    ]
    if len(valued) > 1:
        most, name = max(valued, key=lambda pair: pair[0])
        column = table.column(figure)
        facts.append((f"{column['label']}, {name}, the most", format_value(most, column["kind"])))
    return facts


def _heat(table: ReportTable, chart: Chart) -> Drawing:
    """A matrix of cells, tinted against the greatest; a combination that is not among the rows is blank."""
    figure = chart.figures[0]
    cells = {(row.get(chart.label), row.get(chart.across)): row for row in table.rows}
    labels = list(dict.fromkeys(label for label, _ in cells))
    is_dated = table.column(chart.label)["kind"] == "date"
    shown = labels[-MOST_CELLS:] if is_dated else labels[:MOST_CELLS]
    across = sorted({column for label, column in cells if label in set(shown)}, key=lambda x: (x is None, x))
    first, across = across[0], across[1:] if chart.size else across
    across = across[:MOST_CELLS]
    drawn = (table.figure(cells.get((label, column), {}), figure) for label in shown for column in across)
    greatest = max((float(value) for value in drawn if value is not None), default=0.0)
    name, across_name = table.namer(chart.label), table.namer(chart.across)
    across_label = table.column(chart.across)["label"]
    kind = table.column(figure)["kind"]

    def cell(label: Any, column: Any) -> dict[str, str] | None:
        row = cells.get((label, column))
        if row is None:
            return None
        value = table.figure(row, figure)
        told = [table.text(row, figure), *table.details(row, chart.detail)]
        return {
            "text": _cell_text(value, kind),
            "tint": f"{max(float(value or 0), 0.0) / greatest if greatest > 0 else 0:.2f}",
            "tip": f"{name(label)}, {across_label.lower()} {across_name(column)}: {', '.join(told)}",
        }

    rows = [
        {
            "label": name(label),
            "size": table.text(cells.get((label, first), {}), chart.size) if chart.size else None,
            "cells": [cell(label, column) for column in across],
        }
        for label in shown
    ]
    heading = {
        "label": table.column(chart.label)["label"],
        "size": table.column(chart.size)["label"] if chart.size else None,
        "across": across_label,
        "columns": [across_name(column) for column in across],
    }
    notes = [f"Across: {across_label.lower()}."]
    if len(shown) < len(labels):
        which = "latest" if is_dated else "first"
        notes.append(f"The {which} {len(shown)} of {format_count(len(labels))} rows.")
    if greatest > 0:
        unit = "Cells are per cent; the" if kind == "share" else "The"
        notes.append(f"{unit} darkest is {format_value(greatest, kind)}.")
    return Drawing("heat", {"heading": heading, "rows": rows}, footnote=" ".join(notes))


def _cell_text(value: Any, kind: str) -> str:
    if value is None:
        return DASH
    return f"{float(value) * 100:.0f}" if kind == "share" else format_compact(float(value))
