r"""SQLite: one connection, one read transaction.

In a database with a write-ahead log writers go on meanwhile; without one they wait with their next commit, so
that a file in use had better have one (``PRAGMA journal_mode=WAL``).

A value has a type in SQLite, a column only a preference. What is sent is: an integer by its digits; a real by
15 significant digits, which give back what people entered; a text as it is; a blob as ``\x`` and hexadecimal.
A number is native only where it is stored as one, and a day where it is an ISO date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa

from shopsight.audit.measures import measure_of_units
from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch, ShopsightError, translated_disk_errors
from shopsight.extract.dialect import OnRows, Source, SourceCheck
from shopsight.extract.rows import NATIVE, TEXT, PartWriter, ValuesDoNotFit, read_lines
from shopsight.extract.sqlite.database import (
    Found,
    State,
    find_table,
    opened,
    read_transaction,
    table_names,
    texts_as_bytes,
    translated,
)
from shopsight.extract.sqlite.sql import figures, line, quote_name
from shopsight.record import Snapshot, SourceTable

__all__ = ["DIALECT", "check_source", "extract", "source_figures"]

DIALECT = "sqlite"


def extract(
    source: Source,
    folder: Path,
    *,
    connections: int,  # noqa: ARG001 - a read transaction belongs to one connection, so there is only one
    batch_rows: int,
    on_rows: OnRows | None,
) -> Snapshot:
    """See :func:`shopsight.extract.extract`."""
    as_text: dict[str, frozenset[str]] = {name: frozenset() for name in TABLES}
    with translated(source), read_transaction(source) as state:
        for name, found in state.tables.items():
            is_read = False
            while not is_read:
                try:
                    _read(state, found, as_text[name], folder, batch_rows=batch_rows, on_rows=on_rows)
                    is_read = True
                except ValuesDoNotFit as misfit:
                    as_text[name] |= misfit.columns
        physical = {
            name: {column: TEXT if column in as_text[name] else NATIVE for column in table.column_names}
            for name, table in TABLES.items()
        }
        return _described(source, state, physical)


def source_figures(source: Source) -> Snapshot:
    """See :func:`shopsight.extract.source_figures`."""
    with translated(source), read_transaction(source) as state:
        return _described(source, state, {name: {} for name in TABLES})


def check_source(source: Source) -> list[SourceCheck]:
    """See :func:`shopsight.extract.check_source`."""
    try:
        with translated(source), opened(source) as connection:
            names = table_names(connection, source)
            about = f"SQLite {sqlite3.sqlite_version}, {source.shown}"
            return [
                SourceCheck("source: connection", True, about),
                *(_check_table(connection, table, names, source) for table in TABLES),
            ]
    except ShopsightError as error:
        return [SourceCheck("source: connection", False, error.message, error.remedy)]


def _check_table(connection: sqlite3.Connection, table: str, names: list[str], source: Source) -> SourceCheck:
    try:
        found = find_table(connection, table, names, source)
    except SchemaMismatch as error:
        return SourceCheck(f"source: {table}", False, error.message, error.remedy)
    connection.execute(f"SELECT * FROM {quote_name(found.name)} LIMIT 0")
    return SourceCheck(f"source: {table}", True, f"{found.name} can be read")


def _read(
    state: State,
    found: Found,
    as_text: frozenset[str],
    folder: Path,
    *,
    batch_rows: int,
    on_rows: OnRows | None,
) -> None:
    """Read a table into its one part; the next try writes anew what could not be finished."""
    table = TABLES[found.table]
    query = f"SELECT {line(table.name, found.columns, as_text)} FROM {quote_name(found.name)}"
    with translated_disk_errors(folder):
        (folder / table.name).mkdir(parents=True, exist_ok=True)
    written = 0

    def count(rows: int) -> None:
        nonlocal written
        written += rows
        if on_rows is not None and rows:
            on_rows(table.name, rows)

    try:
        with (
            PartWriter(folder / table.name / "part-00000.parquet", table, as_text, count) as part,
            texts_as_bytes(state.connection),
            closing(state.connection.execute(query)) as cursor,
        ):
            while lines := cursor.fetchmany(batch_rows):
                together = pa.py_buffer(b"".join(text for (text,) in lines))
                part.write(partial(read_lines, together, table, as_text))
    except ValuesDoNotFit:
        count(-written)
        raise


def _described(source: Source, state: State, physical: Mapping[str, dict[str, str]]) -> Snapshot:
    tables = {}
    for name, found in state.tables.items():
        query = figures(name, quote_name(found.name), found.columns)
        rows, units = state.connection.execute(query).fetchone()
        tables[name] = SourceTable(
            rows=rows,
            measure=None if units is None else measure_of_units(name, int(units)),
            column_types=found.types,
            physical=physical[name],
        )
    return Snapshot(
        snapshot_id=state.id,
        as_of=state.as_of,
        source=source.shown,
        dialect=DIALECT,
        server_version=sqlite3.sqlite_version,
        schema=source.schema,
        tables=tables,
    )
