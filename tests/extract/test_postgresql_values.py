"""What PostgreSQL holds, of whatever type, arrives exactly: natively where every value fits, else as text."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql
from tests.support.extracted import assert_proven, raw_measure
from tests.support.literal_rows import load_rows

from shopsight.audit.written import cents_of, whole_of
from shopsight.contract import TABLES
from shopsight.extract import Source, extract
from shopsight.extract.postgresql import snapshot as snapshot_module
from shopsight.record import Snapshot
from shopsight_demo.servers import PostgresServer

D = Decimal
PATIENCE = timedelta(seconds=5)

ROWS: dict[str, list[tuple[Any, ...]]] = {
    "categories": [(1, "Books")],
    "products": [(1, "Atlas", 1), (2, None, None)],
    "customers": [(1, "Ann", "ann@example.com", "DE"), (2, 'O"Hara, the\n2nd', "", None)],
    "orders": [(1, 1, date(2024, 1, 31), D("19.99"), "Paid"), (2, 2, None, None, "on hold")],
    "order_items": [(1, 1, 1, 2, D("9.50")), (2, 1, 2, None, D("0.99"))],
    "reviews": [(1, 1, 1, 5, date(2024, 2, 29)), (2, 1, 2, None, date(9999, 12, 31))],
}


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def shop_url(postgres_server: PostgresServer) -> str:
    """A database for all of these tests, with settings of its own that must not matter."""
    database = "test_extract_values"
    execute(
        postgres_server.url,
        f"DROP DATABASE IF EXISTS {database} WITH (FORCE)",
        f"CREATE DATABASE {database}",
        f"ALTER DATABASE {database} SET timezone = 'Asia/Tokyo'",
        f"ALTER DATABASE {database} SET datestyle = 'German'",
        f"ALTER DATABASE {database} SET extra_float_digits = -15",
        f"ALTER DATABASE {database} SET standard_conforming_strings = off",
    )
    return postgres_server.url_of(database)


def read(url: str, folder: Path) -> Snapshot:
    return extract(Source(url, None, PATIENCE), folder, connections=2, batch_rows=1000)


@pytest.fixture(params=["columns", "lines"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are read by columns, or as those with values larger than a page are, by lines."""
    if request.param == "lines":
        large = "SELECT 1::bigint, true FROM pg_class WHERE oid = $1::oid"
        monkeypatch.setattr(snapshot_module, "_EXTENT", large)


def rows_of(folder: Path, table: str) -> list[tuple[Any, ...]]:
    return pl.read_parquet(folder / table).sort(TABLES[table].key).rows()


def test_all_values_arrive_as_they_are(shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, ROWS)
    before = datetime.now(UTC)
    snapshot = read(shop_url, tmp_path)
    assert {name: rows_of(tmp_path, name) for name in TABLES} == ROWS
    assert_proven(snapshot, tmp_path)
    assert {name: (t.rows, raw_measure(tmp_path, name)) for name, t in snapshot.tables.items()} == {
        "categories": (1, None),
        "products": (2, None),
        "customers": (2, None),
        "orders": (2, D("19.99")),
        "order_items": (2, D("19.00")),
        "reviews": (2, D("5")),
    }
    assert all(set(table.physical.values()) == {"native"} for table in snapshot.tables.values())
    assert snapshot.tables["orders"].column_types["total_amount"] == "numeric(18,2)"
    assert snapshot.dialect == "postgresql"
    assert snapshot.snapshot_id.count(":") == 2
    assert abs(snapshot.as_of - before) < timedelta(seconds=30)
    assert snapshot.as_of.tzinfo is UTC


def test_rows_without_a_key_are_counted_and_their_values_summed_apart(shop_url: str, tmp_path: Path) -> None:
    lost = (None, 2, date(2024, 1, 31), D("0.01"), "paid")
    load_rows(shop_url, {**ROWS, "orders": [*ROWS["orders"], lost], "categories": [(None, "Lost")]})
    snapshot = read(shop_url, tmp_path)
    assert_proven(snapshot, tmp_path)
    totals = snapshot.tables["orders"].totals
    assert totals["order_id"]["missing"] == 1
    assert (totals["customer_id"]["keyless"], totals["total_amount"]["keyless"]) == (2, 1)


