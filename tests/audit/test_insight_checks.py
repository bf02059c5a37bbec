"""Each insight's rows against its identities: right ones hold, and each kind of wrong one is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.clean_tables import Recipe, clean_tables, made_up_tables, shop_of, write_tables

from shopsight.audit import shop_files, visits
from shopsight.audit.control_totals import totals_as_read
from shopsight.audit.customer_checks import METRICS, customer_checks
from shopsight.audit.insight_checks import insight_checks
from shopsight.audit.proof import clean_totals, prove_marts
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import CUSTOMERS
from shopsight.engine.polars import PolarsEngine
from shopsight.marts.customers import customers
from shopsight.marts.insights import INSIGHTS, InsightOptions, compute_insights
from shopsight.record import Check
from shopsight.settings import load_settings

D = Decimal
Change = Callable[[pl.DataFrame], pl.DataFrame]
TODAY = date(2026, 11, 22)


def write_shop(root: Path, tables: dict[str, list[Any]]) -> Path:
    write_tables(root / "clean", tables)
    shop, settings = shop_of(tables), load_settings()
    options = InsightOptions(settings.top_n, settings.basket_pairs_n, TODAY)
    frames = compute_insights(shop, options)
    insights = {root / "marts/insights" / name: frame for name, frame in frames.items()}
    every = {"customer_metrics": shop.customer_metrics, "customers": customers(shop, TODAY)}
    marts = {root / "marts" / name: frame.sort("customer_id") for name, frame in every.items()}
    PolarsEngine().sink(marts | insights)
    return root


def checks_of(root: Path, *names: str) -> list[Check]:
    files = ShopFiles(root / "clean", root / "marts", tuple(INSIGHTS.values()), load_settings())
    totals = clean_totals(files)
    return [check for name in names or INSIGHTS for check in insight_checks(INSIGHTS[name], files, totals)]


def broken(checks: list[Check]) -> list[str]:
    return [check.what for check in checks if not check.holds]


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"), made_up_tables(5))


@pytest.mark.parametrize("in_memory", [shop_files.LINES_IN_MEMORY, 70])
@pytest.mark.parametrize("seed", range(4))
def test_the_insights_of_made_up_shops_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, in_memory: int
) -> None:
    monkeypatch.setattr(shop_files, "LINES_IN_MEMORY", in_memory)
    monkeypatch.setattr(visits, "ORDERS_IN_MEMORY", in_memory)
    recipe = Recipe(cents=(-3000, 50_000), first_key=10**12 if seed % 2 else -30)
    checks = checks_of(write_shop(tmp_path, made_up_tables(seed, recipe)))
    assert broken(checks) == []
    assert {check.what.partition(":")[0] for check in checks} == set(INSIGHTS)


@pytest.mark.parametrize("tables", [clean_tables(), made_up_tables(1, Recipe(orders=3, items=4, products=2))])
def test_the_insights_of_a_shop_with_nearly_nothing_hold(tmp_path: Path, tables: dict[str, Any]) -> None:
    assert broken(checks_of(write_shop(tmp_path, tables))) == []


@pytest.mark.parametrize("orders", [(-1, 3), (-5, -1), (-(2**63), 2**63 - 1)])
def test_pairs_hold_whatever_the_orders_ids_are(tmp_path: Path, orders: tuple[int, int]) -> None:
    tables = clean_tables(
        orders=[(order, 1, date(2026, 1, 1), "1.00", "completed", True) for order in orders],
        order_items=[(2 * n + p, order, p, 1, "1.00") for n, order in enumerate(orders) for p in (0, 1)],
    )
    assert broken(checks_of(write_shop(tmp_path, tables))) == []


def added(column: str, value: Any, row: int = 0) -> Change:
    """The rows with a value added to a column of one row."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        is_row = pl.int_range(pl.len()) == row
        return frame.with_columns(
            pl.when(is_row).then(pl.col(column) + value).otherwise(pl.col(column)).cast(frame[column].dtype)
        )

    return change


def moved(column: str, value: Any) -> Change:
    """The rows with a value moved from the first row to the second, so that the sum stays."""
    return lambda frame: frame.pipe(added(column, -value)).pipe(added(column, value, row=1))


def without(row: int) -> Change:
    return lambda frame: frame.with_row_index("place").filter(pl.col("place") != row).drop("place")


def renamed(column: str, value: Any) -> Change:
    """The rows with another key in the first, as if one row were listed in place of another."""
    return lambda frame: pl.concat(
        [frame.head(1).with_columns(pl.lit(value, frame[column].dtype).alias(column)), frame[1:]]
    )


