"""A run's document says what its record says, and exactly."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shopsight.record import (
    Check,
    Ledger,
    Link,
    RuleLedger,
    RunRecord,
    Snapshot,
    SourceTable,
    StageReport,
    TableLedger,
    Watched,
    average_order_value,
    average_rating,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SNAPSHOT = Snapshot(
    snapshot_id="00000003-0000001B-1",
    as_of=NOON,
    source="postgresql://db/shop",
    dialect="postgresql",
    server_version="18.4",
    schema=None,
    tables={
        "orders": SourceTable(
            3, {"order_id": {"keyed": 2**120}}, {"order_id": "integer"}, {"order_id": "native"}
        ),
        "customers": SourceTable(0, {}, {}, {}),
    },
)


def test_a_snapshot_survives_json_exactly() -> None:
    assert Snapshot.from_details(json.loads(json.dumps(SNAPSHOT.as_details()))) == SNAPSHOT


def test_a_check_holds_only_if_both_figures_are_the_same() -> None:
    assert Check("orders rows", 3, 3).holds
    assert Check("orders.total_amount", Decimal("1.10"), Decimal("1.1")).holds
    assert not Check("orders.total_amount", Decimal("0.30"), Decimal("0.31")).holds
    assert not Check("orders rows", None, 0).holds


def test_the_document_counts_equalities_and_holds_the_broken_ones_in_full() -> None:
    record = RunRecord(
        "r1",
        "run",
        "failed",
        NOON,
        snapshot=SNAPSHOT,
        stages=[StageReport("extract", "done", NOON, 1.5, rows_out=3)],
        proof=[Link.of("source = raw", [Check("orders: rows", 3, 3), Check("orders.total: values", 2, 1)])],
        totals={"revenue": Decimal("9.99")},
    )
    document = record.as_document()
    assert document["_id"] == document["run_id"] == "r1"
    assert document["proof"] == [
        {
            "name": "source = raw",
            "compared": {"orders": 2},
            "broken": [{"what": "orders.total: values", "expected": 2, "found": 1}],
            "seconds": 0.0,
        }
    ]
    assert document["snapshot"]["tables"]["orders"]["totals"] == {"order_id": {"keyed": 2**120}}
    assert document["stages"][0]["rows_out"] == 3
    assert document["started_at"] == NOON
    assert document["totals"] == {"revenue": Decimal("9.99")}


def test_a_document_is_a_copy() -> None:
    record = RunRecord("r1", "run", "running", NOON, totals={"customers": 1})
    record.as_document()["totals"]["customers"] = 2
    assert record.totals == {"customers": 1}


def test_a_record_travels_to_other_processes() -> None:
    record = RunRecord("r1", "run", "running", NOON, snapshot=SNAPSHOT)
    assert pickle.loads(pickle.dumps(record)) == record


def test_record_survives_its_document_in_json_and_in_mongodb() -> None:
    orders = TableLedger("orders", 3, 2, 1, 0, measure="sum(total_amount)", measure_in=Decimal("1E+3"))
    record = RunRecord(
        "r1",
        "run",
        "refused",
        NOON,
        ended_at=NOON,
        seconds=1.5,
        snapshot=SNAPSHOT,
        generation=7,
        valid_until=NOON,
        stages=[StageReport("extract", "done", NOON, 1.5, rows_out=3)],
        ledger=Ledger([orders], [RuleLedger("total_missing", "orders", "reject", "No total.", 1)]),
        proof=[
            Link.of(
                "4",
                [
                    Check("revenue", Decimal("12345678901234567.89"), None),
                    Check("orders: rows", 3, 2),
                    Check("orders: content", "0123456789" * 6 + "0123", "e" * 64),
                ],
                seconds=0.25,
            )
        ],
        totals={"revenue": Decimal("9.90"), "customers": 1},
        figures={"monthly_sales": {"sum(revenue)": Decimal("9.90"), "SHA-256": "12" * 32}},
        versions={"shopsight": "1.0"},
        error={"type": "ProofBroken", "message": "9.90", "remedy": "", "stage": None, "run_id": None},
    )
    document = record.as_document()
    in_json = json.loads(json.dumps(document, default=str))
    assert RunRecord.from_document(document) == RunRecord.from_document(in_json) == record
    assert isinstance(RunRecord.from_document(in_json).totals["revenue"], Decimal)


@pytest.mark.parametrize("document", [{}, {"run_id": "r1", "status": "running"}, {"run_id": 1, "kind": []}])
def test_a_document_that_is_no_run_record_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        RunRecord.from_document(document)


@pytest.mark.parametrize(
    ("revenue", "orders", "expected"),
    [
        ("10.00", 3, "3.33"),
        ("0.01", 2, "0.01"),
        ("-0.01", 2, "-0.01"),
        (f"{'9' * 34}.99", 1, f"{'9' * 34}.99"),
        ("10.00", 0, None),
        (None, 2, None),
    ],
)
def test_average_order_value_is_rounded_half_up(
    revenue: str | None, orders: int, expected: str | None
) -> None:
    totals = {"revenue": revenue and Decimal(revenue), "counting_orders": orders}
    assert average_order_value(totals) == (expected and Decimal(expected))


def test_an_average_rating_is_exact_and_is_told_with_four_decimals() -> None:
    reviews = {"table": "reviews", "rows_out": 3, "measure_out": "14"}
    assert average_rating({"ledger": {"tables": [reviews]}}) == 14 / 3
    watched = Watched("average_rating (below 4)", Decimal(str(14 / 3)), Decimal("1234.50"), "")
    assert watched.sentence == "average_rating (below 4) is 4.6667 (1,234.50 before)."
    assert Watched("orders", 1000, None, "").sentence == "orders is 1,000."
    assert Watched("share", Decimal("0.0000123456"), None, "").sentence == "share is 0.00001235."
