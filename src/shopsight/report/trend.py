"""The change of the shop's totals over the last whole months."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shopsight.report.drawings import fits, periods
from shopsight.report.formatting import format_month
from shopsight.report.report_table import NOT_OVER, ReportTable

#: How many months are compared with as many before them: the most that the shop has.
_LENGTHS = (12, 3, 1)


@dataclass(frozen=True)
class Trend:
    """Totals of the last whole months, and of as many before them.

    Attributes:
        span: the months in words.
        before: those that they are compared with.
        now: by total of the shop, its value in these months.
        then: the same of those before.
    """

    span: str
    before: str
    now: dict[str, Any]
    then: dict[str, Any]


def trend_of(tables: Iterable[ReportTable]) -> Trend | None:
    """The trend by the first insight that divides totals of the shop among months; None without one.

    Args:
        tables: the insights, annotated. The month that is not over is left out.
    """
    return next(filter(None, map(_trend, tables)), None)


def _trend(table: ReportTable) -> Trend | None:
    chart = table.chart
    if chart is None or chart.kind != "line" or not table.totals or not fits(table, chart):
        return None
    months = periods(table, chart)
    if months and table.noted(months[-1]) == NOT_OVER:
        del months[-1]
    length = next((length for length in _LENGTHS if len(months) >= 2 * length), None)
    if length is None or table.namer(chart.label) is not format_month:
        return None

    def sums(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {total: sum(row[column] or 0 for row in rows) for total, column in table.totals.items()}

    last = format_month(months[-1][chart.label])
    return Trend(
        last if length == 1 else f"{length} months to {last}",
        format_month(months[-2][chart.label]) if length == 1 else f"the {length} before",
        sums(months[-length:]),
        sums(months[-2 * length : -length]),
    )
