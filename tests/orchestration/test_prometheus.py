"""The Prometheus text, read back by Prometheus' own parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shopsight.inspect.freshness import freshness
from shopsight.orchestration.prometheus import prometheus_text
from shopsight.record import Check, Ledger, Link, RuleLedger, RunRecord, StageReport, TableLedger

AT = datetime(2026, 11, 22, 18, tzinfo=UTC)
SERVED = {
    "generation": 7,
    "run_id": "R",
    "as_of": AT,
    "valid_until": AT + timedelta(hours=6),
    "published_at": AT + timedelta(seconds=90),
}


def _record(**changes: Any) -> RunRecord:
    record = RunRecord(
        "R",
        "run",
        "succeeded",
        AT,
        ended_at=AT + timedelta(seconds=90.5),
        seconds=90.5,
        stages=[
            StageReport("extract", "done", AT, 12.5, 100, 100, None),
            StageReport("clean", "done", AT, 3.25, 100, 98, 2),
        ],
        ledger=Ledger(
            tables=[TableLedger("orders", 100, 97, 2, 1)],
            rules=[
                RuleLedger(
                    "orders.unknown_customer", "orders", "reject", 'says "unknown"', 2, Decimal("9.99")
                )
            ],
        ),
        proof=[
            Link.of("source = raw", [Check("orders.rows", 100, 100)]),
            Link.of("raw = clean", [Check("orders.rows", 1, 2)]),
        ],
        versions={"shopsight": "0.1.0"},
    )
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def _samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_every_figure_of_the_run() -> None:
    samples = _samples(prometheus_text(_record().as_document(), SERVED, AT + timedelta(hours=2)))

    assert samples == {
        ("shopsight_run_info", (("run_id", "R"), ("status", "succeeded"), ("version", "0.1.0"))): 1,
        ("shopsight_run_succeeded", ()): 1,
        ("shopsight_run_started_timestamp_seconds", ()): AT.timestamp(),
        ("shopsight_run_ended_timestamp_seconds", ()): AT.timestamp() + 90.5,
        ("shopsight_run_duration_seconds", ()): 90.5,
        ("shopsight_stage_duration_seconds", (("stage", "extract"),)): 12.5,
        ("shopsight_stage_duration_seconds", (("stage", "clean"),)): 3.25,
        ("shopsight_stage_rows_in", (("stage", "extract"),)): 100,
        ("shopsight_stage_rows_in", (("stage", "clean"),)): 100,
        ("shopsight_stage_rows_out", (("stage", "extract"),)): 100,
        ("shopsight_stage_rows_out", (("stage", "clean"),)): 98,
        ("shopsight_table_rows_read", (("table", "orders"),)): 100,
        ("shopsight_table_rows_kept", (("table", "orders"),)): 97,
        ("shopsight_table_rows_rejected", (("table", "orders"),)): 2,
        ("shopsight_table_rows_merged", (("table", "orders"),)): 1,
        (
            "shopsight_rule_rows",
            (("action", "reject"), ("rule", "orders.unknown_customer"), ("table", "orders")),
        ): 2,
        ("shopsight_proof_holds", (("link", "source = raw"),)): 1,
        ("shopsight_proof_holds", (("link", "raw = clean"),)): 0,
        ("shopsight_published_generation", ()): 7,
        ("shopsight_data_timestamp_seconds", ()): AT.timestamp(),
        ("shopsight_data_age_seconds", ()): 7200,
        ("shopsight_data_valid_until_timestamp_seconds", ()): AT.timestamp() + 6 * 3600,
        ("shopsight_last_success_timestamp_seconds", ()): AT.timestamp() + 90,
        ("shopsight_published_pinned", ()): 0,
        ("shopsight_data_fresh", ()): 1,
    }


def test_each_family_has_its_help_and_type_once_and_before_its_samples() -> None:
    lines = prometheus_text(_record().as_document(), SERVED, AT).splitlines()

    names = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert names == [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(names)) == len(names)
    for name in names:
        first = next(i for i, line in enumerate(lines) if line.startswith((f"{name} ", f"{name}{{")))
        assert lines[first - 1] == f"# TYPE {name} gauge"


@pytest.mark.parametrize(
    ("status", "value"), [("failed", 0), ("refused", 0), ("succeeded", 1), ("running", None)]
)
def test_success_is_zero_or_one_and_unknown_while_running(status: str, value: int | None) -> None:
    samples = _samples(prometheus_text(_record(status=status).as_document(), SERVED, AT))

    assert samples.get(("shopsight_run_succeeded", ())) == value


def test_before_the_first_run_only_the_lack_of_data_is_said() -> None:
    assert _samples(prometheus_text({}, None, AT)) == {("shopsight_data_fresh", ()): 0}


def test_a_document_from_the_run_directory_reads_the_same() -> None:
    document = _record().as_document()
    from_file = json.loads(json.dumps(document, default=str))

    assert prometheus_text(from_file, SERVED, AT) == prometheus_text(document, SERVED, AT)


def test_labels_are_escaped() -> None:
    text = prometheus_text(_record(run_id='a"b\\c\nd').as_document(), None, AT)

    assert (
        "shopsight_run_info",
        (("run_id", 'a"b\\c\nd'), ("status", "succeeded"), ("version", "0.1.0")),
    ) in _samples(text)


def test_freshness_turns_at_valid_until() -> None:
    limit = SERVED["valid_until"]

    assert freshness(SERVED, limit).is_fresh
    assert freshness(SERVED, limit).overdue is None
    late = freshness(SERVED, limit + timedelta(seconds=1))
    assert not late.is_fresh
    assert late.overdue == timedelta(seconds=1)
    assert late.age == timedelta(hours=6, seconds=1)


def test_nothing_published_is_not_fresh() -> None:
    assert freshness(None, AT).sentence == "Nothing has been published yet."
    assert not freshness(None, AT).is_fresh


def test_a_moment_without_time_zone_is_utc() -> None:
    naive = {
        **SERVED,
        "as_of": AT.replace(tzinfo=None),
        "valid_until": SERVED["valid_until"].replace(tzinfo=None),
    }

    assert freshness(naive, AT + timedelta(hours=1)) == freshness(SERVED, AT + timedelta(hours=1))
