"""A run whose every stage works by ranges of a few keys publishes what one without ranges does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.published_shop import PublishedShop, published_shop

from shopsight.audit import parquet, visits
from shopsight.engine import key_ranges
from shopsight.marts.insights import baskets, purchases
from shopsight.marts.insights import shop as insights_shop
from shopsight_demo.seed import ShopSize, seed


def insights_of(shop: PublishedShop) -> list[dict[str, Any]]:
    return [{**document, "run_id": None, "as_of": None} for document in shop.served("insights")]


def test_the_number_of_ranges_changes_nothing_that_is_published(
    mongo_url: str, mongo_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    seed(url, ShopSize(customers=60, orders=200, products=20, categories=4), dirt=0.1)
    shop = published_shop(url, mongo_url, mongo_database, tmp_path / "work", None)
    whole, insights = shop.run(), insights_of(shop)
    monkeypatch.setattr(key_ranges, "ROWS_IN_RANGE", 25)
    monkeypatch.setattr(baskets, "LINES_IN_RANGE", 40)
    monkeypatch.setattr(purchases, "ORDERS_IN_RANGE", 30)
    monkeypatch.setattr(insights_shop, "CUSTOMERS_IN_RANGE", 11)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 7)
    monkeypatch.setattr(visits, "ORDERS_IN_MEMORY", 30)

    by_ranges = shop.run()

    folder = tmp_path / "work" / "runs" / by_ranges.run_id / "marts"
    assert all(len(list((folder / mart).iterdir())) > 2 for mart in ("customer_metrics", "customers"))
    assert by_ranges.totals == whole.totals
    assert by_ranges.ledger == whole.ledger
    assert by_ranges.figures["customers"] == whole.figures["customers"]
    assert insights_of(shop) == insights
