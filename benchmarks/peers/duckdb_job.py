"""The job by hand in DuckDB and pymongo: needed columns into DuckDB, metrics and ten insights in SQL, load.

All tables are read in one transaction. No cleaning, no files to resume from, no ledger, no proof, no
generations: readers see a half-loaded collection.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from bson.decimal128 import Decimal128
from pymongo import ASCENDING, IndexModel, MongoClient

from benchmarks.peers.duckdb_source import connect
from benchmarks.peers.task import INDEXES, NOT_COUNTING, TARGET_DATABASE, TARGET_URL

STATEMENTS = Path(__file__).parent / "duckdb_sql"
BATCH = 10_000

COLUMNS = {
    "categories": "category_id, category_name",
    "products": "product_id, product_name, category_id",
    "customers": "customer_id, name, email, country",
    "orders": "order_id, customer_id, order_date, total_amount, status,"
    f" status NOT IN {NOT_COUNTING} AS is_counting",
    "order_items": "order_id, product_id, quantity, price",
    "reviews": "product_id, customer_id, rating",
}
INSIGHTS = (
    "top_customers",
    "top_products",
    "category_ratings",
    "monthly_sales",
    "rfm_segments",
    "cohort_retention",
    "country_sales",
    "repeat_purchase",
    "basket_pairs",
    "order_statuses",
)


def main() -> None:
    connection = read_shop()
    insights = [{"_id": name, "rows": insight_rows(connection, name)} for name in INSIGHTS]
    with MongoClient(TARGET_URL) as client:
        database = client[TARGET_DATABASE]
        for batch in customer_documents(connection):
            database.customer_metrics.insert_many(batch, ordered=False)
        database.customer_metrics.create_indexes([IndexModel([(name, ASCENDING)]) for name in INDEXES])
        database.insights.insert_many(insights)


def read_shop() -> duckdb.DuckDBPyConnection:
    """A DuckDB with the shop's needed columns, read in one transaction, and the customers' metrics."""
    connection = connect()
    connection.execute("BEGIN")
    for table, columns in COLUMNS.items():
        connection.execute(f"CREATE TABLE {table} AS SELECT {columns} FROM shop.public.{table}")
    connection.execute("COMMIT")
    statement = (STATEMENTS / "customer_metrics.sql").read_text()
    connection.execute(f"CREATE TABLE customer_metrics AS {statement}")
    return connection


def customer_documents(connection: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute("FROM customer_metrics")
    names = [column[0] for column in result.description]
    while rows := result.fetchmany(BATCH):
        documents = [dict(zip(names, row, strict=True)) for row in rows]
        for document in documents:
            document["_id"] = document["customer_id"]
            document["total_amount_spent"] = Decimal128(document["total_amount_spent"])
            if document["average_order_value"] is not None:
                document["average_order_value"] = Decimal128(document["average_order_value"])
        yield documents


def insight_rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    result = connection.execute((STATEMENTS / f"{name}.sql").read_text())
    names = [column[0] for column in result.description]
    return [dict(zip(names, map(as_bson, row), strict=True)) for row in result.fetchall()]


def as_bson(value: Any) -> Any:
    if isinstance(value, Decimal):
        return Decimal128(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    return value


if __name__ == "__main__":
    main()
