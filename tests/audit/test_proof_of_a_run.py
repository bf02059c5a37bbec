"""Each link of the proof, broken on purpose: it is caught with both figures, and nothing is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bson.decimal128 import Decimal128
from pymongo.collection import Collection
from tests.support.cleaning import raw_frame
from tests.support.published_shop import PublishedShop, changed_after, published_shop, rewrite
from tests.support.shop_rows import SHOP
from tests.support.staged import literal_shop, read, staged

from shopsight import publish
from shopsight.audit.proof import CLEAN_IS_MARTS, MARTS_ARE_TARGET, RAW_IS_CLEAN, SOURCE_IS_RAW
from shopsight.contract import TABLES
from shopsight.errors import ProofBroken
from shopsight.inspect.verify import verify
from shopsight.marts.insights import INSIGHTS
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run
from shopsight.pipeline.workspace import Workspace
from shopsight.publish import documents
from shopsight.record import RunRecord, Snapshot
from shopsight.settings import load_settings

D = Decimal
AMOUNT = "orders: sum(total_amount)"
METRICS = "marts/customer_metrics"


def a_cent_more(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first row's amount, a cent greater."""
    index = pl.int_range(pl.len())
    return lambda frame: frame.with_columns(
        pl.when(index == 0)
        .then(pl.col(column) + D("0.01"))
        .otherwise(pl.col(column))
        .cast(frame[column].dtype)
    )


def one_more(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.col(column) + (pl.int_range(pl.len()) == 0).cast(pl.Int64))


def without_first(frame: pl.DataFrame) -> pl.DataFrame:
    return frame[1:]


def with_first_twice(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, frame[:1]])


@pytest.fixture
def proven(proven_shop: Path, workdir: Path) -> Run:
    """A copy of the run that is proven, before its proof."""
    shutil.copytree(proven_shop / "work" / "runs", workdir / "runs")
    workspace = Workspace.existing(workdir, None)
    manifest = json.loads(workspace.raw.manifest_path.read_text())
    snapshot = Snapshot.from_details(manifest["details"]["snapshot"])
    record = RunRecord(workspace.run_id, "run", "running", snapshot.as_of, snapshot=snapshot)
    return Run(load_settings(workdir=workdir), workspace, record)


@pytest.mark.parametrize(
    ("folder", "change", "link", "what", "difference"),
    [
        ("raw/orders", without_first, SOURCE_IS_RAW, "orders: rows", -1),
        ("raw/customers", with_first_twice, SOURCE_IS_RAW, "customers: rows", 1),
        (
            "raw/orders",
            a_cent_more("total_amount"),
            SOURCE_IS_RAW,
            "orders.total_amount: keyed",
            SHOP["orders"][0][0],
        ),
        (
            "raw/order_items",
            one_more("quantity"),
            SOURCE_IS_RAW,
            "order_items.quantity: keyed",
            SHOP["order_items"][0][0],
        ),
        (
            "raw/reviews",
            one_more("rating"),
            SOURCE_IS_RAW,
            "reviews.rating: keyed",
            SHOP["reviews"][0][0],
        ),
        ("clean/orders", without_first, RAW_IS_CLEAN, "orders: rows", -1),
        ("clean/products", with_first_twice, RAW_IS_CLEAN, "products: rows", 1),
        ("rejected/order_items", without_first, RAW_IS_CLEAN, "order_items: rows", -1),
        ("rejected/merged/customers", without_first, RAW_IS_CLEAN, "customers: rows", -1),
        ("rejected/repairs/categories", without_first, RAW_IS_CLEAN, "categories: rows", 1),
        (
            "rejected/repairs/orders",
            a_cent_more("measure_change"),
            RAW_IS_CLEAN,
            AMOUNT,
            None,
        ),
        (
            "clean/orders",
            a_cent_more("total_amount"),
            RAW_IS_CLEAN,
            AMOUNT,
            D("0.01"),
        ),
        (
            "rejected/orders",
            a_cent_more("measure"),
            RAW_IS_CLEAN,
            AMOUNT,
            D("0.01"),
        ),
        ("clean/reviews", one_more("rating"), RAW_IS_CLEAN, "reviews: sum(rating)", 1),
        (
            METRICS,
            a_cent_more("total_amount_spent"),
            CLEAN_IS_MARTS,
            "customer_metrics: sum(total_amount_spent)",
            D("0.01"),
        ),
        (
            "marts/customer_metrics",
            with_first_twice,
            CLEAN_IS_MARTS,
            "customer_metrics: customers",
            1,
        ),
        (
            "marts/insights/monthly_sales",
            a_cent_more("revenue"),
            CLEAN_IS_MARTS,
            "monthly_sales: sum(revenue)",
            D("0.01"),
        ),
        (
            "marts/insights/order_statuses",
            without_first,
            CLEAN_IS_MARTS,
            "order_statuses: sum(orders)",
            None,
        ),
    ],
)
def test_a_row_lost_or_invented_by_a_stage_breaks_its_link(
    proven: Run,
    folder: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    link: str,
    what: str,
    difference: Any,
) -> None:
    rewrite(folder, change)(proven)
    with pytest.raises(ProofBroken) as caught:
        stages.prove(proven)
    error = caught.value
    assert (error.link, error.what) == (link, what)
    assert error.expected != error.found
    if difference is not None:
        assert error.found - error.expected == difference
    assert f"should be {error.expected} and is {error.found}" in error.message


