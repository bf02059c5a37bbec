"""A run's two databases, opened from the settings; the one door to the demo's own servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from shopsight.extract import Source
from shopsight.publish import Target, connect
from shopsight.settings import EMBEDDED, Settings


@contextmanager
def source_address(settings: Settings) -> Iterator[str]:
    """The URL of the shop's database; the demo's own server is started for as long.

    Raises:
        ConfigurationError: the demo's servers are not installed.
        SourceUnavailable: the demo's PostgreSQL does not start.
    """
    with _address("source", settings.source_url.get_secret_value(), settings.workdir) as url:
        yield url


@contextmanager
def open_source(settings: Settings) -> Iterator[Source]:
    """The shop's database as the settings describe it; raises as :func:`source_address`."""
    with source_address(settings) as url:
        yield Source(
            url,
            settings.source_schema,
            settings.connect_timeout,
            settings.tables,
            settings.shop_time_zone,
        )


@contextmanager
def target_address(settings: Settings) -> Iterator[str]:
    """The URL of MongoDB; the demo's own server is started for as long.

    Raises:
        ConfigurationError: the demo's servers are not installed.
        TargetUnavailable: the demo's MongoDB does not start.
    """
    with _address("target", settings.target_url.get_secret_value(), settings.workdir) as url:
        yield url


@contextmanager
def open_target(settings: Settings) -> Iterator[Target]:
    """The MongoDB database that is published to, connected.

    Raises:
        ConfigurationError: the URL or the database's name cannot be used, or MongoDB refuses the user.
        TargetUnavailable: MongoDB does not answer.
    """
    with (
        target_address(settings) as url,
        connect(url, settings.target_database, settings.connect_timeout) as target,
    ):
        yield target


@contextmanager
def _address(kind: Literal["source", "target"], url: str, workdir: Path) -> Iterator[str]:
    if url != EMBEDDED:
        yield url
        return
    # An extra, because runs against databases of one's own do not need the servers.
    from shopsight_demo.servers import server  # noqa: PLC0415

    with server(kind, workdir) as started:
        yield started.url
