"""The products that are bought together."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Complete, Recounted
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.baskets import bound_of
from shopsight.marts.insights.evidence import ROWS, Evidence, Values, counting_items, counting_orders
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import share_of


def basket_pairs(shop: Shop, options: InsightOptions) -> Frame:
    """The pairs of products that the most counting orders hold both of; product A is the smaller id.

    With n counting orders that have items, ``support`` is orders / n, ``confidence`` orders / orders with A
    (how often a buyer of A also buys B), and ``lift`` orders * n / (orders with A * orders with B): 1 when
    the two are bought independently. None is rounded. Several lines of a product in one order are one.

    Grain: one row per pair, at most ``basket_pairs_n``; most orders first, ties by the smaller product A,
    then B. Pairs that no order holds are not listed.
    """
    baskets, length = shop.baskets, options.basket_pairs_n
    leaders = baskets.leaders
    contenders = baskets.count(baskets.contenders(bound_of(leaders.pairs, length)))
    top = _in_order(nw.concat([leaders.pairs, contenders.pairs])).head(length)
    orders_of = nw.concat([leaders.products, contenders.products])
    orders, orders_a, orders_b = map(nw.col, ("orders", "orders_a", "orders_b"))
    number = nw.lit(baskets.number)
    return (
        top.join(_side(orders_of, "a", orders="orders_a"), on="product_a_id", how="inner")
        .join(_side(orders_of, "b", orders="orders_b"), on="product_b_id", how="inner")
        .join(_side(shop.products, "a", product_name="product_a_name"), on="product_a_id", how="left")
        .join(_side(shop.products, "b", product_name="product_b_name"), on="product_b_id", how="left")
        .with_columns(
            share_of(orders, number).alias("support"),
            share_of(orders, orders_a).alias("confidence"),
            share_of(orders * number, orders_a * orders_b).alias("lift"),
        )
        .pipe(_in_order)
    )


def _side(products: Frame, side: str, **names: str) -> Frame:
    """Columns by product, renamed for one side of a pair."""
    columns = [nw.col(column).alias(name) for column, name in names.items()]
    return products.select(nw.col("product_id").alias(f"product_{side}_id"), *columns)


def _in_order(pairs: Frame) -> Frame:
    return pairs.sort("orders", "product_a_id", "product_b_id", descending=[True, False, False])


def _orders_of_pair(shop: Shop, key: Values) -> Frame:
    """The orders that hold both products, each with the three numbers that the shares come from."""
    baskets = shop.order_items.select("order_id").unique()
    baskets = baskets.join(shop.baskets.uncounted_order_ids, on="order_id", how="anti")
    orders = counting_orders(shop).join(baskets.select(nw.len().alias("baskets")), how="cross")
    for side in ("a", "b"):
        lines = shop.order_items.filter(nw.col("product_id") == key[f"product_{side}_id"])
        holding = lines.select("order_id").unique()
        counted = baskets.join(holding, on="order_id", how="semi").select(nw.len().alias(f"orders_{side}"))
        orders = orders.join(holding, on="order_id", how="semi").join(counted, how="cross")
    return orders


def _lift(sums: Values) -> float | None:
    if not sums["orders"]:
        return None
    lift: float = sums["orders"] * sums["baskets"] / (sums["orders_a"] * sums["orders_b"])
    return lift


INSIGHT = Insight(
    id="basket_pairs",
    title="Bought together",
    description="Product pairs that are in the most counting orders; A has the smaller id.",
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
    key=("product_a_id", "product_b_id"),
    chart=Chart(
        "table",
        label="product_a_name",
        figures=("orders",),
        detail=("product_b_name", "support", "confidence", "lift"),
    ),
    compute=basket_pairs,
    rank=40,
    identities=(
        Recounted(
            "pairs",
            ("product_a_name", "product_b_name", "orders", "support", "confidence", "lift"),
            is_complete=False,
        ),
        Complete("basket_pairs_n", "orders", "pairs"),
    ),
    evidence=Evidence(
        "order_items",
        reads=("products", "orders", "order_items"),
        rows=counting_items,
        sums={
            "orders": ROWS,
            "orders_a": nw.col("orders_a").max(),
            "orders_b": nw.col("orders_b").max(),
            "baskets": nw.col("baskets").max(),
        },
        ratios={
            "support": lambda sums: sums["orders"] / sums["baskets"] if sums["orders"] else None,
            "confidence": lambda sums: sums["orders"] / sums["orders_a"] if sums["orders"] else None,
            "lift": _lift,
        },
        rows_of_key=_orders_of_pair,
        table_of_key="orders",
    ),
)
