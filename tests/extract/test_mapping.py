"""A shop under other names, by mapping, condition, expression or query; and what is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.extracted import assert_proven
from tests.support.literal_rows import DIALECTS, database_url, load_rows
from tests.support.shop_rows import SHOP

from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch
from shopsight.extract import Source, check_source, extract
from shopsight.extract.postgresql.session import Session
from shopsight.record import Snapshot
from shopsight.settings.table_mapping import TableMapping
from shopsight_demo.seed.load import open_database

PATIENCE = timedelta(seconds=5)
RENAMED = {
    "orders": {
        "from": "sales_order",
        "columns": {"order_id": "entity_id", "order_date": "created_at", "total_amount": "grand_total"},
    },
    "customers": {"from": "customer_entity", "columns": {"customer_id": "entity_id"}},
}
RENAMING = (
    "ALTER TABLE orders RENAME TO sales_order",
    "ALTER TABLE sales_order RENAME COLUMN order_id TO entity_id",
    "ALTER TABLE sales_order RENAME COLUMN order_date TO created_at",
    "ALTER TABLE sales_order RENAME COLUMN total_amount TO grand_total",
    "ALTER TABLE customers RENAME TO customer_entity",
    "ALTER TABLE customer_entity RENAME COLUMN customer_id TO entity_id",
)


@dataclass(frozen=True)
class Shop:
    """The literal shop in one kind of database."""

    url: str
    folder: Path

    def execute(self, *statements: str) -> None:
        with open_database(self.url, None) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def read(self, name: str, **tables: dict[str, Any]) -> Snapshot:
        source = Source(self.url, None, PATIENCE, mappings(tables))
        return extract(source, self.folder / name, connections=2, batch_rows=1000)

    def rows(self, name: str) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: pl.read_parquet(self.folder / name / table).sort(TABLES[table].key).rows()
            for table in TABLES
        }

    def refused(self, **tables: dict[str, Any]) -> SchemaMismatch:
        with pytest.raises(SchemaMismatch) as caught:
            self.read("refused", **tables)
        assert not (self.folder / "refused").exists()
        assert "Nothing was extracted." in caught.value.message
        return caught.value


def mappings(tables: dict[str, dict[str, Any]]) -> dict[str, TableMapping]:
    return {name: TableMapping.model_validate(mapping) for name, mapping in tables.items()}


@pytest.fixture(params=DIALECTS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    url = database_url(request, request.param)
    load_rows(url, SHOP)
    return Shop(url, tmp_path)


def test_a_renamed_shop_is_read_as_the_one_it_was(shop: Shop) -> None:
    before = shop.read("before")
    shop.execute(*RENAMING)
    snapshot = shop.read("after", **RENAMED)
    assert shop.rows("after") == shop.rows("before")
    assert {name: table.totals for name, table in snapshot.tables.items()} == {
        name: table.totals for name, table in before.tables.items()
    }
    assert snapshot.tables["orders"].column_types == before.tables["orders"].column_types


def test_a_condition_an_expression_and_a_query_are_read_and_proven(shop: Shop) -> None:
    shop.execute(*RENAMING)
    orders = RENAMED["orders"] | {
        "where": "status <> 'cancelled' -- not these",
        "columns": {**RENAMED["orders"]["columns"], "status": {"sql": "upper(status) -- loud"}},
    }
    query = "SELECT entity_id AS customer_id, name, email, 'DE' AS country FROM customer_entity; "
    snapshot = shop.read("raw", orders=orders, customers={"query": query, "where": "customer_id <= 2"})
    assert_proven(snapshot, shop.folder / "raw")
    rows = shop.rows("raw")
    assert [(row[0], row[4]) for row in rows["orders"]] == [
        *((100, "COMPLETED"), (101, "COMPLETED "), (103, "SHIPPED"), (104, "COMPLETED"), (105, "COMPLETED"))
    ]
    assert rows["customers"] == [(1, "Ann", "ann@example.com", "DE"), (2, "Bob", "bob@example.com", "DE")]


CURRENCY = {
    "currency": {
        "sql": "CASE order_id WHEN 100 THEN ' usd' WHEN 101 THEN '' WHEN 102 THEN 'JPY' ELSE 'eur ' END -- so"
    }
}


@pytest.mark.parametrize("source", [{}, {"query": "SELECT * FROM orders -- all"}])
def test_an_optional_column_is_read_as_it_is_where_it_is_mapped(shop: Shop, source: dict[str, str]) -> None:
    columns = CURRENCY | {"customer_email": "status"}
    snapshot = shop.read("raw", orders=source | {"columns": columns})
    assert_proven(snapshot, shop.folder / "raw")
    currencies = {100: " usd", 101: "", 102: "JPY"}
    expected = [(row[0], row[4], currencies.get(row[0], "eur "), row[4]) for row in sorted(SHOP["orders"])]
    assert [(row[0], *row[4:]) for row in shop.rows("raw")["orders"]] == expected


def test_a_column_for_currencies_that_is_missing_is_named(shop: Shop) -> None:
    assert "column 'coin' is missing" in shop.refused(orders={"columns": {"currency": "coin"}}).message


def test_a_table_is_named_with_its_schema(shop: Shop) -> None:
    schema = {"postgresql": "public", "mariadb": shop.url.partition("@/")[2].partition("?")[0]}.get(
        shop.url.partition(":")[0], "main"
    )
    shop.read("raw", orders={"from": f"{schema}.Orders"})
    assert len(shop.rows("raw")["orders"]) == len(SHOP["orders"])


def test_optional_tables_that_are_missing_are_empty(shop: Shop) -> None:
    shop.execute(
        "DROP TABLE reviews", "DROP TABLE categories", "ALTER TABLE products DROP COLUMN category_id"
    )
    snapshot = shop.read("raw", reviews={"optional": True}, categories={"optional": True, "from": "groups"})
    assert_proven(snapshot, shop.folder / "raw")
    rows = shop.rows("raw")
    assert (rows["reviews"], rows["categories"]) == ([], [])
    assert rows["products"] == [(10, "Atlas", None), (11, "Chess", None), (12, "Dice", None)]
    optional = mappings({"reviews": {"optional": True}, "categories": {"optional": True}})
    checks = check_source(Source(shop.url, None, PATIENCE, optional))
    assert [check for check in checks if not check.is_ok] == []


def test_an_optional_table_that_lacks_a_column_is_refused(shop: Shop) -> None:
    shop.execute("ALTER TABLE reviews RENAME COLUMN rating TO stars")
    assert "column 'rating' is missing" in shop.refused(reviews={"optional": True}).message


def test_everything_that_is_missing_is_named_at_once_with_a_mapping_to_paste(shop: Shop) -> None:
    shop.execute(*RENAMING, "ALTER TABLE products RENAME COLUMN product_name TO title")
    shop.execute("ALTER TABLE order_items RENAME COLUMN item_id TO line_no")
    error = shop.refused()
    for missing in ("table 'orders'", "table 'customers'", "column 'product_name'", "column 'item_id'"):
        assert f"{missing} is missing" in error.message
    _, _, toml = error.remedy.partition("\n")
    assert tomllib.loads(toml)["tables"] == {
        "products": {"columns": {"product_name": "title"}},
        "customers": {"from": "customer_entity", "columns": {"customer_id": "entity_id"}},
        "orders": RENAMED["orders"],
        "order_items": {"columns": {"item_id": "line_no"}},
    }
    assert "[tables.orders]" in error.remedy
    # What it proposes works.
    shop.read("pasted", **tomllib.loads(toml)["tables"])


def test_a_missing_table_that_may_be_optional_is_proposed_as_such(shop: Shop) -> None:
    shop.execute("DROP TABLE reviews")
    error = shop.refused()
    _, _, toml = error.remedy.partition("\n")
    assert tomllib.loads(toml) == {"tables": {"reviews": {"optional": True}}}
    shop.read("pasted", **tomllib.loads(toml)["tables"])


def test_an_id_is_never_proposed_for_another_id(shop: Shop) -> None:
    shop.execute("ALTER TABLE reviews RENAME COLUMN customer_id TO author_id")
    error = shop.refused()
    assert "Did you mean" not in error.message
    assert '# columns.customer_id = "…"' in error.remedy


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"query": "SELEC 1"}, ""),
        ({"query": "SELECT * FROM nowhere"}, "nowhere"),
        ({"where": "no_such_column = 1"}, "no_such_column"),
        ({"columns": {"status": {"sql": "no_such_column"}}}, "no_such_column"),
        ({"query": "SELECT 1 AS order_id) AS x; DROP TABLE orders; SELECT (1"}, ""),
        ({"query": "DELETE FROM orders"}, ""),
    ],
)
def test_sql_that_the_database_does_not_understand_names_its_table(
    shop: Shop, mapping: dict[str, Any], words: str
) -> None:
    error = shop.refused(orders=mapping)
    assert "the mapping of orders cannot be read: " in error.message
    assert words in error.message
    assert "[tables.orders]" in error.remedy
    shop.read("still there")


def test_a_query_that_has_a_column_twice_is_refused(shop: Shop) -> None:
    query = "SELECT o.*, c.customer_id FROM orders o JOIN customers c ON c.customer_id = o.customer_id"
    message = shop.refused(orders={"query": query}).message
    assert "'customer_id' could be any of" in message or "Duplicate column name 'customer_id'" in message


def test_names_cannot_leave_their_quotes(shop: Shop) -> None:
    error = shop.refused(orders={"from": 'orders"; DROP TABLE orders; --', "columns": {"status": 'x" OR "'}})
    assert "is missing" in error.message
    shop.read("still there")


def test_the_order_of_a_query_may_write_nothing(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, SHOP)
    shop = Shop(postgres_url, tmp_path)
    shop.execute(
        "CREATE FUNCTION spoil() RETURNS text LANGUAGE sql AS $$ DELETE FROM orders; SELECT 'done' $$"
    )
    with pytest.raises(Exception, match="read-only"):
        shop.read("raw", orders={"columns": {"status": {"sql": "spoil()"}}})
    shop.read("again")
    assert len(shop.rows("again")["orders"]) == len(SHOP["orders"])


def test_a_renamed_table_is_read_by_its_pages(
    postgres_url: str, tmp_path: Path, queries: Callable[[], list[str]]
) -> None:
    load_rows(postgres_url, SHOP)
    shop = Shop(postgres_url, tmp_path)
    shop.execute(*RENAMING)
    shop.read("raw", **RENAMED)
    assert any("string_agg" in query and "sales_order" in query for query in queries())


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The queries that rows were read with."""
    asked: list[str] = []
    batches = Session.batches

    def noted(self: Session, query: str, batch_bytes: int) -> Any:
        asked.append(query)
        return batches(self, query, batch_bytes)

    monkeypatch.setattr(Session, "batches", noted)
    return lambda: asked


def test_keys_of_text_are_refused_once_instead_of_row_by_row(shop: Shop) -> None:
    uuid = "concat('c0ffee00-0000-4000-8000-', order_id)"
    if shop.url.startswith("sqlite"):
        uuid = "'c0ffee00-0000-4000-8000-' || order_id"
    with pytest.raises(SchemaMismatch, match=r"orders\.order_id holds texts such as 'c0ffee00") as caught:
        shop.read("raw", orders={"columns": {"order_id": {"sql": uuid}}})
    assert "columns.order_id under [tables.orders]" in caught.value.remedy


def test_one_readable_key_is_enough_to_read_on(shop: Shop) -> None:
    mixed = "CASE WHEN order_id = 100 THEN '100' ELSE 'x' END"
    shop.read("raw", orders={"columns": {"order_id": {"sql": mixed}}})
    assert "100" in {row[0] for row in shop.rows("raw")["orders"]}