@pytest.mark.parametrize(
    ("stage", "folder", "link"),
    [
        ("extract", "raw/orders", SOURCE_IS_RAW),
        ("clean", "clean/orders", RAW_IS_CLEAN),
        ("metrics", METRICS, CLEAN_IS_MARTS),
    ],
)
def test_a_stage_that_loses_a_row_ends_its_run_and_nothing_is_published(
    sqlite_shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, stage: str, folder: str, link: str
) -> None:
    monkeypatch.setitem(stages.STAGES, stage, changed_after(stage, rewrite(folder, without_first)))
    with pytest.raises(ProofBroken) as caught:
        sqlite_shop.run()
    assert (caught.value.link, caught.value.stage) == (link, "prove")
    assert sqlite_shop.served_generation() is None


def swapped_amounts(collection: Collection[Any]) -> None:
    """Two customers' amounts change places: every sum stays as it was."""
    first, second = list(collection.find().sort("_id", 1).limit(2))
    for one, other in ((first, second), (second, first)):
        amount = {"total_amount_spent": other["total_amount_spent"]}
        collection.update_one({"_id": one["_id"]}, {"$set": amount})


def set_first(**fields: Any) -> Callable[[Collection[Any]], Any]:
    return lambda collection: collection.update_one({}, {"$set": fields})


def delete_first(collection: Collection[Any]) -> None:
    collection.delete_one({})


def insert_another(collection: Collection[Any]) -> None:
    collection.insert_one({**collection.find_one({}), "_id": "another"})


@pytest.mark.parametrize(
    ("view", "tamper", "what"),
    [
        (
            "customers",
            set_first(total_amount_spent=Decimal128("0.01")),
            "customers: sum(total_amount_spent)",
        ),
        ("customers", set_first(name="Nobody"), "customers: SHA-256"),
        ("customers", set_first(extra=None), "customers: SHA-256"),
        ("customers", swapped_amounts, "customers: SHA-256"),
        ("customers", delete_first, "customers: rows"),
        ("customers", insert_another, "customers: rows"),
        (
            "insights",
            lambda found: found.update_one(
                {"_id": "monthly_sales"}, {"$set": {"rows.0.revenue": Decimal128("1.00")}}
            ),
            "monthly_sales: sum(revenue)",
        ),
        ("insights", lambda found: found.delete_one({"_id": "top_products"}), "top_products: rows"),
        ("insights", lambda found: found.insert_one({"_id": "made_up", "rows": []}), "insights: SHA-256"),
        (
            "insights",
            lambda found: found.update_one({"_id": "top_customers"}, {"$set": {"rows.0.name": "Nobody"}}),
            "insights: SHA-256",
        ),
        ("rejected_rows", delete_first, "rejected_rows: rows"),
        ("rejected_rows", set_first(measure=Decimal128("0.00")), "rejected_rows: sum(measure, "),
        ("rejected_rows", set_first(rule="orders.date_missing"), "rejected_rows: rows("),
        ("rejected_rows", set_first(row={}), "rejected_rows: SHA-256"),
    ],
)
def test_a_document_altered_before_the_flip_breaks_the_fourth_link(
    sqlite_shop: PublishedShop,
    monkeypatch: pytest.MonkeyPatch,
    view: str,
    tamper: Callable[[Collection[Any]], Any],
    what: str,
) -> None:
    write = publish.write_generation

    def write_and_be_altered(target: publish.Target, *given: Any, **named: Any) -> Any:
        written = write(target, *given, **named)
        tamper(target.db[written.collections[view]])
        return written

    monkeypatch.setattr(publish, "write_generation", write_and_be_altered)
    with pytest.raises(ProofBroken) as caught:
        sqlite_shop.run(resume=True)
    assert caught.value.link == MARTS_ARE_TARGET
    assert caught.value.what.startswith(what)
    assert caught.value.expected != caught.value.found
    assert sqlite_shop.served_generation() is None