@pytest.mark.parametrize(
    ("insight", "change", "what"),
    [
        ("top_customers", without(1), "rows"),
        ("top_customers", lambda frame: frame.head(0), "rows"),
        ("top_customers", added("total_amount_spent", D("0.01")), "total_amount_spent of"),
        ("top_customers", added("total_orders", 1), "total_orders of"),
        ("top_products", without(4), "rows"),
        ("top_products", added("orders", -1, row=4), "orders of"),
        ("top_products", added("orders", 1, row=4), "orders of"),
        ("top_products", added("units", 1), "units of"),
        ("top_products", added("revenue", D("-0.01"), row=2), "revenue of"),
        ("category_ratings", moved("reviews", 1), "reviews of"),
        ("category_ratings", added("average_rating", 0.01), "average_rating of"),
        ("category_ratings", without(2), "sum(reviews)"),
        ("monthly_sales", moved("revenue", D("0.01")), "revenue of 2022-11-01"),
        ("monthly_sales", moved("orders", 1), "orders of 2022-11-01"),
        ("monthly_sales", added("average_order_value", D("0.01")), "average_order_value of 2022-11-01"),
        ("rfm_segments", added("customers", 1), "sum(customers)"),
        ("rfm_segments", added("customers_share", 0.001), "customers_share of Champions"),
        ("rfm_segments", added("revenue_share", 0.001), "revenue_share of Champions"),
        ("cohort_retention", added("customers", 1), "sum(customers) where months_since is 0"),
        ("cohort_retention", added("customers", 1, row=1), "customers of 2022-11-01, 1"),
        ("cohort_retention", added("retained_share", 0.001, row=1), "retained_share of 2022-11-01, 1"),
        ("rfm_segments", moved("customers", 1), "customers of Champions"),
        ("repeat_purchase", added("median_days_between_orders", 0.5), "median_days_between_orders"),
        ("monthly_sales", added("growth_share", 0.001, row=1), "growth_share of"),
        ("country_sales", moved("orders", 1), "orders of"),
        ("country_sales", added("customers", 1), "customers of"),
        ("country_sales", added("average_order_value", D("0.01")), "average_order_value of"),
        ("repeat_purchase", added("repeat_customers", 1), "repeat_customers"),
        ("repeat_purchase", added("repeat_share", 0.001), "repeat_share"),
        ("basket_pairs", added("orders", 1), "orders of"),
        ("basket_pairs", without(1), "sum(orders) of all"),
        ("basket_pairs", lambda frame: frame.head(0), "sum(orders) of all"),
        ("basket_pairs", lambda frame: pl.concat([frame, frame.head(1)]), "product_a_name of"),
        ("basket_pairs", added("support", 0.001), "support of"),
        ("basket_pairs", added("confidence", 0.001), "confidence of"),
        ("basket_pairs", added("lift", 0.001), "lift of"),
        ("basket_pairs", renamed("product_a_id", 99), "product_a_name of 99,"),
        ("order_statuses", moved("orders", 1), "orders of"),
        ("order_statuses", moved("amount", D("0.01")), "amount of"),
        ("order_statuses", moved("counting_orders", 1), "counting_orders of"),
        ("order_statuses", added("orders_share", 0.001), "orders_share of"),
    ],
)
def test_a_wrong_row_is_found(made_up: Path, tmp_path: Path, insight: str, change: Change, what: str) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "marts/insights" / insight
    rows = pl.read_parquet(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    change(rows).write_parquet(folder / "part-00000.parquet")
    found = broken(checks_of(tmp_path, insight))
    assert found
    assert found[0].startswith(f"{insight}: {what}")


@pytest.mark.parametrize(("table", "key"), [("customers", "customer_id"), ("products", "product_id")])
def test_references_that_do_not_hold_break_the_proof_and_never_the_check_itself(
    made_up: Path, tmp_path: Path, table: str, key: str
) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    rows = pl.read_parquet(tmp_path / "clean" / table)
    (used,) = pl.read_parquet(tmp_path / "clean/reviews").head(1)[key]
    for path in (tmp_path / "clean" / table).glob("*.parquet"):
        path.unlink()
    rows.filter(pl.col(key) != used).write_parquet(tmp_path / "clean" / table / "part-00000.parquet")
    files = ShopFiles(tmp_path / "clean", tmp_path / "marts", tuple(INSIGHTS.values()), load_settings())
    totals = totals_as_read(tmp_path / "clean/customers", CUSTOMERS)
    assert broken([*customer_checks(files, totals, TODAY), *checks_of(tmp_path)])


def test_an_order_that_is_there_twice_breaks_the_proof_and_never_the_check_itself(
    made_up: Path, tmp_path: Path
) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "clean/orders").glob("*.parquet")
    rows = pl.read_parquet(path)
    # Each customer's only order, or one of them, has the id of another customer's.
    rows.with_columns(order_id=pl.col("order_id").first()).write_parquet(path)
    files = ShopFiles(tmp_path / "clean", tmp_path / "marts", tuple(INSIGHTS.values()), load_settings())
    totals = totals_as_read(tmp_path / "clean/customers", CUSTOMERS)
    link = prove_marts(clean_totals(files), files, customer_checks(files, totals, TODAY))
    assert [check.what for check in link.broken] == [
        "orders: different order_ids",
        "order_items.order_id: rows whose parent is kept",
    ]


