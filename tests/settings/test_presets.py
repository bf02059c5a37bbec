"""Each preset on its software's tables: what is worked out is what SQL by hand says of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.literal_rows import database_url
from tests.support.staged import extracted, literal_shop

from shopsight.errors import ConfigurationError
from shopsight.extract import Source, source_tables
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run
from shopsight.settings import load_settings
from shopsight.settings.presets import load_preset, preset_names, recognise, with_preset
from shopsight_demo.seed.load import open_database

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
BY_HAND |= {
    "woocommerce": (
        """
        SELECT c.customer_id, COALESCE(SUM(CAST(o.total_sales AS DECIMAL(20,2))), 0), COUNT(o.order_id),
               COALESCE(SUM((
                   SELECT SUM(product_qty) FROM shop_wc_order_product_lookup i WHERE i.order_id = o.order_id
               )), 0),
               (SELECT AVG(m.meta_value) FROM shop_comments r JOIN shop_commentmeta m USING (comment_id)
                WHERE r.comment_author_email = c.email AND r.comment_type = 'review'
                AND r.comment_approved = '1' AND m.meta_key = 'rating')
        FROM shop_wc_customer_lookup c LEFT JOIN shop_wc_order_stats o ON o.customer_id = c.customer_id
            AND o.parent_id = 0 AND o.status IN ('wc-completed', 'wc-processing', 'wc-on-hold')
        GROUP BY c.customer_id, c.email ORDER BY c.customer_id
        """,
        """
        SELECT CAST(DATE_FORMAT(date_created, '%Y-%m-01') AS DATE), SUM(CAST(total_sales AS DECIMAL(20,2)))
        FROM shop_wc_order_stats
        WHERE parent_id = 0 AND status IN ('wc-completed', 'wc-processing', 'wc-on-hold')
        GROUP BY 1 ORDER BY 1
        """,
    ),
    "prestashop": (
        """
        SELECT c.id_customer, COALESCE(SUM(ROUND(o.total_paid_tax_incl, 2)), 0), COUNT(o.id_order),
               COALESCE(SUM((
                   SELECT SUM(product_quantity) FROM ps_order_detail i WHERE i.id_order = o.id_order
               )), 0),
               (SELECT AVG(grade) FROM ps_product_comment r
                WHERE r.id_customer = c.id_customer AND r.validate = 1)
        FROM ps_customer c LEFT JOIN ps_orders o ON o.id_customer = c.id_customer AND o.valid = 1
        GROUP BY c.id_customer ORDER BY c.id_customer
        """,
        """
        SELECT CAST(DATE_FORMAT(date_add, '%Y-%m-01') AS DATE), SUM(ROUND(total_paid_tax_incl, 2))
        FROM ps_orders WHERE valid = 1 GROUP BY 1 ORDER BY 1
        """,
    ),
    "magento": (
        """
        SELECT c.entity_id, COALESCE(SUM(o.base_grand_total), 0), COUNT(o.entity_id),
               COALESCE(SUM((
                   SELECT SUM(qty_ordered) FROM sales_order_item i
                   WHERE i.order_id = o.entity_id AND i.parent_item_id IS NULL
               )), 0),
               (SELECT AVG((
                    SELECT ROUND(AVG(v.value)) FROM rating_option_vote v WHERE v.review_id = r.review_id
                ))
                FROM review r JOIN review_detail d USING (review_id)
                WHERE d.customer_id = c.entity_id AND r.status_id = 1)
        FROM customer_entity c LEFT JOIN sales_order o ON o.customer_id = c.entity_id
            AND o.state NOT IN ('canceled', 'closed')
        GROUP BY c.entity_id ORDER BY c.entity_id
        """,
        """
        SELECT CAST(DATE_FORMAT(created_at + INTERVAL 330 MINUTE, '%Y-%m-01') AS DATE), SUM(base_grand_total)
        FROM sales_order WHERE state NOT IN ('canceled', 'closed') AND customer_id IS NOT NULL
        GROUP BY 1 ORDER BY 1
        """,
    ),
}
#: By preset whose guests are no customers: with them, each buyer, what they spent, and orders.
GUESTS_BY_HAND = {
    "magento": """
        SELECT COALESCE(c.entity_id, -MIN(o.entity_id)), SUM(o.base_grand_total), COUNT(*)
        FROM sales_order o LEFT JOIN customer_entity c ON c.entity_id = o.customer_id
            OR (o.customer_id IS NULL AND c.email = LOWER(TRIM(o.customer_email)))
        WHERE o.state NOT IN ('canceled', 'closed')
        GROUP BY c.entity_id, IF(c.entity_id IS NULL, LOWER(TRIM(o.customer_email)), '') ORDER BY 1
        """,
    "spree": """
        SELECT coalesce(u.id, -min(o.id)), sum(o.total), count(*)
        FROM spree_orders o LEFT JOIN spree_users u ON u.id = o.user_id
            OR (o.user_id IS NULL AND u.email = lower(trim(o.email)))
        WHERE o.completed_at IS NOT NULL AND o.state <> 'canceled'
        GROUP BY u.id, CASE WHEN u.id IS NULL THEN lower(trim(o.email)) END ORDER BY 1
        """,
}
ON_MARIADB = ("magento", "prestashop", "woocommerce")
NAMES = ["Asha Rao", "Ben Kurz", "Unknown customer 3"]


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    with open_database(url, None) as database, database.cursor("asking") as cursor:
        cursor.execute(query)
        return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Platform:
    """A small shop of one software."""

    name: str
    url: str


@pytest.fixture(params=preset_names())
def platform(request: pytest.FixtureRequest) -> Platform:
    name = request.param
    url = database_url(request, "mariadb" if name in ON_MARIADB else "postgresql")
    with open_database(url, None) as database:
        for statement in (Path(__file__).parent / f"{name}.sql").read_text().split(";\n"):
            if statement.strip():
                database.execute(statement)
        database.commit()
    return Platform(name, url)


def proven(platform: Platform, workdir: Path, **settings: Any) -> Run:
    """A run over the shop up to the proof."""
    if platform.name == "woocommerce":
        settings["table_prefix"] = "shop_"
    settings |= {"source_url": platform.url, "preset": platform.name, "time_zone": "Asia/Kolkata"}
    run = extracted(workdir, literal_shop(), **settings)
    run.workspace.raw.begin()
    for name in ("extract", "clean", "metrics", "insights", "prove"):
        stages.STAGES[name](run)
    return run


def test_figures_are_those_of_sql_by_hand(platform: Platform, workdir: Path) -> None:
    run = proven(platform, workdir)
    of_customers, of_months = BY_HAND[platform.name]
    metrics = pl.read_parquet(run.workspace.folder("marts/customer_metrics")).sort("customer_id")
    columns = ["total_amount_spent", "total_orders", "total_products_ordered", "average_rating"]
    expected = [
        (key, Decimal(spent), orders, int(units), None if rating is None else float(rating))
        for key, spent, orders, units, rating in asked(platform.url, of_customers)
    ]
    assert metrics.select("customer_id", *columns).rows() == expected
    assert metrics["name"].to_list() == NAMES[: len(expected)]
    assert metrics["country"].to_list()[:2] == ["India", "Germany"]
    months = pl.read_parquet(run.workspace.folder("marts/insights/monthly_sales"))
    by_hand = [(month, Decimal(revenue)) for month, revenue in asked(platform.url, of_months)]
    assert months.select("month", "revenue").rows() == by_hand
    ratings = pl.read_parquet(run.workspace.folder("marts/insights/category_ratings"))
    assert ratings.filter(pl.col("reviews") > 0)["average_rating"].to_list() == [5.0, 2.0]


def test_guests_are_those_of_sql_by_hand(platform: Platform, workdir: Path) -> None:
    if platform.name not in GUESTS_BY_HAND:
        with pytest.raises(ConfigurationError, match=r"needs orders\.columns\.customer_email"):
            proven(platform, workdir, guests="by_email")
        return
    run = proven(platform, workdir, guests="by_email")
    metrics = pl.read_parquet(run.workspace.folder("marts/customer_metrics")).sort("customer_id")
    buyers = metrics.filter(pl.col("total_orders") > 0)
    by_hand = [
        (key, Decimal(spent), orders)
        for key, spent, orders in asked(platform.url, GUESTS_BY_HAND[platform.name])
    ]
    assert buyers.select("customer_id", "total_amount_spent", "total_orders").rows() == by_hand
    assert [key for key, *_ in by_hand] == [-5, 1, 2]
    assert pl.read_parquet(run.workspace.folder("rejected/orders")).height == 0


def test_its_tables_are_recognised_and_no_others(platform: Platform) -> None:
    names = list(source_tables(Source(platform.url, None, timedelta(seconds=5))))
    found = recognise(names)
    assert found is not None
    assert (found.name, found.prefix == "shop_") == (platform.name, platform.name == "woocommerce")
    assert recognise([name for name in names if not name.endswith(found.recognised_by[0])]) is None


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
    with pytest.raises(ConfigurationError, match="no preset 'spre'; there are magento, odoo"):
        load_settings(preset="spre")


def test_a_prefix_cannot_leave_its_name() -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        load_settings(preset="woocommerce", table_prefix="wp_`; DROP TABLE x; --")
