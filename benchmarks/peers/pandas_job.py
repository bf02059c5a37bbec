"""The job as a pandas script: read with SQLAlchemy, customer metrics and four insights, insert_many.

Written with care: only needed columns are read, nothing loops over rows but the building of documents, money
is whole cents. No snapshot over the tables, no cleaning, no ledger, no proof, and readers see a half-loaded
collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from pymongo import ASCENDING, IndexModel, MongoClient
from sqlalchemy import create_engine

from benchmarks.peers.task import (
    INDEXES,
    NOT_COUNTING,
    SOURCE_URL,
    TARGET_DATABASE,
    TARGET_URL,
    average_cents,
    insight,
    money,
)

BATCH = 10_000
TOP = 5


def main() -> None:
    engine = create_engine(SOURCE_URL.replace("postgresql://", "postgresql+psycopg://", 1))
    customers = pd.read_sql_query("SELECT customer_id, name, email, country FROM customers", engine)
    orders = pd.read_sql_query(
        "SELECT order_id, customer_id, order_date, total_amount, status FROM orders",
        engine,
        parse_dates=["order_date"],
    )
    items = pd.read_sql_query("SELECT order_id, product_id, quantity, price FROM order_items", engine)
    products = pd.read_sql_query("SELECT product_id, product_name, category_id FROM products", engine)
    categories = pd.read_sql_query("SELECT category_id, category_name FROM categories", engine)
    reviews = pd.read_sql_query("SELECT product_id, customer_id, rating FROM reviews", engine)

    orders["cents"] = (orders.pop("total_amount") * 100).round().astype("int64")
    items["cents"] = (items.pop("price") * 100).round().astype("int64") * items["quantity"]
    counting = orders[~orders["status"].isin(NOT_COUNTING)]
    sold = items.merge(counting[["order_id", "customer_id"]], on="order_id", validate="m:1")

    metrics = customer_metrics(customers, counting, sold, reviews)
    insights = [
        insight("top_customers", top_customers(metrics)),
        insight("top_products", top_products(sold, products)),
        insight("category_ratings", category_ratings(categories, products, reviews)),
        insight("monthly_sales", monthly_sales(counting)),
    ]
    with MongoClient(TARGET_URL) as client:
        database = client[TARGET_DATABASE]
        for batch in documents(metrics):
            database.customer_metrics.insert_many(batch, ordered=False)
        database.customer_metrics.create_indexes([IndexModel([(name, ASCENDING)]) for name in INDEXES])
        database.insights.insert_many(insights)


def customer_metrics(
    customers: pd.DataFrame, counting: pd.DataFrame, sold: pd.DataFrame, reviews: pd.DataFrame
) -> pd.DataFrame:
    spent = counting.groupby("customer_id").agg(cents=("cents", "sum"), total_orders=("order_id", "size"))
    units = sold.groupby("customer_id")["quantity"].sum().rename("total_products_ordered")
    rated = reviews.groupby("customer_id")["rating"].mean().rename("average_rating")
    metrics = (
        customers.join(spent, on="customer_id").join(units, on="customer_id").join(rated, on="customer_id")
    )
    whole = ["cents", "total_orders", "total_products_ordered"]
    metrics[whole] = metrics[whole].fillna(0).astype("int64")
    return metrics


def documents(metrics: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(metrics), BATCH):
        yield [
            {
                "_id": row.customer_id,
                "customer_id": row.customer_id,
                "name": row.name,
                "email": row.email,
                "country": row.country,
                "total_amount_spent": money(row.cents),
                "total_orders": row.total_orders,
                "average_order_value": (
                    money(average_cents(row.cents, row.total_orders)) if row.total_orders else None
                ),
                "total_products_ordered": row.total_products_ordered,
                "average_rating": None if pd.isna(row.average_rating) else row.average_rating,
            }
            for row in metrics.iloc[first : first + BATCH].itertuples(index=False)
        ]


def top_customers(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    buyers = metrics[metrics["total_orders"] > 0]
    top = buyers.sort_values(["cents", "customer_id"], ascending=[False, True]).head(TOP)
    return [
        {
            "customer_id": row.customer_id,
            "name": row.name,
            "country": row.country,
            "total_amount_spent": money(row.cents),
            "total_orders": row.total_orders,
        }
        for row in top.itertuples(index=False)
    ]


def top_products(sold: pd.DataFrame, products: pd.DataFrame) -> list[dict[str, Any]]:
    orders = sold[["product_id", "order_id"]].drop_duplicates().groupby("product_id").size().rename("orders")
    top = orders.reset_index().sort_values(["orders", "product_id"], ascending=[False, True]).head(TOP)
    totals = (
        sold[sold["product_id"].isin(top["product_id"])]
        .groupby("product_id")
        .agg(units=("quantity", "sum"), cents=("cents", "sum"))
    )
    top = top.join(totals, on="product_id").merge(products, on="product_id")
    return [
        {
            "product_id": row.product_id,
            "product_name": row.product_name,
            "orders": row.orders,
            "units": row.units,
            "revenue": money(row.cents),
        }
        for row in top.itertuples(index=False)
    ]


def category_ratings(
    categories: pd.DataFrame, products: pd.DataFrame, reviews: pd.DataFrame
) -> list[dict[str, Any]]:
    rated = reviews.merge(products[["product_id", "category_id"]], on="product_id", validate="m:1")
    means = rated.groupby("category_id")["rating"].agg(["mean", "size"])
    joined = categories.join(means, on="category_id")
    joined = joined.sort_values(["mean", "category_id"], ascending=[False, True], na_position="last")
    return [
        {
            "category_id": row.category_id,
            "category_name": row.category_name,
            "average_rating": None if pd.isna(row.mean) else row.mean,
            "reviews": 0 if pd.isna(row.size) else int(row.size),
        }
        for row in joined.itertuples(index=False)
    ]


def monthly_sales(counting: pd.DataFrame) -> list[dict[str, Any]]:
    by_month = counting.groupby(pd.Grouper(key="order_date", freq="MS"))["cents"].agg(["sum", "size"])
    rows, before = [], 0
    for month, cents, orders in by_month.itertuples():
        rows.append(
            {
                "month": month.to_pydatetime(),
                "revenue": money(cents),
                "orders": orders,
                "average_order_value": money(average_cents(cents, orders)) if orders else None,
                "growth_share": (cents - before) / before if before > 0 else None,
            }
        )
        before = cents
    return rows


if __name__ == "__main__":
    main()
