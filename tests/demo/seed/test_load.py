"""Rows made up and rows written by hand, loaded into each kind of database: all of them, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from psycopg import sql
from tests.support.literal_rows import DIALECTS, database_url, load_rows

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError, SourceError, SourceUnavailable
from shopsight.extract.dialect import Source
from shopsight.extract.mysql.session import driver_options
from shopsight_demo.seed import MadeShop, Recipe, ShopSize, TablesExist, Types, seed

SIZE = ShopSize(customers=300, orders=900, products=60, categories=12)
SCHEMA_SQL = Path(__file__).parents[3] / "samples" / "sql" / "schema.sql"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> str:
    return database_url(request, request.param)


class Asked(pymysql.cursors.Cursor):
    def execute(self, query: Any, args: Any = None) -> Any:
        super().execute(query, args)
        return self


@contextmanager
def asking(url: str) -> Iterator[Any]:
    """Something with an execute() that gives rows."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            yield connection
    elif url.startswith("mariadb"):
        options = driver_options(Source(url, None, timedelta(seconds=5)))
        options |= {"conv": None, "use_unicode": True, "sql_mode": "ANSI_QUOTES", "cursorclass": Asked}
        with closing(pymysql.connect(**options)) as connection, connection.cursor() as cursor:
            yield cursor
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


def rows_of(url: str, table: str, schema: str | None = None) -> list[tuple[Any, ...]]:
    where = f'"{table}"' if schema is None else f'"{schema}"."{table}"'
    with asking(url) as connection:
        return list(connection.execute(f"SELECT * FROM {where}").fetchall())


def comparable(rows: list[tuple[Any, ...]], table: str) -> list[str]:
    """Rows of any source as sorted text: SQLite hands dates on as text and amounts as numbers."""
    is_money = [column.kind == "money" for column in TABLES[table].columns]

    def text(value: Any, money: bool) -> str:
        if money and isinstance(value, int | float):
            value = Decimal(str(value)).quantize(Decimal("0.01"))
        return str(value)

    return sorted(
        str([text(value, money) for value, money in zip(row, is_money, strict=True)]) for row in rows
    )


def made(recipe: Recipe) -> dict[str, list[tuple[Any, ...]]]:
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for table, batch in MadeShop(recipe).batches():
        rows[table] += [tuple(row.values()) for row in batch.to_pylist()]
    return rows


# Rows written by hand

LITERAL = {
    "customers": [(1, "Ann\tLee", None, "us"), (None, "", "XXXXXXXXX", None)],
    "orders": [
        (1, 1, date(1969, 12, 31), Decimal("10.50"), " Paid "),
        (1, 9, "2999-01-01", Decimal("-3"), None),
    ],
    "order_items": [(2**40, 1, 1, -2, Decimal("0.10"))],
}


def test_literal_rows_are_loaded_as_they_are(url: str) -> None:
    load_rows(url, LITERAL)

    assert rows_of(url, "customers") == LITERAL["customers"]
    assert comparable(rows_of(url, "orders"), "orders") == [
        "['1', '1', '1969-12-31', '10.50', ' Paid ']",
        "['1', '9', '2999-01-01', '-3.00', 'None']",
    ]
    assert comparable(rows_of(url, "order_items"), "order_items") == [f"['{2**40}', '1', '1', '-2', '0.10']"]
    assert rows_of(url, "reviews") == []


def test_column_types_can_be_overridden(url: str) -> None:
    rows = {"reviews": [("A-1", 1, 1, "five", "31/02/2024")]}

    load_rows(url, rows, {"reviews": {"review_id": "text", "rating": "text", "review_date": "varchar(20)"}})

    assert rows_of(url, "reviews") == rows["reviews"]


def test_amounts_in_text_keep_their_digits(url: str) -> None:
    load_rows(url, {"orders": [(1, 1, "2024-01-01", "0.1000", "x")]}, {"orders": {"total_amount": "text"}})

    assert rows_of(url, "orders")[0][3] == "0.1000"


def test_loading_again_replaces_what_was_there(url: str) -> None:
    load_rows(url, LITERAL)
    load_rows(url, {"customers": [(7, "Bo", "bo@example.com", "Chad")]})

    assert rows_of(url, "customers") == [(7, "Bo", "bo@example.com", "Chad")]
    assert rows_of(url, "orders") == []


@pytest.mark.parametrize(
    ("rows", "types", "wrong"),
    [
        ({"order": []}, {}, "order"),
        ({}, {"clients": {"id": "text"}}, "clients"),
        ({}, {"orders": {"amount": "text"}}, "orders.amount"),
    ],
)
def test_unknown_tables_and_columns_are_named(
    rows: dict[str, Any], types: dict[str, Any], wrong: str, sqlite_url: str
) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        load_rows(sqlite_url, rows, types)


