"""Days read from text: the day as it is written, or that of a moment in the shop's time zone."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.engine.protocol import Frame
from shopsight.time_zone import offset_changes

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?"
_OFFSET = r" ?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
_DATE = rf"^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]{_CLOCK}({_OFFSET})?)?$"
_MOMENT = rf"[T ]{_CLOCK}{_OFFSET}$"
_UP_TO_OFFSET = r"^.{10}[T ][0-9:.,]+ ?"
_SECONDS_A_DAY = 86_400
#: By how many days a moment's day in any zone may differ from the day that is written.
_SHIFTS = (-2, -1, 1, 2)


def written_day(text: nw.Expr) -> nw.Expr:
    """The day that a text begins with, as text; null for one that is no day of the calendar."""
    formed = nw.when(text.str.contains(_DATE)).then(text)
    year, month, day = (_number(formed, start, length) for start, length in ((0, 4), (5, 2), (8, 2)))
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    february = nw.when(is_leap).then(nw.lit(29)).otherwise(nw.lit(28))
    others = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    last = nw.when(month == 2).then(february).otherwise(others)
    # Checked here, as engines differ in what they make of a day that does not exist.
    return nw.when((day <= last) & (year > 0)).then(formed.str.slice(0, 10))


def with_days_of_moments(rows: Frame, day: str, written: str, time_zone: str) -> Frame:
    """The rows with the day of each moment, a time with an offset from UTC, in the shop's time zone.

    Args:
        rows: with the columns ``day`` and ``written``.
        day: the column of days as they are written.
        written: the column of texts that they were read from, tidied.
        time_zone: the shop's.
    """
    text = nw.when(col(written).str.contains(_MOMENT) & ~col(day).is_null()).then(col(written))
    seconds = nw.when(text.str.slice(16, 1) == ":").then(_number(text, 17, 2)).otherwise(nw.lit(0))
    offset = text.str.replace_all(_UP_TO_OFFSET, "")
    digits = nw.concat_str(offset.str.replace_all("[Z:+-]", ""), nw.lit("0000"))
    sign = nw.when(offset.str.starts_with("-")).then(nw.lit(-1)).otherwise(nw.lit(1))
    since_midnight = _number(text, 11, 2) * 3600 + _number(text, 14, 2) * 60 + seconds
    ahead = sign * (_number(digits, 0, 2) * 3600 + _number(digits, 2, 2) * 60)
    rows = rows.with_columns(written_days=nw.when(~text.is_null()).then(_days_since_1970(col(day))))
    rows = rows.with_columns(moment=col("written_days") * _SECONDS_A_DAY + since_midnight - ahead)
    first, changes = offset_changes(time_zone)
    # One flat sum: hundreds of nested conditions would be slow to plan.
    grown = [(col("moment") >= second).cast(nw.Int64) * growth for second, growth in changes]
    local = col("moment") + (nw.sum_horizontal(nw.lit(first), *grown) if grown else nw.lit(first))
    rows = rows.with_columns(shift=local // _SECONDS_A_DAY - col("written_days"))
    shifted = col(day)
    for days in _SHIFTS:
        shifted = (
            nw.when(col("shift") == days)
            .then(col(day).dt.offset_by(f"{days}d").cast(nw.Date))
            .otherwise(shifted)
        )
    rows = rows.with_columns(shifted.alias(day)).drop("written_days", "moment", "shift")
    in_calendar = (col(day).dt.year() >= 1) & (col(day).dt.year() <= 9999)
    return rows.with_columns(nw.when(in_calendar).then(col(day)).alias(day))


def _number(text: nw.Expr, start: int, length: int) -> nw.Expr:
    return text.str.slice(start, length).cast(nw.Int64)


def _days_since_1970(day: nw.Expr) -> nw.Expr:
    """The number of a day; whole numbers alone, as engines differ in what the difference of days is.

    Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    """
    month = day.dt.month().cast(nw.Int64)
    # The year begins in March, so that the leap day is its last.
    is_early = (month <= 2).cast(nw.Int64)
    year = day.dt.year().cast(nw.Int64) - is_early
    of_year = (153 * (month - 3 + 12 * is_early) + 2) // 5 + day.dt.day().cast(nw.Int64) - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + of_year - 719_468
