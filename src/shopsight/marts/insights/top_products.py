"""The products in the most orders."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Greatest
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.baskets import bound_of
from shopsight.marts.insights.evidence import AMOUNT, ORDERS, Evidence, as_they_are, counting_items
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop


def top_products(shop: Shop, options: InsightOptions) -> Frame:
    """The products that are in the most distinct counting orders, with their units and revenue there.

    ``units`` is the sum of the quantities and ``revenue`` the exact sum of quantity * price, over the lines
    of counting orders. An order that holds a product in several lines is one order.

    Grain: one row per product, at most ``top_n``; most orders first, ties by the smaller product_id. Products
    in no counting order are not listed.
    """
    baskets = shop.baskets
    leading = baskets.leaders.products
    contending = baskets.count(baskets.contenders(bound_of(leading, options.top_n))).products
    top = _in_order(nw.concat([leading, contending])).head(options.top_n)
    sold = (
        shop.order_items.select("order_id", "product_id", "quantity", "price")
        .join(top.select("product_id"), on="product_id", how="semi")
        .join(baskets.uncounted_order_ids, on="order_id", how="anti")
        .group_by("product_id")
        .agg(
            nw.col("quantity").sum().alias("units"),
            (nw.col("quantity") * nw.col("price")).sum().alias("revenue"),
        )
    )
    names = shop.products.select("product_id", "product_name")
    return _in_order(top.join(sold, on="product_id", how="left").join(names, on="product_id", how="left"))


def _in_order(products: Frame) -> Frame:
    return products.sort("orders", "product_id", descending=[True, False])


INSIGHT = Insight(
    id="top_products",
    title="Top products",
    description="The products in the most counting orders, whatever the quantity.",
    columns=(
        InsightColumn("product_id", "key", "Product"),
        InsightColumn("product_name", "text", "Name"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("units", "count", "Units"),
        InsightColumn("revenue", "money", "Revenue"),
    ),
    key=("product_id",),
    chart=Chart("bars", label="product_name", figures=("orders",), detail=("units", "revenue", "product_id")),
    compute=top_products,
    rank=30,
    identities=(
        Greatest(
            "products", by="orders", columns=("product_name", "orders", "units", "revenue"), limit="top_n"
        ),
    ),
    evidence=Evidence(
        "order_items",
        reads=("products", "orders", "order_items"),
        rows=counting_items,
        sums={"orders": ORDERS, "units": nw.col("quantity").sum(), "revenue": AMOUNT},
        rejected=as_they_are,
    ),
)
