"""Insights that are drawn as a list: bars, dots, pairs of bars, and the table of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from shopsight.report.charts import lengths, per_cent
from shopsight.report.figures import format_count, format_money, format_number, format_share, format_value
from shopsight.report.insight_table import InsightTable
from shopsight.report.view import MOST_MARKS, View, counted, footnote_of_cut, note


@dataclass(frozen=True)
class Bar:
    """One bar of a list: a label, its figure, the parts of a second line, and its length as a CSS share."""

    label: str
    value: str
    detail: list[str]
    length: str


def bars_view(table: InsightTable, label: str, figure: str, detail: Callable[[Any], list[str]]) -> View:
    """A list of bars, one a row, each as long as its ``figure``."""
    shown = table.rows[:MOST_MARKS]
    kinds = {column["name"]: column["kind"] for column in table.columns}
    bars = [
        Bar(format_value(row[label], "text"), format_value(row[figure], kinds[figure]), detail(row), length)
        for row, length in zip(shown, lengths([row[figure] for row in shown]), strict=True)
    ]
    cut = footnote_of_cut(table)
    return View("bars", bars, has_table=bool(cut), footnote=cut)


def top_customers(table: InsightTable, _as_of: date | None) -> View:
    """The customers who spent most."""
    if not table.rows:
        return note("No customers yet.")
    return bars_view(
        table,
        label="name",
        figure="total_amount_spent",
        detail=lambda row: [
            format_value(row["country"], "text"),
            counted(row["total_orders"], "order"),
            f"customer {row['customer_id']}",
        ],
    )


def top_products(table: InsightTable, _as_of: date | None) -> View:
    """The products in the most orders."""
    if not table.rows:
        return note("No product is in a counting order yet.")
    return bars_view(
        table,
        label="product_name",
        figure="orders",
        detail=lambda row: [
            counted(row["units"], "unit"),
            format_money(row["revenue"]),
            f"product {row['product_id']}",
        ],
    )


def country_sales(table: InsightTable, _as_of: date | None) -> View:
    """Revenue by country."""
    if not table.rows:
        return note("No customers yet, so no countries.")
    return bars_view(
        table,
        label="country",
        figure="revenue",
        detail=lambda row: [
            counted(row["orders"], "order"),
            counted(row["customers"], "customer"),
            f"{format_money(row['average_order_value'])} an order",
        ],
    )


def order_statuses(table: InsightTable, _as_of: date | None) -> View:
    """All kept orders by status."""
    if not table.rows:
        return note("No orders yet.")
    return bars_view(
        table,
        label="status",
        figure="orders",
        detail=lambda row: [f"{format_share(row['orders_share'])} of orders", format_money(row["amount"])],
    )


@dataclass(frozen=True)
class Dot:
    """A category's rating on the scale from 1 to 5; ``left`` is None when it has none."""

    label: str
    value: str
    detail: str
    left: str | None


def category_ratings(table: InsightTable, _as_of: date | None) -> View:
    """Average rating by category, as dots on the scale from 1 to 5."""
    rated = sum(row["reviews"] or 0 for row in table.rows)
    if not rated:
        return note("No reviews were kept, so no category has a rating.")
    dots = [
        Dot(
            format_value(row["category_name"], "text"),
            format_number(row["average_rating"]),
            counted(row["reviews"], "review"),
            None if row["average_rating"] is None else per_cent((float(row["average_rating"]) - 1) / 4),
        )
        for row in table.rows[:MOST_MARKS]
    ]
    cut = footnote_of_cut(table)
    return View("dots", dots, has_table=bool(cut), footnote=cut)


@dataclass(frozen=True)
class Pair:
    """A segment's two bars on one scale: its share of customers and its share of revenue."""

    label: str
    detail: str
    customers: str
    customers_length: str
    revenue: str
    revenue_length: str


def rfm_segments(table: InsightTable, _as_of: date | None) -> View:
    """Segments: how many customers they are, and how much of the revenue is theirs."""
    rows = table.rows
    if not any(row["customers"] for row in rows):
        return note("No customer has a counting order yet, so there are no segments.")
    drawn = lengths([row["customers_share"] for row in rows] + [row["revenue_share"] for row in rows])
    pairs = [
        Pair(
            format_value(row["segment"], "text"),
            f"{counted(row['customers'], 'customer')} · {format_money(row['revenue'])}",
            format_share(row["customers_share"]),
            drawn[index],
            format_share(row["revenue_share"]),
            drawn[len(rows) + index],
        )
        for index, row in enumerate(rows)
    ]
    return View("pairs", pairs)


@dataclass(frozen=True)
class BasketPair:
    """Two products bought together."""

    first: str
    second: str
    orders: str
    length: str
    support: str
    confidence: str
    lift: str


def basket_pairs(table: InsightTable, _as_of: date | None) -> View:
    """Pairs of products, as a table with bars."""
    if not table.rows:
        return note("No counting order holds two different products yet.")
    shown = table.rows[:MOST_MARKS]
    pairs = [
        BasketPair(
            format_value(row["product_a_name"], "text"),
            format_value(row["product_b_name"], "text"),
            format_count(row["orders"]),
            length,
            format_share(row["support"]),
            format_share(row["confidence"]),
            format_number(row["lift"]),
        )
        for row, length in zip(shown, lengths([row["orders"] for row in shown]), strict=True)
    ]
    return View(
        "pair_table",
        pairs,
        is_wide=True,
        has_table=len(table.rows) > MOST_MARKS,
        footnote="Lift: how many times likelier the pair is than if the two were bought independently.",
    )
