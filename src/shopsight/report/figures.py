"""How figures are written: the same on the page and in the terminal.

Thousands are parted by commas, money has two decimals and no symbol (the shop's currency is not known), and
what is null is an en dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

DASH = "–"

# Sums are Decimal(38, 2); Python's default context stops at 28 digits.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
_DIGEST_SHOWN = 16


def format_value(value: Any, kind: str) -> str:
    """A value of an insight's column, by the column's kind.

    >>> format_value(Decimal("1234567.5"), "money"), format_value(None, "money"), format_value(0.125, "share")
    ('1,234,567.50', '–', '12.5%')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    return _FORMATS.get(kind, str)(value)


def format_money(value: Decimal | int | None) -> str:
    """An amount, half up to the cent: ``1,234.50``."""
    if value is None:
        return DASH
    return f"{_EXACT.quantize(Decimal(str(value)), _CENT):,.2f}"


def format_count(value: Any) -> str:
    """A whole number: ``1,234``. Exact integers held in a Decimal are written as such."""
    return DASH if value is None else f"{int(value):,}"


def format_share(value: float | Decimal | None, *, signed: bool = False) -> str:
    """A share of 1 as per cent: one decimal, two below one per cent; what would round to nothing says so.

    >>> format_share(0.4218), format_share(0.0042), format_share(0.00001), format_share(0.05, signed=True)
    ('42.2%', '0.42%', '<0.01%', '+5.0%')
    """
    if value is None:
        return DASH
    per_cent = float(value) * 100
    if per_cent == 0:
        return "0%"
    if abs(per_cent) < 0.01:
        return "<0.01%" if per_cent > 0 else ">-0.01%"
    digits = 2 if abs(per_cent) < 1 else 1
    return f"{per_cent:{'+' if signed else ''},.{digits}f}%"


def format_number(value: float | Decimal | None, digits: int = 2) -> str:
    """Any other number, to a fixed count of decimals, half up: ``3.67``."""
    if value is None:
        return DASH
    return f"{_EXACT.quantize(Decimal(str(value)), Decimal(1).scaleb(-digits)):,.{digits}f}"


def format_exact(value: Decimal | int | str | None) -> str:
    """A figure with all the digits it has; nothing is rounded. Of a digest the beginning.

    >>> format_exact(Decimal("1E+3")), format_exact(12345), format_exact(Decimal("0.10"))
    ('1,000', '12,345', '0.10')
    """
    if value is None:
        return DASH
    if isinstance(value, str):
        return value if len(value) <= _DIGEST_SHOWN else f"{value[:_DIGEST_SHOWN]}…"
    return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"


def format_date(value: date | datetime | str) -> str:
    """A calendar day: ``2026-11-22``."""
    if isinstance(value, datetime):
        value = value.date()
    return value if isinstance(value, str) else value.isoformat()


def format_month(value: date | datetime) -> str:
    """A calendar month: ``Nov 2026``. English whatever the locale."""
    return f"{_MONTHS[value.month - 1][:3]} {value.year}"


def format_day(value: date | datetime) -> str:
    """A day in prose: ``22 November 2026``."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def format_moment(value: datetime | None) -> str:
    """A moment to the second, in UTC: ``2026-11-22 18:00:00 UTC``; one without a zone is UTC already."""
    return DASH if value is None else f"{in_utc(value):%Y-%m-%d %H:%M:%S} UTC"


def in_utc(value: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken to be UTC, as MongoDB's driver hands it out."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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


def divide_money(amount: Decimal, count: int) -> Decimal | None:
    """An amount shared out, half up to the cent; None when there is nothing to share among."""
    return None if count == 0 else _EXACT.quantize(_EXACT.divide(amount, Decimal(count)), _CENT)


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_FORMATS: dict[str, Callable[[Any], str]] = {
    "money": format_money,
    "count": format_count,
    "share": format_share,
    "number": format_number,
    "date": format_date,
}
