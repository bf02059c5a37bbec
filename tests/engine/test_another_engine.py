"""Cleaning, metrics and insights on another engine: the stages' expressions know none by name.

DuckDB stands for the engines that a shop may outgrow one machine's Polars for. What it gives is compared with
what Polars gives, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl
import pytest
from tests.support.clean_tables import Recipe, made_up_tables, write_tables

from shopsight.clean import CleaningPolicy, clean_shop
from shopsight.clean.orders import order_units, with_item_totals
from shopsight.contract import TABLES
from shopsight.engine.polars import PolarsEngine
from shopsight.engine.protocol import Engine, Frame
from shopsight.extract import Source, extract
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.customers import customers
from shopsight.marts.insights import INSIGHTS, Insight, InsightOptions, Shop, compute_insights
from shopsight.pipeline.own_insights import load_file
from shopsight_demo.seed import ShopSize, seed

OPTIONS = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 11, 22))


class DuckEngine:
    """DuckDB, by way of the same Narwhals frames; on its default connection, which is Narwhals' too."""

    versions: Mapping[str, str] = {"duckdb": duckdb.__version__}

    def scan(self, folder: Path) -> Frame:
        return nw.from_native(duckdb.read_parquet(str(folder / "*.parquet")))

    def sink(self, frames: Mapping[Path, Frame], part: int = 0) -> None:
        for folder, frame in frames.items():
            folder.mkdir(parents=True, exist_ok=True)
            frame.to_native().write_parquet(str(folder / f"part-{part:05}.parquet"))

    def release(self) -> None:
        pass


def own_insight(folder: Path) -> Insight:
    """A user's own, as `insight new` writes it."""
    template = resources.files("shopsight.cli").joinpath("templates", "insight.py.txt").read_text("utf-8")
    (folder / "own.py").write_text(template.replace("NAME", "own").replace('"weeks": 12', '"weeks": 200'))
    return load_file(folder / "own.py")


def worked_out(engine: Engine, folder: Path) -> dict[str, pl.DataFrame]:
    """Metrics and insights of ``clean``, from Parquet to Parquet."""
    clean, marts = folder / "clean", folder / "marts"
    tables = {name: engine.scan(clean / name) for name in TABLES}
    tables["order_units"] = order_units(with_item_totals(tables["orders"], tables["order_items"]))
    metrics = [tables[name] for name in ("customers", "orders", "order_units", "reviews")]
    engine.sink({marts / "customer_metrics": customer_metrics(*metrics)})
    shop = Shop(**tables, customer_metrics=engine.scan(marts / "customer_metrics"))
    insights = compute_insights(shop, OPTIONS, INSIGHTS | {"own": own_insight(folder)})
    engine.sink({marts / name: frame for name, frame in insights.items()})
    everything = customers(shop, OPTIONS.as_of)
    engine.sink({marts / "customers": everything})
    found = {name: pl.read_parquet(marts / name / "*.parquet") for name in insights}
    of_customers = ("customer_metrics", "customers")
    return {name: pl.read_parquet(marts / name).sort("customer_id") for name in of_customers} | found


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(orders=900, items=2500, products=60), Recipe(items=0)])
def test_metrics_and_insights_are_the_same_on_duckdb(recipe: Recipe, tmp_path: Path) -> None:
    for name in ("polars", "duckdb"):
        write_tables(tmp_path / name / "clean", made_up_tables(7, recipe))

    ours = worked_out(PolarsEngine(), tmp_path / "polars")
    theirs = worked_out(DuckEngine(), tmp_path / "duckdb")

    for name, frame in ours.items():
        assert theirs[name].columns == frame.columns, name
        assert theirs[name].rows() == frame.rows(), name


def test_cleaning_is_the_same_on_duckdb(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    seed(url, ShopSize(customers=200, orders=800, products=60, categories=8), dirt=0.2, seed=3)
    raw = tmp_path / "raw"
    source = Source(url, None, timedelta(seconds=10))
    snapshot = extract(source, raw, connections=1, batch_rows=10_000)
    policy = CleaningPolicy(snapshot.as_of.date(), frozenset({"cancelled", "refunded"}), "reject")

    for name, engine in (("polars", PolarsEngine()), ("duckdb", DuckEngine())):
        clean_shop(engine, raw, tmp_path / name / "clean", tmp_path / name / "rejected", policy)

    folders = {path.parent.relative_to(tmp_path / "polars") for path in tmp_path.glob("polars/**/*.parquet")}
    assert len(folders) == 31
    for folder in folders:
        ours, theirs = (pl.read_parquet(tmp_path / name / folder) for name in ("polars", "duckdb"))
        assert theirs.columns == ours.columns, folder
        assert sorted(theirs.rows(), key=repr) == sorted(ours.rows(), key=repr), folder
    assert sum(len(pl.read_parquet(tmp_path / "polars" / "rejected" / name)) for name in TABLES) > 50
