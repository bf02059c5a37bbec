"""From the clean tables and the customers' metrics to answers about the shop.

In comes a :class:`Shop`, out come frames of a few rows each, in their stated order. An insight is one module
of this package with an ``INSIGHT``; adding the file is enough. docs/definitions.md defines every
column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules

from shopsight.engine.protocol import Frame
from shopsight.marts.insights.insight import Insight, InsightColumn, InsightKind, InsightOptions
from shopsight.marts.insights.shop import Shop

__all__ = [
    "INSIGHTS",
    "Insight",
    "InsightColumn",
    "InsightKind",
    "InsightOptions",
    "Shop",
    "compute_insights",
    "in_report_order",
]


def in_report_order(insights: Iterable[Insight]) -> dict[str, Insight]:
    """The insights by id, in the order of the report."""
    return {insight.id: insight for insight in sorted(insights, key=lambda each: (each.rank, each.id))}


#: Those that come with shopsight; :mod:`shopsight.pipeline.own_insights` adds the user's.
INSIGHTS: dict[str, Insight] = in_report_order(
    module.INSIGHT
    for module in (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    if hasattr(module, "INSIGHT")
)


def compute_insights(
    shop: Shop, options: InsightOptions, insights: Mapping[str, Insight] = INSIGHTS
) -> dict[str, Frame]:
    """Every insight's frame by its id, in the given order.

    The frames are lazy and share their common parts: written out together
    (:meth:`shopsight.engine.protocol.Engine.sink`), each shared part is computed once.
    """
    return {insight.id: insight.frame(shop, options) for insight in insights.values()}
