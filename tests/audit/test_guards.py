"""The limits that withhold a run."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shopsight.audit.guards import check_age, check_rejected_share, check_shrink
from shopsight.errors import DataQualityError, ExitCode, ShrinkRefused, SnapshotAhead, SnapshotOutdated
from shopsight.settings import load_settings

SERVED = {"orders": 1_000, "customers": 200, "revenue": Decimal("100000.00")}


def test_a_fall_beyond_share_and_number_is_refused_and_says_how_far() -> None:
    with pytest.raises(ShrinkRefused, match=r"orders from 1,000 to 600 \(-40%\)") as caught:
        check_shrink({**SERVED, "orders": 600}, SERVED, load_settings())
    assert "--allow-shrink" in caught.value.remedy
    assert caught.value.exit_code is ExitCode.REFUSED


def test_every_figure_that_fell_is_named() -> None:
    now = {"orders": 0, "customers": 200, "revenue": Decimal("0.00")}
    with pytest.raises(ShrinkRefused, match=r"orders from 1,000 to 0.*revenue from 100,000.00 to 0.00"):
        check_shrink(now, SERVED, load_settings())


@pytest.mark.parametrize(
    ("orders", "revenue"),
    [
        (700, "100000.00"),  # exactly the share: not more than it
        (1_000, "70000.00"),
        (5_000, "900000.00"),  # growth
    ],
)
def test_a_run_within_the_limits_passes(orders: int, revenue: str) -> None:
    check_shrink({"orders": orders, "customers": 200, "revenue": Decimal(revenue)}, SERVED, load_settings())


def test_a_great_share_of_few_rows_is_no_shrink() -> None:
    check_shrink({"customers": 100}, {"customers": 200}, load_settings())
    with pytest.raises(ShrinkRefused):
        check_shrink({"customers": 99}, {"customers": 200}, load_settings())


@pytest.mark.parametrize("before", ["0.00", "-5.00"])
def test_revenue_that_was_nothing_may_still_fall_too_far(before: str) -> None:
    with pytest.raises(ShrinkRefused, match=f"revenue from {before} to -20,000.00[.]"):
        check_shrink({"revenue": Decimal("-20000.00")}, {"revenue": Decimal(before)}, load_settings())


def test_the_first_generation_has_nothing_to_shrink_from() -> None:
    check_shrink({"orders": 0, "revenue": Decimal(0)}, None, load_settings())


def test_an_older_snapshot_than_the_served_one_is_refused() -> None:
    noon, later = datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 15, tzinfo=UTC)
    check_age(later, noon, later)
    check_age(noon, noon, later)
    check_age(noon, None, later)
    with pytest.raises(SnapshotOutdated, match=r"of 2026-11-22 12:00:00 UTC, but one of .* 15:00:00 UTC"):
        check_age(noon, later, later)


def test_an_older_snapshot_is_published_when_that_is_asked_for() -> None:
    noon, later = datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 15, tzinfo=UTC)
    with pytest.raises(SnapshotOutdated) as caught:
        check_age(noon, later, later)
    assert "--allow-older" in caught.value.remedy
    check_age(noon, later, later, allow_older=True)


def test_a_snapshot_from_the_future_is_refused() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    check_age(noon + timedelta(minutes=5), None, noon)
    for allow_older in (False, True):
        with pytest.raises(
            SnapshotAhead, match=r"12:05:01 UTC by the source's clock, but MongoDB's .*12:00:00"
        ):
            check_age(noon + timedelta(minutes=5, seconds=1), None, noon, allow_older=allow_older)


def test_too_great_a_share_of_rejected_rows_stops_the_run() -> None:
    folder = Path("run/rejected")
    settings = load_settings(max_rejected_share=0.1, min_rejected_rows=100)
    with pytest.raises(DataQualityError, match=r"reviews: 101 of 1,000 rows \(10%\)") as caught:
        check_rejected_share(
            {"orders": 10, "reviews": 1_000}, {"orders": 0, "reviews": 101}, settings, folder
        )
    assert "run/rejected/reviews" in caught.value.remedy
    check_rejected_share({"reviews": 1_000}, {"reviews": 100}, settings, folder)
    check_rejected_share({"reviews": 100}, {"reviews": 100}, settings, folder)
    check_rejected_share({"reviews": 0}, {"reviews": 0}, settings, folder)
