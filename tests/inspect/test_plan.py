"""`shopsight plan`: what publishing would change, and nothing published."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.support.published_shop import PublishedShop, changed_after, rewrite

from shopsight import publish
from shopsight.errors import ProofBroken
from shopsight.inspect.plan import Plan, make_plan
from shopsight.pipeline import stages

D = Decimal


def counts(plan: Plan) -> dict[str, tuple[int, int, int, int]]:
    return {
        name: (found["added"], found["removed"], found["changed"], found["unchanged"])
        for name, found in plan.as_document()["documents"].items()
    }


def collections(shop: PublishedShop) -> set[str]:
    with shop.target() as target:
        return set(target.db.list_collection_names())


def test_the_first_plan_adds_everything_and_writes_nothing(sqlite_shop: PublishedShop) -> None:
    plan = make_plan(sqlite_shop.settings)
    assert plan.served is None
    assert counts(plan) == {
        "customer_metrics": (3, 0, 0, 0),
        "customers": (3, 0, 0, 0),
        "insights": (10, 0, 0, 0),
        "rejected_rows": (3, 0, 0, 0),
    }
    assert [link.name[0] for link in plan.record.proof] == ["1", "2", "3"]
    assert collections(sqlite_shop) == set()


def test_a_plan_over_an_unchanged_source_changes_nothing(shop: PublishedShop) -> None:
    plan = make_plan(shop.settings)
    assert counts(plan) == {
        "customer_metrics": (0, 0, 0, 3),
        "customers": (0, 0, 0, 3),
        "insights": (0, 0, 0, 10),
        "rejected_rows": (0, 0, 0, 3),
    }
    assert (plan.rows, plan.largest, plan.shrink) == ({}, [], None)


def test_a_plan_lists_added_removed_and_changed_rows(shop: PublishedShop) -> None:
    before = collections(shop)
    shop.execute("INSERT INTO customers VALUES (7, 'Eve', 'eve@example.com', 'France')")
    shop.execute("INSERT INTO orders VALUES (200, 7, '2024-05-01', 500.00, 'completed')")
    shop.execute("DELETE FROM customers WHERE customer_id = 3")
    shop.execute("UPDATE orders SET total_amount = 31.00 WHERE order_id = 100")
    shop.execute("DELETE FROM reviews WHERE review_id = 2")
    plan = make_plan(shop.settings)
    assert counts(plan)["customer_metrics"] == (1, 1, 1, 1)
    assert counts(plan)["rejected_rows"] == (0, 1, 0, 2)
    assert [(c.customer_id, c.kind, c.name, c.amount) for c in plan.largest] == [
        (7, "added", "Eve", D("500.00")),
        (1, "changed", "Ann", D("1.00")),
        (3, "removed", "Cem", D("0.00")),
    ]
    top = plan.rows["top_customers"]
    assert [(c.after["name"], c.place_before, c.place_after) for c in top if c.after] == [
        ("Eve", None, 1),
        ("Ann", 1, 2),
        ("Bob", 2, 3),
    ]
    assert collections(shop) == before
    with shop.target() as target:
        assert [run["kind"] for run in publish.list_runs(target)] == ["run"]


def test_a_plan_reads_well_in_eighty_columns(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.execute("INSERT INTO orders VALUES (200, 2, '2024-05-01', 500.00, 'completed')")
    assert shop.exit_code(monkeypatch, "plan") == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    squeezed = " ".join(said.split())
    assert "against generation 1" in squeezed
    assert "customer_metrics – – 1 2" in squeezed
    assert "2 Bob changed 8.20 508.20 +500.00" in squeezed
    assert "The shrink guard lets it through." in squeezed
    assert "shopsight run --resume --run-id" in squeezed


def test_a_plan_shows_what_the_shrink_guard_would_withhold(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.execute("DELETE FROM orders WHERE order_id > 100")
    monkeypatch.setenv("SHOPSIGHT_SHRINK_MIN_ROWS", "1")
    assert shop.exit_code(monkeypatch, "plan", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert "orders from 5 to 1" in document["shrink_guard"]
    assert shop.exit_code(monkeypatch, "plan") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The shrink guard would withhold it" in said
    assert "--allow-shrink" in said


def test_a_plan_whose_proof_breaks_ends_as_the_run_would(
    sqlite_shop: PublishedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy = changed_after("clean", rewrite("clean/orders", lambda frame: frame[1:]))
    monkeypatch.setitem(stages.STAGES, "clean", lossy)
    with pytest.raises(ProofBroken, match="orders: rows should be 6 and is 5"):
        make_plan(sqlite_shop.settings)
    assert sqlite_shop.exit_code(monkeypatch, "plan") == 3


def test_the_planned_run_can_be_published(shop: PublishedShop) -> None:
    shop.execute("INSERT INTO orders VALUES (200, 2, '2024-05-01', 500.00, 'completed')")
    plan = make_plan(shop.settings)
    shop.execute("INSERT INTO orders VALUES (201, 2, '2024-05-01', 1.00, 'completed')")
    record = shop.run(resume=True, run_id=plan.record.run_id)
    assert record.kind == "run"
    assert {stage.name: stage.outcome for stage in record.stages}["extract"] == "kept"
    (bob,) = (found for found in shop.served("customer_metrics") if found["_id"] == 2)
    assert bob["total_amount_spent"] == D("508.20")


def test_foreign_documents_do_not_break_a_plan(shop: PublishedShop) -> None:
    shop.tamper("customers", lambda c: c.insert_one({"_id": "x", "total_amount_spent": "much"}))
    shop.tamper("insights", lambda c: c.insert_one({"_id": {"a": 1}}))
    shop.tamper("insights", lambda c: c.update_one({"_id": "top_customers"}, {"$set": {"rows": [1, {}]}}))
    found = counts(make_plan(shop.settings))
    assert found["customer_metrics"] == (0, 1, 0, 3)
    assert found["insights"] == (0, 1, 1, 9)
