"""The SQL files of ``samples/sql``: as the code writes them, and as psql and sqlite3 read them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.literal_rows import load_rows

from shopsight.contract import TABLES
from shopsight_demo.servers import PostgresServer

sys.path.append(str(Path(__file__).parents[3] / "tools"))
import sample_sql as sample
from sample_sql import DIRTY_ROWS, sample_sql, sample_types

SAMPLES = Path(__file__).parents[3] / "samples" / "sql"

Run = Callable[[Path, str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def psql(postgres_server: PostgresServer) -> Run:
    """Runs a file as the documentation says."""

    def run(file: Path, url: str) -> subprocess.CompletedProcess[str]:
        command = [postgres_server.program("psql"), "--set", "ON_ERROR_STOP=1", "--file", file, url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def sample_rows() -> dict[str, list[tuple[Any, ...]]]:
    return {table: [row for _, row in rows] for table, rows in sample.sample_rows().items()}


def loaded_by_psql(file: str, psql: Run, url: str) -> psycopg.Connection[Any]:
    done = psql(SAMPLES / file, url)
    assert done.returncode == 0, done.stderr
    return psycopg.connect(url, autocommit=True)


def loaded_by_sqlite(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript((SAMPLES / file).read_text())
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def texts(rows: list[tuple[Any, ...]], table: str) -> Counter[tuple[str | None, ...]]:
    """Rows as text, amounts with two digits: PostgreSQL gives dates and Decimals, SQLite text and numbers."""
    kinds = sample_types()[table].values()

    def text(value: Any, kind: str) -> str | None:
        if value is None:
            return None
        return (
            str(Decimal(str(value)).quantize(Decimal("0.01"))) if kind.startswith("DECIMAL") else str(value)
        )

    return Counter(tuple(text(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in rows)


# shop.sql


def test_the_shop_is_what_the_code_writes() -> None:
    assert (SAMPLES / "shop.sql").read_text() == sample_sql()


def test_the_shop_is_small_enough_to_be_read() -> None:
    rows = sample_rows()

    assert 40 <= len({row[0] for row in rows["customers"]}) <= 50
    assert 110 <= len({row[0] for row in rows["orders"]}) <= 130


def test_psql_and_sqlite_load_the_same_rows(psql: Run, postgres_url: str) -> None:
    expected = {table: texts(rows, table) for table, rows in sample_rows().items()}

    with (
        loaded_by_psql("shop.sql", psql, postgres_url) as postgres,
        closing(loaded_by_sqlite("shop.sql")) as sqlite,
    ):
        for table in TABLES:
            query = f"SELECT * FROM {table}"
            assert texts(postgres.execute(query).fetchall(), table) == expected[table]
            assert texts(sqlite.execute(query).fetchall(), table) == expected[table]


def test_the_sqlite3_program_loads_the_shop(tmp_path: Path) -> None:
    with (SAMPLES / "shop.sql").open() as shop:
        subprocess.run(["sqlite3", "-bail", tmp_path / "shop.db"], stdin=shop, check=True)

    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM order_items").fetchone()
    assert count == len(sample_rows()["order_items"])


def test_loading_the_shop_twice_adds_nothing(psql: Run, postgres_url: str) -> None:
    with loaded_by_psql("shop.sql", psql, postgres_url) as connection:
        second = psql(SAMPLES / "shop.sql", postgres_url)

        assert "already exists" in second.stderr
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (len(sample_rows()["orders"]),)


def test_the_header_lists_every_dirty_row() -> None:
    header = sample_sql().partition("BEGIN;")[0]

    for table, rows in DIRTY_ROWS.items():
        for wrong, row in rows:
            line = f"--     {table} {'(null)' if row[0] is None else row[0]}: {wrong}\n"
            assert header.count(line) == (0 if wrong.startswith("sound") else 1)


def test_the_same_rows_can_be_loaded_without_the_file(psql: Run, postgres_url: str) -> None:
    load_rows(postgres_url, sample_rows(), sample_types(), schema="copy")

    with loaded_by_psql("shop.sql", psql, postgres_url) as connection:
        for table in TABLES:
            rows = connection.execute(f"SELECT * FROM public.{table}").fetchall()
            assert connection.execute(f"SELECT * FROM copy.{table}").fetchall() == rows


# schema.sql

SOUND = [
    "INSERT INTO categories VALUES (1, 'Books')",
    "INSERT INTO products VALUES (1, 'Atlas', 1)",
    "INSERT INTO customers VALUES (1, 'Ann', 'ann@example.com', 'Spain')",
    "INSERT INTO orders VALUES (1, 1, '2024-01-31', 19.99, 'completed')",
    "INSERT INTO order_items VALUES (1, 1, 1, 1, 19.99)",
    "INSERT INTO reviews VALUES (1, 1, 1, NULL, '2024-02-01')",
]
UNSOUND = [
    *SOUND,
    "INSERT INTO customers VALUES (2, 'Bo', 'ann@example.com', 'Spain')",
    "INSERT INTO customers VALUES (2, NULL, 'bo@example.com', 'Spain')",
    "INSERT INTO products VALUES (2, 'Atlas', 9)",
    "INSERT INTO products VALUES (2, 'Atlas', NULL)",
    "INSERT INTO orders VALUES (2, 9, '2024-01-31', 19.99, 'completed')",
    "INSERT INTO orders VALUES (2, 1, NULL, 19.99, 'completed')",
    "INSERT INTO order_items VALUES (2, 9, 1, 1, 19.99)",
    "INSERT INTO order_items VALUES (2, 1, 9, 1, 19.99)",
    "INSERT INTO order_items VALUES (2, 1, 1, 1, NULL)",
    "INSERT INTO reviews VALUES (2, 9, 1, 5, '2024-02-01')",
    "INSERT INTO reviews VALUES (2, 1, 9, 5, '2024-02-01')",
    "INSERT INTO reviews VALUES (2, 1, 1, 0, '2024-02-01')",
    "INSERT INTO reviews VALUES (2, 1, 1, 6, '2024-02-01')",
]


def test_the_schema_holds_what_is_sound_and_refuses_what_is_not(psql: Run, postgres_url: str) -> None:
    with (
        loaded_by_psql("schema.sql", psql, postgres_url) as postgres,
        closing(loaded_by_sqlite("schema.sql")) as sqlite,
    ):
        for statement in SOUND:
            postgres.execute(statement)
            sqlite.execute(statement)
        for statement in UNSOUND:
            with pytest.raises(psycopg.IntegrityError):
                postgres.execute(statement)
            with pytest.raises(sqlite3.IntegrityError):
                sqlite.execute(statement)


def test_the_schema_has_the_columns_of_the_contract() -> None:
    with closing(loaded_by_sqlite("schema.sql")) as connection:
        for name, table in TABLES.items():
            columns = connection.execute(f"SELECT name, pk FROM pragma_table_info('{name}')").fetchall()
            assert columns == [(column, int(column == table.key)) for column in table.column_names]


# grants.sql


@pytest.fixture
def reader_url(psql: Run, postgres_url: str) -> str:
    """The URL of a shop for the role that the grants make."""
    with loaded_by_psql("schema.sql", psql, postgres_url) as connection:
        connection.execute("CREATE TABLE salaries (amount INT)")
        for statement in SOUND:
            connection.execute(statement)
        for _ in range(2):
            done = psql(SAMPLES / "grants.sql", postgres_url)
            assert done.returncode == 0, done.stderr
        connection.execute("ALTER ROLE shopsight_reader PASSWORD 'read-only'")
    credentials = postgres_url.split("//")[1].partition("@")[0]
    return postgres_url.replace(credentials, "shopsight_reader:read-only")


def test_the_reader_reads_the_six_tables(reader_url: str) -> None:
    with psycopg.connect(reader_url) as connection:
        for table in TABLES:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM salaries",
        "INSERT INTO categories VALUES (2, 'Music')",
        "UPDATE customers SET name = 'Eve'",
        "DELETE FROM reviews",
        "TRUNCATE orders",
        "CREATE TABLE mine (id INT)",
        "CREATE ROLE another",
        "LOCK TABLE orders IN EXCLUSIVE MODE",
    ],
)
def test_the_reader_may_do_nothing_else_even_with_its_second_lock_open(
    statement: str, reader_url: str
) -> None:
    with (
        psycopg.connect(reader_url, options="-c default_transaction_read_only=off") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_the_readers_transactions_only_read(reader_url: str) -> None:
    with psycopg.connect(reader_url) as connection:
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
