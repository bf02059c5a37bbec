"""The times that a cron line means, computed as Prefect's scheduler does (UTC); slow to load."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prefect.server.schemas.schedules import CronSchedule

from shopsight.errors import ConfigurationError


async def next_moments(cron: str, after: datetime, count: int) -> list[datetime]:
    """The next moments of the schedule, the first one later than ``after``.

    Raises:
        ConfigurationError: it is no cron line.
    """
    try:
        schedule = CronSchedule(cron=cron, timezone="UTC")
    except ValueError:
        raise ConfigurationError(
            f"{cron!r} is no cron line.",
            remedy='Write minute, hour, day, month and weekday, as in "0 */3 * * *".',
        ) from None
    moments: Sequence[datetime] = await schedule.get_dates(count + 1, start=after)
    # Prefect's own kind of datetime gives intervals of its own kind, too.
    plain = [datetime.fromtimestamp(moment.timestamp(), UTC) for moment in moments]
    return [moment for moment in plain if moment > after][:count]
