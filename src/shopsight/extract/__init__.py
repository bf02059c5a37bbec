"""The first stage: the six tables of a shop's database, in one read-only snapshot, to raw Parquet.

Enters: a :class:`Source`. Leaves: ``raw/<table>/part-*.parquet`` with the contract's columns as it has
them, and a :class:`shopsight.record.Snapshot` with what the database itself reports of each table.

A dialect is a package with an object of :class:`shopsight.extract.dialect.Dialect`, listed in
:data:`DIALECTS` by URL scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
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

__all__ = [
    "DIALECTS",
    "Source",
    "SourceCheck",
    "check_source",
    "extract",
    "shown_address",
    "source_tables",
    "source_totals",
]

#: By the URL's scheme.
DIALECTS: dict[str, Dialect] = {
    "postgresql": PostgreSQL(),
    "postgres": PostgreSQL(),
    "mysql": MySQL(),
    "mariadb": MySQL(),
    "sqlite": SQLite(),
}


def extract(
    source: Source, folder: Path, *, connections: int, batch_rows: int, on_rows: OnRows | None = None
) -> Snapshot:
    """Read all six tables in one state of the database into ``folder/<table>/part-*.parquet``.

    The columns are the contract's, in its order. A column is native (INT64, DATE, DECIMAL(18,2), STRING) if
    its type is of that kind and every value fits, else it is the source's own text. Timestamps become days;
    those with a time zone become days in the shop's. Nulls stay nulls. Memory is bounded by ``batch_rows``
    and the number of connections.

    Args:
        source: the database.
        folder: the stage's empty folder. A failed extraction leaves no usable table in it.
        connections: how many may read at once.
        batch_rows: about how many rows each connection holds at a time.
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
    with _dialect(source.url).snapshot(source, connections) as snapshot:
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
    return _described(source, snapshot, reader.totals, physical)


def source_totals(source: Source, physical: Mapping[str, Mapping[str, str]]) -> Snapshot:
    """The database's own report of the six tables now, as :func:`extract` returns it; reads no rows.

    Args:
        source: the database.
        physical: by table and column, ``native`` or ``text``: how the columns of the earlier snapshot arrived
            that this one is compared with.

    Raises:
        SourceError: and the others of :func:`extract`.
    """
    with _dialect(source.url).snapshot(source, 1) as snapshot:
        totals = {
            name: snapshot.control_totals(
                snapshot.connections[0],
                name,
                frozenset(column for column, form in physical[name].items() if form == "text"),
            )
            for name in TABLES
        }
    return _described(source, snapshot, totals, {name: dict(physical[name]) for name in TABLES})


def check_source(source: Source) -> list[SourceCheck]:
    """Checks of the source: connection, version, and whether each of the six tables can be read.

    Grain: one check. A check that needs an earlier, failed one is left out. Reads no rows, and reports a
    faulty source instead of raising.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    return _dialect(source.url).describe(source)


def source_tables(source: Source) -> dict[str, list[str]]:
    """The columns of each table and view of the source.

    Raises:
        ConfigurationError: no dialect knows the URL, or the user is wrong.
        SourceError: the database does not answer, or failed.
    """
    return _dialect(source.url).tables(source)


def shown_address(url: str) -> str:
    """The URL without user, password and options.

    Raises:
        ConfigurationError: no dialect knows the URL.
    """
    _dialect(url)
    return Source(url, None, timedelta(0)).shown


def _dialect(url: str) -> Dialect:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    dialect = DIALECTS.get(scheme)
    if dialect is None:
        named = f"{scheme}://" if scheme else "no scheme"
        raise ConfigurationError(
            f"The source URL has {named}; {', '.join(f'{name}://' for name in DIALECTS)} can be read.",
            remedy="Give --source postgresql://host/database, mysql://host/database or sqlite:///path/to/file.",
        )
    return dialect


def _described(
    source: Source,
    snapshot: OpenSnapshot,
    totals: Mapping[str, Totals],
    physical: Mapping[str, dict[str, str]],
) -> Snapshot:
    return Snapshot(
        snapshot_id=snapshot.id,
        as_of=snapshot.as_of,
        source=source.shown,
        dialect=_dialect(source.url).name,
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
