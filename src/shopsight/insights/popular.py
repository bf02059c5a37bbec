"""Bounds that spare the long tail of products, without changing a figure.

The Apriori principle: a set of products is in at most as many orders as each of its products (R. Agrawal and
R. Srikant, "Fast Algorithms for Mining Association Rules", VLDB 1994). So when some candidates are known to
be in at least ``bound`` orders, whatever has fewer lines than that need not be counted.
"""

from __future__ import annotations

import narwhals as nw

from shopsight.frames import Frame
from shopsight.insights.shop import Shop


def most_lines(shop: Shop, count: int) -> Frame:
    """The ``count`` products with the most lines; ties fall anyhow, for any choice gives a true bound."""
    # A rank and not a sorted head: Polars plans each head anew, and would work out what follows twice.
    place = nw.col("lines").rank("ordinal", descending=True)
    return shop.product_lines.filter(place <= count)


def least_of_top(counted: Frame, column: str, count: int) -> Frame:
    """One row, ``bound``: the count-th greatest value of the column; 1 when there are fewer rows."""
    top = counted.sort(column, descending=True).head(count)
    is_full = nw.len() == count
    return top.select(nw.when(is_full).then(nw.col(column).min()).otherwise(nw.lit(1)).alias("bound"))


def at_least_lines(shop: Shop, bound: Frame) -> Frame:
    """The products with as many lines as the bound, or more."""
    return shop.product_lines.join(bound, how="cross").filter(nw.col("lines") >= nw.col("bound"))