@pytest.mark.parametrize(("cents", "average"), [((1, 2), "0.02"), ((-2, -3), "-0.03")])
def test_average_that_ends_in_half_a_cent_is_proven(
    workdir: Path, cents: tuple[int, int], average: str
) -> None:
    shop = literal_shop()
    orders = [(200 + n, 3, date(2024, 3, 9), D(amount) / 100, "completed") for n, amount in enumerate(cents)]
    dated = shop["orders"].with_columns(pl.col("order_date").str.to_date())
    shop["orders"] = pl.concat([dated, raw_frame("orders", orders)])
    run = staged(workdir, shop, negative_amounts="keep")
    metrics = {row["customer_id"]: row for row in read(run, METRICS).to_dicts()}
    assert metrics[3]["average_order_value"] == D(average)


def test_truncated_insight_is_published_proven_and_verified(
    sqlite_shop: PublishedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "LARGEST_ROWS", 200)
    sqlite_shop.run(resume=True)
    truncated = [document for document in sqlite_shop.served("insights") if document.get("is_truncated")]
    assert truncated
    for document in truncated:
        assert len(document["rows"]) < document["rows_total"]
        assert f"of {document['rows_total']} rows are published" in document["description"]
    assert verify(sqlite_shop.settings).is_intact


def test_a_broken_proof_leaves_the_served_generation_alone_and_ends_with_3(
    postgres_url: str,
    mongo_url: str,
    mongo_database: str,
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = published_shop(postgres_url, mongo_url, mongo_database, workdir)
    published = shop.run()
    before = {view: shop.served(view) for view in ("customer_metrics", "insights", "rejected_rows")}

    lossy = changed_after("clean", rewrite("clean/orders", without_first))
    monkeypatch.setitem(stages.STAGES, "clean", lossy)
    assert shop.exit_code(monkeypatch, "run") == 3
    said = " ".join(capsys.readouterr().err.split())
    assert f"Proof {RAW_IS_CLEAN} is broken: orders: rows should be 6 and is 5; the difference is -1." in said

    assert shop.served_generation() == published.generation
    assert {view: shop.served(view) for view in before} == before
    with shop.target() as target:
        latest = publish.latest_run(target)
    assert latest is not None
    assert (latest["status"], latest["error"]["type"], latest["generation"]) == (
        "refused",
        "ProofBroken",
        None,
    )


def test_a_proof_that_holds_is_in_the_run_s_document_with_its_figures(sqlite_shop: PublishedShop) -> None:
    record = sqlite_shop.run(resume=True)
    with sqlite_shop.target() as target:
        document = publish.find_run(target, record.run_id)
    assert document is not None
    names = [link["name"] for link in document["proof"]]
    assert names == [SOURCE_IS_RAW, RAW_IS_CLEAN, CLEAN_IS_MARTS, MARTS_ARE_TARGET]
    assert all(set(TABLES) <= set(link["compared"]) for link in document["proof"][:2])
    assert all(set(INSIGHTS) <= set(link["compared"]) for link in document["proof"][2:])
    assert not any(link["broken"] for link in document["proof"])
    figures = document["figures"]
    assert figures["customers"]["sum(total_amount_spent)"] == D("57.95")
    assert figures["rejected_rows"]["sum(measure, orders.customer_unknown)"] == D("5.00")
    assert len(figures["rejected_rows"]["SHA-256"]) == 64
