"""Durations as people write them in settings: ``3h``, ``90m``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _read_duration(value: Any) -> Any:
    """``3h``, ``90m``, ``1h30m`` or a number of seconds, besides what pydantic reads."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if text.isdigit():
        return timedelta(seconds=int(text))
    if text and (match := _DURATION.fullmatch(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return value


def spoken(duration: timedelta, units: int = 4) -> str:
    """A duration as settings are written, in its greatest units; negative ones are none.

    >>> spoken(timedelta(hours=27, minutes=5)), spoken(timedelta(hours=27, minutes=5), units=2)
    ('1d3h5m', '1d3h')
    >>> spoken(timedelta(seconds=7.9)), spoken(timedelta(seconds=0.5)), spoken(timedelta(hours=-1))
    ('7s', '0.5s', '0s')
    """
    seconds = max(duration.total_seconds(), 0)
    rest, parts = int(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    while parts and not parts[0]:
        del parts[0]
    return "".join(parts[:units]) or f"{seconds:g}s"


#: A setting that is a duration, not negative.
Duration = Annotated[timedelta, BeforeValidator(_read_duration), Field(ge=timedelta(0))]
