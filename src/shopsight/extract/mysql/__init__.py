"""MySQL and MariaDB: ranges of the primary key, each concatenated to lines of CSV by the server.

The modules, in the order in which they build on each other: ``errors``, ``session`` (a connection),
``columns`` and ``catalog`` (which tables and columns there are), ``lines`` and ``control_totals`` (the
queries), ``snapshot`` (one state, and reading).
"""

# ruff: noqa: PLC0415 - the driver is an extra, and other sources need none
from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from shopsight.errors import ShopsightError
from shopsight.extract.dialect import Source, SourceCheck, as_configuration_error

if TYPE_CHECKING:
    from shopsight.extract.mysql.snapshot import MySQLSnapshot


class MySQL:
    """See :class:`shopsight.extract.dialect.Dialect`."""

    name = "mysql"

    def tables(self, source: Source) -> dict[str, list[str]]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        _require_driver()
        from shopsight.extract.mysql.checks import tables

        return tables(source)

    def snapshot(self, source: Source, connections: int) -> AbstractContextManager[MySQLSnapshot]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        _require_driver()
        from shopsight.extract.mysql.snapshot import open_snapshot

        return open_snapshot(source, connections)

    def describe(self, source: Source) -> list[SourceCheck]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        try:
            _require_driver()
        except ShopsightError as error:
            return [SourceCheck.failed("connection", error)]
        from shopsight.extract.mysql.checks import describe

        return describe(source)


def _require_driver() -> None:
    try:
        import pymysql  # noqa: F401
    except ImportError as error:
        raise as_configuration_error(
            "The driver for MySQL and MariaDB is not installed.", "pip install 'shopsight[mysql]'."
        ) from error
