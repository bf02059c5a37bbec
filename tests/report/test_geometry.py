"""Where the marks of a chart are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shopsight.report.geometry import Scale, area_path, lengths, line_path, per_cent, ticks


def test_bars_are_shares_of_the_longest() -> None:
    assert lengths([Decimal("200.00"), Decimal("50.00"), None, Decimal("-1.00")]) == [
        "100%",
        "25%",
        "0%",
        "0%",
    ]
    assert lengths([Decimal("0.00"), None]) == ["0%", "0%"]
    assert lengths([]) == []


def test_bars_on_a_scale_begin_at_its_start_and_stay_within() -> None:
    assert lengths([5.0, 3.0, 1.0, None, 0.0, 9.0], (1, 5)) == ["100%", "50%", "0%", "0%", "0%", "100%"]


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
    assert scale.top(0) == 75


def test_paths_join_their_points() -> None:
    assert line_path([(1, 2), (3, 4.5)]) == "M1,2L3,4.5"
    assert area_path([(1, 2), (3, 4.5)], 100) == "M1,2L3,4.5L3,100L1,100Z"
    assert area_path([], 100) == ""
