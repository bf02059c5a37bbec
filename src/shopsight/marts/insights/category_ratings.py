"""How customers rate each category."""

from __future__ import annotations

import narwhals as nw

from shopsight.audit.identities import Recounted, SumsTo
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, kept_reviews
from shopsight.marts.insights.insight import Chart, Insight, InsightColumn, InsightOptions
from shopsight.marts.insights.shop import Shop


def category_ratings(shop: Shop, _options: InsightOptions) -> Frame:
    """The mean of all kept reviews of a category's products, unrounded: no mean of means.

    Grain: one row per category; best first, ties by the smaller category_id. A category without reviews is
    listed last, with 0 reviews and a null mean.
    """
    per_product = shop.reviews.group_by("product_id").agg(
        nw.col("rating").sum().alias("rating_sum"), nw.len().cast(nw.Int64).alias("reviews")
    )
    per_category = (
        shop.products.select("product_id", "category_id")
        .join(per_product, on="product_id", how="inner")
        .group_by("category_id")
        .agg(nw.col("rating_sum").sum(), nw.col("reviews").sum())
    )
    mean = nw.col("rating_sum").cast(nw.Float64) / nw.col("reviews").cast(nw.Float64)
    return (
        shop.categories.join(per_category, on="category_id", how="left")
        .with_columns(mean.alias("average_rating"), nw.col("reviews").fill_null(0))
        .sort("average_rating", "category_id", descending=[True, False], nulls_last=True)
    )


def _with_category(shop: Shop, rejected: Frame) -> Frame:
    categories = shop.products.select("product_id", "category_id")
    return rejected.join(categories, on="product_id", how="inner")


INSIGHT = Insight(
    id="category_ratings",
    title="Category ratings",
    description="The average rating of a category's products over all kept reviews, best first.",
    columns=(
        InsightColumn("category_id", "key", "Category"),
        InsightColumn("category_name", "text", "Name"),
        InsightColumn("average_rating", "number", "Average rating"),
        InsightColumn("reviews", "count", "Reviews"),
    ),
    key=("category_id",),
    chart=Chart(
        "table",
        label="category_name",
        figures=("average_rating",),
        detail=("reviews",),
        scale=(1, 5),
        without_values="No reviews in this shop.",
    ),
    compute=category_ratings,
    rank=100,
    identities=(
        SumsTo("reviews", "reviews"),
        Recounted("categories", ("category_name", "average_rating", "reviews")),
    ),
    evidence=Evidence(
        "reviews",
        reads=("categories", "products", "reviews"),
        rows=kept_reviews,
        sums={"rating_sum": AMOUNT, "reviews": ROWS},
        ratios={
            "average_rating": lambda sums: sums["rating_sum"] / sums["reviews"] if sums["reviews"] else None
        },
        rejected=_with_category,
        is_partition=True,
    ),
)
