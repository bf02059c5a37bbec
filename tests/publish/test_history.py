"""The runs' documents in a real MongoDB: exact, and the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from bson import Decimal128
from tests.support.publish_shop import AS_OF, Publisher, opened_publisher, record_of

from shopsight import publish
from shopsight.errors import SourceUnavailable
from shopsight.record import Check, Ledger, Link, RuleLedger, RunRecord, StageReport, TableLedger

#: In cents more than 2^53, in all as many digits as Decimal128 holds.
HUGE = Decimal("12345678901234567890123456789012.34")


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


def full_record() -> RunRecord:
    record = record_of("20261122T180000Z-1f3a9c")
    record.stages = [StageReport("extract", "done", AS_OF, 1.5, 10, 10, 0)]
    record.ledger = Ledger(
        [TableLedger("orders", 10, 9, 1, 0, 0, "sum(total_amount)", HUGE, HUGE, Decimal("0.00"))],
        [RuleLedger("orders.null_total", "orders", "reject", "A null total.", 1, None)],
    )
    record.proof = [
        Link.of("1 (source = raw)", [Check("orders: measure", HUGE, HUGE), Check("rows", 1, 2)], 0.1)
    ]
    record.error = SourceUnavailable("postgresql://ann:s3cret@db went away", remedy="Start it.").as_document()
    record.figures = {"rejected_rows": {"sum(measure, orders.total_missing)": HUGE, "SHA-256": "ab" * 32}}
    record.status = "failed"
    return record


def test_a_saved_run_comes_back_as_it_was_to_the_last_digit(publisher: Publisher) -> None:
    record = full_record()
    publish.save_run(publisher.target, record)
    found = publish.find_run(publisher.target, record.run_id)
    assert found == record.as_document()
    assert found["ledger"]["tables"][0]["measure_in"] == HUGE
    assert found["proof"][0]["broken"] == [{"what": "rows", "expected": 1, "found": 2}]
    stored = publisher.target.db["pipeline_runs"].find_one()
    assert stored is not None
    assert stored["totals"]["revenue"] == Decimal128("60.00")
    assert "s3cret" not in str(stored)


def test_a_run_that_is_saved_again_replaces_what_was_saved(publisher: Publisher) -> None:
    record = full_record()
    publish.save_run(publisher.target, record)
    record.status, record.error = "succeeded", None
    publish.save_run(publisher.target, record)
    assert publisher.target.db["pipeline_runs"].count_documents({}) == 1
    found = publish.find_run(publisher.target, record.run_id)
    assert found is not None
    assert (found["status"], found["error"]) == ("succeeded", None)


def test_runs_are_listed_newest_first_and_the_latest_is_no_rollback(publisher: Publisher) -> None:
    moments = [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (9, 6, 12)]
    for moment in moments:
        publish.save_run(publisher.target, record_of(f"{moment:%Y%m%dT%H%M%SZ}-aaaaaa"))
    last = RunRecord("20261122T130000Z-aaaaaa", "rollback", "succeeded", AS_OF + timedelta(hours=1))
    publish.save_run(publisher.target, last)
    hours = [run["_id"][9:11] for run in publish.list_runs(publisher.target)]
    assert hours == ["13", "12", "09", "06"]
    assert [run["_id"][9:11] for run in publish.list_runs(publisher.target, limit=2)] == ["13", "12"]
    latest = publish.latest_run(publisher.target)
    assert latest is not None
    assert latest["_id"] == "20261122T120000Z-aaaaaa"


def test_without_runs_nothing_is_found(publisher: Publisher) -> None:
    assert publish.find_run(publisher.target, "20261122T180000Z-1f3a9c") is None
    assert publish.latest_run(publisher.target) is None
    assert publish.list_runs(publisher.target) == []
