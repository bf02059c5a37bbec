"""When ``serve`` runs the pipeline: intervals become cron lines, because a count from the last start drifts.

An interval counts from the moment the schedule was made, so it begins again at each start of the service. A
cron line names the times themselves, so a restart changes nothing. All times are UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from shopsight.errors import ConfigurationError
from shopsight.settings.duration import spoken

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def cron_for(every: timedelta) -> str:
    """The cron line that comes as often as ``every``, counted from midnight UTC.

    Raises:
        ConfigurationError: no cron line does: it must divide an hour, or a day by whole hours, evenly.

    >>> cron_for(timedelta(hours=3)), cron_for(timedelta(minutes=30)), cron_for(timedelta(days=1))
    ('0 */3 * * *', '*/30 * * * *', '0 0 * * *')
    """
    seconds = int(every.total_seconds())
    if seconds == every.total_seconds() and seconds > 0:
        if seconds == _MINUTE:
            return "* * * * *"
        if seconds == _HOUR:
            return "0 * * * *"
        if seconds == _DAY:
            return "0 0 * * *"
        if seconds % _MINUTE == 0 and seconds < _HOUR and _HOUR % seconds == 0:
            return f"*/{seconds // _MINUTE} * * * *"
        if seconds % _HOUR == 0 and seconds < _DAY and _DAY % seconds == 0:
            return f"0 */{seconds // _HOUR} * * *"
    raise ConfigurationError(
        f"{spoken(every)} does not divide an hour or a day evenly, so its times would shift from day to day.",
        remedy="Choose 1m, 5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h or 1d, or write a cron line"
        " (--cron).",
    )


def longest_gap(moments: list[datetime]) -> timedelta:
    """The longest time between two moments of a schedule that follow each other.

    >>> longest_gap([datetime(2026, 1, 1, 6), datetime(2026, 1, 1, 18), datetime(2026, 1, 2, 6, 30)])
    datetime.timedelta(seconds=45000)
    """
    return max(later - earlier for earlier, later in pairwise(moments))
