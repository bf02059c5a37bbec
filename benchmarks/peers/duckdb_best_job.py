"""The same job as in :mod:`benchmarks.peers.duckdb_job`, by somebody who knows DuckDB and MongoDB well.

Products and pairs are counted for the leading products alone, money is fetched in cents, and two threads
insert while the next documents are fetched. As exact as the plain script, and as little cleaned and proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import duckdb
from bson.decimal128 import Decimal128
from pymongo import ASCENDING, IndexModel, MongoClient, WriteConcern

from benchmarks.peers.duckdb_job import INSIGHTS, insight_rows, read_shop
from benchmarks.peers.task import INDEXES, TARGET_DATABASE, TARGET_URL

BATCH = 10_000
LEADERS = 1024
#: The insights that the leading products decide, and how many rows they have.
OF_LEADERS = {"top_products": 5, "basket_pairs": 20}
#: Decimal128 of 0.01: an exponent of -2 above 113 bits of coefficient.
_CENT = ((6176 - 2) << 49).to_bytes(8, "little")

LEADING = f"""
CREATE TABLE held AS
SELECT DISTINCT order_id, product_id
FROM order_items
SEMI JOIN (FROM lines ORDER BY n DESC, product_id LIMIT {LEADERS}) USING (product_id)
SEMI JOIN (SELECT order_id FROM orders WHERE is_counting) USING (order_id)
"""
CENTS = """
SELECT
    customer_id AS _id, customer_id, name, email, country, (total_amount_spent * 100)::BIGINT,
    total_orders, (average_order_value * 100)::BIGINT, total_products_ordered, average_rating
FROM customer_metrics
"""
FIELDS = (
    "_id",
    "customer_id",
    "name",
    "email",
    "country",
    "total_amount_spent",
    "total_orders",
    "average_order_value",
    "total_products_ordered",
    "average_rating",
)


def main() -> None:
    connection = read_shop()
    connection.execute("CREATE TABLE lines AS SELECT product_id, count(*) AS n FROM order_items GROUP BY ALL")
    connection.execute(LEADING)
    with MongoClient(TARGET_URL, retryWrites=False) as client, ThreadPoolExecutor(2) as pool:
        database = client[TARGET_DATABASE]
        load(
            database.get_collection("customer_metrics", write_concern=WriteConcern(w=1, j=False)),
            connection,
            pool,
        )
        database.insights.insert_many({"_id": name, "rows": rows(connection, name)} for name in INSIGHTS)
        database.customer_metrics.create_indexes([IndexModel([(name, ASCENDING)]) for name in INDEXES])


def load(collection: Any, connection: duckdb.DuckDBPyConnection, pool: ThreadPoolExecutor) -> None:
    """Insert the customers; at most two batches wait for a thread."""
    waiting: list[Future[Any]] = []
    for batch in documents(connection):
        waiting.append(pool.submit(collection.insert_many, batch, ordered=False))
        if len(waiting) > 2:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def documents(connection: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute(CENTS)
    while fetched := result.fetchmany(BATCH):
        batch = [dict(zip(FIELDS, row, strict=True)) for row in fetched]
        for document in batch:
            document["total_amount_spent"] = money(document["total_amount_spent"])
            if document["average_order_value"] is not None:
                document["average_order_value"] = money(document["average_order_value"])
        yield batch


def money(cents: int) -> Decimal128:
    """Whole cents, not negative, without the detour by decimal.Decimal."""
    return Decimal128.from_bid(cents.to_bytes(8, "little") + _CENT)


def rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """An insight's rows: from the leading products' lines, if no other product can be listed."""
    if name not in OF_LEADERS:
        return insight_rows(connection, name)
    best = insight_rows(connection, f"{name}_of_leaders")
    query = f"SELECT max(n) FROM (FROM lines ORDER BY n DESC, product_id OFFSET {LEADERS})"
    [(most,)] = connection.execute(query).fetchall()
    is_decided = len(best) == OF_LEADERS[name] and (most or 0) < best[-1]["orders"]
    return best if is_decided else insight_rows(connection, name)


if __name__ == "__main__":
    main()
