"""The shop's own day, from its database to what is published: around midnight and a change of summer time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from tests.support.literal_rows import load_rows
from tests.support.shop_rows import SHOP
from tests.support.staged import extracted, literal_shop

from shopsight.audit.guards import orders_ahead_of_utc
from shopsight.errors import ConfigurationError
from shopsight.extract import Source, extract
from shopsight.inspect.doctor import examine
from shopsight.logs import bind_structlog
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run
from shopsight.settings import load_settings

#: In UTC: midnight in each zone, and both changes of summer time in New York in 2024.
MOMENTS = [
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        *("2024-01-31T18:29:59", "2024-01-31T18:30:00", "2024-01-31T09:59:59", "2024-01-31T10:00:00"),
        *("2024-03-10T04:59:59", "2024-03-10T05:00:00", "2024-03-11T03:59:59", "2024-03-11T04:00:00"),
        *("2024-11-03T03:59:59", "2024-11-03T04:00:00", "2024-11-04T04:59:59", "2024-11-04T05:00:00"),
    )
]
ZONES = ["Asia/Kolkata", "Pacific/Kiritimati", "America/New_York"]


def shop_of(dates: list[str]) -> Mapping[str, Any]:
    orders = [(n, 1, day, "1.00", "paid") for n, day in enumerate(dates, start=1)]
    return {**SHOP, "orders": orders, "order_items": [], "reviews": []}


def clean_days(url: str, zone: str, workdir: Path) -> list[date]:
    """The orders' days after cleaning, proven."""
    run = opened(url, workdir, zone)
    for name in ("extract", "clean", "metrics", "insights", "prove"):
        stages.STAGES[name](run)
    orders = pl.read_parquet(run.workspace.folder("clean") / "orders").sort("order_id")
    assert orders.height == len(MOMENTS)
    return orders["order_date"].to_list()


def opened(url: str, workdir: Path, zone: str | None) -> Run:
    settings = {"source_url": url} | ({} if zone is None else {"time_zone": zone})
    run = extracted(workdir, literal_shop(), **settings)
    run.workspace.raw.begin()
    return run


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "text"])
def test_days_from_postgresql_are_the_shops(kind: str, zone: str, postgres_url: str, workdir: Path) -> None:
    written = [moment.isoformat() for moment in MOMENTS]
    if kind == "timestamp":
        written = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat() for moment in MOMENTS]
    load_rows(postgres_url, shop_of(written), {"orders": {"order_date": kind}})
    expected = [moment.astimezone(ZoneInfo(zone)).date() for moment in MOMENTS]
    assert clean_days(postgres_url, zone, workdir) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", ["timestamp", "datetime(3)", "text"])
def test_days_from_mariadb_are_the_shops(kind: str, zone: str, mariadb_url: str, workdir: Path) -> None:
    there = UTC if kind == "timestamp" else ZoneInfo(zone)
    written = [m.astimezone(there).isoformat(" ").removesuffix("+00:00") for m in MOMENTS]
    if kind == "datetime(3)":
        written = [text[:19] for text in written]
    load_rows(mariadb_url, shop_of(written), {"orders": {"order_date": f"{kind} NULL"}})
    expected = [moment.astimezone(ZoneInfo(zone)).date() for moment in MOMENTS]
    assert clean_days(mariadb_url, zone, workdir) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("offset", ["+00:00", "-0930", "Z", None])
def test_days_from_sqlite_are_the_shops(offset: str | None, zone: str, tmp_path: Path, workdir: Path) -> None:
    ahead = timedelta(hours=-9, minutes=-30) if offset == "-0930" else timedelta()
    there = ZoneInfo(zone) if offset is None else timezone(ahead)
    written = [f"{m.astimezone(there).replace(tzinfo=None).isoformat(' ')}{offset or ''}" for m in MOMENTS]
    load_rows(f"sqlite:///{tmp_path / 's.db'}", shop_of(written))
    expected = [moment.astimezone(ZoneInfo(zone)).date() for moment in MOMENTS]
    assert clean_days(f"sqlite:///{tmp_path / 's.db'}", zone, workdir) == expected


def test_an_endless_moment_is_unreadable_as_before(postgres_url: str, tmp_path: Path) -> None:
    load_rows(
        postgres_url, shop_of(["infinity", "2024-01-31T20:00Z"]), {"orders": {"order_date": "timestamptz"}}
    )
    source = Source(postgres_url, None, timedelta(seconds=5), time_zone="Asia/Kolkata")
    extract(source, tmp_path, connections=1, batch_rows=1000)
    days = pl.read_parquet(tmp_path / "orders").sort("order_id")["order_date"].to_list()
    assert days == ["infinity", "2024-02-01"]


@pytest.mark.parametrize(("zone", "kept"), [("Pacific/Kiritimati", True), (None, False)])
def test_an_order_of_the_shops_today_is_in_the_future_only_without_its_zone(
    zone: str | None, kept: bool, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = literal_shop()
    run = extracted(workdir, raw, **({} if zone is None else {"time_zone": zone}))
    assert run.record.snapshot is not None
    # Its snapshot is of noon in UTC: in Kiritimati the next day has begun two hours ago.
    tomorrow = run.record.snapshot.as_of.date() + timedelta(days=1)
    dates = pl.lit(tomorrow.isoformat()).str.to_date().cast(raw["orders"].schema["order_date"])
    run.record.snapshot = replace(run.record.snapshot, time_zone=zone or "UTC")
    raw["orders"].with_columns(order_date=dates).write_parquet(
        run.workspace.folder("raw") / "orders" / "part-00000.parquet"
    )
    run.workspace.raw.close({"snapshot": run.record.snapshot.as_details()})
    bind_structlog()
    stages.clean(run)
    orders = pl.read_parquet(run.workspace.folder("clean") / "orders")
    assert (orders.height > 0) is kept
    run.workspace.write_record(run.record)
    found = {finding.name: finding.message for finding in examine(run.settings)}["time zone"]
    assert ("dated tomorrow (UTC)" in caplog.text + str([vars(line) for line in caplog.records])) is not kept
    assert ("dated tomorrow (UTC)" in found) is not kept


def test_orders_dated_beyond_the_calendar_are_logged_by_no_stage(tmp_path: Path) -> None:
    rejected = pl.DataFrame({"rule": ["orders.date_in_future"] * 2, "order_date": [date(2024, 7, 1)] * 2})
    rejected.write_parquet(tmp_path / "part.parquet")
    noon = datetime(2024, 6, 30, 12, tzinfo=UTC)
    assert orders_ahead_of_utc(tmp_path, noon) == 2
    assert orders_ahead_of_utc(tmp_path, noon - timedelta(hours=3)) == 0
    assert orders_ahead_of_utc(tmp_path, noon - timedelta(days=1)) == 0


def test_a_run_is_not_resumed_in_another_zone(tmp_path: Path, workdir: Path) -> None:
    load_rows(f"sqlite:///{tmp_path / 's.db'}", SHOP)
    given = {"source_url": f"sqlite:///{tmp_path / 's.db'}", "workdir": workdir}
    run = opened(given["source_url"], workdir, "Asia/Kolkata")
    stages.extract(run)
    run.settings = load_settings(**given)
    with pytest.raises(ConfigurationError, match="time zone Asia/Kolkata"):
        stages.extract(run)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'Asia/Pune' is no time zone"):
        load_settings(time_zone="Asia/Pune")
