"""Checks whether the served data are as new as promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shopsight.settings.duration import spoken
from shopsight.time_zone import in_utc


@dataclass(frozen=True)
class Freshness:
    """Whether the served data are as new as promised.

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

    >>> at = datetime.fromisoformat("2026-11-22T18:00Z")
    >>> served = {"generation": 7, "as_of": at, "valid_until": at + timedelta(hours=6)}
    >>> freshness(served, at + timedelta(hours=7)).sentence
    'Generation 7 is stale: 7h old, and a newer one was due 1h ago.'
    """
    if not served:
        return Freshness(False, None, None, "Nothing has been published yet.")
    age = now - _utc(served["as_of"])
    overdue = now - _utc(served["valid_until"])
    generation, old = f"Generation {served['generation']}", f"{spoken(age, units=2)} old"
    if overdue <= timedelta(0):
        left = f"good for {spoken(-overdue, units=2)} more"
        return Freshness(True, age, None, f"{generation} is fresh: {old}, {left}.")
    late = f"a newer one was due {spoken(overdue, units=2)} ago"
    pinned = "" if served.get("pinned") is None else " It is pinned (`shopsight unpin`)."
    return Freshness(False, age, overdue, f"{generation} is stale: {old}, and {late}.{pinned}")


def _utc(moment: datetime | str) -> datetime:
    """A moment of MongoDB, or one of ``run.json``, which has text."""
    return in_utc(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)
