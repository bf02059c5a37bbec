"""What a run's files become: whole documents, the same whatever the order of the rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bson import Decimal128
from structlog.testing import capture_logs
from tests.support.publish_shop import (
    INSIGHTS,
    MONEY,
    Column,
    Insight,
    customer,
    rejected_rows,
    write_shop,
    write_table,
)

from shopsight.publish import documents
from shopsight.publish.privacy import Privacy

RUN = "20261122T180000Z-1f3a9c"
AS_OF = datetime(2026, 11, 22, 18, tzinfo=UTC)


def decoded(batches: Any) -> list[dict[str, Any]]:
    return [bson.decode(document) for batch in batches for document in batch]


def rejected_order(order_id: str | None, rule: str, **others: Any) -> dict[str, Any]:
    row = {
        "order_id": order_id,
        "customer_id": "7",
        "order_date": "2026-10-01",
        "total_amount": "12.50",
        "status": "paid",
        "rule": rule,
        "measure": Decimal("12.50"),
    }
    return {**row, **others}


def test_a_customer_document_has_the_id_and_the_nine_fields_in_order(tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [customer(42, "90071992547409.93", email=None, average_rating=None)])
    (found,) = decoded(documents.customer_documents(shop.marts / "customer_metrics", Privacy()))
    assert list(found.items()) == [
        ("_id", 42),
        ("customer_id", 42),
        ("name", "Customer 42"),
        ("email", None),
        ("country", "Germany"),
        ("total_amount_spent", Decimal128("90071992547409.93")),
        ("total_orders", 3),
        ("average_order_value", Decimal128("10.00")),
        ("total_products_ordered", 6),
        ("average_rating", None),
    ]


def test_an_insight_document_says_what_it_is_and_keeps_the_order_of_its_rows(tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [customer(1, "5.00"), customer(2, "9.00")])
    top, months = decoded(
        documents.insight_documents(
            shop.marts / "insights", INSIGHTS, run_id=RUN, as_of=AS_OF, privacy=Privacy()
        )
    )
    assert list(top) == ["_id", "title", "description", "columns", "rows", "run_id", "as_of"]
    assert top["_id"] == "top_customers"
    assert top["columns"][2] == {"name": "total_amount_spent", "kind": "money", "label": "Spent"}
    assert top["rows"] == [
        {"customer_id": 2, "name": "Customer 2", "total_amount_spent": Decimal128("9.00")},
        {"customer_id": 1, "name": "Customer 1", "total_amount_spent": Decimal128("5.00")},
    ]
    assert (top["run_id"], top["as_of"]) == (RUN, AS_OF.replace(tzinfo=None))
    assert months["rows"][0]["month"] == datetime(2026, 10, 1)  # noqa: DTZ001 - as bson gives it


def test_an_insight_without_rows_is_a_document_with_an_empty_list(tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [], months=[])
    found = decoded(
        documents.insight_documents(
            shop.marts / "insights", INSIGHTS, run_id=RUN, as_of=AS_OF, privacy=Privacy()
        )
    )
    assert [document["rows"] for document in found] == [[], []]


COUNTRIES = Insight("countries", "Countries", "All of them.", (Column("country", "text", "Country"),))


def test_insight_beyond_what_a_document_holds_is_truncated_and_says_so(tmp_path: Path) -> None:
    names = [f"{i:06} {'x' * 993}" for i in range(17_000)]
    write_table(tmp_path / "countries", pa.table({"country": names}))
    told: dict[str, int] = {}
    ((encoded,),) = documents.insight_documents(
        tmp_path, [COUNTRIES], run_id=RUN, as_of=AS_OF, privacy=Privacy(), on_truncated=told.__setitem__
    )
    assert 0 <= documents.LARGEST_ROWS - len(encoded) + 500 < 1_500, "the next row would not fit"
    found = bson.decode(encoded)
    rows = [row["country"] for row in found["rows"]]
    assert rows == names[: len(rows)]
    assert told == {"countries": len(rows)}
    assert (found["rows_total"], found["is_truncated"]) == (17_000, True)
    assert found["description"] == (
        f"All of them. Only the first {len(rows):,} of 17,000 rows are published."
    )


def test_insight_of_exactly_the_largest_size_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(tmp_path / "countries", pa.table({"country": [f"{i:02}" for i in range(12)]}))
    rows_size = len(bson.encode({"rows": [{"country": "xx"}] * 12})) - len(bson.encode({"rows": []}))
    for limit, published in ((rows_size, 12), (rows_size - 1, 11)):
        monkeypatch.setattr(documents, "LARGEST_ROWS", limit)
        (found,) = decoded(
            documents.insight_documents(tmp_path, [COUNTRIES], run_id=RUN, as_of=AS_OF, privacy=Privacy())
        )
        assert len(found["rows"]) == published
        assert ("is_truncated" in found) is ("rows_total" in found) is (published < 12)


def test_too_long_text_is_cut_with_a_mark_and_one_of_the_longest_length_is_kept(tmp_path: Path) -> None:
    longest, longer = "ü" * 16_384, "ü" * 16_384 + "y"
    shop = write_shop(tmp_path, [customer(1, name=longer), customer(2, name=longest), customer(3, name=None)])
    names = {
        document["_id"]: document["name"]
        for document in decoded(documents.customer_documents(shop.marts / "customer_metrics", Privacy()))
    }
    assert names == {1: "ü" * 16_384 + "… [cut from 16385 characters]", 2: longest, 3: None}


def test_rejected_row_with_a_text_of_17_megabytes_is_published_and_its_file_is_kept(tmp_path: Path) -> None:
    huge = "x" * 17_000_000
    rows = [
        rejected_order("17", "orders.unknown_status", status=huge),
        rejected_order(huge, "orders.unreadable_key"),
        rejected_order(huge + "x", "orders.unreadable_key"),
        rejected_order(huge, "orders.unreadable_key", total_amount="1.00"),
    ]
    shop = write_shop(tmp_path, rejected={"orders": rejected_rows("orders", rows)})
    found = decoded(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy()))
    start = "x" * 16_384 + "… [cut from 1700000"
    stem = f"orders.unreadable_key:{start}"
    assert {document["_id"] for document in found} == {
        "orders.unknown_status:17:1",
        f"{stem}0 characters]:1",
        f"{stem}0 characters]:2",
        f"{stem}1 characters]:1",
    }
    assert {document["key"] for document in found} == {"17", f"{start}0 characters]", f"{start}1 characters]"}
    (status,) = [document["row"]["status"] for document in found if document["key"] == "17"]
    assert status == f"{start}0 characters]"
    kept = pq.read_table(shop.rejected / "orders" / "part-00000.parquet")
    assert kept["status"][0].as_py() == huge


def test_cut_texts_and_truncated_insights_are_counted_and_logged(tmp_path: Path) -> None:
    shop = write_shop(tmp_path, [customer(i, name="x" * 20_000) for i in range(3)])
    write_table(tmp_path / "countries", pa.table({"country": ["x" * 1000] * 17_000}))
    with capture_logs() as logged:
        decoded(documents.customer_documents(shop.marts / "customer_metrics", Privacy()))
        decoded(
            documents.insight_documents(tmp_path, [COUNTRIES], run_id=RUN, as_of=AS_OF, privacy=Privacy())
        )
    cut, truncated = logged
    assert (cut["event"], cut["folder"], cut["column"], cut["texts"]) == (
        "texts cut",
        "customer_metrics",
        "name",
        3,
    )
    assert (truncated["event"], truncated["insight"], truncated["rows_total"]) == (
        "insight truncated",
        "countries",
        17_000,
    )


def test_a_rejected_row_stands_as_it_was_with_table_key_rule_and_measure(tmp_path: Path) -> None:
    row = rejected_order("17", "orders.unknown_customer", status="$where")
    shop = write_shop(tmp_path, rejected={"orders": rejected_rows("orders", [row])})
    assert decoded(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy())) == [
        {
            "_id": "orders.unknown_customer:17:1",
            "table": "orders",
            "key": "17",
            "rule": "orders.unknown_customer",
            "measure": Decimal128("12.50"),
            "row": {
                "order_id": "17",
                "customer_id": "7",
                "order_date": "2026-10-01",
                "total_amount": "12.50",
                "status": "$where",
            },
            "run_id": RUN,
        }
    ]


def test_the_rows_of_one_rule_and_key_are_numbered_by_their_values_in_whatever_order_they_come(
    tmp_path: Path,
) -> None:
    rows = [
        rejected_order("17", "orders.duplicate_key", total_amount="9.00"),
        rejected_order("17", "orders.duplicate_key", total_amount="8.00"),
        rejected_order("17", "orders.duplicate_key", total_amount="8.00"),
        rejected_order("17", "orders.null_total", total_amount=None, measure=None),
        rejected_order(None, "orders.null_key", customer_id="1"),
        rejected_order(None, "orders.null_key", customer_id=None),
        rejected_order("", "orders.null_key", customer_id="1"),
        *(rejected_order(str(key), "orders.duplicate_key") for key in range(100, 110)),
    ]
    expected: dict[str, Any] | None = None
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        shop = write_shop(tmp_path / str(seed), rejected={"orders": rejected_rows("orders", rows)})
        found = decoded(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy()))
        by_id = {document["_id"]: document for document in found}
        assert len(by_id) == len(rows)
        expected = expected or by_id
        assert by_id == expected
    assert expected is not None
    amounts = [expected[f"orders.duplicate_key:17:{n}"]["row"]["total_amount"] for n in (1, 2, 3)]
    assert amounts == ["8.00", "8.00", "9.00"]


def test_the_id_of_a_rejected_row_never_holds_an_address(tmp_path: Path) -> None:
    keys = ["ann@example.com", "bob@example.com", None]
    rows = [rejected_order(key, "orders.key_unreadable") for key in keys]
    shop = write_shop(tmp_path, rejected={"orders": rejected_rows("orders", rows)})
    found = decoded(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy()))
    assert sorted(document["_id"] for document in found) == [f"orders.key_unreadable::{n}" for n in (1, 2, 3)]
    assert {document["key"] for document in found} == {*keys}


def test_rejected_rows_keep_the_types_of_the_source(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("item_id", pa.int64()),
            ("order_id", pa.int64()),
            ("product_id", pa.int64()),
            ("quantity", pa.int64()),
            ("price", pa.decimal128(18, 2)),
            ("rule", pa.string()),
            ("measure", MONEY),
        ]
    )
    row = dict(
        zip(schema.names, (1, None, 3, -(2**62), Decimal("-0.01"), "order_items.x", None), strict=True)
    )
    shop = write_shop(tmp_path, rejected={"order_items": pa.Table.from_pylist([row], schema)})
    (found,) = decoded(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy()))
    assert (found["key"], found["measure"]) == (1, None)
    assert found["row"] == {
        "item_id": 1,
        "order_id": None,
        "product_id": 3,
        "quantity": -(2**62),
        "price": Decimal128("-0.01"),
    }


def test_batches_are_bounded_and_cover_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "BATCH_ROWS", 3)
    rows = [rejected_order(str(i // 2), "orders.duplicate_key", customer_id=str(i)) for i in range(10)]
    shop = write_shop(
        tmp_path, [customer(i) for i in range(10)], rejected={"orders": rejected_rows("orders", rows)}
    )
    batches = list(documents.customer_documents(shop.marts / "customer_metrics", Privacy()))
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    found = list(documents.rejected_documents(shop.rejected, run_id=RUN, privacy=Privacy()))
    assert max(map(len, found)) <= 3
    assert {document["row"]["customer_id"] for document in decoded(found)} == {str(i) for i in range(10)}
