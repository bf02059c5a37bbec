"""Values of MariaDB's types, as they arrive: natively where each fits, else as the source's own text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pymysql
import pytest
from tests.support.extracted import assert_proven, raw_measure
from tests.support.literal_rows import load_rows

from shopsight.audit.written import cents_of
from shopsight.extract import Source, extract
from shopsight.extract.mysql.session import driver_options
from shopsight.record import Snapshot

if TYPE_CHECKING:
    from conftest import Restartable

D = Decimal
DAY = "2024-01-31"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def read(url: str, folder: Path) -> Snapshot:
    patience = timedelta(seconds=5)
    return extract(Source(url, None, patience), folder, connections=1, batch_rows=1000)


@contextmanager
def connected(url: str) -> Iterator[pymysql.cursors.Cursor]:
    options = driver_options(Source(url, None, timedelta(seconds=60)))
    with pymysql.connect(**options) as connection, connection.cursor() as cursor:
        # Whatever a type can hold, however it came there.
        cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'")
        yield cursor


def load_column(url: str, column: str, kind: str, values: list[str]) -> None:
    """Orders with this column of this type and these values, which are SQL; keys count from 1."""
    types = {
        "order_id": "INT PRIMARY KEY",
        "customer_id": "INT",
        "order_date": "DATE",
        "total_amount": "DECIMAL(10,2)",
        "status": "VARCHAR(20)",
        column: kind,
    }
    load_rows(url, {})
    with connected(url) as cursor:
        columns = ", ".join(f"{name} {of}" for name, of in types.items())
        cursor.execute(f"CREATE OR REPLACE TABLE orders ({columns}) CHARACTER SET utf8mb4")
        rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values, start=1))
        if values:
            cursor.execute(f"INSERT INTO orders (order_id, {column}) VALUES {rows}")


def column_of(folder: Path, column: str) -> list[Any]:
    return pl.read_parquet(folder / "orders").sort("order_id")[column].to_list()


@pytest.mark.parametrize(
    ("kind", "values", "expected", "measure"),
    [
        ("DECIMAL(10,2)", ["19.99", "5", "-0.01", "NULL"], [D("19.99"), D(5), D("-0.01"), None], "24.98"),
        ("DECIMAL(20,8)", ["1.5", "100", "0.07"], [D("1.50"), D(100), D("0.07")], "101.57"),
        ("DECIMAL(20,8)", ["1.5", "0.125"], ["1.50000000", "0.12500000"], "1.63"),
        ("DECIMAL(65,30)", ["9", "0.07"], [D(9), D("0.07")], "9.07"),
        (
            "DECIMAL(65,30)",
            ["12345678901234567890123456789012345.123456789012345678901234567891"],
            ["12345678901234567890123456789012345.123456789012345678901234567891"],
            "0.00",
        ),
        ("DECIMAL(65,0)", ["9" * 65, "-1"], ["9" * 65, "-1"], "-1.00"),
        ("DECIMAL(10,0)", ["10", "100"], [D(10), D(100)], "110.00"),
        ("DOUBLE", ["19.99", "0.1 + 0.2e0", "-5"], ["19.99", "0.30000000000000004", "-5"], "15.29"),
        ("DOUBLE", ["19.99", "1e14", "-0.0e0"], [D("19.99"), D(10**14), D(0)], "100000000000019.99"),
        ("DOUBLE", ["5.551115123125783e-17"], ["0.000000000000000055511151231258"], "0.00"),
        ("DOUBLE", ["1e15", "1e300"], ["1e15", "1e300"], "0.00"),
        ("DOUBLE(10,2)", ["19.99", "5"], [D("19.99"), D(5)], "24.99"),
        ("FLOAT", ["19.99", "0.1", "NULL"], [D("19.99"), D("0.10"), None], "20.09"),
        ("FLOAT", ["123456.78", "1"], ["123456.78125", "1"], "123457.78"),
        ("INT", ["7", "-1"], [D(7), D(-1)], "6.00"),
        ("BIGINT UNSIGNED", ["18446744073709551615", "1"], ["18446744073709551615", "1"], "1.00"),
        (
            "VARCHAR(40)",
            ["'12.345'", "' +7 '", "'1,000'", "''", "'x'"],
            ["12.345", " +7 ", "1,000", "", "x"],
            "19.35",
        ),
        ("BIT(8)", ["b'101'"], [D(5)], "5.00"),
    ],
)
def test_an_amount_is_native_if_every_value_is_one_of_cents(
    kind: str, values: list[str], expected: list[Any], measure: str, mariadb_url: str, raw: Path
) -> None:
    load_column(mariadb_url, "total_amount", kind, values)
    snapshot = read(mariadb_url, raw)
    assert column_of(raw, "total_amount") == expected
    assert raw_measure(raw, "orders") == D(measure)
    assert_proven(snapshot, raw)


@pytest.mark.parametrize(
    ("column", "kind", "values", "expected"),
    [
        ("order_date", "DATE", ["'2024-02-29'", "'1000-01-01'"], [date(2024, 2, 29), date(1000, 1, 1)]),
        ("order_date", "DATE", ["'2024-02-29'", "'0000-00-00'"], ["2024-02-29", "0000-00-00"]),
        ("order_date", "DATE", ["'2024-02-31'", "'2024-00-00'"], ["2024-02-31", "2024-00-00"]),
        ("order_date", "DATE NOT NULL", ["'0000-00-00'"], ["0000-00-00"]),
        ("order_date", "DATETIME", ["'2024-02-29 23:59:59'"], [date(2024, 2, 29)]),
        ("order_date", "DATETIME(6)", ["'0000-00-00'"], ["0000-00-00"]),
        ("order_date", "TIMESTAMP NULL", ["'2024-02-29 23:59:59'", "NULL"], [date(2024, 2, 29), None]),
        ("order_date", "YEAR", ["2024", "0"], ["2024", "0000"]),
        ("order_date", "TEXT", ["'31.01.2024'"], ["31.01.2024"]),
        ("order_date", "INT", ["1709164800"], ["1709164800"]),
        ("customer_id", "BIGINT", ["9223372036854775807", "NULL"], [2**63 - 1, None]),
        ("customer_id", "BIGINT UNSIGNED", ["9223372036854775807"], [2**63 - 1]),
        ("customer_id", "BIGINT UNSIGNED", ["18446744073709551615"], ["18446744073709551615"]),
        ("customer_id", "BIT(64)", ["18446744073709551615", "1"], ["18446744073709551615", "1"]),
        ("customer_id", "BIT(64) NOT NULL", ["5"], [5]),
        ("customer_id", "INT(5) UNSIGNED ZEROFILL", ["42"], [42]),
        ("customer_id", "DECIMAL(12,4)", ["42", "-3"], [42, -3]),
        ("customer_id", "DECIMAL(12,4)", ["42", "0.5"], ["42.0000", "0.5000"]),
        ("customer_id", "DOUBLE", ["42", "1e15"], ["42", "1e15"]),
        ("customer_id", "YEAR", ["2024"], [2024]),
        ("customer_id", "INT AS (order_id + 10) STORED", ["DEFAULT"], [11]),
        ("customer_id", "INT AS (order_id + 10) VIRTUAL", ["DEFAULT"], [11]),
        ("customer_id", "INT INVISIBLE DEFAULT 7", ["DEFAULT"], [7]),
        ("customer_id", "VARCHAR(9)", ["'1'", "'007'"], ["1", "007"]),
        ("status", "ENUM('paid', 'on, \"hold')", ["2", "1", "0"], ['on, "hold', "paid", ""]),
        ("status", "SET('a', 'b')", ["3", "0"], ["a,b", ""]),
        ("status", "CHAR(9)", ["'a b  '", "NULL", "''"], ["a b", None, ""]),
        ("status", "INT", ["5"], ["5"]),
        ("status", "DECIMAL(9,4)", ["5"], ["5.0000"]),
        ("status", "DATETIME", ["'2024-02-29 01:02:03'"], ["2024-02-29 01:02:03"]),
        ("status", "BLOB", ["x'00FF'", "''"], ["\\x00ff", "\\x"]),
        ("status", "BINARY(3)", ["'a'"], ["\\x610000"]),
        ("status", "JSON", ["'{\"a\": 1}'"], ['{"a": 1}']),
        ("status", "INET4", ["'10.0.0.1'"], ["10.0.0.1"]),
        ("status", "LONGTEXT", ["REPEAT('ä', 70000)"], ["ä" * 70000]),
    ],
)
def test_a_key_a_day_or_a_text_arrives_as_it_is(
    column: str, kind: str, values: list[str], expected: list[Any], mariadb_url: str, raw: Path
) -> None:
    load_column(mariadb_url, column, kind, values)
    snapshot = read(mariadb_url, raw)
    assert column_of(raw, column) == expected
    assert_proven(snapshot, raw)


HOSTILE = [
    "a,b",
    'said "hi"',
    "line\nbreak",
    "\\",
    "'",
    "\x00nul\x00",
    "\u202eback",
    "😀",
    "NULL",
    " ",
    "%s",
    '"',
]


@pytest.mark.parametrize(
    ("charset", "texts"),
    [
        ("utf8mb4 COLLATE utf8mb4_general_ci", [*HOSTILE, "paid", "PAID", "paid ", "\ufffd"]),
        ("utf8mb4 COLLATE utf8mb4_bin", HOSTILE),
        ("latin1", ["Müller", "€", "\x81"]),
        ("utf16", ["Müller", "😀", '"']),
        ("sjis", ["表示", "ソ"]),
        ("cp1251", ["Привет"]),
        ("big5", ["許功蓋"]),
    ],
)
def test_texts_of_any_charset_stay_as_they_are(
    charset: str, texts: list[str], mariadb_url: str, raw: Path
) -> None:
    load_column(mariadb_url, "status", f"VARCHAR(20) CHARACTER SET {charset}", [])
    with connected(mariadb_url) as cursor:
        cursor.executemany("INSERT INTO orders (order_id, status) VALUES (%s, %s)", list(enumerate(texts)))
        # A table without a key to read it by.
        cursor.execute(
            "CREATE OR REPLACE TABLE categories"
            f" (category_name TEXT CHARACTER SET {charset}, category_id INT)"
        )
        cursor.execute("INSERT INTO categories SELECT status, order_id FROM orders")
    snapshot = read(mariadb_url, raw)
    assert column_of(raw, "status") == texts
    assert sorted(pl.read_parquet(raw / "categories")["category_name"]) == sorted(texts)
    assert_proven(snapshot, raw)


def test_surrogates_in_its_utf8_do_not_stop_it(mariadb_url: str, raw: Path) -> None:
    load_column(mariadb_url, "status", "VARCHAR(20) CHARACTER SET utf8mb3", ["x'41EDA08042'", "'ä'"])
    with connected(mariadb_url) as cursor:
        cursor.execute("INSERT INTO customers SELECT order_id, status, status, status FROM orders")
        cursor.execute("COMMIT")
    snapshot = read(mariadb_url, raw)
    assert column_of(raw, "status")[1] == "ä"
    assert column_of(raw, "status")[0][0] == "A"
    assert_proven(snapshot, raw)


def test_the_database_takes_the_same_texts_for_keys(mariadb_url: str, raw: Path) -> None:
    chance = random.Random(7)
    characters = "0123456789" * 3 + "+-..., \t\n\u00a0\u200b\u0085\u3000\u202e\x00\x01eE٣_$'\\\"ä"
    texts = ["".join(chance.choices(characters, k=chance.randint(0, 4))) for _ in range(2000)]
    load_rows(
        mariadb_url,
        {
            "order_items": [(text, 1, 1, text, text) for text in texts],
            "reviews": [(None, 1, 1, 5, DAY), ("7", 1, 1, 4, DAY)],
        },
        {"order_items": {"item_id": "text", "quantity": "text", "price": "text"}},
    )
    snapshot = read(mariadb_url, raw)
    assert sorted(pl.read_parquet(raw / "order_items")["item_id"]) == sorted(texts)
    assert_proven(snapshot, raw)
    assert sum(cents_of(text) is not None for text in texts) > 200


def test_sums_beyond_64_bits_stay_exact(mariadb_url: str, raw: Path) -> None:
    items = [(2**63 - 1 - n, 2**63 - 1, 2**63 - 1, 10**18 - 1, 10**15 - 1) for n in range(3)]
    load_rows(mariadb_url, {"order_items": items})
    snapshot = read(mariadb_url, raw)
    assert set(snapshot.tables["order_items"].physical.values()) == {"native"}
    assert_proven(snapshot, raw)


def test_a_wrong_value_in_the_last_row_makes_the_whole_column_text_once(mariadb_url: str, raw: Path) -> None:
    for number, statement in enumerate(("", "ALTER TABLE orders ADD PRIMARY KEY (order_id)")):
        orders: list[tuple[Any, ...]] = [(n, 1, DAY, "1.50", "paid") for n in range(5000)]
        load_rows(mariadb_url, {"orders": orders})
        with connected(mariadb_url) as cursor:
            cursor.execute("INSERT INTO orders VALUES (5000, 1, '0000-00-00', 2, 'paid')")
            if statement:
                cursor.execute(statement)
            cursor.execute("COMMIT")
        snapshot = read(mariadb_url, raw / str(number))
        physical = snapshot.tables["orders"].physical
        assert [name for name, form in physical.items() if form == "text"] == ["order_date"]
        assert column_of(raw / str(number), "order_date")[-2:] == [DAY, "0000-00-00"]
        assert_proven(snapshot, raw / str(number))


def test_the_servers_settings_change_no_value(restartable_mariadb: Restartable, raw: Path) -> None:
    url = restartable_mariadb.url
    load_column(url, "status", "CHAR(20)", ["'a\\\\nb\"'", "'paid'"])
    load_rows_of_customers(url)
    with connected(url) as cursor:
        cursor.execute("ALTER TABLE orders MODIFY order_date TIMESTAMP NULL")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("UPDATE orders SET order_date = '2024-01-31 23:30:00'")
        cursor.execute("COMMIT")
        for setting in (
            "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT'",
            "time_zone = '+05:30'",
            "sql_select_limit = 1",
            "max_join_size = 1",
            "group_concat_max_len = 4",
            "max_statement_time = 0.0001",
            "autocommit = 0",
            "character_set_server = latin1",
            "tx_isolation = 'READ-UNCOMMITTED'",
        ):
            cursor.execute(f"SET GLOBAL {setting}")
    snapshot = read(url, raw)
    assert column_of(raw, "status") == ['a\\nb"', "paid"]
    assert column_of(raw, "order_date") == [date(2024, 1, 31)] * 2
    assert pl.read_parquet(raw / "customers")["name"].to_list() == ["Zoë"]
    assert_proven(snapshot, raw)


def load_rows_of_customers(url: str) -> None:
    with connected(url) as cursor:
        cursor.execute("INSERT INTO customers VALUES (1, 'Zoë', 'zoe@example.com', 'NL')")
        cursor.execute("COMMIT")
