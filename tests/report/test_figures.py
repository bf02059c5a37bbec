"""How figures are written, and where marks are put."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from tests.support.report_sample import sample_insights

from shopsight.report.charts import Scale, area_path, lengths, line_path, per_cent, slots, ticks
from shopsight.report.figures import (
    divide_money,
    format_compact,
    format_exact,
    format_moment,
    format_number,
    format_seconds,
    format_share,
    format_value,
)
from shopsight.report.insight_table import InsightTable
from shopsight.report.list_views import category_ratings
from shopsight.report.monthly_view import monthly_sales
from shopsight.report.return_views import cohort_retention
from shopsight.report.view import View


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Decimal("1234567.5"), "money", "1,234,567.50"),
        (Decimal("-0.005"), "money", "-0.01"),
        (Decimal("0.005"), "money", "0.01"),
        (Decimal("1E+3"), "money", "1,000.00"),
        (
            Decimal("123456789012345678901234567890123456.78"),
            "money",
            "123,456,789,012,345,678,901,234,567,890,123,456.78",
        ),
        (7, "money", "7.00"),
        (9_007_199_254_740_993, "count", "9,007,199,254,740,993"),
        (12345, "key", "12345"),
        (0.1 + 0.2, "number", "0.30"),
        (2.675, "number", "2.68"),
        (1e-9, "number", "0.00"),
        (1, "share", "100.0%"),
        (0.0, "share", "0%"),
        (-0.123, "share", "-12.3%"),
        (12.5, "share", "1,250.0%"),
        (date(2026, 3, 1), "date", "2026-03-01"),
        (datetime(2026, 3, 1, tzinfo=UTC), "date", "2026-03-01"),
        ("a < b", "text", "a < b"),
        (None, "money", "–"),
        (None, "text", "–"),
        (float("nan"), "number", "–"),
        (float("inf"), "share", "–"),
    ],
)
def test_values_are_written_by_their_kind(value: Any, kind: str, expected: str) -> None:
    assert format_value(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0001, "0.01%"), (0.00001, "<0.01%"), (-0.00001, ">-0.01%"), (0.00999, "1.00%"), (None, "–")],
)
def test_small_shares_do_not_become_nothing(value: float | None, expected: str) -> None:
    assert format_share(value) == expected


def test_growth_has_a_sign() -> None:
    assert [format_share(value, signed=True) for value in (0.1, -0.1, 0)] == ["+10.0%", "-10.0%", "0%"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.00 s"),
        (0.0004, "<1 ms"),
        (0.042, "42 ms"),
        (0.999, "1.00 s"),
        (12.34, "12.3 s"),
        (99.96, "1 min 40 s"),
        (3_600, "1 h 0 min"),
        (None, "–"),
    ],
)
def test_durations_are_short(seconds: float | None, expected: str) -> None:
    assert format_seconds(seconds) == expected


def test_exact_figures_keep_every_digit() -> None:
    assert format_exact(Decimal("12345.6700")) == "12,345.6700"
    assert format_exact(2**63) == "9,223,372,036,854,775,808"
    assert format_exact(None) == "–"


def test_moments_are_in_utc_whatever_their_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert format_moment(datetime(2026, 11, 23, 3, 0, 4, tzinfo=tokyo)) == "2026-11-22 18:00:04 UTC"


@pytest.mark.parametrize(
    ("amount", "count", "expected"), [("10.00", 3, "3.33"), ("0.01", 2, "0.01"), ("-0.01", 2, "-0.01")]
)
def test_divided_money_is_rounded_half_up(amount: str, count: int, expected: str) -> None:
    assert divide_money(Decimal(amount), count) == Decimal(expected)


def test_money_is_not_divided_by_nothing() -> None:
    assert divide_money(Decimal("10.00"), 0) is None


def test_axis_figures_are_compact() -> None:
    assert [format_compact(value) for value in (0, 0.5, 1_500, 2_500_000, -4e12)] == [
        "0",
        "0.5",
        "1.5k",
        "2.5M",
        "-4T",
    ]


def test_numbers_are_rounded_half_up_and_not_half_even() -> None:
    assert [format_number(value, 0) for value in (0.5, 1.5, 2.5)] == ["1", "2", "3"]


def test_bars_are_shares_of_the_longest() -> None:
    assert lengths([Decimal("200.00"), Decimal("50.00"), None, Decimal("-1.00")]) == [
        "100%",
        "25%",
        "0%",
        "0%",
    ]
    assert lengths([Decimal("0.00"), None]) == ["0%", "0%"]
    assert lengths([]) == []


@pytest.mark.parametrize(("share", "expected"), [(0.5, "50%"), (1.2, "100%"), (-1, "0%"), (1e-9, "1e-07%")])
def test_shares_stay_in_their_box(share: float, expected: str) -> None:
    assert per_cent(share) == expected


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.003), (-870, 1_234), (0, 9.99e12), (-5, 0), (0, 0)])
def test_axis_holds_its_values_in_round_steps(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high
    assert 2 <= len(marks) <= 8
    assert any(abs(mark) < 1e-12 for mark in marks)


def test_scale_turns_figures_upside_down() -> None:
    scale = Scale.over([Decimal("0"), Decimal("400.00")])
    assert (scale.top(0), scale.top(Decimal("400.00")), scale.top(100)) == (100, 0, 75)


def test_scale_of_losses_has_zero_inside() -> None:
    scale = Scale.over([Decimal("-100.00"), Decimal("300.00")])
    assert scale.zero == 75


def test_paths_join_their_points() -> None:
    assert line_path([(1, 2), (3, 4.5)]) == "M1,2L3,4.5"
    assert area_path([(1, 2), (3, 4.5)], 100) == "M1,2L3,4.5L3,100L1,100Z"
    assert area_path([], 100) == ""


def test_slots_fill_the_width() -> None:
    assert slots(4) == [(0, 25), (25, 25), (50, 25), (75, 25)]
    assert slots(0) == []


def _monthly(rows: list[tuple[date, str, int]]) -> InsightTable:
    table = sample_insights()["monthly_sales"]
    dicts = [
        {
            "month": month,
            "revenue": Decimal(revenue),
            "orders": orders,
            "average_order_value": None,
            "growth_share": None,
        }
        for month, revenue, orders in rows
    ]
    return InsightTable(table.id, table.title, table.description, table.columns, dicts)


def test_months_lie_on_the_line_at_their_revenue() -> None:
    view = monthly_sales(
        _monthly(
            [(date(2026, 1, 1), "100.00", 1), (date(2026, 2, 1), "0.00", 0), (date(2026, 3, 1), "50.00", 2)]
        ),
        as_of=date(2026, 4, 2),
    )
    assert view.data.line == "M16.6667,0L50,100L83.3333,50"
    assert view.data.unfinished_line == ""
    assert view.footnote == ""
    assert [month.orders_height for month in view.data.months] == [50, 0, 100]


def test_month_of_the_snapshot_is_unfinished_and_no_best_month() -> None:
    view = monthly_sales(
        _monthly([(date(2026, 1, 1), "100.00", 1), (date(2026, 2, 1), "900.00", 9)]), as_of=date(2026, 2, 9)
    )
    assert view.data.line.count("L") == 0
    assert view.data.unfinished_line.count("L") == 1
    assert view.footnote == "Feb 2026 is not over: it holds the days up to the snapshot."
    assert [fact.value for fact in view.facts] == ["100.00"]


def test_shop_that_opened_this_month_has_no_whole_month_to_speak_of() -> None:
    view = monthly_sales(_monthly([(date(2026, 2, 1), "900.00", 9)]), as_of=date(2026, 2, 9))
    assert view.facts == []
    assert view.data.line == ""
    assert [month.revenue for month in view.data.months] == ["900.00"]


@pytest.mark.parametrize("count", [1, 2, 11, 35, 61, 240])
def test_time_axis_is_named_but_never_crowded(count: int) -> None:
    months = [(date(2001 + index // 12, index % 12 + 1, 1), "1.00", 1) for index in range(5, 5 + count)]
    named = [month for month in monthly_sales(_monthly(months), as_of=None).data.months if month.axis_name]
    assert 1 <= len(named) <= 14
    assert len([month for month in named if month.is_on_narrow_axis]) <= 5


def _cohorts(rows: list[tuple[date, int, int, float]]) -> View:
    table = sample_insights()["cohort_retention"]
    names = table.column_names
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    return cohort_retention(
        InsightTable(table.id, table.title, table.description, table.columns, dicts), None
    )


def test_cohorts_are_shaded_against_the_best_return_and_months_to_come_are_blank() -> None:
    view = _cohorts(
        [
            (date(2026, 1, 1), 0, 10, 1.0),
            (date(2026, 1, 1), 1, 4, 0.4),
            (date(2026, 1, 1), 2, 2, 0.2),
            (date(2026, 2, 1), 0, 20, 1.0),
            (date(2026, 2, 1), 1, 4, 0.2),
        ]
    )
    january, february = view.data["cohorts"]
    assert (january.label, january.size) == ("Jan 2026", "10")
    assert [(cell.text, cell.tint) for cell in january.cells] == [("40", "1.00"), ("20", "0.50")]
    assert [cell and cell.text for cell in february.cells] == ["20", None]
    assert january.cells[0].tip == "Jan 2026, 1 month on: 4 of 10 customers, 40.0%"
    assert [(fact.value, fact.label) for fact in view.facts] == [
        ("26.7%", "ordered again 1 month later"),
    ]


def test_month_in_which_nobody_of_a_cohort_came_back_is_a_zero() -> None:
    view = _cohorts(
        [
            (date(2026, 1, 1), 0, 10, 1.0),
            (date(2026, 1, 1), 2, 1, 0.1),
        ]
    )
    assert [cell.text for cell in view.data["cohorts"][0].cells] == ["0", "10"]


def test_only_the_latest_cohorts_are_drawn_and_that_is_said() -> None:
    rows = [(date(2020 + index // 12, index % 12 + 1, 1), 0, 5, 1.0) for index in range(40)]
    view = _cohorts(rows)
    assert len(view.data["cohorts"]) == 24
    assert view.data["cohorts"][-1].label == "Apr 2023"
    assert view.footnote.startswith("The latest 24 of 40 cohorts.")


def test_ratings_lie_on_the_scale_from_one_to_five() -> None:
    table = sample_insights()["category_ratings"]
    rows = [
        {"category_id": index, "category_name": "c", "average_rating": rating, "reviews": 3}
        for index, rating in enumerate([5.0, 3.0, 1.0, None])
    ]
    dots = category_ratings(
        InsightTable(table.id, table.title, table.description, table.columns, rows), None
    ).data
    assert [(dot.value, dot.left) for dot in dots] == [
        ("5.00", "100%"),
        ("3.00", "50%"),
        ("1.00", "0%"),
        ("–", None),
    ]