def test_a_value_that_the_database_refuses_leaves_everything_as_it_was(postgres_url: str) -> None:
    load_rows(postgres_url, LITERAL)

    with pytest.raises(SourceError, match="filling customers") as caught:
        load_rows(postgres_url, {"customers": [(1, "with\0nul", None, None)]})

    assert not isinstance(caught.value, SourceUnavailable)
    assert rows_of(postgres_url, "customers") == LITERAL["customers"]


def test_a_schema_with_any_name_is_created_and_used(postgres_url: str) -> None:
    load_rows(postgres_url, LITERAL, schema='the "old" shop; --')

    with asking(postgres_url) as connection:
        name = sql.Identifier('the "old" shop; --', "customers")
        found = connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
    assert found == LITERAL["customers"]


# A made-up shop


@pytest.mark.parametrize("types", [Types.NATIVE, Types.TEXT])
def test_every_row_that_was_made_is_loaded(url: str, types: Types) -> None:
    report = seed(url, SIZE, 0.2, 3, types=types)

    expected = made(Recipe(SIZE, 0.2, 3, types=types, nul=url.startswith("sqlite")))
    for table in TABLES:
        assert comparable(rows_of(url, table), table) == comparable(expected[table], table)
    assert report.rows == {table: len(rows) for table, rows in expected.items()}


def test_a_shop_of_several_blocks_is_loaded_whole(postgres_url: str) -> None:
    report = seed(postgres_url, ShopSize(customers=70_000, orders=70_000), 0.05)

    with asking(postgres_url) as connection:
        for table, rows in report.rows.items():
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,)


def test_nul_is_loaded_where_it_can_be_held(sqlite_url: str) -> None:
    report = seed(sqlite_url, SIZE, 0.3)

    assert report.dirt["customers"]["name_nul"] > 0
    assert sum("\0" in (name or "") for _, name, *_ in rows_of(sqlite_url, "customers")) > 0


def test_progress_counts_the_rows_of_each_table(sqlite_url: str) -> None:
    told: dict[str, int] = {}
    stages = set()

    def listen(stage: str, table: str, rows: int) -> None:
        assert rows > told.get(table, 0)
        told[table] = rows
        stages.add(stage)

    report = seed(sqlite_url, SIZE, on_progress=listen)

    assert told == report.rows
    assert stages == {"seed"}


CATALOGUE = """
    SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    UNION ALL
    SELECT conrelid::regclass::text, 0, conname, pg_get_constraintdef(oid), convalidated
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3
"""


def test_constrained_tables_are_exactly_those_of_the_schema(postgres_url: str) -> None:
    with asking(postgres_url) as connection:
        connection.execute(SCHEMA_SQL.read_text())
        expected = connection.execute(CATALOGUE).fetchall()

    seed(postgres_url, SIZE, 0.2, constraints=True, replace=True)

    with asking(postgres_url) as connection:
        assert connection.execute(CATALOGUE).fetchall() == expected
    assert sum(definition.startswith("FOREIGN KEY") for _, _, _, definition, _ in expected) == 6
    assert sum("CHECK" in definition for _, _, _, definition, _ in expected) == 1


def test_a_constrained_shop_in_sqlite_keeps_its_constraints(sqlite_url: str) -> None:
    report = seed(sqlite_url, SIZE, 0.2, constraints=True)

    with asking(sqlite_url) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute("UPDATE reviews SET rating = 6 WHERE review_id = 1")
        with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
            connection.execute("UPDATE orders SET status = NULL WHERE order_id = 1")
    assert "name_nul" not in report.dirt["customers"]


def test_a_loose_shop_has_no_constraints(postgres_url: str) -> None:
    seed(postgres_url, SIZE, 0.2)

    with asking(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_constraint WHERE conrelid > 16384").fetchone() == (
            0,
        )


def test_statistics_are_gathered(url: str) -> None:
    report = seed(url, SIZE)

    query = {
        "postgresql": "SELECT reltuples::bigint FROM pg_class WHERE relname = 'orders'",
        "mariadb": "SELECT table_rows FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = 'orders'",
        "sqlite": "SELECT stat FROM sqlite_stat1 WHERE tbl = 'orders'",
    }[url.partition(":")[0]]
    with asking(url) as connection:
        assert int(connection.execute(query).fetchone()[0]) == report.rows["orders"]


def test_a_schema_of_ones_own(postgres_url: str) -> None:
    report = seed(postgres_url, SIZE, constraints=True, schema="Shop 2")

    assert len(rows_of(postgres_url, "orders", schema="Shop 2")) == report.rows["orders"]


