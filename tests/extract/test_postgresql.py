"""Extraction from a real PostgreSQL: wherever the tables are, in one state, or the reason why not."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from tests.conftest import Restartable
from tests.support.extracted import assert_proven, raw_measure
from tests.support.literal_rows import load_rows

from shopsight.audit.parquet import count_rows
from shopsight.contract import TABLES
from shopsight.errors import (
    ConfigurationError,
    SchemaMismatch,
    ShopsightError,
    SourceError,
    SourceUnavailable,
    WorkspaceError,
)
from shopsight.extract import Source, check_source, extract, source_totals
from shopsight.extract.postgresql import locks, packed
from shopsight.extract.postgresql import snapshot as snapshot_module
from shopsight.record import Snapshot
from shopsight.settings.table_mapping import TableMapping
from shopsight_demo.seed import ShopSize, Types, seed
from shopsight_demo.servers import PostgresServer

D = Decimal
PATIENCE = timedelta(seconds=5)
DAY = "2024-01-31"
SMALL = ShopSize(customers=300, orders=3000, products=60, categories=12)


def read(url: str, folder: Path, schema: str | None = None, connections: int = 2, **given: Any) -> Snapshot:
    patience, tables = given.pop("connect_timeout", PATIENCE), given.pop("tables", {})
    source = Source(url, schema, patience, tables)
    return extract(source, folder, connections=connections, **{"batch_rows": 1000, **given})


def refused(url: str, tmp_path: Path, kind: type[ShopsightError], **given: Any) -> ShopsightError:
    """The error of an extraction that does not succeed: with a remedy, the state, and no password."""
    with pytest.raises(kind) as caught:
        read(url, tmp_path, **given)
    error = caught.value
    password = url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert password
    assert password not in f"{error.message} {error.remedy} {error.__cause__}"
    assert error.remedy
    assert "Nothing was extracted." in error.message
    return error


@contextmanager
def reader_role(url: str, *options: str) -> Iterator[str]:
    """The URL of a role of its own, that may do nothing yet."""
    role = f"reader_{uuid.uuid4().hex}"
    execute(url, f"CREATE ROLE {role} LOGIN PASSWORD 'reader-secret' {' '.join(options)}")
    try:
        yield as_user(url, role, "reader-secret")
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def as_user(url: str, user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@{url.partition('@')[2]}"


def user_of(url: str) -> str:
    return url.partition("://")[2].partition(":")[0]


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def load_orders(url: str, count: int) -> None:
    """A shop of nothing but so many orders, of 1.00 each."""
    load_rows(url, {})
    execute(url, f"INSERT INTO orders SELECT n, 1, '{DAY}', 1, 'paid' FROM generate_series(1, {count}) n")


def rows_of(folder: Path, table: str) -> list[tuple[Any, ...]]:
    return pl.read_parquet(folder / table).sort(TABLES[table].key).rows()


def rename_all(url: str, change: str) -> None:
    """Run a statement for each table; ``{table}`` and ``{columns}`` stand for its names."""
    execute(
        url, *(change.format(table=name, columns=", ".join(t.column_names)) for name, t in TABLES.items())
    )


@pytest.mark.parametrize("types", [Types.NATIVE, Types.TEXT])
def test_a_dirty_shop_is_read_whole_by_any_number_of_connections(
    types: Types, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Even this small shop is then cut into many parts, and these into several values.
    monkeypatch.setattr(snapshot_module, "_LEAST_PAGES_PER_PART", 7)
    monkeypatch.setattr(packed, "PAGES_PER_VALUE", 3)
    seed(postgres_url, SMALL, dirt=0.2, types=types)
    frames = []
    for connections in (1, 3):
        folder = tmp_path / str(connections)
        told: dict[str, int] = dict.fromkeys(TABLES, 0)

        def on_rows(table: str, rows: int, told: dict[str, int] = told) -> None:
            told[table] += rows

        snapshot = read(postgres_url, folder, connections=connections, on_rows=on_rows)
        assert_proven(snapshot, folder)
        assert told == {name: table.rows for name, table in snapshot.tables.items()}
        frames.append({name: pl.read_parquet(folder / name) for name in TABLES})
        assert len(list((folder / "order_items").iterdir())) > 3
    for name in TABLES:
        columns = pl.all()
        assert frames[0][name].sort(columns).equals(frames[1][name].sort(columns)), name


def test_rows_in_pages_that_were_not_counted_yet_are_read_too(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        snapshot_module, "_EXTENT", "SELECT 1::bigint, false FROM pg_class WHERE oid = $1::oid"
    )
    load_rows(postgres_url, {"reviews": [(number, 1, 1, 5, DAY) for number in range(5000)]})
    snapshot = read(postgres_url, tmp_path)
    assert raw_measure(tmp_path, "reviews") == 25_000
    assert_proven(snapshot, tmp_path)


def test_a_wrong_type_in_the_last_row_makes_the_whole_column_text_once(
    postgres_url: str, tmp_path: Path
) -> None:
    load_orders(postgres_url, 50_000)
    execute(postgres_url, "INSERT INTO orders VALUES (50001, 1, 'infinity', 'NaN', 'paid')")
    told = []
    snapshot = read(postgres_url, tmp_path, on_rows=lambda table, rows: told.append(rows))
    assert sum(told) == 50_001
    assert min(told) < 0
    assert snapshot.tables["orders"].physical == {
        "order_id": "native",
        "customer_id": "native",
        "order_date": "text",
        "total_amount": "text",
        "status": "native",
    }
    assert rows_of(tmp_path, "orders")[-1] == (50_001, 1, "infinity", "NaN", "paid")
    assert raw_measure(tmp_path, "orders") == D("50000.00")
    assert_proven(snapshot, tmp_path)


def test_tables_are_found_in_the_named_schema_whatever_their_letters(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    load_rows(postgres_url, {"orders": [(2, 1, DAY, "2.00", "paid")]}, schema="Web Shop")
    execute(
        postgres_url,
        'ALTER TABLE "Web Shop".orders RENAME TO "ORDERS"',
        'ALTER TABLE "Web Shop"."ORDERS" RENAME order_id TO "Order_ID"',
        'ALTER TABLE "Web Shop"."ORDERS" ADD COLUMN extra text DEFAULT \'x\'',
    )
    snapshot = read(postgres_url, tmp_path / "named", schema="web shop")
    assert rows_of(tmp_path / "named", "orders")[0][0] == 2
    assert pl.read_parquet(tmp_path / "named" / "orders").columns == list(TABLES["orders"].column_names)
    assert snapshot.schema == "web shop"
    read(postgres_url, tmp_path / "path")
    assert rows_of(tmp_path / "path", "orders")[0][0] == 1


def test_the_search_path_decides_where_no_schema_is_named(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    load_rows(postgres_url, {"orders": [(2, 1, DAY, "2.00", "paid")]}, schema="first")
    execute(postgres_url, "DROP TABLE first.reviews")
    read(f"{postgres_url}&options=-csearch_path%3Dfirst%2Cpublic", tmp_path)
    assert rows_of(tmp_path, "orders")[0][0] == 2
    assert rows_of(tmp_path, "reviews") == []


def test_views_and_other_relations_are_read_like_tables(postgres_url: str, tmp_path: Path) -> None:
    seed(postgres_url, SMALL, dirt=0.1, schema="store")
    rename_all(postgres_url, "CREATE VIEW {table} AS SELECT {columns} FROM store.{table}")
    execute(
        postgres_url,
        "DROP VIEW orders, order_items, reviews",
        "CREATE MATERIALIZED VIEW orders AS SELECT * FROM store.orders",
        "CREATE TABLE order_items (LIKE store.order_items) PARTITION BY HASH (item_id)",
        "CREATE TABLE items_0 PARTITION OF order_items FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE items_1 PARTITION OF order_items FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "INSERT INTO order_items SELECT * FROM store.order_items",
        # Inheritance: the rows of the child are rows of its parent.
        "CREATE TABLE reviews (LIKE store.reviews)",
        "CREATE TABLE late_reviews () INHERITS (reviews)",
        "INSERT INTO reviews SELECT * FROM store.reviews WHERE rating < 4",
        "INSERT INTO late_reviews SELECT * FROM store.reviews WHERE rating >= 4 OR rating IS NULL",
    )
    snapshot = read(postgres_url, tmp_path / "relations")
    assert_proven(snapshot, tmp_path / "relations")
    read(postgres_url, tmp_path / "tables", schema="store")
    for name in TABLES:
        relation, table = (pl.read_parquet(tmp_path / kind / name) for kind in ("relations", "tables"))
        assert relation.sort(pl.all()).equals(table.sort(pl.all())), name


@contextmanager
def writing(url: str) -> Iterator[list[int]]:
    """Somebody who moves amounts, adds and removes rows, over and over, and counts the times."""
    stop, done = threading.Event(), [0]

    def work() -> None:
        with psycopg.connect(url) as connection:
            while not stop.is_set():
                connection.execute("UPDATE orders SET total_amount = total_amount + 1 WHERE order_id % 2 = 0")
                connection.execute("UPDATE orders SET total_amount = total_amount - 1 WHERE order_id % 2 = 1")
                connection.execute(
                    "DELETE FROM order_items WHERE item_id = (SELECT min(item_id) FROM order_items)"
                )
                connection.execute(
                    "INSERT INTO order_items SELECT max(item_id) + 1, 1, 1, 1, 1 FROM order_items"
                )
                connection.execute("UPDATE reviews SET rating = 6 - rating")
                connection.commit()
                done[0] += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield done
    finally:
        stop.set()
        writer.join()


def test_all_tables_are_of_one_state_while_somebody_writes(postgres_url: str, tmp_path: Path) -> None:
    numbers = range(3000)
    load_rows(
        postgres_url,
        {
            "orders": [(number, 1, DAY, "100.00", "paid") for number in numbers],
            "order_items": [(number, 1, 1, 1, "1.00") for number in numbers],
            "reviews": [(number, 1, 1, 3 + (-1) ** number, DAY) for number in numbers],
        },
    )
    with writing(postgres_url) as times:
        for attempt in range(3):
            folder = tmp_path / str(attempt)
            before = times[0]
            while times[0] == before:
                time.sleep(0.01)
            snapshot = read(postgres_url, folder)
            assert_proven(snapshot, folder)
            # Each of the writer's transactions leaves these as they are; its single statements do not.
            assert {name: raw_measure(folder, name) for name in ("orders", "order_items", "reviews")} == {
                "orders": D("300000.00"),
                "order_items": D("3000.00"),
                "reviews": D(9000),
            }
            assert count_rows(folder / "order_items") == 3000


def test_a_table_cannot_be_emptied_while_it_is_read(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(number, 1, DAY, "1.00", "paid") for number in range(3000)]})
    emptied = []

    def empty() -> None:
        execute(postgres_url, "TRUNCATE orders")
        emptied.append(time.monotonic())

    truncating = threading.Thread(target=empty)

    def on_rows(table: str, rows: int) -> None:
        if not truncating.ident:
            truncating.start()
            time.sleep(0.2)

    snapshot = read(postgres_url, tmp_path, on_rows=on_rows)
    ended = time.monotonic()
    truncating.join()
    assert_proven(snapshot, tmp_path)
    assert snapshot.tables["orders"].rows == 3000
    assert emptied[0] > ended - 0.2
    asked = source_totals(Source(postgres_url, None, PATIENCE), {name: {} for name in TABLES})
    assert asked.tables["orders"].rows == 0


def test_a_migration_that_ends_while_its_lock_is_waited_for_is_looked_at_again(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"order_items": [(1, 1, 1, 1, "1.00")]})
    small = "ALTER TABLE order_items ALTER item_id TYPE int, ALTER order_id TYPE int, ALTER {0} SET NOT NULL"
    execute(postgres_url, small.format("item_id"), small.format("order_id"))
    with psycopg.connect(postgres_url) as migration, ThreadPoolExecutor(1) as pool:
        migration.execute(
            "ALTER TABLE order_items ALTER order_id TYPE bigint USING order_id + 5000000000::bigint,"
            " ALTER item_id DROP NOT NULL"
        )
        migration.execute("INSERT INTO order_items VALUES (NULL, 7, 1, 1, 1)")
        reading = pool.submit(read, postgres_url, tmp_path)
        eventually_waiting(postgres_url)
        migration.commit()
        snapshot = reading.result(30)
    assert rows_of(tmp_path, "order_items") == [
        (None, 7, 1, 1, D("1.00")),
        (1, 5_000_000_001, 1, 1, D("1.00")),
    ]
    assert snapshot.tables["order_items"].column_types["order_id"] == "bigint"
    assert_proven(snapshot, tmp_path)


def eventually_waiting(url: str, sessions: int = 1) -> None:
    """Return when so many sessions wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.datname = current_database()"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(200):
            row = connection.execute(waiting).fetchone()
            if row and row[0] >= sessions:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits for a lock")


