"""Days and months of dates, the same on every engine."""

from __future__ import annotations

import narwhals as nw


def month_of(column: str) -> nw.Expr:
    """The first day of a date's month, a Date on every engine."""
    return nw.col(column).dt.truncate("1mo").cast(nw.Date)


def day_number(column: str) -> nw.Expr:
    """Days of the Gregorian calendar up to a date.

    Dates subtracted give a number on one engine, a duration on another, and one without days on a third.
    """
    years = nw.col(column).dt.year().cast(nw.Int64) - 1
    leap_days = years // 4 - years // 100 + years // 400
    return years * 365 + leap_days + nw.col(column).dt.ordinal_day().cast(nw.Int64)


def months_between(earlier: str, later: str) -> nw.Expr:
    """The number of calendar months from one date to a later one; 0 within the same month."""
    return _month_number(later) - _month_number(earlier)


def _month_number(column: str) -> nw.Expr:
    return nw.col(column).dt.year().cast(nw.Int64) * 12 + nw.col(column).dt.month().cast(nw.Int64)
