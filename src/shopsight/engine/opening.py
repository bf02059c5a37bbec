"""The engine that the settings name, opened in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopsight.engine.polars import PolarsEngine
from shopsight.engine.protocol import Engine
from shopsight.settings import Settings


@contextmanager
def open_engine(settings: Settings, scratch: Path) -> Iterator[Engine]:
    """The engine, while the context lasts.

    Args:
        settings: which engine, and where.
        scratch: a folder for what the engine keeps meanwhile; not made by Polars.

    Raises:
        ConfigurationError: something that the engine needs is missing, or too old.
        EngineUnavailable: the cluster does not answer, or was lost.
    """
    if settings.engine == "polars":
        yield PolarsEngine()
        return
    # PySpark is not loaded without need.
    from shopsight.engine.spark import open_spark  # noqa: PLC0415

    with open_spark(settings.spark_url.get_secret_value(), scratch, settings.connect_timeout) as engine:
        yield engine
