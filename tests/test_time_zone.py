"""The shop's day: by which calendar, from which second, in which zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shopsight.time_zone import check_zone, offset_changes

ZONES = ("UTC", "Asia/Kolkata", "Pacific/Kiritimati", "America/New_York", "Pacific/Apia", "Africa/Monrovia")


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_those_of_the_zone_around_every_change(zone: str) -> None:
    ahead, changes = offset_changes(zone)
    for second, growth in changes:
        for at, expected in ((second - 1, ahead), (second, ahead + growth)):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
            assert moment.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(seconds=expected)
        ahead += growth
    assert datetime.now(ZoneInfo(zone)).utcoffset() in {
        timedelta(seconds=ahead - sum(growth for _, growth in changes[left:]))
        for left in range(max(len(changes) - 4, 0), len(changes) + 1)
    }


@pytest.mark.parametrize("name", ["Asia/Pune", "", "/etc/passwd", "../x", "EST5EDT4"])
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        check_zone(name)