def test_a_lost_value_breaks_the_proof_and_never_the_check_itself(made_up: Path, tmp_path: Path) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    for insight in INSIGHTS.values():
        folder = tmp_path / "marts/insights" / insight.id
        (path,) = folder.glob("*.parquet")
        rows = pl.read_parquet(path)
        for column in rows.columns:
            lost = pl.when(pl.int_range(pl.len()) > 0).then(pl.col(column)).alias(column)
            rows.with_columns(lost).write_parquet(path)
            assert broken(checks_of(tmp_path, insight.id)) or rows[0, column] is None, (insight.id, column)
        rows.write_parquet(path)


@pytest.mark.parametrize(
    ("insight", "by"), [("top_customers", "total_amount_spent"), ("top_products", "orders")]
)
def test_a_list_that_leaves_the_greatest_out_is_found(tmp_path: Path, insight: str, by: str) -> None:
    root = write_shop(tmp_path, made_up_tables(5))
    listed = pl.read_parquet(root / "marts/insights" / insight)
    # The figures of six rows are right, but the first of them is left out of the list of five.
    longer = InsightOptions(6, 20, date(2026, 11, 22))
    six = INSIGHTS[insight].frame(shop_of(made_up_tables(5)), longer).collect().to_native()
    (path,) = (root / "marts/insights" / insight).glob("*.parquet")
    six[1:].write_parquet(path)
    (found,) = [check for check in checks_of(root, insight) if not check.holds]
    assert (found.what, found.expected) == (f"{insight}: {by} of {six[1, 0]}", listed[0, by])


def customer_faults(root: Path) -> list[str]:
    files = ShopFiles(root / "clean", root / "marts", tuple(INSIGHTS.values()), load_settings())
    totals = totals_as_read(root / "clean/customers", CUSTOMERS)
    return [
        what for what in broken(list(customer_checks(files, totals, TODAY))) if what.startswith("customers")
    ]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_published_of_customers_holds(tmp_path: Path, seed: int) -> None:
    recipe = Recipe(cents=(-3000, 50_000), first_key=10**12 if seed % 2 else -30)
    assert customer_faults(write_shop(tmp_path, made_up_tables(seed, recipe))) == []


def test_customers_of_a_shop_with_nothing_hold(tmp_path: Path) -> None:
    assert customer_faults(write_shop(tmp_path, clean_tables())) == []


@pytest.mark.parametrize(
    "column",
    [
        *("first_order_date", "last_order_date", "days_since_last_order", "recency_score"),
        *("frequency_score", "monetary_score", "segment", "cohort_month", "name", "total_orders"),
    ],
)
def test_values_of_two_customers_that_are_swapped_are_noticed(
    made_up: Path, tmp_path: Path, column: str
) -> None:
    shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "marts/customers").glob("*.parquet")
    rows = pl.read_parquet(path).filter(pl.col(column).is_not_null()).sort("customer_id")
    values = rows[column].to_list()
    other = next(at for at, value in enumerate(values) if value != values[0])
    values[0], values[other] = values[other], values[0]
    changed = rows.with_columns(pl.Series(column, values, rows[column].dtype))
    others = pl.read_parquet(path).filter(pl.col(column).is_null())
    pl.concat([changed, others]).sort("customer_id").write_parquet(path)
    seen = "rows as in customer_metrics" if column in METRICS.column_names else "keyed"
    assert customer_faults(tmp_path) == [f"customers.{column}: {seen}"]
