"""Whether readers get data as new as was promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Freshness:
    """Whether readers get data that is as new as was promised.

    Attributes:
        is_fresh: something is served, and its ``valid_until`` has not passed.
        age: how old the served data are: now minus the snapshot's moment; None when nothing is served.
        overdue: how long ago ``valid_until`` passed; None while fresh, or when nothing is served.
        sentence: the same for people.
    """

    is_fresh: bool
    age: timedelta | None
    overdue: timedelta | None
    sentence: str


def freshness(served: Mapping[str, Any] | None, now: datetime) -> Freshness:
    """Look at the ``published`` document.

    Args:
        served: ``generation``, ``as_of`` and ``valid_until``; None when nothing was ever published.
        now: with a time zone.

    >>> at = datetime(2026, 11, 22, 18, tzinfo=UTC)
    >>> served = {"generation": 7, "as_of": at, "valid_until": at + timedelta(hours=6)}
    >>> freshness(served, at + timedelta(hours=7)).sentence
    'Generation 7 is stale: 7h old, and a newer one was due 1h ago.'
    """
    if not served:
        return Freshness(False, None, None, "Nothing has been published yet.")
    age = now - _utc(served["as_of"])
    overdue = now - _utc(served["valid_until"])
    if overdue <= timedelta(0):
        left = spoken(-overdue)
        return Freshness(
            True,
            age,
            None,
            f"Generation {served['generation']} is fresh: {spoken(age)} old, good for {left} more.",
        )
    return Freshness(
        False,
        age,
        overdue,
        f"Generation {served['generation']} is stale: {spoken(age)} old, and a newer one was due"
        f" {spoken(overdue)} ago.",
    )


def spoken(duration: timedelta) -> str:
    """A duration in its two greatest units.

    >>> spoken(timedelta(hours=27, minutes=5)), spoken(timedelta(hours=3)), spoken(timedelta(seconds=7.9))
    ('1d3h', '3h', '7s')
    """
    rest = max(0, int(duration.total_seconds()))
    parts = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        parts.append((count, unit))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return "".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count) or "0s"


def _utc(moment: datetime | str) -> datetime:
    """A moment with its time zone. MongoDB's driver may leave it out and means UTC; ``run.json`` has text."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