def test_text_that_is_no_utf8_in_spite_of_the_encoding_is_marked(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = "test_extract_relabelled"
    execute(
        postgres_server.url,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'",
    )
    url = postgres_server.url_of(name)
    load_rows(url, {})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"INSERT INTO categories VALUES (1, E'M\\xfcx')")
    execute(
        postgres_server.url,
        f"UPDATE pg_database SET encoding = pg_char_to_encoding('UTF8') WHERE datname = '{name}'",
    )
    assert_proven(read(url, tmp_path), tmp_path)
    assert rows_of(tmp_path, "categories") == [(1, "M\ufffdx")]


def test_totals_can_be_asked_for_without_reading(postgres_url: str, tmp_path: Path) -> None:
    seed(postgres_url, SMALL, dirt=0.2, types=Types.TEXT)
    read_out = read(postgres_url, tmp_path)
    physical = {name: table.physical for name, table in read_out.tables.items()}
    asked = source_totals(Source(postgres_url, None, PATIENCE), physical)
    assert asked.tables == read_out.tables
    assert asked.tables["orders"].totals["total_amount"]["values"]
    assert Snapshot.from_details(asked.as_details()) == asked


def test_a_servers_limits_for_short_queries_do_not_end_a_long_one(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    execute(
        postgres_url,
        "CREATE FUNCTION slowly(text) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.3); RETURN $1; END $$",
        "ALTER TABLE orders RENAME TO real_orders",
        "CREATE VIEW orders AS SELECT order_id, customer_id, order_date, total_amount, slowly(status) status"
        " FROM real_orders",
    )
    limited = f"{postgres_url}&options=-cstatement_timeout%3D150%20-cidle_in_transaction_session_timeout%3D50"
    assert_proven(read(limited, tmp_path, connections=1), tmp_path)


@pytest.mark.parametrize(("encoding", "sent"), [("LATIN1", "Müller"), ("SQL_ASCII", "M\ufffdller")])
def test_a_database_of_another_encoding_is_read(
    encoding: str, sent: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = f"test_extract_{encoding.lower()}"
    execute(
        postgres_server.url,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'",
    )
    url = postgres_server.url_of(name)
    load_rows(url, {}, {"orders": {"total_amount": "text"}})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET client_encoding = '{encoding}'")
        connection.execute(b"INSERT INTO categories VALUES (1, 'M\xfcller')")
        connection.execute("INSERT INTO orders VALUES (1, 1, '2024-01-31', ' 12.50\t', 'paid')")
    snapshot = read(url, tmp_path)
    assert rows_of(tmp_path, "categories") == [(1, sent)]
    assert raw_measure(tmp_path, "orders") == D("12.50")
    assert_proven(snapshot, tmp_path)


def test_tables_with_values_larger_than_a_page_are_sent_line_by_line(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"categories": [(number, "small") for number in range(100)]})
    execute(
        postgres_url,
        "INSERT INTO categories SELECT 100, string_agg(md5(n::text), '') FROM generate_series(1, 100000) n",
        # The lines of a few pages might be more than the gigabyte that one value may have.
        "CREATE TYPE label AS (label text)",
        "CREATE FUNCTION label_text(label) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_query() LIKE '%string_agg%' THEN RAISE 'together'; END IF; RETURN ($1).label; END $$",
        "CREATE CAST (label AS text) WITH FUNCTION label_text(label)",
        "ALTER TABLE categories ALTER category_name TYPE label USING ROW(category_name)::label",
    )
    snapshot = read(postgres_url, tmp_path)
    names = pl.read_parquet(tmp_path / "categories").sort("category_id")["category_name"].to_list()
    assert names[:100] == ["small"] * 100
    assert len(names[100]) == 3_200_000
    assert_proven(snapshot, tmp_path)


def test_an_error_in_the_middle_of_a_result_is_the_sources_not_the_disks(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {})
    execute(
        postgres_url,
        "DROP TABLE categories",
        "CREATE VIEW categories AS SELECT n AS category_id, (100 / (50000 - n))::text AS category_name"
        " FROM generate_series(1, 50000) n",
    )
    error = refused(postgres_url, tmp_path, SourceError)
    assert "public.categories: " in error.message
    assert "division by zero" in error.message


def test_without_an_exported_snapshot_one_connection_reads(postgres_url: str, tmp_path: Path) -> None:
    seed(postgres_url, SMALL, dirt=0.1)
    execute(postgres_url, "REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC")
    with reader_role(postgres_url) as url:
        execute(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user_of(url)}")
        assert_proven(read(url, tmp_path, connections=4), tmp_path)
        last = check_source(Source(url, None, PATIENCE))[-1]
        assert last.is_ok
        assert "one connection only" in last.message


def test_fewer_free_connections_than_asked_for_are_enough(postgres_url: str, tmp_path: Path) -> None:
    seed(postgres_url, SMALL, dirt=0.1)
    with reader_role(postgres_url, "CONNECTION LIMIT 2") as url:
        execute(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user_of(url)}")
        assert_proven(read(url, tmp_path, connections=4), tmp_path)


def test_a_missing_table_is_named_before_anything_is_read(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {})
    execute(postgres_url, "ALTER TABLE order_items RENAME TO order_item")
    error = refused(postgres_url, tmp_path, SchemaMismatch)
    assert "table 'order_items' is missing" in error.message
    assert "Did you mean 'order_item'?" in error.message
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column_is_named_before_anything_is_read(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {})
    execute(postgres_url, "ALTER TABLE reviews RENAME review_date TO reviewdate")
    error = refused(postgres_url, tmp_path, SchemaMismatch)
    assert "public.reviews: column 'review_date' is missing" in error.message
    assert "Did you mean 'reviewdate'?" in error.message
    assert list(tmp_path.iterdir()) == []


def test_two_tables_that_could_be_meant_are_not_guessed_between(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {})
    execute(postgres_url, 'ALTER TABLE orders RENAME TO "Orders"', 'CREATE TABLE "ORDERS" (LIKE "Orders")')
    assert "'ORDERS', 'Orders'" in refused(postgres_url, tmp_path, SchemaMismatch).message


def test_tables_in_another_schema_are_pointed_to(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {}, schema="store")
    error = refused(postgres_url, tmp_path, SchemaMismatch)
    assert error.remedy == "It is in schema store: give --source-schema."
    error = refused(postgres_url, tmp_path, SchemaMismatch, schema="stores")
    assert "Did you mean 'store'?" in error.message


def test_a_missing_privilege_names_the_table_and_the_grant(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    with reader_role(postgres_url) as url:
        user = user_of(url)
        execute(
            postgres_url,
            f"GRANT SELECT ON categories, products, customers, order_items, reviews TO {user}",
            f"GRANT SELECT (order_id, customer_id, order_date, status) ON orders TO {user}",
        )
        error = refused(url, tmp_path, ConfigurationError)
        assert "reading public.orders" in error.message
        assert "permission denied" in error.message
        assert "GRANT SELECT" in error.remedy
        checks = {check.name: check for check in check_source(Source(url, None, PATIENCE))}
        assert [name for name, check in checks.items() if not check.is_ok] == ["orders"]
        assert "permission denied" in checks["orders"].message

        # The columns alone are enough.
        execute(postgres_url, f"GRANT SELECT (total_amount) ON orders TO {user}")
        assert_proven(read(url, tmp_path), tmp_path)


def test_a_missing_privilege_of_a_mapped_table_leaves_the_others_checked(postgres_url: str) -> None:
    load_rows(postgres_url, {})
    with reader_role(postgres_url) as url:
        execute(
            postgres_url,
            f"GRANT SELECT ON categories, products, customers, order_items, reviews TO {user_of(url)}",
        )
        tables = {"orders": TableMapping(where="status <> 'new'")}
        checks = check_source(Source(url, None, PATIENCE, tables))
    assert [(check.name, "permission denied" in check.message) for check in checks if not check.is_ok] == [
        ("orders", True)
    ]


def test_a_wrong_password_user_or_database_is_distinguished(postgres_url: str, tmp_path: Path) -> None:
    wrong = as_user(postgres_url, "postgres", "wr0ng-secret")
    assert "refuses the user or the password" in refused(wrong, tmp_path, ConfigurationError).message
    unknown = as_user(postgres_url, "nobody", "wr0ng-secret")
    assert "nobody" in refused(unknown, tmp_path, ConfigurationError).message
    elsewhere = postgres_url.replace("/test_", "/toast_")
    assert "has no such database" in refused(elsewhere, tmp_path, ConfigurationError).message


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("postgresql://ann:s3cret@nowhere.invalid/shop", SourceUnavailable, "nowhere.invalid"),
        ("postgresql://ann:s3cret@127.0.0.1:1/shop", SourceUnavailable, "Connection refused"),
        ("postgresql://ann:s3cret@/shop?host=/nowhere", SourceUnavailable, "No such file or directory"),
        ("postgresql://ann:s3:cr/et@db/shop", ConfigurationError, "cannot be read"),
        ("postgresql://ann:s3%zzcret@db/shop", ConfigurationError, "cannot be read"),
        ("postgresql://ann:s3cret@db/shop?colour=s3cret", ConfigurationError, "cannot be read"),
        ("postgresql://ann:s3cret@db:many/shop", ConfigurationError, "cannot be read"),
    ],
)
def test_an_address_that_does_not_answer_or_is_none(
    url: str, kind: type[ShopsightError], said: str, tmp_path: Path
) -> None:
    error = refused(url, tmp_path, kind, connect_timeout=timedelta(seconds=2))
    assert said in error.message
    assert "s3" not in error.message