def test_a_snapshot_says_nothing_of_the_password(shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, {})
    password = shop_url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert len(password) > 10
    assert password not in str(read(shop_url, tmp_path).as_details())


def test_empty_tables_are_files_of_the_right_types(shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, {}, {"orders": {"order_date": "text"}})
    snapshot = read(shop_url, tmp_path)
    assert_proven(snapshot, tmp_path)
    assert str(raw_measure(tmp_path, "orders")) == "0.00"
    assert pl.read_parquet_schema(next((tmp_path / "orders").iterdir())) == {
        "order_id": pl.Int64,
        "customer_id": pl.Int64,
        "order_date": pl.String,
        "total_amount": pl.Decimal(18, 2),
        "status": pl.String,
    }


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("sql_type", "values", "expected", "physical"),
    [
        ("numeric(10,2)", ["9.99", "NaN"], ["9.99", "NaN"], "text"),
        ("numeric", ["12.50", "1.005"], ["12.50", "1.005"], "text"),
        ("numeric", ["12.5", "Infinity", "-Infinity"], ["12.5", "Infinity", "-Infinity"], "text"),
        ("numeric", ["12.500", "-3"], [D("12.50"), D("-3.00")], "native"),
        ("numeric(18,2)", ["1000000000000000.00", "1.00"], ["1000000000000000.00", "1.00"], "text"),
        ("numeric(18,2)", ["999999999999999.99", "1.00"], [D("999999999999999.99"), D("1.00")], "native"),
        ("double precision", ["19.99", "1e6"], [D("19.99"), D("1000000.00")], "native"),
        ("double precision", ["0.1", "NaN", "1e300"], ["0.1", "NaN", "1" + "0" * 300], "text"),
        ("real", ["0.1", "19.99", "12345.67"], [D("0.10"), D("19.99"), D("12345.67")], "native"),
        ("double precision", ["123456789012345.67"], [D("123456789012345.67")], "native"),
        ("numeric", ["100.5000000000000000"], [D("100.50")], "native"),
        ("numeric", ["1e131071", "-1e131071"], ["1" + "0" * 131071, "-1" + "0" * 131071], "text"),
        ("money", ["$1,234.50", "-$0.01"], [D("1234.50"), D("-0.01")], "native"),
        ("integer", ["5", "-7"], [D("5.00"), D("-7.00")], "native"),
        ("bigint", ["5", "1000000000000000"], ["5", "1000000000000000"], "text"),
        (
            "text",
            ["12.345", " +7 ", "1,000.00", "", "1e3"],
            ["12.345", " +7 ", "1,000.00", "", "1e3"],
            "text",
        ),
        ("boolean", ["true"], ["true"], "text"),
    ],
)
def test_an_amount_of_any_type_is_native_if_every_value_fits(
    sql_type: str, values: list[str], expected: list[Any], physical: str, shop_url: str, tmp_path: Path
) -> None:
    orders = [(number, 1, "2024-01-31", value, "paid") for number, value in enumerate(values)]
    load_rows(shop_url, {"orders": orders}, {"orders": {"total_amount": sql_type}})
    snapshot = read(shop_url, tmp_path)
    assert [row[3] for row in rows_of(tmp_path, "orders")] == expected
    assert snapshot.tables["orders"].physical["total_amount"] == physical
    assert_proven(snapshot, tmp_path)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("sql_type", "values", "expected"),
    [
        ("date", ["2024-02-29", "0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)]),
        ("date", ["2024-02-29", "infinity"], ["2024-02-29", "infinity"]),
        ("date", ["10000-01-01", "0044-03-15 BC"], ["10000-01-01", "0044-03-15 BC"]),
        ("timestamp", ["2024-02-29 23:59:59.9"], [date(2024, 2, 29)]),
        ("timestamptz", ["2024-02-29 23:59:59-05"], [date(2024, 3, 1)]),
        # Already March in the database's own time zone.
        ("timestamptz", ["2024-02-29 18:00:00+00"], [date(2024, 2, 29)]),
        ("timestamptz", ["-infinity"], ["-infinity"]),
        ("text", ["2024-02-29", "29.2.2024"], ["2024-02-29", "29.2.2024"]),
    ],
)
def test_a_day_is_native_if_every_value_is_of_the_calendar(
    sql_type: str, values: list[str], expected: list[Any], shop_url: str, tmp_path: Path
) -> None:
    orders = [(number, 1, value, 1, "paid") for number, value in enumerate(values)]
    load_rows(shop_url, {"orders": orders}, {"orders": {"order_date": sql_type}})
    read(shop_url, tmp_path)
    assert [row[2] for row in rows_of(tmp_path, "orders")] == expected


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("sql_type", "values", "expected"),
    [
        ("smallint", ["1", "2"], [1, 2]),
        ("bigint", ["9223372036854775807", "-1"], [9223372036854775807, -1]),
        ("numeric", ["42", "9223372036854775807"], [42, 9223372036854775807]),
        ("numeric", ["42", "9223372036854775808"], ["42", "9223372036854775808"]),
        ("numeric", ["42", "-9223372036854775809"], ["42", "-9223372036854775809"]),
        ("numeric(10,2)", ["42"], ["42.00"]),
        ("double precision", ["42", "43"], [42, 43]),
        ("varchar(20)", ["007", "x"], ["007", "x"]),
        ("uuid", ["00000000-0000-0000-0000-000000000001"], ["00000000-0000-0000-0000-000000000001"]),
    ],
)
def test_a_key_of_any_type_is_native_if_it_is_a_number(
    sql_type: str, values: list[str], expected: list[Any], shop_url: str, tmp_path: Path
) -> None:
    categories = [(value, f"Category {number}") for number, value in enumerate(values)]
    load_rows(shop_url, {"categories": categories}, {"categories": {"category_id": sql_type}})
    read(shop_url, tmp_path)
    assert pl.read_parquet(tmp_path / "categories").sort("category_name")["category_id"].to_list() == expected


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("rating", "physical"), [("999999999999999999", "native"), ("1000000000000000000", "text")]
)
def test_a_count_is_native_below_its_limit(rating: str, physical: str, shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, {"reviews": [(1, 1, 1, rating, "2024-01-31")]}, {"reviews": {"rating": "bigint"}})
    snapshot = read(shop_url, tmp_path)
    assert rows_of(tmp_path, "reviews")[0][3] == (int(rating) if physical == "native" else rating)
    assert snapshot.tables["reviews"].physical["rating"] == physical
    assert_proven(snapshot, tmp_path)


