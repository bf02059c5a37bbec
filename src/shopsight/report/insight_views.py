"""Which view each insight has.

An insight that is not listed, or whose published columns are not those that its view reads, is shown as a
table: a new insight needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from shopsight.report.insight_table import InsightTable
from shopsight.report.list_views import (
    basket_pairs,
    category_ratings,
    country_sales,
    order_statuses,
    rfm_segments,
    top_customers,
    top_products,
)
from shopsight.report.monthly_view import monthly_sales
from shopsight.report.return_views import cohort_retention, repeat_purchase
from shopsight.report.view import View

#: From an insight and the day of the snapshot to what is drawn.
Draw = Callable[[InsightTable, date | None], View]


@dataclass(frozen=True)
class Drawing:
    """A view's function and the columns that it reads."""

    draw: Draw
    columns: tuple[str, ...]


VIEWS: dict[str, Drawing] = {
    "top_customers": Drawing(
        top_customers, ("customer_id", "name", "country", "total_amount_spent", "total_orders")
    ),
    "top_products": Drawing(top_products, ("product_id", "product_name", "orders", "units", "revenue")),
    "category_ratings": Drawing(category_ratings, ("category_name", "average_rating", "reviews")),
    "monthly_sales": Drawing(
        monthly_sales, ("month", "revenue", "orders", "average_order_value", "growth_share")
    ),
    "rfm_segments": Drawing(
        rfm_segments, ("segment", "customers", "revenue", "customers_share", "revenue_share")
    ),
    "cohort_retention": Drawing(
        cohort_retention, ("cohort_month", "months_since", "customers", "retained_share")
    ),
    "country_sales": Drawing(
        country_sales, ("country", "revenue", "orders", "customers", "average_order_value")
    ),
    "repeat_purchase": Drawing(
        repeat_purchase, ("customers", "repeat_customers", "repeat_share", "median_days_between_orders")
    ),
    "basket_pairs": Drawing(
        basket_pairs, ("product_a_name", "product_b_name", "orders", "support", "confidence", "lift")
    ),
    "order_statuses": Drawing(order_statuses, ("status", "orders", "amount", "orders_share")),
}


def insight_view(table: InsightTable, as_of: date | None) -> View:
    """What the page draws for an insight.

    Args:
        table: the published insight.
        as_of: the day of the snapshot; None when it is not known.
    """
    drawing = VIEWS.get(table.id)
    if drawing is not None and set(drawing.columns) <= set(table.column_names):
        return drawing.draw(table, as_of)
    return View("table", None, has_table=False) if table.rows else View("note", "No rows.")
