"""The middle in Spark, local, from the Parquet that shopsight's own middle begins with."""

from __future__ import annotations

import os

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f
from pyspark.sql.types import DecimalType

from benchmarks.peers.task import INPUT, OUTPUT, TABLES, measured_within

CENT = DecimalType(38, 2)
TOP = 5


def main() -> None:
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        # Two hundred partitions, the default, are meant for a cluster.
        .config("spark.sql.shuffle.partitions", str(2 * (os.cpu_count() or 1)))
        .config("spark.local.dir", str(OUTPUT))
        .getOrCreate()
    )
    with measured_within():
        compute(spark)
    spark.stop()


def compute(spark: SparkSession) -> None:
    shop = {table: spark.read.parquet(str(INPUT / table)) for table in TABLES}
    counting = (
        shop["orders"].filter("is_counting").select("order_id", "customer_id", "order_date", "total_amount")
    )
    customer_metrics(shop, counting).write.parquet(str(OUTPUT / "customer_metrics"))
    metrics = spark.read.parquet(str(OUTPUT / "customer_metrics"))
    answers = {
        "top_customers": top_customers(metrics),
        "top_products": top_products(shop, counting),
        "category_ratings": category_ratings(shop),
        "monthly_sales": monthly_sales(counting),
    }
    for name, frame in answers.items():
        frame.coalesce(1).write.parquet(str(OUTPUT / name))


def customer_metrics(shop: dict[str, DataFrame], counting: DataFrame) -> DataFrame:
    units = shop["order_items"].groupBy("order_id").agg(f.sum("quantity").alias("units"))
    spent = (
        counting.join(units, "order_id", "left")
        .groupBy("customer_id")
        .agg(
            f.sum("total_amount").alias("spent"),
            f.count("*").alias("orders"),
            f.coalesce(f.sum("units"), f.lit(0)).alias("units"),
        )
    )
    rated = shop["reviews"].groupBy("customer_id").agg(f.avg("rating").alias("average_rating"))
    # Spark rounds a decimal half up.
    average = f.round(f.col("spent") / f.col("orders"), 2).cast(CENT)
    return (
        shop["customers"]
        .join(spent, "customer_id", "left")
        .join(rated, "customer_id", "left")
        .select(
            "customer_id",
            "name",
            "email",
            "country",
            f.coalesce(f.col("spent"), f.lit(0)).cast(CENT).alias("total_amount_spent"),
            f.coalesce(f.col("orders"), f.lit(0)).alias("total_orders"),
            average.alias("average_order_value"),
            f.coalesce(f.col("units"), f.lit(0)).alias("total_products_ordered"),
            "average_rating",
        )
    )


def top_customers(metrics: DataFrame) -> DataFrame:
    buyers = metrics.filter("total_orders > 0").orderBy(f.desc("total_amount_spent"), "customer_id")
    return buyers.select("customer_id", "name", "country", "total_amount_spent", "total_orders").limit(TOP)


def top_products(shop: dict[str, DataFrame], counting: DataFrame) -> DataFrame:
    sold = shop["order_items"].join(counting.select("order_id"), "order_id", "left_semi")
    return (
        sold.groupBy("product_id")
        .agg(
            f.countDistinct("order_id").alias("orders"),
            f.sum("quantity").alias("units"),
            f.sum(f.col("quantity") * f.col("price")).cast(CENT).alias("revenue"),
        )
        .orderBy(f.desc("orders"), "product_id")
        .limit(TOP)
        .join(f.broadcast(shop["products"]), "product_id")
        .orderBy(f.desc("orders"), "product_id")
        .select("product_id", "product_name", "orders", "units", "revenue")
    )


def category_ratings(shop: dict[str, DataFrame]) -> DataFrame:
    rated = shop["reviews"].join(f.broadcast(shop["products"]), "product_id").groupBy("category_id")
    means = rated.agg(f.avg("rating").alias("average_rating"), f.count("*").alias("reviews"))
    return (
        shop["categories"]
        .join(means, "category_id", "left")
        .fillna(0, ["reviews"])
        .orderBy(f.col("average_rating").desc_nulls_last(), "category_id")
    )


def monthly_sales(counting: DataFrame) -> DataFrame:
    sold = counting.groupBy(f.trunc("order_date", "month").alias("month")).agg(
        f.sum("total_amount").cast(CENT).alias("revenue"), f.count("*").alias("orders")
    )
    months = sold.agg(
        f.explode(f.sequence(f.min("month"), f.max("month"), f.expr("interval 1 month"))).alias("month")
    )
    before = f.lag("revenue").over(Window.orderBy("month"))
    return (
        months.join(sold, "month", "left")
        .fillna(0, ["orders"])
        .withColumn("revenue", f.coalesce(f.col("revenue"), f.lit(0)).cast(CENT))
        .withColumn("average_order_value", f.round(f.col("revenue") / f.col("orders"), 2).cast(CENT))
        .withColumn(
            "growth_share",
            (f.col("revenue") - before).cast("double") / f.when(before > 0, before).cast("double"),
        )
        .orderBy("month")
    )


if __name__ == "__main__":
    main()
