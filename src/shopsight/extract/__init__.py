"""The first stage: the six tables of a shop's database, in one read-only snapshot, to raw Parquet.

Enters: a source URL. Leaves: ``raw/<table>/part-*.parquet`` with the contract's columns as they are in the
source, and a :class:`shopsight.record.Snapshot` with what the database itself says of each table.

One module or package a dialect, found by the URL's scheme in :data:`DIALECTS`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from shopsight.errors import ConfigurationError
from shopsight.extract import postgresql, sqlite
from shopsight.extract.dialect import Dialect, OnRows, Source, SourceCheck
from shopsight.record import Snapshot

__all__ = ["DIALECTS", "SourceCheck", "check_source", "extract", "shown_address", "source_figures"]

#: By the URL's scheme. A further one is a module with the functions of :class:`Dialect`, and a line here.
DIALECTS: dict[str, Dialect] = {
    "postgresql": postgresql,
    "postgres": postgresql,
    "sqlite": sqlite,
}


def extract(
    url: str,
    folder: Path,
    *,
    schema: str | None,
    connections: int,
    batch_rows: int,
    connect_timeout: timedelta,
    on_rows: OnRows | None = None,
) -> Snapshot:
    """Read all six tables in one state of the database into ``folder/<table>/part-*.parquet``.

    The columns are the contract's, in its order. A column is native (INT64, DATE, DECIMAL(18,2), STRING) if
    its type is of that sort and every value fits, else it is the source's own text. Timestamps are taken by
    their day, those with a time zone by their day in UTC. Nulls stay nulls. Memory is bounded by
    ``batch_rows`` and the number of connections.

    Args:
        url: the source, credentials included.
        folder: the stage's empty folder. What a failed extraction leaves there is no table.
        schema: where the tables are; None for the connection's own search path.
        connections: how many may read at once.
        batch_rows: about how many rows are held at a time by each.
        connect_timeout: how long the database may take to answer the first call.
        on_rows: told of each batch: the table and how many more rows of it are written (a negative number
            when a table is read again).

    Returns:
        The snapshot, with rows, measure, source types and ``native`` or ``text`` for each table.

    Raises:
        ConfigurationError: the URL, the user or a privilege is wrong.
        SchemaMismatch: a table or column is missing or ambiguous; nothing was read.
        SourceUnavailable: the database does not answer or went away.
        SourceError: it answered with an error.
        WorkspaceError: the disk is full or cannot be written.
    """
    source, dialect = _resolve(url, schema, connect_timeout)
    return dialect.extract(source, folder, connections=connections, batch_rows=batch_rows, on_rows=on_rows)


def source_figures(url: str, *, schema: str | None, connect_timeout: timedelta) -> Snapshot:
    """What the database says of the six tables now, as :func:`extract` gives it, without reading them out.

    Returns:
        A snapshot in which ``physical`` is empty.

    Raises:
        SourceError: and the others of :func:`extract`.
    """
    source, dialect = _resolve(url, schema, connect_timeout)
    return dialect.source_figures(source)


def check_source(url: str, *, schema: str | None, connect_timeout: timedelta) -> list[SourceCheck]:
    """What of the source can be reached and read: connection, version, and each of the six tables.

    Grain: one thing that was looked at. What cannot be looked at for want of an earlier one is left out.
    Reads no rows. Raises nothing for a source that is not as it should be.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    source, dialect = _resolve(url, schema, connect_timeout)
    return dialect.check_source(source)


def shown_address(url: str) -> str:
    """The URL without user, password and options.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    source, _ = _resolve(url, None, timedelta(0))
    return source.shown


def _resolve(url: str, schema: str | None, connect_timeout: timedelta) -> tuple[Source, Dialect]:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    dialect = DIALECTS.get(scheme)
    if dialect is None:
        named = f"{scheme}://" if scheme else "no scheme"
        raise ConfigurationError(
            f"The source URL has {named}; postgresql:// and sqlite:// can be read (MySQL not yet).",
            remedy="Give --source postgresql://host/database, or sqlite:///path/to/file.",
        )
    return Source(url, schema, connect_timeout), dialect