def test_a_server_killed_in_the_middle_is_unavailable(
    restartable_postgres: Restartable, tmp_path: Path
) -> None:
    url = restartable_postgres.url
    load_orders(url, 300_000)

    def on_rows(table: str, rows: int) -> None:
        if restartable_postgres.server.process() is not None:
            restartable_postgres.kill()

    error = refused(url, tmp_path, SourceUnavailable, on_rows=on_rows)
    assert error.is_retryable
    restartable_postgres.restart()
    assert_proven(read(url, tmp_path / "again"), tmp_path / "again")


def test_a_session_ended_by_the_server_is_unavailable(postgres_url: str, tmp_path: Path) -> None:
    load_orders(postgres_url, 300_000)

    def on_rows(table: str, rows: int) -> None:
        execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shopsight'"
            " AND datname = current_database()",
        )

    assert refused(postgres_url, tmp_path, SourceUnavailable, on_rows=on_rows).is_retryable


def test_a_table_locked_by_a_migration_is_waited_for_up_to_a_limit(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(postgres_url, {})
    monkeypatch.setitem(locks._PARAMETERS, "lock_timeout", "100ms")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        error = refused(postgres_url, tmp_path, SourceUnavailable)
    assert "lock timeout" in error.message


def test_an_interruption_ends_every_connection(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {})
    execute(
        postgres_url,
        "DROP TABLE reviews",
        "CREATE VIEW reviews AS SELECT 1 AS review_id, 1 AS product_id, 1 AS customer_id,"
        " generate_series(1, 1000000000) AS rating, current_date AS review_date",
    )

    def interrupt(table: str, rows: int) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        read(postgres_url, tmp_path, on_rows=interrupt)
    assert time.monotonic() - started < 30
    with psycopg.connect(postgres_url) as connection:
        left = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shopsight'"
            " AND datname = current_database() AND state = 'active'"
        ).fetchone()
    assert left == (0,)


