"""Relations that change between a run's first look and its last row: locks, foreign tables, hidden rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from tests.extract.test_postgresql import (
    DAY,
    PATIENCE,
    assert_proven,
    eventually_waiting,
    execute,
    load_orders,
    read,
    reader_role,
    refused,
    rename_all,
    rows_of,
    user_of,
)
from tests.support.literal_rows import load_rows

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError, SourceError
from shopsight.extract import check_source
from shopsight.extract.dialect import Source
from shopsight.extract.postgresql import PostgreSQL, locks
from shopsight.record import Snapshot
from shopsight.settings.table_mapping import TableMapping


def read_while(migration: str, url: str, reader: str, folder: Path) -> Snapshot:
    """Extract while a migration, already at work, commits as soon as the extraction waits for it."""
    with psycopg.connect(url) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(migration)
        reading = pool.submit(read, reader, folder)
        eventually_waiting(url)
        connection.commit()
        return reading.result(30)


@pytest.mark.parametrize("kind", ["view", "view of a view", "granted columns", "view of granted columns"])
def test_a_table_emptied_and_reloaded_beneath_a_relation_is_never_seen_empty(
    kind: str, postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"orders": [(number, 1, DAY, "1.00", "paid") for number in range(50)]})
    columns = ", ".join(TABLES["orders"].column_names)
    with reader_role(postgres_url) as reader, reader_role(postgres_url) as owner:
        if kind == "granted columns":
            emptied = "orders"
            execute(postgres_url, f"GRANT SELECT ({columns}) ON orders TO {user_of(reader)}")
            others = ", ".join(name for name in TABLES if name != "orders")
            execute(postgres_url, f"GRANT SELECT ON {others} TO {user_of(reader)}")
        else:
            emptied = "real_orders"
            execute(postgres_url, "ALTER TABLE orders RENAME TO real_orders")
            execute(postgres_url, f"CREATE VIEW orders AS SELECT {columns} FROM real_orders")
            if kind == "view of a view":
                execute(
                    postgres_url,
                    "ALTER VIEW orders RENAME TO inner_orders",
                    "CREATE VIEW orders AS SELECT * FROM inner_orders",
                )
            if kind == "view of granted columns":
                execute(
                    postgres_url,
                    f"ALTER VIEW orders OWNER TO {user_of(owner)}",
                    f"GRANT SELECT ({columns}) ON real_orders TO {user_of(owner)}",
                )
            execute(postgres_url, f"GRANT SELECT ON {', '.join(TABLES)} TO {user_of(reader)}")
        reload = (
            f"TRUNCATE {emptied}; INSERT INTO {emptied} SELECT n, 2, '{DAY}', 2 FROM generate_series(1, 40) n"
        )
        snapshot = read_while(reload, postgres_url, reader, tmp_path)
        assert snapshot.tables["orders"].rows == 40
        assert_proven(snapshot, tmp_path)


def test_a_materialised_view_refreshed_after_the_snapshot_makes_a_new_snapshot(
    postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {"products": [(1, "old", 1)]})
    execute(
        postgres_url,
        "DROP TABLE categories",
        "CREATE MATERIALIZED VIEW categories AS"
        " SELECT product_id AS category_id, product_name AS category_name FROM products",
    )
    refresh = "UPDATE products SET product_name = 'new'; REFRESH MATERIALIZED VIEW categories"
    assert_proven(read_while(refresh, postgres_url, postgres_url, tmp_path), tmp_path)
    assert rows_of(tmp_path, "products") == [(1, "new", 1)]
    assert rows_of(tmp_path, "categories") == [(1, "new")]


def test_a_migration_that_waits_for_the_first_connection_does_not_stop_the_others(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(locks._PARAMETERS, "lock_timeout", "3s")
    load_orders(postgres_url, 300_000)
    migrations = [
        threading.Thread(target=execute, args=(postgres_url, f"ALTER TABLE {name} ADD COLUMN note text"))
        for name in TABLES
    ]

    def on_rows(table: str, rows: int) -> None:
        if not migrations[0].ident:
            for migration in migrations:
                migration.start()
            eventually_waiting(postgres_url, len(migrations))

    assert_proven(read(postgres_url, tmp_path, connections=4, on_rows=on_rows), tmp_path)
    for migration in migrations:
        migration.join()


@pytest.mark.parametrize("relation", ["view", "partition", "materialised view"])
def test_one_connection_reads_where_a_foreign_table_is_read(relation: str, postgres_url: str) -> None:
    load_rows(postgres_url, {}, schema="store")
    rename_all(postgres_url, "CREATE VIEW {table} AS SELECT {columns} FROM store.{table}")
    # A wrapper without a handler cannot be read. These relations refer to its table, but never read it.
    execute(
        postgres_url,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE elsewhere (LIKE store.reviews) SERVER nowhere",
        "DROP VIEW reviews",
    )
    never = "CASE WHEN false THEN (SELECT max(rating) FROM elsewhere) END"
    match relation:
        case "view":
            execute(
                postgres_url,
                f"CREATE VIEW inner_reviews AS SELECT *, {never} AS never FROM store.reviews",
                "CREATE VIEW reviews AS SELECT * FROM inner_reviews",
            )
        case "partition":
            execute(
                postgres_url,
                "CREATE TABLE all_reviews (LIKE store.reviews) PARTITION BY RANGE (review_id)",
                "ALTER TABLE all_reviews ATTACH PARTITION elsewhere FOR VALUES FROM (1000) TO (2000)",
                "CREATE VIEW reviews AS SELECT * FROM all_reviews WHERE review_id < 1000",
            )
        case _:
            # What it holds was read when it was refreshed.
            execute(
                postgres_url, f"CREATE MATERIALIZED VIEW reviews AS SELECT *, {never} AS n FROM store.reviews"
            )
    expected = 3 if relation == "materialised view" else 1
    with PostgreSQL().snapshot(Source(postgres_url, "public", PATIENCE), 3) as snapshot:
        assert len(snapshot.connections) == expected
    last = check_source(Source(postgres_url, None, PATIENCE))[-1]
    assert last.is_ok
    assert ("states of the foreign tables" in last.message) is (expected == 1)


def test_a_query_over_a_foreign_table_is_read_by_one_connection(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"reviews": [(number, 1, 1, 5, DAY) for number in range(50)]})
    plain = read(postgres_url, tmp_path / "plain", connections=3)
    execute(
        postgres_url,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE elsewhere (LIKE reviews) SERVER nowhere",
    )
    # Without a handler the table cannot be read: the query only refers to it.
    query = "SELECT *, CASE WHEN false THEN (SELECT max(rating) FROM elsewhere) END AS never FROM reviews"
    tables = {"reviews": TableMapping(query=query)}
    with PostgreSQL().snapshot(Source(postgres_url, None, PATIENCE, tables), 3) as snapshot:
        assert len(snapshot.connections) == 1
    mapped = read(postgres_url, tmp_path / "mapped", connections=3, tables=tables)
    assert_proven(mapped, tmp_path / "mapped")
    assert mapped.tables["reviews"].totals == plain.tables["reviews"].totals
    assert rows_of(tmp_path / "mapped", "reviews") == rows_of(tmp_path / "plain", "reviews")


def test_rows_hidden_by_a_policy_are_an_error(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(number, 1, DAY, "1.00", "paid") for number in range(50)]})
    with reader_role(postgres_url) as url:
        execute(
            postgres_url,
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user_of(url)}",
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY recent ON orders USING (order_id > 10)",
        )
        error = refused(url, tmp_path, ConfigurationError)
        assert "reading public.orders" in error.message
        assert "row-level security" in error.message
        assert "BYPASSRLS" in error.remedy
        (bad,) = [c for c in check_source(Source(url, None, PATIENCE)) if not c.is_ok]
        assert bad.name == "orders"
        assert "BYPASSRLS" in bad.remedy

        execute(postgres_url, f"ALTER ROLE {user_of(url)} BYPASSRLS")
        assert read(url, tmp_path).tables["orders"].rows == 50


def test_a_server_that_quotes_all_names_is_read(postgres_url: str, tmp_path: Path) -> None:
    load_rows(postgres_url, {"orders": [(1, 1, DAY, "1.00", "paid")]})
    with reader_role(postgres_url) as url:
        execute(
            postgres_url,
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user_of(url)}",
            f"ALTER ROLE {user_of(url)} SET quote_all_identifiers = on",
        )
        for given in (url, f"{url}&options=-cquote_all_identifiers%3Don"):
            folder = tmp_path / str(len(given))
            assert_proven(read(given, folder), folder)
            assert all(check.is_ok for check in check_source(Source(given, None, PATIENCE)))


@pytest.mark.parametrize(
    ("value", "said"),
    [("(100 / (50000 - n))::text", "division by zero"), ("chr(n % 50000)", "null character")],
)
def test_an_error_that_would_repeat_is_not_retried(
    value: str, said: str, postgres_url: str, tmp_path: Path
) -> None:
    load_rows(postgres_url, {})
    execute(
        postgres_url,
        "DROP TABLE categories",
        f"CREATE VIEW categories AS SELECT n AS category_id, {value} AS category_name"
        " FROM generate_series(1, 50000) n",
    )
    error = refused(postgres_url, tmp_path, SourceError)
    assert said in error.message
    assert "public.categories" in error.message
    assert not error.is_retryable
