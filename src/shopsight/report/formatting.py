"""Formats values: the same on the page, in the terminal and in Prefect's tables.

Thousands are separated by commas. Money has two decimals and no symbol: the page names the currency once, if
it is known. Null is an en dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from shopsight.time_zone import in_utc

DASH = "–"

# Sums are Decimal(38, 2); Python's default context stops at 28 digits.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_DIGEST_DIGITS, _DIGEST_SHOWN = 64, 16
# The names do not depend on the locale.
_MONTHS = "January February March April May June July August September October November December"


def format_value(value: Any, kind: str) -> str:
    """A value by its column's kind; a value of an unknown kind is written as it is.

    >>> format_value(Decimal("1234567.5"), "money"), format_value(None, "money"), format_value(0.125, "share")
    ('1,234,567.50', '–', '12.5%')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    return _FORMATS.get(kind, str)(value)


def format_money(value: Decimal | int | None) -> str:
    """An amount, half up to the cent: ``1,234.50``."""
    return format_number(value)


def format_count(value: Any) -> str:
    """A whole number, also one held in a Decimal: ``1,234``."""
    return DASH if value is None else f"{int(value):,}"


def format_share(value: float | Decimal | None) -> str:
    """A share of 1 in per cent, with one decimal, or two below one per cent. Only zero is ``0%``.

    >>> format_share(0.4218), format_share(0.0042), format_share(0.00001)
    ('42.2%', '0.42%', '<0.01%')
    """
    if value is None:
        return DASH
    per_cent = float(value) * 100
    if per_cent == 0:
        return "0%"
    if abs(per_cent) < 0.01:
        return "<0.01%" if per_cent > 0 else ">-0.01%"
    return f"{per_cent:,.{2 if abs(per_cent) < 1 else 1}f}%"


def format_number(value: float | Decimal | None, digits: int = 2) -> str:
    """A number with a fixed count of decimals, half up: ``3.67``."""
    if value is None:
        return DASH
    return f"{_EXACT.quantize(Decimal(str(value)), Decimal(1).scaleb(-digits)):,.{digits}f}"


def format_exact(value: Decimal | int | str | None) -> str:
    """A figure with all its digits, not rounded. A digest is cut to its beginning.

    >>> format_exact(Decimal("1E+3")), format_exact(12345), format_exact(Decimal("0.10"))
    ('1,000', '12,345', '0.10')
    """
    if value is None:
        return DASH
    if isinstance(value, str):
        return value if len(value) <= _DIGEST_SHOWN else f"{value[:_DIGEST_SHOWN]}…"
    return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"


def format_plain(value: Any) -> str:
    """A value by its own type: figures and digests as :func:`format_exact` writes them.

    >>> format_plain(Decimal("1234.50")), format_plain("Ann"), format_plain(None)
    ('1,234.50', 'Ann', '–')
    """
    match value:
        case bool() | float():
            return str(value)
        case int() | Decimal() | None:
            return format_exact(value)
        case datetime():
            return format_moment(value)
        case date():
            return format_date(value)
        case str() if len(value) == _DIGEST_DIGITS:
            return format_exact(value)
    return str(value)


def format_date(value: date | datetime | str) -> str:
    """A calendar day: ``2026-11-22``."""
    if isinstance(value, datetime):
        value = value.date()
    return value if isinstance(value, str) else value.isoformat()


def format_month(value: date | datetime | None) -> str:
    """A calendar month: ``Nov 2026``."""
    return DASH if value is None else f"{_month_name(value)[:3]} {value.year}"


def format_day(value: date | datetime) -> str:
    """A day in prose: ``22 November 2026``."""
    return f"{value.day} {_month_name(value)} {value.year}"


def _month_name(value: date) -> str:
    return _MONTHS.split()[value.month - 1]


def format_moment(value: datetime | None) -> str:
    """A moment to the second, in UTC: ``2026-11-22 18:00:00 UTC``."""
    return DASH if value is None else f"{in_utc(value):%Y-%m-%d %H:%M:%S} UTC"


def format_seconds(value: float | None) -> str:
    """A duration: ``42 ms``, ``0.42 s``, ``12.3 s``, ``3 min 20 s``."""
    if value is None:
        return DASH
    if 0 < value < 0.0995:
        return f"{value * 1000:.0f} ms" if value >= 0.0005 else "<1 ms"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 99.95:
        return f"{value:.1f} s"
    hours, rest = divmod(round(value), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def format_compact(value: float) -> str:
    """A figure for an axis: ``250k``, ``1.5M``.

    >>> [format_compact(v) for v in (0, 0.25, 950, 12_500, 2_000_000, -3e9)]
    ['0', '0.25', '950', '12.5k', '2M', '-3B']
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{letter}"
    return f"{value:.4g}"


_FORMATS: dict[str, Callable[[Any], str]] = {
    "money": format_money,
    "count": format_count,
    "share": format_share,
    "number": format_number,
    "date": format_date,
    "exact": format_exact,
    "seconds": format_seconds,
    "memory": lambda size: f"{format_count(round(size / 1e6))} MB",
    "minute": lambda moment: f"{in_utc(moment):%Y-%m-%d %H:%M}",
    "tick": lambda holds: "yes" if holds else "NO",
    "plain": format_plain,
    "day": format_date,
    "flag": lambda is_so: "yes" if is_so else "no",
}