@pytest.mark.usefixtures("_either_way")
def test_texts_of_any_type_are_texts(shop_url: str, tmp_path: Path) -> None:
    hostile = [
        "a,b",
        'said "hi"',
        "line\nbreak",
        "\\",
        "'",
        "$where",
        "\u202eback",
        "😀",
        "select",
        " ",
        "%s",
        "\x01",
    ]
    load_rows(shop_url, {"categories": list(enumerate(hostile))})
    execute(
        shop_url,
        "DROP TYPE IF EXISTS state CASCADE",
        "DROP DOMAIN IF EXISTS label CASCADE",
        "CREATE TYPE state AS ENUM ('new', 'Really Paid')",
        "CREATE DOMAIN label AS varchar(9)",
        "ALTER TABLE orders ALTER status TYPE state USING 'new'::state",
        "ALTER TABLE customers ALTER country TYPE label, ALTER name TYPE char(6)",
        "ALTER TABLE customers ALTER email TYPE json USING '1'",
        "INSERT INTO orders VALUES (1, 1, '2024-01-31', 1, 'Really Paid')",
        "INSERT INTO customers VALUES (1, 'Ann', '{\"a\": 1}', 'DE')",
    )
    read(shop_url, tmp_path)
    assert [name for _, name in rows_of(tmp_path, "categories")] == hostile
    assert rows_of(tmp_path, "orders")[0][4] == "Really Paid"
    assert rows_of(tmp_path, "customers") == [(1, "Ann", '{"a": 1}', "DE")]


def test_a_domain_is_valid_by_its_labels(shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, {"order_items": [(1, 1, 1, 2, D("9.99"))]})
    execute(
        shop_url,
        "CREATE DOMAIN amount AS numeric(10,2)",
        "CREATE DOMAIN price AS amount CHECK (value >= 0)",
        "ALTER TABLE order_items ALTER price TYPE price",
    )
    snapshot = read(shop_url, tmp_path)
    assert snapshot.tables["order_items"].column_types["price"] == "price"
    assert rows_of(tmp_path, "order_items") == [(1, 1, 1, 2, D("9.99"))]
    assert_proven(snapshot, tmp_path)


