"""Each preset on its software's tables: what is worked out is what SQL by hand says of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from tests.support.staged import extracted, literal_shop

from shopsight.errors import ConfigurationError
from shopsight.pipeline import stages
from shopsight.presets import load_preset, preset_names, recognise, with_preset
from shopsight.settings import load_settings

#: By preset: each customer's spending, orders, units and mean rating; and each month's revenue in Pune.
BY_HAND = {
    "spree": (
        """
        SELECT u.id, coalesce(sum(o.total), 0), count(o.id),
               coalesce(sum((SELECT sum(quantity) FROM spree_line_items i WHERE i.order_id = o.id)), 0),
               (SELECT avg(rating)::float FROM spree_reviews r WHERE r.user_id = u.id AND r.approved)
        FROM spree_users u LEFT JOIN spree_orders o ON o.user_id = u.id
            AND o.completed_at IS NOT NULL AND o.state <> 'canceled'
        GROUP BY u.id ORDER BY u.id
        """,
        """
        SELECT date_trunc('month', completed_at AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Kolkata')::date,
               sum(total)
        FROM spree_orders WHERE completed_at IS NOT NULL AND state <> 'canceled' AND user_id IS NOT NULL
        GROUP BY 1 ORDER BY 1
        """,
    ),
    "odoo": (
        """
        SELECT p.id, coalesce(sum(o.amount_total), 0), count(o.id),
               coalesce(sum((
                   SELECT sum(product_uom_qty) FROM sale_order_line l WHERE l.order_id = o.id
               )), 0)::int,
               (SELECT avg(rating) FROM rating_rating r
                WHERE r.partner_id = p.id AND r.res_model = 'product.template' AND r.consumed)
        FROM res_partner p LEFT JOIN sale_order o ON o.partner_id = p.id AND o.state IN ('sale', 'done')
        WHERE p.supplier_rank = 0 GROUP BY p.id ORDER BY p.id
        """,
        """
        SELECT date_trunc('month', date_order AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Kolkata')::date,
               sum(amount_total)
        FROM sale_order WHERE state IN ('sale', 'done') GROUP BY 1 ORDER BY 1
        """,
    ),
}
NAMES = ["Asha Rao", "Ben Kurz", "Unknown customer 3"]


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture(params=preset_names())
def preset(request: pytest.FixtureRequest, postgres_url: str) -> str:
    script = (Path(__file__).parent / f"{request.param}.sql").read_text()
    with psycopg.connect(postgres_url) as connection:
        connection.execute(script.encode())
    return str(request.param)


def test_figures_are_those_of_sql_by_hand(preset: str, postgres_url: str, workdir: Path) -> None:
    settings = {"source_url": postgres_url, "preset": preset, "time_zone": "Asia/Kolkata"}
    run = extracted(workdir, literal_shop(), **settings)
    run.workspace.raw.begin()
    for name in ("extract", "clean", "metrics", "insights", "prove"):
        stages.STAGES[name](run)
    of_customers, of_months = BY_HAND[preset]
    metrics = pl.read_parquet(run.workspace.folder("marts/customer_metrics")).sort("customer_id")
    columns = ["total_amount_spent", "total_orders", "total_products_ordered", "average_rating"]
    expected = [(i, Decimal(m), *rest) for i, m, *rest in asked(postgres_url, of_customers)]
    assert metrics.select("customer_id", *columns).rows() == expected
    assert metrics["name"].to_list() == NAMES[: len(expected)]
    assert metrics["country"].to_list()[:2] == ["India", "Germany"]
    months = pl.read_parquet(run.workspace.folder("marts/insights/monthly_sales"))
    assert months.select("month", "revenue").rows() == asked(postgres_url, of_months)
    ratings = pl.read_parquet(run.workspace.folder("marts/insights/category_ratings"))
    assert ratings.filter(pl.col("reviews") > 0)["average_rating"].to_list() == [5.0, 2.0]


def test_its_tables_are_recognised_and_no_others(preset: str, postgres_url: str) -> None:
    names = [name for (name,) in asked(postgres_url, "SELECT tablename FROM pg_tables")]
    found = recognise(names)
    assert found is not None
    assert found.name == preset
    assert recognise([name for name in names if name not in found.recognised_by[:1]]) is None


def test_what_the_user_writes_overrides_a_preset() -> None:
    own = {"orders": {"where": "true", "columns": {"status": "own"}}, "reviews": {"from": "own"}}
    tables = with_preset({"preset": "spree", "tables": own})["tables"]
    assert tables["orders"] == {
        **load_preset("spree").settings["tables"]["orders"],
        "where": "true",
        "columns": {**load_preset("spree").settings["tables"]["orders"]["columns"], "status": "own"},
    }
    assert tables["reviews"] == {"from": "own"}
    assert load_settings(preset="spree", tables=own).tables["orders"].where == "true"


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no preset 'spre'; there are odoo, spree"):
        load_settings(preset="spre")
