"""What is served, asked for again: the same, altered behind shopsight's back, or overtaken by the source."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from pydantic import SecretStr
from pymongo.collection import Collection
from pymongo.database import Database
from tests.support.command_line import shopsight
from tests.support.published_shop import PublishedShop, published_shop
from tests.support.shop_rows import SHOP

from shopsight import publish
from shopsight.errors import ConfigurationError, ProofBroken
from shopsight.inspect.published import read_published
from shopsight.inspect.verify import Verification, verify
from shopsight.pipeline import run as pipeline

D = Decimal
UNKNOWN = "orders.customer_unknown:104:1"


def listed(found: Verification) -> list[tuple[str, Any, str, dict[str, Any]]]:
    return [(d.collection, d.id, d.kind, d.fields) for d in found.documents]


def test_published_data_are_intact_and_current(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verify(shop.settings)
    assert (found.is_intact, found.is_current) == (True, True)
    assert {check.what for check in found.target} >= {
        "customers: sum(total_amount_spent)",
        "customers: SHA-256",
        "insights: view of",
        "customer_metrics.g1: view of customers",
        "published: as_of",
    }
    assert {check.what for check in found.source} >= {"source: address", "orders.total_amount: keyed"}
    assert shop.exit_code(monkeypatch, "verify") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "MongoDB serves what was proven" in said
    assert "The source still says the same" in said


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "changed"])
def test_an_own_insight_is_published_and_verified_even_without_its_file(
    sqlite_shop: PublishedShop, tmp_path: Path, is_gone: bool
) -> None:
    shopsight("insight", "new", "mine", "--folder", str(tmp_path / "mine"))
    given = {"files": [str(tmp_path / "mine")]}
    own = PublishedShop(sqlite_shop.settings.model_copy(update={"insights": given}))
    assert [one.id for one in own.run().own_insights] == ["mine"]
    assert "Not counted again" in {row["_id"]: row for row in own.served("insights")}["mine"]["description"]
    file = tmp_path / "mine" / "mine.py"
    file.write_text(file.read_text().replace("Countries lately", "Changed"))
    if is_gone:
        file.unlink()
    assert verify(own.settings).is_intact
    own.tamper("insights", lambda found: found.update_one({"_id": "top_customers"}, {"$set": {"title": "?"}}))
    assert [(kind, id_) for _, id_, kind, _ in listed(verify(own.settings))] == [("altered", "top_customers")]
    published = read_published(own.settings)
    assert list(published.insights)[-1] == "mine"
    published.write_report(tmp_path / "report.html")
    assert "Not counted again" in (tmp_path / "report.html").read_text()


def test_nothing_published_is_reported(sqlite_shop: PublishedShop) -> None:
    with pytest.raises(ConfigurationError, match="Nothing is published"):
        verify(sqlite_shop.settings)


@pytest.mark.parametrize(
    ("view", "change", "document"),
    [
        (
            "customers",
            lambda found: found.update_one({"_id": 2}, {"$set": {"name": "Nobody"}}),
            ("customers", 2, "altered", {"name": ("Bob", "Nobody")}),
        ),
        (
            "customers",
            lambda found: found.update_one({"_id": 2}, {"$set": {"total_amount_spent": Decimal128("8.21")}}),
            ("customers", 2, "altered", {"total_amount_spent": (D("8.20"), D("8.21"))}),
        ),
        (
            "customers",
            lambda found: found.delete_one({"_id": 3}),
            ("customers", 3, "removed", {}),
        ),
        (
            "customers",
            lambda found: found.insert_one({"_id": "x", "name": "Made up"}),
            ("customers", "x", "added", {}),
        ),
        (
            "insights",
            lambda found: found.update_one({"_id": "top_customers"}, {"$set": {"rows.0.name": "Nobody"}}),
            ("insights", "top_customers", "altered", {"rows.0.name": ("Ann", "Nobody")}),
        ),
        (
            "insights",
            lambda found: found.update_one({"_id": "top_customers"}, {"$unset": {"columns": 1}}),
            None,
        ),
        (
            "rejected_rows",
            lambda found: found.delete_one({"rule": "orders.customer_unknown"}),
            ("rejected_rows", UNKNOWN, "removed", {}),
        ),
        (
            "rejected_rows",
            lambda found: found.update_one(
                {"_id": "orders.customer_unknown:104:1"}, {"$set": {"row.status": "?"}}
            ),
            ("rejected_rows", "orders.customer_unknown:104:1", "altered", {"row.status": ("completed", "?")}),
        ),
    ],
)
def test_an_altered_document_is_named(
    shop: PublishedShop, view: str, change: Callable[[Collection[Any]], Any], document: Any
) -> None:
    shop.tamper(view, change)
    found = verify(shop.settings)
    assert (found.is_intact, found.is_current, found.has_files) == (False, True, True)
    assert f"{view}: SHA-256" in {check.what for check in found.altered}
    if document is not None:
        assert listed(found) == [document]


def test_values_that_changed_places_are_found_though_every_sum_is_right(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.tamper("customers", lambda c: c.update_one({"_id": 1}, {"$set": {"country": "United States"}}))
    shop.tamper("customers", lambda c: c.update_one({"_id": 2}, {"$set": {"country": "Germany"}}))
    found = verify(shop.settings)
    assert [check.what for check in found.altered] == ["customers: SHA-256"]
    assert [document.id for document in found.documents] == [1, 2]
    assert shop.exit_code(monkeypatch, "verify") == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "altered after it was published" in said
    assert "customers 2: country was United States, is Germany" in said


def test_tampering_is_found_without_the_run_s_files_but_not_named(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.tamper("customers", lambda c: c.update_one({"_id": 2}, {"$set": {"name": "Nobody"}}))
    shutil.rmtree(shop.settings.workdir / "runs")
    found = verify(shop.settings)
    assert (found.is_intact, found.is_current, found.has_files, found.documents) == (False, True, False, [])
    assert [check.what for check in found.altered] == ["customers: SHA-256"]
    assert shop.exit_code(monkeypatch, "verify") == 3
    assert "files of run" in capsys.readouterr().out


def test_a_damaged_file_of_the_run_is_not_compared_with(shop: PublishedShop) -> None:
    (path,) = shop.settings.workdir.glob("runs/*/marts/customer_metrics/*.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    shop.tamper("customers", lambda c: c.delete_one({"_id": 3}))
    found = verify(shop.settings)
    assert (found.is_intact, found.has_files, found.documents) == (False, False, [])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda db, _: db.command("collMod", "insights", viewOn="customers.g1", pipeline=[]),
            "insights: view of",
        ),
        (
            lambda db, _: db.command(
                "collMod", "rejected_rows", viewOn="rejected_rows.g1", pipeline=[{"$limit": 1}]
            ),
            "rejected_rows: view of",
        ),
        (
            lambda db, _: db.command("collMod", "customer_metrics.g1", viewOn="customers.g1", pipeline=[]),
            "customer_metrics.g1: view of customers",
        ),
        (
            lambda db, _: (
                db.drop_collection("customer_metrics.g1"),
                db["customer_metrics.g1"].insert_one({"_id": 1, "name": "Nobody"}),
            ),
            "customer_metrics.g1: view of customers",
        ),
        (
            lambda db, _: db["published"].update_one(
                {}, {"$set": {"as_of": datetime(2020, 1, 1, tzinfo=UTC)}}
            ),
            "published: as_of",
        ),
        (
            lambda db, run_id: db["pipeline_runs"].update_one(
                {"_id": run_id}, {"$set": {"figures.customers.rows": 4}}
            ),
            "pipeline_runs: customers: rows",
        ),
        (lambda db, run_id: db["pipeline_runs"].delete_one({"_id": run_id}), "pipeline_runs: "),
        (lambda db, _: db["generations"].delete_many({}), "generations: 1"),
    ],
)
def test_pointers_and_records_are_checked_too(
    shop: PublishedShop, change: Callable[[Database[Any], str], Any], what: str
) -> None:
    with shop.target() as target:
        change(target.db, publish.served(target).run_id)
    found = verify(shop.settings)
    assert not found.is_intact
    assert found.altered[0].what.startswith(what)


def test_a_changed_source_is_reported_and_is_no_failure(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.execute("INSERT INTO orders VALUES (900, 1, '2024-05-01', 10.25, 'completed')")
    found = verify(shop.settings)
    assert (found.is_intact, found.is_current) == (True, False)
    moved = {check.what: check for check in found.moved}
    assert {what.partition(".")[0].partition(":")[0] for what in moved} == {"orders"}
    assert (moved["orders: rows"].expected, moved["orders: rows"].found) == (6, 7)
    amounts = moved["orders.total_amount: keyed"]
    assert int(amounts.found or 0) - int(amounts.expected or 0) == 900 * 1025
    assert shop.exit_code(monkeypatch, "verify") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The source has moved on since" in said
    assert "orders: rows 6 7" in said


def test_a_changed_source_and_a_tampered_target_are_distinguished(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.execute("DELETE FROM reviews")
    shop.tamper("customers", lambda c: c.delete_one({"_id": 3}))
    assert shop.exit_code(monkeypatch, "verify", "--json") == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["is_intact"], document["is_current"]) == (False, False)
    moved = [check["what"] for check in document["moved"]]
    assert moved[0] == "reviews: rows"
    assert "reviews.rating: keyed" in moved
    assert all(what.startswith("reviews") for what in moved)
    assert [(d["collection"], d["id"], d["kind"]) for d in document["documents"]] == [
        ("customers", 3, "removed")
    ]


def test_another_source_is_reported(shop: PublishedShop) -> None:
    shutil.copy("shop.db", "copy.db")
    moved = verify(shop.settings.model_copy(update={"source_url": SecretStr("sqlite:///copy.db")})).moved
    assert [check.what for check in moved] == ["source: address"]


def test_another_time_zone_since_the_run_is_no_change_of_the_source(
    postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    rows = {**SHOP, "orders": [(100, 1, "2024-01-05 20:00+00", "30.00", "completed")], "order_items": []}
    types = {"orders": {"order_date": "timestamptz"}}
    shop = published_shop(
        postgres_url, mongo_url, mongo_database, workdir, rows, types, time_zone="Asia/Kolkata"
    )
    shop.run()
    assert verify(shop.settings.model_copy(update={"time_zone": None})).moved == []


def test_an_earlier_generation_that_is_served_again_is_intact(shop: PublishedShop) -> None:
    shop.execute("INSERT INTO orders VALUES (900, 1, '2024-05-01', 10.25, 'completed')")
    shop.run()
    pipeline.roll_back(shop.settings)
    found = verify(shop.settings)
    assert (found.served.generation, found.is_intact) == (1, True)
    assert not found.is_current


def test_a_resumed_run_that_failed_does_not_speak_for_the_served_generation(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ProofBroken.between("4", "rows", 1, 2)

    monkeypatch.setattr("shopsight.audit.proof.prove_target", refuse)
    with pytest.raises(ProofBroken):
        shop.run(resume=True)
    found = verify(shop.settings)
    assert (found.is_intact, found.source) == (True, [])
    shop.tamper("insights", lambda c: c.delete_one({"_id": "top_products"}))
    assert not verify(shop.settings).is_intact


def test_the_digest_of_a_generation_is_noted_with_it(shop: PublishedShop) -> None:
    with shop.target() as target:
        served = publish.served(target)
        assert served is not None
        note = publish.generation_note(target, served.generation)
        assert note["digests"] == publish.read_digests(target, served)
