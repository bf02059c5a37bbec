"""The first stage: the six tables of a shop's database, in one read-only snapshot, to raw Parquet.

Enters: a source URL. Leaves: ``raw/<table>/part-*.parquet`` with the contract's columns as the source has
them, and a :class:`shopsight.record.Snapshot` with what the database itself reports of each table.

A dialect is a package with an object of :class:`shopsight.extract.dialect.Dialect`, listed in
:data:`DIALECTS` by URL scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from shopsight.audit.control_totals import Totals, as_document
from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError
from shopsight.extract.dialect import Dialect, OnRows, OpenSnapshot, Source, SourceCheck
from shopsight.extract.mysql import MySQL
from shopsight.extract.postgresql import PostgreSQL
from shopsight.extract.reading import Reader, refuse_text_keys
from shopsight.extract.sqlite import SQLite
from shopsight.record import Snapshot, SourceTable
from shopsight.settings.table_mapping import TableMapping
from shopsight.time_zone import UTC_NAME

__all__ = [
    "DIALECTS",
    "SourceCheck",
    "check_source",
    "extract",
    "shown_address",
    "source_tables",
    "source_totals",
]

#: By the contract's names, how the settings map tables.
Tables = Mapping[str, TableMapping]

#: By the URL's scheme.
DIALECTS: dict[str, Dialect] = {
    "postgresql": PostgreSQL(),
    "postgres": PostgreSQL(),
    "mysql": MySQL(),
    "mariadb": MySQL(),
    "sqlite": SQLite(),
}


def extract(
    url: str,
    folder: Path,
    *,
    schema: str | None,
    connections: int,
    batch_rows: int,
    connect_timeout: timedelta,
    tables: Tables | None = None,
    time_zone: str = UTC_NAME,
    first_rows: int | None = None,
    on_rows: OnRows | None = None,
) -> Snapshot:
    """Read all six tables in one state of the database into ``folder/<table>/part-*.parquet``.

    The columns are the contract's, in its order. A column is native (INT64, DATE, DECIMAL(18,2), STRING) if
    its type is of that kind and every value fits, else it is the source's own text. Timestamps become days;
    those with a time zone become days in the shop's. Nulls stay nulls. Memory is bounded by ``batch_rows``
    and the number of connections.

    Args:
        url: the source, credentials included.
        folder: the stage's empty folder. A failed extraction leaves no usable table in it.
        schema: where the tables are; None for the connection's own search path.
        connections: how many may read at once.
        batch_rows: about how many rows each connection holds at a time.
        connect_timeout: how long the database may take to answer the first call.
        tables: the settings' mapping of tables.
        time_zone: the shop's.
        first_rows: read no more rows than these of each table, for a look.
        on_rows: called for each batch with the table and how many more rows of it are written (a negative
            number when a table is read again).

    Returns:
        The snapshot, with control totals, source types and ``native`` or ``text`` for each table.

    Raises:
        ConfigurationError: the URL, the user or a privilege is wrong.
        SchemaMismatch: a table or column is missing or ambiguous, and nothing was read; or keys are texts.
        SourceUnavailable: the database does not answer or went away.
        SourceError: it answered with an error.
        WorkspaceError: the disk is full or cannot be written.
    """
    source, dialect = _resolve(url, schema, connect_timeout, tables, time_zone)
    source = replace(source, first_rows=first_rows)
    with dialect.snapshot(source, connections) as snapshot:
        reader = Reader(snapshot, folder, batch_rows, on_rows)
        reader.read_tables()
    refuse_text_keys(folder, reader.as_text)
    physical = {
        name: {
            column: "text" if column in reader.as_text[name] else "native"
            for column in snapshot.column_types[name]
        }
        for name in TABLES
    }
    return _described(source, dialect, snapshot, reader.totals, physical)


def source_totals(
    url: str,
    *,
    schema: str | None,
    connect_timeout: timedelta,
    physical: Mapping[str, Mapping[str, str]],
    tables: Tables | None = None,
    time_zone: str = UTC_NAME,
) -> Snapshot:
    """The database's own report of the six tables now, as :func:`extract` returns it; reads no rows.

    Args:
        url: the source, credentials included.
        schema: see :func:`extract`.
        connect_timeout: see :func:`extract`.
        physical: by table and column, ``native`` or ``text``: how the columns of the earlier snapshot arrived
            that this one is compared with.
        tables: see :func:`extract`.
        time_zone: see :func:`extract`.

    Raises:
        SourceError: and the others of :func:`extract`.
    """
    source, dialect = _resolve(url, schema, connect_timeout, tables, time_zone)
    with dialect.snapshot(source, 1) as snapshot:
        totals = {
            name: snapshot.control_totals(
                snapshot.connections[0],
                name,
                frozenset(column for column, form in physical[name].items() if form == "text"),
            )
            for name in TABLES
        }
    return _described(source, dialect, snapshot, totals, {name: dict(physical[name]) for name in TABLES})


def check_source(
    url: str,
    *,
    schema: str | None,
    connect_timeout: timedelta,
    tables: Tables | None = None,
    time_zone: str = UTC_NAME,
) -> list[SourceCheck]:
    """Checks of the source: connection, version, and whether each of the six tables can be read.

    Grain: one check. A check that needs an earlier, failed one is left out. Reads no rows, and reports a
    faulty source instead of raising.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    source, dialect = _resolve(url, schema, connect_timeout, tables, time_zone)
    return dialect.describe(source)


def source_tables(url: str, *, schema: str | None, connect_timeout: timedelta) -> dict[str, list[str]]:
    """The columns of each table and view of the source.

    Raises:
        ConfigurationError: no dialect knows the URL, or the user is wrong.
        SourceError: the database does not answer, or failed.
    """
    source, dialect = _resolve(url, schema, connect_timeout)
    return dialect.tables(source)


def shown_address(url: str) -> str:
    """The URL without user, password and options.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    source, _ = _resolve(url, None, timedelta(0))
    return source.shown


def _resolve(
    url: str,
    schema: str | None,
    connect_timeout: timedelta,
    tables: Tables | None = None,
    time_zone: str = UTC_NAME,
) -> tuple[Source, Dialect]:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    dialect = DIALECTS.get(scheme)
    if dialect is None:
        named = f"{scheme}://" if scheme else "no scheme"
        raise ConfigurationError(
            f"The source URL has {named}; {', '.join(f'{name}://' for name in DIALECTS)} can be read.",
            remedy="Give --source postgresql://host/database, mysql://host/database or sqlite:///path/to/file.",
        )
    source = Source(url, schema, connect_timeout, tables or {}, time_zone)
    return source, dialect


def _described(
    source: Source,
    dialect: Dialect,
    snapshot: OpenSnapshot,
    totals: Mapping[str, Totals],
    physical: Mapping[str, dict[str, str]],
) -> Snapshot:
    return Snapshot(
        snapshot_id=snapshot.id,
        as_of=snapshot.as_of,
        source=source.shown,
        dialect=dialect.name,
        server_version=snapshot.server_version,
        schema=source.schema,
        tables={
            name: SourceTable(
                rows=totals[name]["", "rows"],
                totals=as_document(totals[name]),
                column_types=snapshot.column_types[name],
                physical=physical[name],
            )
            for name in TABLES
        },
        is_utf8=snapshot.is_utf8,
        time_zone=source.time_zone,
    )
