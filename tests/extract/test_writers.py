"""Extraction while others write and migrate: every run sees one state of all kinds of relations."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import polars as pl
import psycopg
import pytest
from tests.support.extracted import assert_proven

from shopsight.contract import TABLES
from shopsight.extract import Source, extract

WRITERS = 4

# A plain table, a partitioned one, an inherited one, two kinds of view, and a table that is swapped.
SHOP = """
CREATE SCHEMA store;
CREATE SCHEMA beneath;
CREATE TABLE store.orders (
    order_id int, customer_id int, order_date date, total_amount numeric(10,2), status text);
CREATE TABLE store.customers (customer_id int, name text, email text, country text)
    PARTITION BY HASH (customer_id);
CREATE TABLE beneath.customers_0 PARTITION OF store.customers FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE beneath.customers_1 PARTITION OF store.customers FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE store.order_items (item_id int, order_id int, product_id int, quantity int, price numeric(10,2));
CREATE TABLE beneath.large_items () INHERITS (store.order_items);
CREATE TABLE beneath.step (number int);
INSERT INTO beneath.step VALUES (0);
CREATE TABLE beneath.products (product_id int, product_name text, category_id int);
INSERT INTO beneath.products SELECT n, '0', 1 FROM generate_series(1, 200) n;
CREATE VIEW store.products AS SELECT * FROM beneath.products;
CREATE MATERIALIZED VIEW store.categories AS
    SELECT 1 AS category_id, number::text AS category_name FROM beneath.step;
CREATE TABLE store.reviews AS SELECT n AS review_id, 1 AS product_id, 0 AS customer_id, 5 AS rating,
    date '2024-01-31' AS review_date FROM generate_series(1, 100) n;
"""
VIEWS = "".join(
    f"CREATE VIEW {name} AS SELECT {', '.join(table.column_names)} FROM store.{name};"
    for name, table in TABLES.items()
)

# Each migration is one transaction, and takes its locks in the order in which a reader does.
MIGRATIONS = (
    "ALTER TABLE store.orders ADD COLUMN note text DEFAULT 'none'",
    "ALTER TABLE store.orders DROP COLUMN note",
    """
    LOCK TABLE products, reviews IN ACCESS EXCLUSIVE MODE;
    UPDATE beneath.step SET number = number + 1;
    TRUNCATE beneath.products;
    INSERT INTO beneath.products SELECT n, number, 1 FROM generate_series(1, 200) n, beneath.step;
    CREATE TABLE store.new_reviews AS SELECT review_id, product_id, number AS customer_id, rating, review_date
        FROM store.reviews, beneath.step;
    ALTER TABLE store.reviews RENAME TO old_reviews;
    ALTER TABLE store.new_reviews RENAME TO reviews;
    CREATE OR REPLACE VIEW reviews AS
        SELECT review_id, product_id, customer_id, rating, review_date FROM store.reviews;
    DROP TABLE store.old_reviews;
    REFRESH MATERIALIZED VIEW store.categories;
    """,
)


def order(connection: psycopg.Connection, order_id: int) -> None:
    """An order with its items, and a customer whose name is the number of items, in one transaction."""
    items = order_id % 4 + 1
    connection.execute(
        f"INSERT INTO store.orders VALUES ({order_id}, {order_id}, '2024-01-31', {items}, 'paid')"
    )
    for number in range(items):
        table = "beneath.large_items" if number % 2 else "store.order_items"
        connection.execute(f"INSERT INTO {table} VALUES ({order_id * 10 + number}, {order_id}, 1, 1, 1)")
    connection.execute(f"INSERT INTO store.customers VALUES ({order_id}, '{items}', NULL, NULL)")
    connection.commit()


def migrate(connection: psycopg.Connection, number: int) -> None:
    connection.execute(MIGRATIONS[number % len(MIGRATIONS)])
    connection.commit()


@contextmanager
def traffic(url: str) -> Iterator[Counter[str]]:
    """Four writers and a migrator at work, and how often each kind has committed."""
    stop, done = threading.Event(), Counter[str]()
    errors: list[Exception] = []
    order_ids = count(1)

    def repeat(
        kind: str, act: Callable[[psycopg.Connection, int], None], numbers: Iterator[int], pause: float
    ) -> None:
        try:
            with psycopg.connect(url) as connection:
                while not stop.wait(pause):
                    act(connection, next(numbers))
                    done[kind] += 1
        except Exception as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    threads = [
        threading.Thread(target=repeat, args=("order", order, order_ids, 0.002)) for _ in range(WRITERS)
    ]
    threads.append(threading.Thread(target=repeat, args=("migration", migrate, count(), 0.02)))
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.mark.parametrize("schema", ["store", "public"])
def test_every_extraction_amid_writers_and_migrations_is_of_one_state(
    schema: str, postgres_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(SHOP + VIEWS)
    with traffic(postgres_url) as done:
        for attempt in range(4):
            before = done["migration"]
            while done["migration"] < before + 3:
                time.sleep(0.005)
            folder = tmp_path / str(attempt)
            source = Source(postgres_url, schema, timedelta(seconds=5))
            snapshot = extract(source, folder, connections=3, batch_rows=1000)
            assert_proven(snapshot, folder)
            shop = {name: pl.read_parquet(folder / name) for name in TABLES}
            assert_of_one_state(shop)
    assert done["order"] > 100


def assert_of_one_state(shop: dict[str, pl.DataFrame]) -> None:
    orders = shop["orders"]["order_id"].sort()
    assert orders.equals(shop["customers"]["customer_id"].rename("order_id").sort())
    assert len(orders) > 0
    items = Counter(shop["order_items"]["order_id"].to_list())
    assert items == {order_id: int(name) for order_id, name, *_ in shop["customers"].rows()}
    # What one migration writes to three relations.
    (step,) = shop["categories"]["category_name"].to_list()
    assert shop["products"]["product_name"].to_list() == [step] * 200
    assert shop["reviews"]["customer_id"].to_list() == [int(step)] * 100
