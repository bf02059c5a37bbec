"""From the clean tables and the customers' metrics to answers about the shop.

In comes a :class:`Shop`, out come frames of a few rows each, in their stated order. An insight is one module
of this package with an ``INSIGHT``; adding the file is enough. docs/definitions.md defines every
column.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from shopsight.engine.protocol import Frame
from shopsight.errors import ConfigurationError
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
    "load_insights",
]


def load_insights(*folders: Path) -> dict[str, Insight]:
    """The insights of this package's modules and of the Python files in the folders, in the report's order.

    Raises:
        ConfigurationError: two insights have the same id.
    """
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    modules += [_module_of(path) for folder in folders for path in sorted(folder.glob("*.py"))]
    insights: dict[str, Insight] = {}
    found = [module.INSIGHT for module in modules if hasattr(module, "INSIGHT")]
    for insight in sorted(found, key=lambda insight: (insight.rank, insight.id)):
        if insight.id in insights:
            raise ConfigurationError(
                f"Two insights have the id {insight.id!r}.", remedy="Give each insight an id of its own."
            )
        insights[insight.id] = insight
    return insights


def _module_of(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: By id, in the order of the report.
INSIGHTS: dict[str, Insight] = load_insights()


def compute_insights(shop: Shop, options: InsightOptions) -> dict[str, Frame]:
    """Every insight's frame by its id, in report order.

    The frames are lazy and share their common parts: written out together
    (:meth:`shopsight.engine.protocol.Engine.sink`), each shared part is computed once.
    """
    return {insight.id: insight.frame(shop, options) for insight in INSIGHTS.values()}