def test_sqlite_has_no_schemas(sqlite_url: str) -> None:
    with pytest.raises(ConfigurationError, match="no schemas"):
        seed(sqlite_url, SIZE, schema="shop")


# Not by accident


def test_tables_that_are_there_are_left_alone(url: str) -> None:
    load_rows(url, LITERAL)

    with pytest.raises(TablesExist, match="customers"):
        seed(url, SIZE)

    assert rows_of(url, "customers") == LITERAL["customers"]


def test_a_view_in_the_place_of_a_table_counts_as_there(url: str) -> None:
    with asking(url) as connection:
        connection.execute("CREATE VIEW orders AS SELECT 1 AS one")

    with pytest.raises(ConfigurationError, match="orders"):
        seed(url, SIZE)


def test_tables_are_replaced_when_asked(url: str) -> None:
    load_rows(url, LITERAL)
    report = seed(url, SIZE, replace=True)

    assert len(rows_of(url, "customers")) == report.rows["customers"]


def test_tables_that_something_else_needs_are_not_dropped(postgres_url: str) -> None:
    load_rows(postgres_url, LITERAL)
    with asking(postgres_url) as connection:
        connection.execute("CREATE VIEW report AS SELECT name FROM customers")

    with pytest.raises(SourceError, match="depend"):
        seed(postgres_url, SIZE, replace=True)

    assert len(rows_of(postgres_url, "report")) == 2


class Interrupted(Exception):
    """Stands for whatever ends a load half-way."""


def test_a_load_that_ends_half_way_leaves_the_old_tables(url: str) -> None:
    load_rows(url, LITERAL)

    def interrupt(_stage: str, table: str, _rows: int) -> None:
        if table == "reviews":
            raise Interrupted

    with pytest.raises(Interrupted):
        seed(url, SIZE, replace=True, on_progress=interrupt)

    assert rows_of(url, "customers") == LITERAL["customers"]


def test_a_server_that_dies_half_way_is_unavailable(restartable_postgres) -> None:  # type: ignore[no-untyped-def]
    def kill(_stage: str, table: str, _rows: int) -> None:
        if table == "customers":
            restartable_postgres.kill()

    with pytest.raises(SourceUnavailable, match="Nothing was loaded"):
        seed(restartable_postgres.url, SIZE, on_progress=kill)


# Connecting


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/shop",
        "postgresql://ann:s3cret@no-such-host.invalid/shop",
        "mysql://ann:s3cret@127.0.0.1:1/shop",
    ],
)
def test_a_server_that_does_not_answer_is_unavailable(url: str) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        seed(url, SIZE)

    assert "s3cret" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        "oracle://ann:s3cret@host/shop",
        "mysql://ann:s3cret@host/shop?no_such_option=1",
        "shop.db",
        "sqlite:///",
        "sqlite:////no/such/folder/shop.db",
        "postgresql://ann:s3cret@host/shop?no_such_option=1",
        "postgresql://ann:s3cret@ho st/shop",
    ],
)
def test_a_wrong_url_is_a_matter_of_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        seed(url, SIZE)

    assert "s3cret" not in str(caught.value) + caught.value.remedy
    assert caught.value.remedy


def test_a_refused_user_or_database_is_a_matter_of_configuration(postgres_url: str) -> None:
    wrong_password = postgres_url.replace(postgres_url.split(":")[2].partition("@")[0], "wr0ng")
    wrong_database = postgres_url.replace("/test_", "/no_test_")

    for url, said in ((wrong_password, "password"), (wrong_database, "does not exist")):
        with pytest.raises(ConfigurationError, match=said):
            seed(url, SIZE)


def test_a_user_without_create_gets_an_error_that_names_it(postgres_url: str) -> None:
    with asking(postgres_url) as connection:
        connection.execute("CREATE ROLE seed_reader LOGIN PASSWORD 'pw'")
        try:
            credentials = postgres_url.split("//")[1].partition("@")[0]
            with pytest.raises(ConfigurationError, match="permission denied") as caught:
                seed(postgres_url.replace(credentials, "seed_reader:pw"), SIZE)
        finally:
            connection.execute("DROP ROLE seed_reader")
    assert "CREATE" in caught.value.remedy


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam, this is not a database, and is long enough to be one. " * 20)
    before = letter.read_bytes()

    with pytest.raises(ConfigurationError, match="not a database"):
        seed(f"sqlite:///{letter}", SIZE)

    assert letter.read_bytes() == before


def test_a_locked_sqlite_file_is_unavailable(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopsight_demo.seed.sqlite.WAIT_SECONDS", 0.1)
    with asking(sqlite_url) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceUnavailable, match="another program"):
            seed(sqlite_url, SIZE)
