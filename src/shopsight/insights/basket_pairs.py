"""What is bought together."""

from __future__ import annotations

from math import isqrt

import narwhals as nw

from shopsight.frames import Frame
from shopsight.insights.insight import Insight, InsightColumn, InsightOptions
from shopsight.insights.popular import at_least_lines, least_of_top, most_lines
from shopsight.insights.shop import Shop
from shopsight.money import share_of


def basket_pairs(shop: Shop, options: InsightOptions) -> Frame:
    """The pairs of products that the most counting orders hold both of; product A is the smaller id.

    With n counting orders that have items, ``support`` is orders / n, ``confidence`` orders / orders with A
    (how often who buys A buys B), and ``lift`` orders * n / (orders with A * orders with B): 1 when the two
    are bought as if independently. None is rounded. Several lines of a product in one order are one.

    Grain: one row per pair, at most ``basket_pairs_n``; most orders first, ties by the smaller product A,
    then B. Pairs that no order holds are not listed.

    The number of pairs grows with the square of the basket and of the catalogue. So the pairs among a few
    leading products are counted first, which gives a bound that the last listed pair reaches, and then those
    among the products that reach it (:mod:`shopsight.insights.popular`). The result is exact.
    """
    count = options.basket_pairs_n
    # 4√n products make 8n pairs: plenty to choose from, and still few.
    leaders = shop.order_products(most_lines(shop, 4 * (isqrt(count) + 1)))
    bound = least_of_top(_count_pairs(leaders), "orders", count)
    candidates = shop.order_products(at_least_lines(shop, bound))
    top = _in_order(_count_pairs(candidates)).head(count)
    single = candidates.group_by("product_id").agg(nw.len().cast(nw.Int64).alias("orders"))
    baskets = (
        shop.order_items.select("order_id")
        .unique()
        .join(shop.uncounted_order_ids, on="order_id", how="anti")
        .select(nw.len().cast(nw.Int64).alias("baskets"))
    )
    orders, orders_a, orders_b = nw.col("orders"), nw.col("orders_a"), nw.col("orders_b")
    return (
        top.join(_of_product(single, "orders", "a"), on="product_a_id", how="inner")
        .join(_of_product(single, "orders", "b"), on="product_b_id", how="inner")
        .join(_of_product(shop.products, "product_name", "a"), on="product_a_id", how="left")
        .join(_of_product(shop.products, "product_name", "b"), on="product_b_id", how="left")
        .join(baskets, how="cross")
        .with_columns(
            share_of(orders, nw.col("baskets")).alias("support"),
            share_of(orders, orders_a).alias("confidence"),
            share_of(orders * nw.col("baskets"), orders_a * orders_b).alias("lift"),
        )
        .pipe(_in_order)
    )


def _count_pairs(order_products: Frame) -> Frame:
    """In how many orders each two products are: product_a_id, product_b_id, orders; the smaller id is A."""
    first = order_products.rename({"product_id": "product_a_id"})
    second = order_products.rename({"product_id": "product_b_id"})
    return (
        first.join(second, on="order_id", how="inner")
        .filter(nw.col("product_a_id") < nw.col("product_b_id"))
        .group_by("product_a_id", "product_b_id")
        .agg(nw.len().cast(nw.Int64).alias("orders"))
    )


def _of_product(frame: Frame, column: str, side: str) -> Frame:
    """A column by product, named for one side of a pair: ``product_name`` becomes ``product_a_name``."""
    name = column.replace("product_", f"product_{side}_") if column != "orders" else f"orders_{side}"
    return frame.select(nw.col("product_id").alias(f"product_{side}_id"), nw.col(column).alias(name))


def _in_order(pairs: Frame) -> Frame:
    return pairs.sort("orders", "product_a_id", "product_b_id", descending=[True, False, False])


BASKET_PAIRS = Insight(
    id="basket_pairs",
    title="Bought together",
    description="The pairs of products that most counting orders hold; A is the smaller id.",
    columns=(
        InsightColumn("product_a_id", "key", "Product A"),
        InsightColumn("product_a_name", "text", "Name A"),
        InsightColumn("product_b_id", "key", "Product B"),
        InsightColumn("product_b_name", "text", "Name B"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("support", "share", "Support"),
        InsightColumn("confidence", "share", "Confidence"),
        InsightColumn("lift", "number", "Lift"),
    ),
    compute=basket_pairs,
)