def odd_texts(count: int, characters: str) -> list[str]:
    """Texts of digits and of what may stand beside them, the same ones each time."""
    chance = random.Random(7)
    return ["".join(chance.choices(characters, k=chance.randint(0, 9))) for _ in range(count)]


def test_the_database_takes_the_same_texts_for_numbers(shop_url: str, tmp_path: Path) -> None:
    texts = odd_texts(
        3000, "0123456789" * 3 + "+-..., \t\n\u00a0\u200b\u200c\u0085\u3000\u202e\x01eE٣_$'\\\""
    )
    assert sum(cents_of(text) is not None for text in texts) > 500
    load_rows(
        shop_url,
        {
            "orders": [(number, 1, "2024-01-31", text, "paid") for number, text in enumerate(texts)],
            "order_items": [(n, 1, 1, text, texts[-n]) for n, text in enumerate(texts)],
            "reviews": [(number, 1, 1, text, "2024-01-31") for number, text in enumerate(texts)],
        },
        {
            "orders": {"total_amount": "text"},
            "order_items": {"quantity": "text", "price": "text"},
            "reviews": {"rating": "text"},
        },
    )
    snapshot = read(shop_url, tmp_path)
    assert [row[3] for row in rows_of(tmp_path, "orders")] == texts
    assert raw_measure(tmp_path, "orders") == D(sum(cents_of(text) or 0 for text in texts)).scaleb(-2)
    assert raw_measure(tmp_path, "reviews") == sum(whole_of(text) or 0 for text in texts)
    assert_proven(snapshot, tmp_path)


@pytest.mark.usefixtures("_either_way")
def test_nulls_of_every_column_arrive_even_behind_a_constraint_that_was_never_validated(
    shop_url: str, tmp_path: Path
) -> None:
    nothing = [(number, *[None] * 4) for number in range(3)]
    paid = (3, 7, date(2024, 1, 31), D("1.50"), "paid")
    load_rows(shop_url, {"orders": [*nothing, paid]})
    with psycopg.connect(shop_url) as connection:
        version = connection.info.server_version
        connection.execute("ALTER TABLE orders ALTER order_id SET NOT NULL")
        # Before version 18 no NOT NULL could wait for its validation.
        if version >= 180_000:
            connection.execute("ALTER TABLE orders ADD CONSTRAINT later NOT NULL customer_id NOT VALID")
    snapshot = read(shop_url, tmp_path)
    assert rows_of(tmp_path, "orders") == [*nothing, paid]
    assert set(snapshot.tables["orders"].physical.values()) == {"native"}
    assert_proven(snapshot, tmp_path)


@pytest.mark.usefixtures("_either_way")
def test_pairs_of_small_keys_come_apart_at_both_ends(shop_url: str, tmp_path: Path) -> None:
    ends = [-(2**31), -1, 0, 1, 2**31 - 1]
    items = [
        (item, order, product, 2, D("1.00"))
        for item, (order, product) in enumerate(itertools.product(ends, ends), start=-12)
    ]
    load_rows(shop_url, {"order_items": items})
    with psycopg.connect(shop_url) as connection:
        for name in ("item_id", "order_id", "product_id", "quantity"):
            alter = sql.SQL("ALTER TABLE order_items ALTER {0} TYPE integer, ALTER {0} SET NOT NULL")
            connection.execute(alter.format(sql.Identifier(name)))
    assert_proven(read(shop_url, tmp_path), tmp_path)
    assert rows_of(tmp_path, "order_items") == items


@pytest.mark.usefixtures("_either_way")
def test_a_small_key_without_another_to_pair_it_with_arrives(shop_url: str, tmp_path: Path) -> None:
    load_rows(shop_url, {"categories": [(-(2**31), "Least"), (42, "Other")]})
    with psycopg.connect(shop_url) as connection:
        connection.execute(
            "ALTER TABLE categories ALTER category_id TYPE int, ALTER category_id SET NOT NULL"
        )
    read(shop_url, tmp_path)
    assert rows_of(tmp_path, "categories") == [(-(2**31), "Least"), (42, "Other")]