def test_a_folder_that_cannot_be_written_is_reported_and_nothing_hangs(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    (tmp_path / "orders").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot be used"):
        read(postgres_url, tmp_path)


def test_the_doctor_finds_a_whole_source_in_order(postgres_url: str) -> None:
    load_rows(postgres_url, {})
    checks = check_source(Source(postgres_url, "public", PATIENCE))
    assert [check.name for check in checks] == [
        "connection",
        *(table for table in TABLES),
        "snapshot",
    ]
    assert all(check.is_ok for check in checks)
    assert "PostgreSQL 18" in checks[0].message
    assert "connections share a snapshot" in checks[-1].message


def test_the_doctor_names_everything_that_is_missing(postgres_url: str) -> None:
    load_rows(postgres_url, {})
    execute(postgres_url, "DROP TABLE reviews", "ALTER TABLE orders DROP COLUMN status")
    checks = {c.name: c for c in check_source(Source(postgres_url, None, PATIENCE))}
    assert {name for name, check in checks.items() if not check.is_ok} == {
        "orders",
        "reviews",
    }
    assert "'status' is missing" in checks["orders"].message
    assert all(check.remedy for check in checks.values() if not check.is_ok)


def test_the_doctor_says_why_there_is_no_connection(postgres_url: str) -> None:
    (check,) = check_source(Source(as_user(postgres_url, "postgres", "wr0ng-secret"), None, PATIENCE))
    assert not check.is_ok
    assert "refuses the user or the password" in check.message
    assert "wr0ng" not in check.message
    (check,) = check_source(Source("postgresql://127.0.0.1:1/x", None, PATIENCE))
    assert "does not answer" in check.message
    schema, *_ = check_source(Source(postgres_url, "nowhere", PATIENCE))[1:]
    assert schema.name == "schema"
    assert not schema.is_ok
