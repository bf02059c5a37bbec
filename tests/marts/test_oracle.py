"""Metrics and insights again, as plain SQL in PostgreSQL over the same tables: equal to the row and the cent.

The statements in ``sql/`` are written from docs/definitions.md and share nothing with the code they check: no
bounds, no shared parts, each figure in the most direct way.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import polars as pl
import psycopg
import pytest
from psycopg import sql
from tests.support.clean_tables import Recipe, made_up_tables, write_tables

from shopsight.clean import CleaningPolicy, clean_shop
from shopsight.clean.orders import order_units, with_item_totals
from shopsight.contract import TABLES
from shopsight.engine.polars import PolarsEngine
from shopsight.extract import Source, extract
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.insights import INSIGHTS, InsightOptions, Shop, baskets, compute_insights
from shopsight_demo.seed import ShopSize, Types
from shopsight_demo.seed import seed as seed_shop

STATEMENTS = Path(__file__).parent / "oracle_sql"
OPTIONS = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 11, 22))

SQL_TYPES = {
    pl.Int64(): "bigint",
    pl.String(): "text",
    pl.Date(): "date",
    pl.Decimal(18, 2): "numeric(18, 2)",
    pl.Boolean(): "boolean",
}
RESULT_TYPES = {
    "key": pl.Int64,
    "text": pl.String,
    "date": pl.Date,
    "money": pl.Decimal(38, 2),
    "count": pl.Int64,
    "share": pl.Float64,
    "number": pl.Float64,
}
METRICS_SCHEMA = {
    "customer_id": pl.Int64,
    "name": pl.String,
    "email": pl.String,
    "country": pl.String,
    "total_amount_spent": pl.Decimal(38, 2),
    "total_orders": pl.Int64,
    "average_order_value": pl.Decimal(38, 2),
    "total_products_ordered": pl.Int64,
    "average_rating": pl.Float64,
}

RECIPES = {
    "a shop": Recipe(),
    "another shop": Recipe(customers=25, orders=900, items=2500, products=60, silent_months=frozenset()),
    "many products": Recipe(orders=500, items=4000, products=700),
    "nobody comes back": Recipe(customers=3000, orders=300),
    "ties everywhere": Recipe(
        cents=(100, 101), quantities=(1, 1), products=6, days=3, customers=12, countries=2
    ),
    "one day": Recipe(days=1),
    "one customer": Recipe(customers=1, orders=40),
    "one product": Recipe(products=1, categories=1),
    "every order counts": Recipe(counting_share=1.0),
    "no order counts": Recipe(counting_share=0.0),
    "no reviews": Recipe(reviews=0),
    "no orders": Recipe(orders=0),
    "no items": Recipe(items=0),
    "nothing": Recipe(customers=0, products=0, categories=0),
    "returns kept": Recipe(cents=(-40_000, 20_000), quantities=(-3, 3)),
    "half a century": Recipe(first_day=date(1970, 1, 1), days=20_000, orders=300, silent_months=frozenset()),
    "keys and amounts at their edges": Recipe(
        first_key=2**62, cents=(10**10 - 9, 10**10 - 1), quantities=(10**6, 10**9), orders=900, customers=4
    ),
    "sums beyond 64 bits of cents": Recipe(cents=(10**17, 10**18 - 1), orders=400, customers=4),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_every_figure_equals_plain_sql(recipe: Recipe, tmp_path: Path, postgres_url: str) -> None:
    write_tables(tmp_path / "clean", made_up_tables(len(str(recipe)), recipe))
    assert_equals_sql(tmp_path, OPTIONS, postgres_url)


@pytest.mark.parametrize("seed", range(2))
def test_any_made_up_shop_equals_plain_sql(seed: int, tmp_path: Path, postgres_url: str) -> None:
    write_tables(tmp_path / "clean", made_up_tables(seed))
    assert_equals_sql(tmp_path, OPTIONS, postgres_url)


@pytest.mark.parametrize(("types", "negative_amounts"), [(Types.NATIVE, "reject"), (Types.TEXT, "keep")])
def test_a_dirty_shop_once_cleaned_equals_plain_sql(
    types: Types, negative_amounts: Literal["reject", "keep"], tmp_path: Path, postgres_url: str
) -> None:
    size = ShopSize(customers=300, orders=2500, products=400, categories=12)
    seed_shop(postgres_url, size, dirt=0.2, seed=5, types=types, schema="source")
    source = Source(postgres_url, "source", timedelta(seconds=30))
    snapshot = extract(source, tmp_path / "raw", connections=1, batch_rows=10_000)
    excluded = frozenset({"cancelled", "refunded", "returned"})
    policy = CleaningPolicy(snapshot.as_of.date(), excluded, negative_amounts)
    clean_shop(PolarsEngine(), tmp_path / "raw", tmp_path / "clean", tmp_path / "rejected", policy)
    options = InsightOptions(top_n=10, basket_pairs_n=50, as_of=policy.today)
    computed = assert_equals_sql(tmp_path, options, postgres_url)
    assert all(len(frame) > 0 for frame in computed.values())


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_lists_of_any_length_equal_plain_sql(n: int, tmp_path: Path, postgres_url: str) -> None:
    write_tables(tmp_path / "clean", made_up_tables(11, Recipe(items=3000)))
    options = InsightOptions(top_n=n, basket_pairs_n=n, as_of=OPTIONS.as_of)
    assert_equals_sql(tmp_path, options, postgres_url)


@pytest.mark.parametrize("leaders", [0, 1, 3, 10])
def test_the_number_of_leading_products_changes_nothing(
    leaders: int, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baskets, "LEADERS", leaders)
    write_tables(tmp_path / "clean", made_up_tables(12, Recipe(items=3000)))
    assert_equals_sql(tmp_path, OPTIONS, postgres_url)


def assert_equals_sql(folder: Path, options: InsightOptions, url: str) -> dict[str, pl.DataFrame]:
    """Work everything out from ``clean`` both ways and compare names, types, rows and their order."""
    computed = compute(folder, options)
    with psycopg.connect(url) as connection:
        load(connection, folder / "clean")
        for name, frame in computed.items():
            names, rows = ask(connection, name, options)
            assert frame.columns == names, name
            assert frame.rows() == rows, name
    assert computed["customer_metrics"].schema == METRICS_SCHEMA
    for name, insight in INSIGHTS.items():
        expected = {column.name: RESULT_TYPES[column.kind] for column in insight.columns}
        assert computed[name].schema == expected, name
    return computed


def compute(folder: Path, options: InsightOptions) -> dict[str, pl.DataFrame]:
    """Metrics and insights as a run works them out: streaming, from Parquet to Parquet."""
    engine, clean, marts = PolarsEngine(), folder / "clean", folder / "marts"
    tables = {name: engine.scan(clean / name) for name in TABLES}
    tables["order_units"] = order_units(with_item_totals(tables["orders"], tables["order_items"]))
    metrics = [tables[name] for name in ("customers", "orders", "order_units", "reviews")]
    engine.sink({marts / "customer_metrics": customer_metrics(*metrics)})
    insights = compute_insights(
        Shop(**tables, customer_metrics=engine.scan(marts / "customer_metrics")), options
    )
    engine.sink({marts / name: frame for name, frame in insights.items()})
    written = {name: pl.read_parquet(marts / name / "*.parquet") for name in insights}
    return {"customer_metrics": pl.read_parquet(marts / "customer_metrics").sort("customer_id"), **written}


def load(connection: psycopg.Connection[Any], clean: Path) -> None:
    """The clean tables into PostgreSQL, each with its key; PostgreSQL itself checks the references."""
    for name, table in TABLES.items():
        frame = pl.read_parquet(clean / name)
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(SQL_TYPES[dtype]))
            for column, dtype in frame.schema.items()
        ]
        columns.append(sql.SQL("primary key ({})").format(sql.Identifier(table.key)))
        columns += [
            sql.SQL("foreign key ({}) references {}").format(
                sql.Identifier(column.name), sql.Identifier(column.references)
            )
            for column in table.columns
            if column.references
        ]
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("create table {} ({})").format(identifier, sql.SQL(", ").join(columns)))
        with connection.cursor().copy(sql.SQL("copy {} from stdin").format(identifier)) as copy:
            for row in frame.iter_rows():
                copy.write_row(row)
    connection.execute("create index on orders (customer_id)")
    connection.execute("create index on order_items (order_id)")
    connection.execute("create index on reviews (customer_id)")
    connection.execute("analyze")


def ask(
    connection: psycopg.Connection[Any], name: str, options: InsightOptions
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows of a statement; money with two digits."""
    statement = (STATEMENTS / f"{name}.sql").read_text().encode()
    cursor = connection.execute(statement, {"top_n": options.top_n, "basket_pairs_n": options.basket_pairs_n})
    assert cursor.description is not None
    rows = [
        tuple(value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value for value in row)
        for row in cursor
    ]
    return [column.name for column in cursor.description], rows


def test_every_insight_has_its_statement_and_no_statement_is_left_over() -> None:
    assert {path.stem for path in STATEMENTS.glob("*.sql")} == {"customer_metrics", *INSIGHTS}
