"""One shop in several databases and under several names: the same figures are published."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.extract.test_mapping import RENAMED, RENAMING
from tests.support.literal_rows import DIALECTS, database_url
from tests.support.published_shop import PublishedShop, published_shop

from shopsight.contract import TABLES
from shopsight.errors import DataQualityError, ExitCode
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.seed.load import open_database

SIZE = ShopSize(customers=200, orders=1000, products=40, categories=8)
QUERIES = {
    name: {"query": f"SELECT {', '.join(table.column_names)} FROM {name} -- all of it"}
    for name, table in TABLES.items()
}


def texts(dialect: str) -> dict[str, Any]:
    """Every column as text."""
    kind = "char" if dialect == "mariadb" else "text"
    return {
        name: {"columns": {column: {"sql": f"CAST({column} AS {kind})"} for column in table.column_names}}
        for name, table in TABLES.items()
    }


def published(source: str, settings: dict[str, Any], places: tuple[str, str, Path]) -> dict[str, Any]:
    """What readers see of the customers and the insights."""
    mongo_url, database, workdir = places
    shop: PublishedShop = published_shop(source, mongo_url, database, workdir, None, **settings)
    shop.run()
    insights = [{**document, "run_id": None, "as_of": None} for document in shop.served("insights")]
    return {"customers": shop.served("customer_metrics"), "insights": insights}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_and_types_change_nothing_that_is_published(
    dialect: str, request: pytest.FixtureRequest, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    places = mongo_url, mongo_database, tmp_path / "work"
    plain = f"sqlite:///{tmp_path / 'plain.db'}"
    url = database_url(request, dialect)
    seed(plain, SIZE, dirt=0)
    seed(url, SIZE, dirt=0)
    assert published(url, {}, places) == published(plain, {}, places)
    seed(url, SIZE, dirt=0.1, replace=True)
    expected = published(url, {}, places)
    assert expected["customers"]
    assert published(url, {"tables": QUERIES}, places) == expected
    assert published(url, {"tables": texts(dialect)}, places) == expected
    with open_database(url, None) as database:
        for statement in RENAMING:
            database.execute(statement)
        database.commit()
    assert published(url, {"tables": RENAMED}, places) == expected


def test_several_currencies_stop_the_run_until_one_is_chosen(
    mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    source = f"sqlite:///{tmp_path / 'shop.db'}"
    seed(source, SIZE, dirt=0)
    is_usd = "order_id % 4 = 0"
    orders = {"columns": {"currency": {"sql": f"CASE WHEN {is_usd} THEN 'usd' ELSE 'EUR' END"}}}
    places = source, mongo_url, mongo_database, tmp_path / "work", None
    refusing = published_shop(*places, tables={"orders": orders})
    with pytest.raises(DataQualityError, match=r"several currencies: EUR \(\d+\), USD \(\d+\)") as refused:
        refusing.run()
    assert (refused.value.exit_code, refused.value.state) == (ExitCode.REFUSED, "Nothing was published.")
    assert refusing.served_generation() is None

    shop = published_shop(*places, tables={"orders": {**orders, "currency": "EUR"}})
    record = shop.run()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        ((others, lines),) = database.execute(
            f"SELECT count(DISTINCT order_id), count(*) FROM order_items JOIN orders USING (order_id)"
            f" WHERE {is_usd}"
        )
    assert {rule.rule: rule.rows for rule in record.ledger.rules if rule.action == "reject"} == {
        "orders.currency_other": others,
        "order_items.parent_rejected": lines,
    }
    assert shop.run().ledger.rules == record.ledger.rules


@pytest.mark.parametrize("dialect", DIALECTS)
def test_quantities_of_any_type_are_whole_or_rejected_for_their_fraction(
    dialect: str, request: pytest.FixtureRequest, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    url = database_url(request, dialect)
    seed(url, ShopSize(customers=20, orders=50, products=8, categories=2), dirt=0)
    quantity = {"sql": "CASE WHEN item_id % 2 = 0 THEN 1.5000 ELSE 2.0000 END"}
    tables = {"order_items": {"columns": {"quantity": quantity}}}
    shop = published_shop(url, mongo_url, mongo_database, tmp_path / "work", None, tables=tables)
    record = shop.run()
    (items,) = (table for table in record.ledger.tables if table.table == "order_items")
    rejected = {rule.rule: rule.rows for rule in record.ledger.rules if rule.action == "reject"}
    assert rejected == {"order_items.quantity_fractional": items.rows_in // 2}
