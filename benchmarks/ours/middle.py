"""The customers' metrics and the four insights of the peers, from clean Parquet, as the stages do them.

What cleaning adds up on the way, the units of each order, is added up here, because the peers do the same.
The argument is Spark's URL; without one the engine is Polars.
"""

from __future__ import annotations

import sys
from datetime import date

from benchmarks.peers.task import INPUT, OUTPUT, TABLES, measured_within
from shopsight.clean.orders import order_units, with_item_totals
from shopsight.engine.opening import open_engine
from shopsight.engine.protocol import Engine
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.insights import INSIGHTS, InsightOptions, Shop
from shopsight.settings import load_settings

FOUR = ("top_customers", "top_products", "category_ratings", "monthly_sales")


def main() -> None:
    url = sys.argv[1:]
    settings = load_settings(engine="spark", spark_url=url[0]) if url else load_settings()
    with open_engine(settings, OUTPUT / "scratch") as engine, measured_within():
        compute(engine)


def compute(engine: Engine) -> None:
    tables = {name: engine.scan(INPUT / name) for name in TABLES}
    units = order_units(with_item_totals(tables["orders"], tables["order_items"]))
    engine.sink({OUTPUT / "order_units": units})
    tables["order_units"] = engine.scan(OUTPUT / "order_units")
    metrics = customer_metrics(*(tables[name] for name in ("customers", "orders", "order_units", "reviews")))
    engine.sink({OUTPUT / "customer_metrics": metrics.sort("customer_id")})
    shop = Shop(**tables, customer_metrics=engine.scan(OUTPUT / "customer_metrics"))
    options = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 1, 1))
    engine.sink({OUTPUT / name: INSIGHTS[name].frame(shop, options) for name in FOUR})


if __name__ == "__main__":
    main()
