"""What is bought by most orders."""

from __future__ import annotations

import narwhals as nw

from shopsight.frames import Frame
from shopsight.insights.insight import Insight, InsightColumn, InsightOptions
from shopsight.insights.popular import at_least_lines, least_of_top, most_lines
from shopsight.insights.shop import Shop


def top_products(shop: Shop, options: InsightOptions) -> Frame:
    """The products that are in the most distinct counting orders, with their units and revenue there.

    ``units`` is the sum of the quantities and ``revenue`` the exact sum of quantity * price, over the lines
    of counting orders. An order that holds a product in several lines is one order.

    Grain: one row per product, at most ``top_n``; most orders first, ties by the smaller product_id. Products
    in no counting order are not listed.

    To know the winners it is enough to count orders for the few products that can win. The ``top_n`` products
    with the most lines give a bound that the last winner reaches; a product with fewer lines than that bound
    is in fewer orders still.
    """
    leaders = _orders_of(shop, most_lines(shop, options.top_n))
    bound = least_of_top(leaders, "orders", options.top_n)
    top = (
        _orders_of(shop, at_least_lines(shop, bound))
        .sort("orders", "product_id", descending=[True, False])
        .head(options.top_n)
    )
    sold = (
        shop.order_items.select("order_id", "product_id", "quantity", "price")
        .join(top.select("product_id"), on="product_id", how="semi")
        .join(shop.uncounted_order_ids, on="order_id", how="anti")
        .group_by("product_id")
        .agg(
            nw.col("quantity").sum().alias("units"),
            (nw.col("quantity") * nw.col("price")).sum().alias("revenue"),
        )
    )
    return (
        top.join(sold, on="product_id", how="left")
        .join(shop.products.select("product_id", "product_name"), on="product_id", how="left")
        .sort("orders", "product_id", descending=[True, False])
    )


def _orders_of(shop: Shop, products: Frame) -> Frame:
    """In how many counting orders each of the products is: product_id, orders; those in none are left out."""
    return shop.order_products(products).group_by("product_id").agg(nw.len().cast(nw.Int64).alias("orders"))


TOP_PRODUCTS = Insight(
    id="top_products",
    title="Top products",
    description="The products in the most counting orders, however many units each.",
    columns=(
        InsightColumn("product_id", "key", "Product"),
        InsightColumn("product_name", "text", "Name"),
        InsightColumn("orders", "count", "Orders"),
        InsightColumn("units", "count", "Units"),
        InsightColumn("revenue", "money", "Revenue"),
    ),
    compute=top_products,
)
