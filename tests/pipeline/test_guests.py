"""Guests from the source to MongoDB: published, proven, resumed, protected and forgotten as customers are."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.people import collections
from tests.support.published_shop import PublishedShop, changed_after, published_shop
from tests.support.shop_rows import REVENUE, SHOP, SPENT

from shopsight.errors import ConfigurationError, ProofBroken
from shopsight.inspect.explain import TracedRun, explain_customer
from shopsight.inspect.verify import verify
from shopsight.pipeline import stages
from shopsight.pipeline.run import forget

GUEST, OF_BOB = "Gina@Example.com ", "BOB@example.com"
ADDRESSES: dict[int, str | None] = {104: GUEST, 106: "gina@example.com", 107: OF_BOB, 108: "gina"}
MORE = [(key, None, "2024-03-04", Decimal("1.00"), "completed") for key in (106, 107, 108)]
ROWS = {**SHOP, "orders": [(*row, ADDRESSES.get(row[0])) for row in [*SHOP["orders"], *MORE]]}
BY_EMAIL = {"guests": "by_email", "tables": {"orders": {"columns": {"customer_email": "customer_email"}}}}
TYPES = {"orders": {"customer_email": "text"}}


@pytest.fixture
def places(mongo_url: str, mongo_database: str, tmp_path: Path) -> tuple[str, str, str, Path]:
    return f"sqlite:///{tmp_path / 'shop.db'}", mongo_url, mongo_database, tmp_path / "work"


@pytest.fixture
def shop(places: tuple[str, str, str, Path]) -> PublishedShop:
    return published_shop(*places, ROWS, TYPES, **BY_EMAIL)


def spent(shop: PublishedShop) -> dict[Any, Decimal]:
    return {row["_id"]: row["total_amount_spent"] for row in shop.served("customer_metrics")}


def test_guests_are_published_and_every_row_is_accounted_for(shop: PublishedShop) -> None:
    record = shop.run()
    assert spent(shop) == {**SPENT, -104: Decimal("6.00"), 2: SPENT[2] + 1}
    assert record.totals["revenue"] == REVENUE + 7
    rules = {rule.rule: rule.rows for rule in record.ledger.rules}
    assert (rules["customers.guest_added"], rules["orders.customer_from_email"]) == (1, 3)
    assert (rules["orders.customer_missing"], "orders.customer_unknown" in rules) == (1, False)
    [customers] = [table for table in record.ledger.tables if table.table == "customers"]
    assert (customers.added, customers.rows_in, customers.rows_out, customers.merged) == (1, 4, 4, 1)
    assert spent(shop) == spent_again(shop)
    assert verify(shop.settings).is_intact


def spent_again(shop: PublishedShop) -> dict[Any, Decimal]:
    """What the next run publishes."""
    shop.run()
    return spent(shop)


def test_by_default_no_address_of_an_order_is_read(places: tuple[str, str, str, Path]) -> None:
    shop = published_shop(*places, ROWS, TYPES, tables=BY_EMAIL["tables"])
    record = shop.run()
    assert spent(shop) == SPENT
    assert "customer_email" not in pl.read_parquet(shop.workspace(record).folder("raw/orders")).columns


def test_guests_without_a_column_for_their_address_are_refused(places: tuple[str, str, str, Path]) -> None:
    with pytest.raises(ConfigurationError, match=r'by_email" needs orders\.columns\.customer_email'):
        published_shop(*places, ROWS, TYPES, guests="by_email")


@pytest.mark.parametrize("folder", ["clean/customers", "clean/orders"])
def test_a_guest_that_is_changed_breaks_the_proof(
    shop: PublishedShop, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = "part-00001" if folder == "clean/customers" else "part-00000"
    column = "customer_id"

    def shift(run: stages.Run) -> None:
        [path] = run.workspace.folder(folder).glob(f"{part}*")
        frame = pl.read_parquet(path)
        is_guest = pl.col(column) == -104
        assert frame.filter(is_guest).height
        frame.with_columns(
            pl.when(is_guest).then(-105).otherwise(pl.col(column)).alias(column)
        ).write_parquet(path)

    monkeypatch.setitem(stages.STAGES, "clean", changed_after("clean", shift))
    with pytest.raises(ProofBroken, match=r"Proof 2"):
        shop.run()


def test_a_resumed_run_has_the_same_guests(shop: PublishedShop) -> None:
    first = shop.run()
    before = spent(shop)
    for file in shop.workspace(first).folder("clean/customers").glob("*.parquet"):
        file.unlink()
    assert shop.run(resume=True).run_id == first.run_id
    assert spent(shop) == before


def test_a_guest_can_be_traced(shop: PublishedShop) -> None:
    record = shop.run()
    trace = explain_customer(TracedRun.open(shop.settings.workdir, record.run_id), -104)
    assert [added.holds for added in trace.sums] == [True] * 5


@pytest.mark.parametrize("mode", ["hmac", "drop"])
def test_a_guest_s_address_is_protected(places: tuple[str, str, str, Path], mode: str) -> None:
    privacy = {"privacy_email": mode, "privacy_key": "0123456789abcdef" * 2}
    rows = {**ROWS, "orders": [*ROWS["orders"], (109, None, None, None, None, "hal@example.com")]}
    shop = published_shop(*places, rows, TYPES, **BY_EMAIL, **privacy)
    shop.run()
    assert not {address for address in (b"gina@", b"hal@") if address in collections(shop).lower()}


def test_a_guest_is_forgotten_by_the_address(shop: PublishedShop) -> None:
    shop.run()
    assert b"gina@" in collections(shop)
    forget(shop.settings, None, GUEST)
    assert b"gina@" not in collections(shop)
    assert verify(shop.settings).is_intact
