"""Moments in UTC, and the shop's own day: which calendar day a moment falls on, by an IANA time zone.

Databases know the zones by themselves. Where moments are read from text, :func:`offset_changes` says from
which second on a zone is how far ahead of UTC, as numbers that any engine can compare.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UTC_NAME = "UTC"
# No order that is kept lies before 1970 in any zone.
_FIRST = datetime(1969, 12, 30, tzinfo=UTC)


def check_zone(name: str) -> str:
    """The name, if it is that of an IANA time zone.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write an IANA name such as Asia/Kolkata") from None
    return name


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. One without a zone is in UTC already: MongoDB's driver may leave it out.

    >>> in_utc(datetime(2026, 11, 22, 18))
    datetime.datetime(2026, 11, 22, 18, 0, tzinfo=datetime.timezone.utc)
    """
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def day_in(moment: datetime, time_zone: str) -> date:
    """The calendar day of a moment in a zone.

    >>> day_in(datetime(2024, 1, 31, 20, tzinfo=UTC), "Asia/Kolkata")
    datetime.date(2024, 2, 1)
    """
    return moment.astimezone(ZoneInfo(time_zone)).date()


def offset_changes(time_zone: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    """How many seconds a zone was ahead of UTC when 1969 ended, and every change since, until next year.

    Returns:
        The first offset; and for each change the second since 1970 in UTC from which it holds, and by how
        many seconds the offset grows.

    >>> offset_changes("Asia/Kolkata")
    (19800, ())
    >>> offset_changes("America/New_York")[1][:2]
    ((9961200, 3600), (25682400, -3600))
    """
    return _offset_changes(time_zone, datetime.now(UTC).year)


@cache
def _offset_changes(time_zone: str, year: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    zone = ZoneInfo(time_zone)

    def ahead(second: int) -> int:
        offset = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).astimezone(zone).utcoffset()
        return int((offset or timedelta()).total_seconds())

    first = second = int(_FIRST.timestamp())
    changes = []
    end = int(datetime(year + 1, 12, 31, tzinfo=UTC).timestamp())
    while second < end:
        later = second + 86_400
        if ahead(later) != ahead(second):
            low, high = second, later
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if ahead(middle) == ahead(second) else (low, middle)
            changes.append((high, ahead(later) - ahead(second)))
        second = later
    return ahead(first), tuple(changes)
