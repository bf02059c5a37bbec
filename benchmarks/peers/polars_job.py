"""The job as a Polars script: read by ADBC, customer metrics and four insights, insert_many by two threads.

Written with care: one transaction, only needed columns, lazy frames on the streaming engine, exact money in
whole cents. No cleaning, no ledger, no proof, and readers see a half-loaded collection.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any

import adbc_driver_postgresql.dbapi
import polars as pl
from pymongo import ASCENDING, IndexModel, MongoClient, WriteConcern

from benchmarks.peers.duckdb_best_job import money
from benchmarks.peers.task import (
    INDEXES,
    NOT_COUNTING,
    SOURCE_URL,
    TARGET_DATABASE,
    TARGET_URL,
    average_cents,
    insight,
)

BATCH = 10_000
TOP = 5

QUERIES = {
    "categories": "SELECT category_id, category_name FROM categories",
    "products": "SELECT product_id, product_name, category_id FROM products",
    "customers": "SELECT customer_id, name, email, country FROM customers",
    "orders": "SELECT order_id, customer_id, order_date, (total_amount * 100)::bigint AS cents, status"
    " FROM orders",
    "order_items": "SELECT order_id, product_id, quantity, (price * 100)::bigint AS cents FROM order_items",
    "reviews": "SELECT product_id, customer_id, rating FROM reviews",
}


def main() -> None:
    with adbc_driver_postgresql.dbapi.connect(SOURCE_URL) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        shop = {table: pl.read_database(query, connection).lazy() for table, query in QUERIES.items()}
    counting = shop["orders"].filter(~pl.col("status").is_in(NOT_COUNTING))
    sold = shop["order_items"].join(counting.select("order_id", "customer_id"), on="order_id")
    metrics = customer_metrics(shop, counting, sold).collect(engine="streaming")
    insights = [
        insight("top_customers", top_customers(metrics)),
        insight("top_products", top_products(shop, sold)),
        insight("category_ratings", category_ratings(shop)),
        insight("monthly_sales", monthly_sales(counting)),
    ]
    with MongoClient(TARGET_URL, retryWrites=False) as client, ThreadPoolExecutor(2) as pool:
        database = client[TARGET_DATABASE]
        customers = database.get_collection("customer_metrics", write_concern=WriteConcern(w=1, j=False))

        def insert(batch: pl.DataFrame) -> None:
            customers.insert_many(documents(batch), ordered=False)

        for _ in pool.map(insert, metrics.iter_slices(BATCH)):
            pass
        database.customer_metrics.create_indexes([IndexModel([(name, ASCENDING)]) for name in INDEXES])
        database.insights.insert_many(insights)


def customer_metrics(
    shop: dict[str, pl.LazyFrame], counting: pl.LazyFrame, sold: pl.LazyFrame
) -> pl.LazyFrame:
    spent = counting.group_by("customer_id").agg(
        pl.col("cents").sum(), pl.len().cast(pl.Int64).alias("orders")
    )
    units = sold.group_by("customer_id").agg(pl.col("quantity").sum().cast(pl.Int64).alias("units"))
    rated = shop["reviews"].group_by("customer_id").agg(pl.col("rating").mean().alias("average_rating"))
    joined = shop["customers"]
    for more in (spent, units, rated):
        joined = joined.join(more, on="customer_id", how="left")
    return joined.with_columns(pl.col("cents", "orders", "units").fill_null(0))


def documents(batch: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "_id": key,
            "customer_id": key,
            "name": name,
            "email": email,
            "country": country,
            "total_amount_spent": money(cents),
            "total_orders": orders,
            "average_order_value": money(average_cents(cents, orders)) if orders else None,
            "total_products_ordered": units,
            "average_rating": rating,
        }
        for key, name, email, country, cents, orders, units, rating in batch.iter_rows()
    ]


def top_customers(metrics: pl.DataFrame) -> list[dict[str, Any]]:
    buyers = metrics.lazy().filter(pl.col("orders") > 0)
    top = buyers.sort("cents", "customer_id", descending=[True, False]).head(TOP).collect()
    return [
        {
            "customer_id": row["customer_id"],
            "name": row["name"],
            "country": row["country"],
            "total_amount_spent": money(row["cents"]),
            "total_orders": row["orders"],
        }
        for row in top.iter_rows(named=True)
    ]


def top_products(shop: dict[str, pl.LazyFrame], sold: pl.LazyFrame) -> list[dict[str, Any]]:
    held = sold.select("product_id", "order_id").unique().group_by("product_id")
    top = (
        held.len("orders")
        .sort("orders", "product_id", descending=[True, False])
        .head(TOP)
        .collect(engine="streaming")
    )
    totals = (
        sold.join(top.lazy(), on="product_id")
        .group_by("product_id", "orders")
        .agg(
            pl.col("quantity").sum().cast(pl.Int64).alias("units"),
            (pl.col("quantity") * pl.col("cents")).sum().alias("cents"),
        )
        .join(shop["products"], on="product_id")
        .sort("orders", "product_id", descending=[True, False])
        .collect(engine="streaming")
    )
    return [
        {
            "product_id": row["product_id"],
            "product_name": row["product_name"],
            "orders": row["orders"],
            "units": row["units"],
            "revenue": money(row["cents"]),
        }
        for row in totals.iter_rows(named=True)
    ]


def category_ratings(shop: dict[str, pl.LazyFrame]) -> list[dict[str, Any]]:
    rated = (
        shop["reviews"]
        .join(shop["products"].select("product_id", "category_id"), on="product_id")
        .group_by("category_id")
        .agg(pl.col("rating").mean().alias("average_rating"), pl.len().cast(pl.Int64).alias("reviews"))
    )
    ratings = (
        shop["categories"]
        .join(rated, on="category_id", how="left")
        .sort("average_rating", "category_id", descending=[True, False], nulls_last=True)
        .with_columns(pl.col("reviews").fill_null(0))
        .select("category_id", "category_name", "average_rating", "reviews")
        .collect(engine="streaming")
    )
    return ratings.to_dicts()


def monthly_sales(counting: pl.LazyFrame) -> list[dict[str, Any]]:
    by_month = (
        counting.group_by(pl.col("order_date").cast(pl.Datetime("us")).dt.truncate("1mo").alias("month"))
        .agg(pl.col("cents").sum(), pl.len().cast(pl.Int64).alias("orders"))
        .sort("month")
        .collect(engine="streaming")
        .upsample("month", every="1mo")
        .with_columns(pl.col("cents", "orders").fill_null(0))
        .with_columns(pl.col("cents").shift(1).alias("before"))
    )
    return [
        {
            "month": row["month"].replace(tzinfo=UTC),
            "revenue": money(row["cents"]),
            "orders": row["orders"],
            "average_order_value": money(average_cents(row["cents"], row["orders"]))
            if row["orders"]
            else None,
            "growth_share": (row["cents"] - row["before"]) / row["before"] if row["before"] else None,
        }
        for row in by_month.iter_rows(named=True)
    ]


if __name__ == "__main__":
    main()
