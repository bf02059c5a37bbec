"""The chart of the months: revenue as a line above, orders as bars below, on one time axis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from shopsight.report.charts import Scale, area_path, line_path, slots
from shopsight.report.figures import format_compact, format_count, format_money, format_month, format_share
from shopsight.report.insight_table import InsightTable
from shopsight.report.view import Fact, View, note

#: How many names the time axis can hold on a wide page and on a telephone.
_MOST_NAMES, _MOST_NAMES_NARROW = 14, 5
#: Months between two names; each divides the next, so that a narrow axis leaves out and never adds.
_STEPS = (1, 3, 6, 12, 24, 48, 96)


@dataclass(frozen=True)
class Month:
    """One month: its place (all in per cent) and what is read when it is pointed at."""

    name: str
    left: float
    width: float
    middle: float
    revenue: str
    revenue_top: float
    orders: str
    orders_top: float
    orders_height: float
    average: str
    growth: str
    axis_name: str
    is_on_narrow_axis: bool


@dataclass(frozen=True)
class Axis:
    """A horizontal rule: where and what it says."""

    top: float
    text: str
    is_zero: bool


@dataclass(frozen=True)
class MonthlyChart:
    """All that the template draws."""

    months: list[Month]
    line: str
    unfinished_line: str
    area: str
    revenue_axis: list[Axis]
    orders_axis: list[Axis]
    summary: str


def monthly_sales(table: InsightTable, as_of: date | None) -> View:
    """Revenue and orders by month; the month that the snapshot cuts is drawn as unfinished."""
    rows = table.rows
    if not rows:
        return note("No counting orders yet, so there are no months to show.")
    last = rows[-1]["month"]
    is_unfinished = as_of is not None and (last.year, last.month) == (as_of.year, as_of.month)
    revenue = Scale.over([row["revenue"] for row in rows])
    orders = Scale.over([row["orders"] for row in rows], most=2)
    months = _months(rows, revenue, orders)
    points = [(month.middle, month.revenue_top) for month in months]
    whole = points[:-1] if is_unfinished else points
    chart = MonthlyChart(
        months=months,
        line=line_path(whole),
        unfinished_line=line_path(points[-2:]) if is_unfinished else "",
        area=area_path(points, revenue.zero),
        revenue_axis=_axis(revenue),
        orders_axis=_axis(orders),
        summary=(
            f"Revenue by month from {months[0].name} to {months[-1].name},"
            f" between {format_money(min(row['revenue'] for row in rows))}"
            f" and {format_money(max(row['revenue'] for row in rows))}."
        ),
    )
    footnote = (
        f"{months[-1].name} is not over: it holds the days up to the snapshot." if is_unfinished else ""
    )
    facts = _facts(rows[:-1] if is_unfinished else rows)
    return View("months", chart, facts=facts, is_wide=True, has_table=True, footnote=footnote)


def _months(rows: list[dict[str, Any]], revenue: Scale, orders: Scale) -> list[Month]:
    names = _axis_names([row["month"] for row in rows])
    months = []
    for index, (row, (left, width)) in enumerate(zip(rows, slots(len(rows)), strict=True)):
        top = orders.top(row["orders"])
        months.append(
            Month(
                name=format_month(row["month"]),
                left=left,
                width=width,
                middle=round(100 * (index + 0.5) / len(rows), 4),
                revenue=format_money(row["revenue"]),
                revenue_top=revenue.top(row["revenue"]),
                orders=format_count(row["orders"]),
                orders_top=top,
                orders_height=round(orders.zero - top, 3),
                average=format_money(row["average_order_value"]),
                growth=format_share(row["growth_share"], signed=True),
                axis_name=names[index][0],
                is_on_narrow_axis=names[index][1],
            )
        )
    return months


def _axis_names(months: list[date]) -> list[tuple[str, bool]]:
    """For each month its name on the axis (empty for most), and whether a narrow axis has it too.

    Years go before quarters before months, whichever fit; the names are those of whole steps, so that the
    same month of each year has one.
    """
    step = next((s for s in _STEPS if len(months) / s <= _MOST_NAMES), _STEPS[-1])
    narrow = next((s for s in _STEPS if len(months) / s <= _MOST_NAMES_NARROW), _STEPS[-1])
    names = []
    for month in months:
        number = month.year * 12 + month.month - 1
        name = format_month(month) if step < 12 else str(month.year)
        names.append((name if number % step == 0 else "", number % narrow == 0))
    if not any(name for name, _ in names):
        names[0] = (format_month(months[0]), True)
    return names


def _axis(scale: Scale) -> list[Axis]:
    return [Axis(scale.top(mark), format_compact(mark), mark == 0) for mark in scale.marks]


def _facts(rows: list[dict[str, Any]]) -> list[Fact]:
    """The last whole month and the best one; nothing when no month is over."""
    if not rows:
        return []
    last, best = rows[-1], max(rows, key=lambda row: row["revenue"])
    facts = [Fact(format_money(last["revenue"]), f"in {format_month(last['month'])}, the last whole month")]
    if last["growth_share"] is not None:
        facts.append(Fact(format_share(last["growth_share"], signed=True), "against the month before"))
    if len(rows) > 1:
        facts.append(Fact(format_money(best["revenue"]), f"in {format_month(best['month'])}, the best month"))
    return facts
