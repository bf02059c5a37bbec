"""How values are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from shopsight.report.formatting import (
    format_compact,
    format_exact,
    format_moment,
    format_number,
    format_seconds,
    format_share,
    format_value,
)


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
        (1.25, "a kind of another version", "1.25"),
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
