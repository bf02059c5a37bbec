"""Extraction from SQLite, where a column holds what it likes."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.extracted import assert_proven, raw_measure
from tests.support.literal_rows import load_rows

from shopsight.audit.written import cents_of
from shopsight.contract import TABLES
from shopsight.errors import (
    ConfigurationError,
    SchemaMismatch,
    ShopsightError,
    SourceError,
    SourceUnavailable,
)
from shopsight.extract import Source, check_source, extract, source_totals
from shopsight.record import Snapshot
from shopsight_demo.seed import ShopSize, Types, seed

D = Decimal
PATIENCE = timedelta(seconds=0.2)
DAY = "2024-01-31"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def read(file: Path, folder: Path, schema: str | None = None, **given: Any) -> Snapshot:
    options = {"connections": 2, "batch_rows": 1000, **given}
    return extract(Source(f"sqlite:///{file}", schema, PATIENCE), folder, **options)


def refused(file: Path, folder: Path, kind: type[ShopsightError], **given: Any) -> ShopsightError:
    with pytest.raises(kind) as caught:
        read(file, folder, **given)
    assert caught.value.remedy
    assert "Nothing was extracted." in caught.value.message
    return caught.value


def execute(file: Path, *statements: str, values: list[tuple[Any, ...]] | None = None) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            if values is None:
                connection.execute(statement)
            else:
                connection.executemany(statement, values)


def rows_of(folder: Path, table: str) -> list[tuple[Any, ...]]:
    return pl.read_parquet(folder / table).sort(TABLES[table].key).rows()


def test_all_values_arrive_as_they_are(file: Path, raw: Path) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {
        "categories": [(1, "Books")],
        "products": [(1, "Atlas", 1), (2, None, None)],
        "customers": [(1, "Ann", "ann@example.com", "DE"), (2, 'O"Hara, the\n2nd', "", None)],
        "orders": [(1, 1, date(2024, 1, 31), D("19.99"), "Paid"), (2, 2, None, None, "on hold")],
        "order_items": [(1, 1, 1, 2, D("9.50")), (2, 1, 2, None, D("0.99"))],
        "reviews": [(1, 1, 1, 5, date(2024, 2, 29)), (2, 1, 2, None, date(9999, 12, 31))],
    }
    load_rows(f"sqlite:///{file}", rows)
    snapshot = read(file, raw)
    assert {name: rows_of(raw, name) for name in TABLES} == rows
    assert_proven(snapshot, raw)
    assert all(set(table.physical.values()) == {"native"} for table in snapshot.tables.values())
    assert {name: raw_measure(raw, name) for name in ("orders", "order_items", "reviews")} == {
        "orders": D("19.99"),
        "order_items": D("19.00"),
        "reviews": D(5),
    }
    assert snapshot.dialect == "sqlite"
    assert snapshot.source == f"sqlite:///{file}"
    assert snapshot.tables["orders"].column_types["total_amount"].lower() == "numeric(18,2)"
    assert abs(snapshot.as_of - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.parametrize("types", [Types.NATIVE, Types.TEXT])
def test_a_dirty_shop_is_read_whole(types: Types, file: Path, raw: Path) -> None:
    size = ShopSize(customers=300, orders=3000, products=60, categories=12)
    seed(f"sqlite:///{file}", size, dirt=0.2, types=types)
    told = dict.fromkeys(TABLES, 0)

    def on_rows(table: str, rows: int) -> None:
        told[table] += rows

    snapshot = read(file, raw, on_rows=on_rows)
    assert_proven(snapshot, raw)
    assert told == {name: table.rows for name, table in snapshot.tables.items()}
    physical = {name: table.physical for name, table in snapshot.tables.items()}
    asked = source_totals(Source(f"sqlite:///{file}", None, PATIENCE), physical)
    assert asked.tables == snapshot.tables


@pytest.mark.parametrize(
    ("values", "expected", "measure"),
    [
        ([19.99, 5, -0.01], [D("19.99"), D("5.00"), D("-0.01")], "24.98"),
        ([0.1 + 0.2, 1.1 * 3], [D("0.30"), D("3.30")], "3.60"),
        ([0.1 + 0.2 - 0.3], [D("0.00")], "0.00"),
        ([1.005, 5], ["1.005", "5"], "6.01"),
        ([0.125], ["0.125"], "0.13"),
        ([123456789.995], ["123456789.995"], "123456790.00"),
        ([9e999, 1.5], ["Inf", "1.5"], "1.50"),
        ([1e15, 10**15, 2.5], ["1e+15", "1000000000000000", "2.5"], "2.50"),
        ([99999999999.99, 10**14], [D("99999999999.99"), D("100000000000000.00")], "100099999999999.99"),
        (["12.345", " +7 ", "1,000", "", 2], ["12.345", " +7 ", "1,000", "", "2"], "21.35"),
        (["19.99"], ["19.99"], "19.99"),
        ([b"\x01\xff", 1], ["\\x01ff", "1"], "1.00"),
        ([None, 1], [None, D("1.00")], "1.00"),
        ([-(2**63), 2**63 - 1, 1], ["-9223372036854775808", "9223372036854775807", "1"], "1.00"),
    ],
)
def test_an_amount_is_native_if_every_value_is_a_number_of_cents(
    values: list[Any], expected: list[Any], measure: str, file: Path, raw: Path
) -> None:
    load_rows(f"sqlite:///{file}", {})
    # A column without a type keeps every value as it is given.
    execute(
        file,
        "DROP TABLE orders",
        "CREATE TABLE orders (order_id, customer_id, order_date, total_amount, status)",
    )
    rows = [(number, 1, DAY, value, "paid") for number, value in enumerate(values)]
    execute(file, "INSERT INTO orders VALUES (?, ?, ?, ?, ?)", values=rows)
    snapshot = read(file, raw)
    assert [row[3] for row in rows_of(raw, "orders")] == expected
    assert raw_measure(raw, "orders") == D(measure)
    assert_proven(snapshot, raw)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("order_date", ["2024-02-29", "0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)]),
        ("order_date", ["2024-02-29 10:00:00"], ["2024-02-29 10:00:00"]),
        ("order_date", ["2024-02-29", 1709164800], ["2024-02-29", "1709164800"]),
        ("order_date", [2460369.5], ["2460369.5"]),
        ("order_date", ["0000-01-01"], ["0000-01-01"]),
        ("order_date", [""], [""]),
        ("customer_id", [2**63 - 1, None], [2**63 - 1, None]),
        ("customer_id", [1, "007"], ["1", "007"]),
        ("customer_id", [1, 2.0], ["1", "2"]),
        ("customer_id", [1, "?"], ["1", "?"]),
        ("status", [5, "Paid", None, b"\x00A"], ["5", "Paid", None, "\\x0041"]),
    ],
)
def test_a_key_or_a_day_is_native_if_every_value_is_stored_as_one(
    column: str, values: list[Any], expected: list[Any], file: Path, raw: Path
) -> None:
    load_rows(f"sqlite:///{file}", {})
    execute(
        file,
        "DROP TABLE orders",
        "CREATE TABLE orders (order_id, customer_id, order_date, total_amount, status)",
    )
    rows = [(number, value) for number, value in enumerate(values)]
    execute(file, f"INSERT INTO orders (order_id, {column}) VALUES (?, ?)", values=rows)
    read(file, raw)
    assert pl.read_parquet(raw / "orders").sort("order_id")[column].to_list() == expected


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_hostile_texts_stay_as_they_are(encoding: str, file: Path, raw: Path) -> None:
    execute(file, f"PRAGMA encoding = '{encoding}'", "CREATE TABLE first (x)")
    names = [
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
    ]
    amounts = ["\u00a012.50\u200b", "\x001\x00.5"]
    load_rows(
        f"sqlite:///{file}",
        {
            "categories": list(enumerate(names)),
            "orders": [(number, 1, DAY, amount, "paid") for number, amount in enumerate(amounts)],
        },
        {"orders": {"total_amount": "text"}},
    )
    snapshot = read(file, raw)
    assert [name for _, name in rows_of(raw, "categories")] == names
    assert [row[3] for row in rows_of(raw, "orders")] == amounts
    assert raw_measure(raw, "orders") == D("14.00")
    assert_proven(snapshot, raw)


def test_the_database_takes_the_same_texts_for_numbers(file: Path, raw: Path) -> None:
    chance = random.Random(7)
    characters = "0123456789" * 3 + "+-..., \t\n\u00a0\u200b\u200c\u0085\u3000\u202e\x00\x01eE٣_$'\\\""
    texts = ["".join(chance.choices(characters, k=chance.randint(0, 9))) for _ in range(3000)]
    assert sum(cents_of(text) is not None for text in texts) > 500
    load_rows(
        f"sqlite:///{file}",
        {
            "orders": [(number, 1, DAY, text, "paid") for number, text in enumerate(texts)],
            "order_items": [(n, 1, 1, text, texts[-n]) for n, text in enumerate(texts)],
            "reviews": [(number, 1, 1, text, DAY) for number, text in enumerate(texts)],
        },
        {
            "orders": {"total_amount": "text"},
            "order_items": {"quantity": "text", "price": "text"},
            "reviews": {"rating": "text"},
        },
    )
    snapshot = read(file, raw)
    assert [row[3] for row in rows_of(raw, "orders")] == texts
    assert raw_measure(raw, "orders") == D(sum(cents_of(text) or 0 for text in texts)).scaleb(-2)
    assert_proven(snapshot, raw)


def test_bytes_that_are_no_utf8_do_not_stop_it(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {}, {"orders": {"total_amount": "text"}})
    execute(
        file,
        "INSERT INTO categories VALUES (1, CAST(x'4dfc6c6c6572' AS TEXT))",
        f"INSERT INTO orders VALUES (1, 1, '{DAY}', CAST(x'31fc' AS TEXT), 'paid')",
        f"INSERT INTO orders VALUES (2, 1, '{DAY}', '2', 'paid')",
    )
    snapshot = read(file, raw)
    assert rows_of(raw, "categories") == [(1, "M\ufffdller")]
    assert [row[3] for row in rows_of(raw, "orders")] == ["1\ufffd", "2"]
    assert raw_measure(raw, "orders") == D("2.00")
    assert_proven(snapshot, raw)


def test_a_wrong_value_in_the_last_row_makes_the_whole_column_text_once(file: Path, raw: Path) -> None:
    orders = [(number, 1, DAY, "1.50", "paid") for number in range(5000)]
    load_rows(f"sqlite:///{file}", {"orders": [*orders, (5000, 1, "soon", "much", "paid")]})
    told = []
    snapshot = read(file, raw, on_rows=lambda table, rows: told.append(rows))
    assert sum(told) == 5001
    assert min(told) < 0
    assert snapshot.tables["orders"].physical["order_date"] == "text"
    assert rows_of(raw, "orders")[-1] == (5000, 1, "soon", "much", "paid")
    assert raw_measure(raw, "orders") == D("7500.00")
    assert_proven(snapshot, raw)


def test_long_values_make_small_batches(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {"categories": [(number, "x" * 16_000) for number in range(300)]})
    told: list[int] = []
    snapshot = read(file, raw, batch_rows=1000, on_rows=lambda table, rows: told.append(rows))
    # A thousand rows of the usual length are 32 kB.
    assert max(told) == 2
    assert sum(told) == 300
    assert_proven(snapshot, raw)


def test_sums_beyond_64_bits_stay_exact(file: Path, raw: Path) -> None:
    items = [(number, 1, 1, 9_999_999_999, 999_999_999_999_999) for number in range(3)]
    load_rows(f"sqlite:///{file}", {"order_items": items})
    snapshot = read(file, raw)
    assert raw_measure(raw, "order_items") == D(9_999_999_999 * 999_999_999_999_999 * 3)
    assert_proven(snapshot, raw)


@pytest.mark.parametrize("value", ["much", b"\x01", 1.5, 2**62, -(2**62), 9e300, 9e999, None])
def test_totals_of_a_column_that_no_longer_fits_are_told_not_lost(value: Any, file: Path, raw: Path) -> None:
    # A column without a type keeps every value as it is given.
    names = {name: ", ".join(table.column_names) for name, table in TABLES.items()}
    execute(file, *(f"CREATE TABLE {name} ({columns})" for name, columns in names.items()))
    execute(file, f"INSERT INTO orders VALUES (1, 7, '{DAY}', 1.5, 'paid'), (2, 7, '{DAY}', 2, 'paid')")
    before = read(file, raw)
    physical = {name: table.physical for name, table in before.tables.items()}
    for column in TABLES["orders"].column_names:
        execute(file, f"UPDATE orders SET {column} = ? WHERE status = 'paid'", values=[(value,)])
        after = source_totals(Source(f"sqlite:///{file}", None, PATIENCE), physical)
        assert after.tables["orders"].rows == 2
        assert after.tables["orders"].totals != before.tables["orders"].totals


def test_views_and_names_in_other_letters_are_read(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {"orders": [(1, 1, DAY, "1.50", "paid")]})
    execute(
        file,
        "ALTER TABLE orders RENAME TO old_orders",
        'CREATE VIEW "ORDERS" AS SELECT order_id AS "Order_ID", customer_id, order_date, total_amount,'
        " status, 'x' AS extra FROM old_orders",
        "CREATE TABLE without_rowid (category_id INTEGER PRIMARY KEY, category_name TEXT) WITHOUT ROWID",
        "DROP TABLE categories",
        "ALTER TABLE without_rowid RENAME TO Categories",
        "INSERT INTO categories VALUES (3, 'Games')",
    )
    snapshot = read(file, raw, schema="MAIN")
    assert rows_of(raw, "orders") == [(1, 1, date(2024, 1, 31), D("1.50"), "paid")]
    assert rows_of(raw, "categories") == [(3, "Games")]
    assert_proven(snapshot, raw)


def test_empty_tables_are_files_of_the_right_types(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {})
    snapshot = read(file, raw)
    assert_proven(snapshot, raw)
    assert str(raw_measure(raw, "orders")) == "0.00"
    assert pl.read_parquet_schema(raw / "reviews" / "part-00000.parquet") == {
        "review_id": pl.Int64,
        "product_id": pl.Int64,
        "customer_id": pl.Int64,
        "rating": pl.Int64,
        "review_date": pl.Date,
    }


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_all_tables_are_of_one_state_while_somebody_writes(journal: str, file: Path, raw: Path) -> None:
    load_rows(
        f"sqlite:///{file}",
        {
            "categories": [(1, "Books")],
            "orders": [(number, 1, DAY, "1.00", "paid") for number in range(3000)],
            "reviews": [(1, 1, 1, 5, DAY)],
        },
    )
    outcomes = []
    with closing(sqlite3.connect(file, timeout=0, check_same_thread=False)) as writer:
        writer.execute(f"PRAGMA journal_mode = {journal}")

        def on_rows(table: str, rows: int) -> None:
            try:
                with writer:
                    writer.execute("DELETE FROM orders")
                    writer.execute("UPDATE reviews SET rating = 1")
                outcomes.append("written")
            except sqlite3.OperationalError as error:
                outcomes.append(str(error))

        snapshot = read(file, raw, on_rows=on_rows)
    assert_proven(snapshot, raw)
    assert raw_measure(raw, "orders") == D("3000.00")
    assert raw_measure(raw, "reviews") == 5
    # A file without a write-ahead log lets nobody write as long as it is read.
    assert set(outcomes) == ({"written"} if journal == "WAL" else {"database is locked"})


def test_a_later_state_has_another_id(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {})
    before = read(file, raw / "1").snapshot_id
    execute(file, "INSERT INTO categories VALUES (1, 'Books')")
    assert read(file, raw / "2").snapshot_id != before


def test_reading_changes_nothing(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {"orders": [(1, 1, DAY, "1.50", "paid")]})
    before = file.read_bytes()
    read(file, raw)
    assert file.read_bytes() == before
    assert list(file.parent.glob("shop.db-*")) == []


def test_a_file_of_any_name_is_found(tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my shop#1?.db"
    load_rows("sqlite:///plain.db", {"categories": [(1, "Books")]})
    Path("plain.db").rename(file)
    monkeypatch.chdir(tmp_path)
    read(Path("my%20shop%231%3F.db"), raw)
    assert rows_of(raw, "categories") == [(1, "Books")]


def test_a_missing_file_is_not_made(file: Path, raw: Path) -> None:
    assert str(file) in refused(file, raw, ConfigurationError).message
    assert not file.exists()


def test_a_file_that_is_no_database_is_reported(file: Path, raw: Path) -> None:
    file.write_text("order_id,customer_id\n" * 1000)
    assert "file is not a database" in refused(file, raw, ConfigurationError).message


def test_a_damaged_file_is_reported(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {"orders": [(number, 1, DAY, "1.50", "paid") for number in range(5000)]})
    content = bytearray(file.read_bytes())
    content[40_000:60_000] = b"\xff" * 20_000
    file.write_bytes(content)
    error = refused(file, raw, SourceError)
    assert "malformed" in error.message
    assert not error.is_retryable


def test_a_locked_file_is_unavailable(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {})
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = refused(file, raw, SourceUnavailable)
    assert "locked" in error.message
    assert error.is_retryable


def test_a_missing_table_or_column_is_named_before_anything_is_read(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {})
    execute(file, "ALTER TABLE reviews RENAME review_date TO reviewdate")
    error = refused(file, raw, SchemaMismatch)
    assert "column 'review_date' is missing" in error.message
    assert "Did you mean 'reviewdate'?" in error.message
    execute(file, "ALTER TABLE orders RENAME TO order_s")
    assert "table 'orders' is missing" in refused(file, raw, SchemaMismatch).message
    assert not raw.exists()


def test_another_schema_is_not_there(file: Path, raw: Path) -> None:
    load_rows(f"sqlite:///{file}", {})
    assert "'shop' is missing" in refused(file, raw, SchemaMismatch, schema="shop").message


def test_the_doctor_tells_what_can_be_read(file: Path) -> None:
    url = f"sqlite:///{file}"
    (check,) = check_source(Source(url, None, PATIENCE))
    assert (check.name, check.is_ok) == ("connection", False)
    assert check.remedy

    load_rows(url, {})
    checks = check_source(Source(url, None, PATIENCE))
    assert [check.name for check in checks] == [
        "connection",
        *(table for table in TABLES),
    ]
    assert all(check.is_ok for check in checks)

    execute(file, "DROP TABLE reviews")
    checks = check_source(Source(url, None, PATIENCE))
    assert [check.name for check in checks if not check.is_ok] == ["reviews"]
