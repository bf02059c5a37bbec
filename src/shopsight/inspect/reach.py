"""Checks whether source and target can be reached: before anything else, and both together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pymongo.errors import PyMongoError

from shopsight.errors import ConfigurationError, ShopsightError, raise_together
from shopsight.extract import check_source, shown_address
from shopsight.pipeline.databases import open_source
from shopsight.publish import connect
from shopsight.publish.target import redacted_url, require_hosts
from shopsight.settings import EMBEDDED, Settings


def addresses(settings: Settings) -> list[str]:
    """Source and target as messages name them; the demo's own servers are left out. Connects to nothing.

    Raises:
        ConfigurationError: naming each address that cannot be used.
    """
    source, target = settings.source_url.get_secret_value(), settings.target_url.get_secret_value()
    shown: list[str] = []
    errors: list[ShopsightError] = []
    for url, show in ((source, shown_address), (target, partial(_shown_target, settings))):
        try:
            if url != EMBEDDED:
                shown.append(show(url))
        except ConfigurationError as error:
            errors.append(error)
    raise_together(errors)
    return shown


def _shown_target(settings: Settings, url: str) -> str:
    try:
        return redacted_url(url)
    except (PyMongoError, ValueError, TypeError):
        with connect(url, settings.target_database, settings.connect_timeout):  # says what is wrong with it
            return ""


def reach(settings: Settings, *, with_source: bool = True) -> None:
    """Connect to both databases at the same time, and look up the six tables.

    Args:
        settings: the settings. The demo's own servers are not tried.
        with_source: whether the source is needed.

    Raises:
        ShopsightError: names every failure; it is of the first one's kind, and retried only if all are.
    """
    ends = [_source_errors] if with_source and settings.source_url.get_secret_value() != EMBEDDED else []
    if settings.target_url.get_secret_value() != EMBEDDED:
        ends.append(_target_errors)
    with ThreadPoolExecutor(max_workers=2) as pool:
        raise_together([error for errors in pool.map(lambda end: end(settings), ends) for error in errors])


def _source_errors(settings: Settings) -> list[ShopsightError]:
    with open_source(settings) as source:
        return [check.error for check in check_source(source) if check.error is not None]


def _target_errors(settings: Settings) -> list[ShopsightError]:
    url = settings.target_url.get_secret_value()
    try:
        require_hosts(url, settings.connect_timeout)
        with connect(url, settings.target_database, settings.connect_timeout):
            return []
    except ShopsightError as error:
        return [error]
