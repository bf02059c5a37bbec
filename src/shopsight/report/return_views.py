"""Insights about customers who come back: the heat map of cohorts, and repeat purchase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from shopsight.report.charts import per_cent
from shopsight.report.figures import format_count, format_month, format_number, format_share
from shopsight.report.insight_table import InsightTable
from shopsight.report.view import MOST_MARKS, Fact, View, counted, note


@dataclass(frozen=True)
class Cell:
    """One month of a cohort: its text in per cent, how dark it is (0 to 1), and its tooltip."""

    text: str
    tint: str
    tip: str


@dataclass(frozen=True)
class Cohort:
    """A cohort's row of the heat map; a cell is None where time has not been yet."""

    label: str
    size: str
    cells: list[Cell | None]


def cohort_retention(table: InsightTable, _as_of: date | None) -> View:
    """Cohorts by months since the first order, as a heat map; month 0 is the cohort itself."""
    if not table.rows:
        return note("No customer has a counting order yet, so there are no cohorts.")
    shares = {(row["cohort_month"], row["months_since"]): row for row in table.rows}
    cohorts = sorted({row["cohort_month"] for row in table.rows})
    months_now = max(_month_number(row["cohort_month"]) + row["months_since"] for row in table.rows)
    shown = cohorts[-MOST_MARKS:]
    later = [row for row in table.rows if row["months_since"] and row["cohort_month"] in set(shown)]
    greatest = max((float(row["retained_share"] or 0) for row in later), default=0.0) or 1.0
    most = months_now - _month_number(shown[0])
    view = []
    for cohort in shown:
        size = shares.get((cohort, 0), {}).get("customers")
        cells: list[Cell | None] = []
        for since in range(1, most + 1):
            if _month_number(cohort) + since > months_now:
                cells.append(None)
                continue
            row = shares.get((cohort, since), {"customers": 0, "retained_share": 0.0})
            share = float(row["retained_share"] or 0)
            tip = (
                f"{format_month(cohort)}, {counted(since, 'month')} on:"
                f" {format_count(row['customers'])} of {counted(size, 'customer')}, {format_share(share)}"
            )
            cells.append(Cell(f"{share * 100:.0f}", f"{share / greatest:.2f}", tip))
        view.append(Cohort(format_month(cohort), format_count(size), cells))
    cut = (
        f"The latest {len(shown)} of {format_count(len(cohorts))} cohorts. "
        if len(cohorts) > len(shown)
        else ""
    )
    return View(
        "heat",
        {"cohorts": view, "months": list(range(1, most + 1))},
        facts=_retention_facts(shares, months_now),
        is_wide=True,
        footnote=f"{cut}Cells are per cent of the cohort; the darkest is {format_share(greatest)}.",
    )


def _month_number(month: date) -> int:
    return month.year * 12 + month.month


def _retention_facts(shares: dict[tuple[date, int], Any], months_now: int) -> list[Fact]:
    """How many customers were back after 1, 3, 6 and 12 months, over the cohorts that are old enough."""
    facts = []
    for since in (1, 3, 6, 12):
        old_enough = [c for (c, s) in shares if s == 0 and _month_number(c) + since <= months_now]
        size = sum(shares[cohort, 0]["customers"] for cohort in old_enough)
        if size:
            back = sum(shares.get((cohort, since), {"customers": 0})["customers"] for cohort in old_enough)
            facts.append(Fact(format_share(back / size), f"ordered again {counted(since, 'month')} later"))
    return facts


def repeat_purchase(table: InsightTable, _as_of: date | None) -> View:
    """Who came back, as figures and one bar."""
    row = table.rows[0] if table.rows else {"customers": 0}
    if not row["customers"]:
        return note("No customer has a counting order yet.")
    days = row["median_days_between_orders"]
    share = float(row["repeat_share"] or 0)
    return View(
        "strip",
        {
            "share": format_share(share),
            "length": per_cent(share),
            "repeat": counted(row["repeat_customers"], "customer"),
            "once": counted(row["customers"] - row["repeat_customers"], "customer"),
        },
        facts=[
            Fact(format_count(row["customers"]), "customers with an order"),
            Fact(format_number(days, 1), "days between orders, median"),
        ],
    )
