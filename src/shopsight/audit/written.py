"""Numbers, amounts and days as people write them in text, read by the proof without cleaning's code."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1)

# Characters that are ignored anywhere in a number, and those that are ignored only at its ends.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_OUTER = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u200c\u200d" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_AMOUNT = re.compile(r"([+-]?)(?:0*([0-9]{1,15})(?:\.([0-9]*))?|\.([0-9]+))", re.ASCII)
_WHOLE = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?", re.ASCII)
_DAY = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:[.,][0-9]+)?)?"
    r"(?: ?(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?)?",
    re.ASCII,
)


def cents_of(text: str) -> int | None:
    """The cents of an amount, half up; None where the text is no amount.

    >>> cents_of(" 12.345 "), cents_of("-.5"), cents_of("1,000.00")
    (1235, -50, None)
    """
    match = _AMOUNT.fullmatch(_visible(text))
    if match is None:
        return None
    sign, whole, decimals, only_decimals = match.groups()
    thousandths = int(((decimals or only_decimals or "") + "000")[:3])
    cents = int(whole or 0) * 100 + (thousandths + 5) // 10
    return -cents if sign == "-" else cents


def whole_of(text: str) -> int | None:
    """A 64-bit integer parsed from a text; None if the text is not one.

    >>> whole_of("+007"), whole_of("3.00"), whole_of("3.5"), whole_of("9223372036854775808")
    (7, 3, None, None)
    """
    match = _WHOLE.fullmatch(_visible(text))
    if match is None:
        return None
    sign, digits = match.groups()
    number = -int(digits) if sign == "-" else int(digits)
    return number if -(2**63) <= number < 2**63 else None


def day_of(text: str, time_zone: str = "UTC") -> int | None:
    """A day parsed from a text, in days since 1970-01-01; None if the calendar has no such day.

    It is the day as written, or, for a time with an offset from UTC, the day in the time zone.

    >>> day_of("1970-01-02 23:00"), day_of("2023-02-29"), day_of("1970-01-02 23:00Z", "Asia/Kolkata")
    (1, None, 2)
    """
    match = _DAY.fullmatch(_visible(text))
    if match is None:
        return None
    *written, offset = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in written)
    try:
        if offset is None:
            return (date(year, month, day) - _EPOCH).days
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone_at(offset))
        return (moment.astimezone(ZoneInfo(time_zone)).date() - _EPOCH).days
    except (ValueError, OverflowError):
        return None


def _zone_at(offset: str) -> timezone:
    """The time zone with this UTC offset.

    >>> str(_zone_at("-0330")), str(_zone_at("Z"))
    ('UTC-03:30', 'UTC')
    """
    digits = offset.strip("Z+-").replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if offset.startswith("-") else ahead)


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text).strip(_OUTER)
