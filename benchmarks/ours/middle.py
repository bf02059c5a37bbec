"""The customers' metrics and the four insights of the peers, from clean Parquet, as the stages do them."""

from __future__ import annotations

from datetime import date

from benchmarks.peers.task import INPUT, OUTPUT, TABLES
from shopsight.engine.polars import PolarsEngine
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.insights import INSIGHTS, InsightOptions, Shop

FOUR = ("top_customers", "top_products", "category_ratings", "monthly_sales")


def main() -> None:
    engine = PolarsEngine()
    tables = {name: engine.scan(INPUT / name) for name in TABLES}
    metrics = customer_metrics(*(tables[name] for name in ("customers", "orders", "order_items", "reviews")))
    engine.sink({OUTPUT / "customer_metrics": metrics.sort("customer_id")})
    shop = Shop(**tables, customer_metrics=engine.scan(OUTPUT / "customer_metrics"))
    options = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 1, 1))
    engine.sink({OUTPUT / name: INSIGHTS[name].frame(shop, options) for name in FOUR})


if __name__ == "__main__":
    main()
