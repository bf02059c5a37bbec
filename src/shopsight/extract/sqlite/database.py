"""An SQLite file: opened read-only, its tables looked up, its errors translated."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from shopsight.contract import TABLES, Table
from shopsight.errors import SchemaMismatch, SourceError, SourceUnavailable
from shopsight.extract.dialect import (
    STATE,
    Source,
    as_configuration_error,
    matching_name,
    quote_name,
)
from shopsight.extract.mapping import (
    EMPTY,
    cannot_be_read,
    choose_columns,
    derived_select,
    empty_select,
    given_query,
    mapping_of,
    renamed_columns,
    table_missing,
)

_SCHEMA = "main"
# Prefixes of SQLite's names for errors.
_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")
_UNUSABLE = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")


@dataclass(frozen=True)
class Relation:
    """A table of the contract as the file has it.

    Attributes:
        table: the contract's name.
        name: the file's name.
        columns: the file's name of each column, by the contract's name.
        types: the declared type of each column, by the contract's name; none for an expression.
        select: the SELECT that is read in the table's place.
    """

    table: str
    name: str
    columns: dict[str, str]
    types: dict[str, str]
    select: str | None = None

    @property
    def contract(self) -> Table:
        """The table's contract, with the optional columns that are read."""
        return TABLES[self.table].having(self.columns)

    @property
    def quoted(self) -> str:
        """The table as SQL, used wherever it is read."""
        return f"({self.select}) AS mapped" if self.select else quote_name(self.name)


@contextmanager
def opened(source: Source) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    Raises:
        ConfigurationError: there is no such file.
    """
    path = Path(unquote(source.url.partition("://")[2].partition("?")[0].removeprefix("/")))
    if not path.is_file():
        raise as_configuration_error(
            f"There is no SQLite file {path}.",
            "Give --source sqlite:///relative/path or sqlite:////absolute/path of a file that is there.",
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    timeout = source.connect_timeout.total_seconds()
    # One thread at a time uses the connection, but not always the one that opened it.
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    with closing(connection):
        yield connection


def change_counter(connection: sqlite3.Connection) -> int:
    """How many transactions have changed the file, without those that are still in a write-ahead log."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with Path(path).open("rb") as file:
        return int.from_bytes(file.read(28)[24:], "big")


def table_names(connection: sqlite3.Connection, source: Source) -> list[str]:
    """The names of the file's tables and views.

    Raises:
        SchemaMismatch: the settings name a schema other than the only one of a file.
    """
    if source.schema is not None and source.schema.lower() != _SCHEMA:
        remedy = "Leave --source-schema out for SQLite."
        raise SchemaMismatch.missing("schema", [source.schema], [_SCHEMA], where=source.shown, remedy=remedy)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return [name for (name,) in found]


def find_table(connection: sqlite3.Connection, table: str, names: list[str], source: Source) -> Relation:
    """A table of the contract as the file has it: decides what is read for it, and for each column.

    Raises:
        SchemaMismatch: it, or a column of it, is missing, or its mapping cannot be read.
    """
    mapping = mapping_of(source, table)
    try:
        if mapping.query is not None:
            name, base = f"the query for {table}", given_query(mapping)
            with closing(connection.execute(f"SELECT * FROM {base} LIMIT 0")) as cursor:
                found = _unnumbered([column[0] for column in cursor.description])
            types: dict[str, str] = {}
        else:
            wanted = _own_name(mapping.source or table)
            if wanted.lower() not in (known.lower() for known in names):
                if mapping.is_optional:
                    return _derived(
                        table,
                        EMPTY,
                        dict.fromkeys(TABLES[table].column_names, ""),
                        empty_select(table, quote_name),
                    )
                raise table_missing(
                    source, table, names, partial(column_types, connection), where=source.shown
                )
            name = matching_name("table", wanted, names, where=source.shown)
            types = column_types(connection, name)
            found, base = list(types), quote_name(name)
        columns = choose_columns(source, table, found, where=name)
        kinds = {expected: types.get(str(column), "") for expected, column in columns.items()}
        if (own := renamed_columns(source, table, columns)) is not None:
            return Relation(table, name, own, kinds)
        relation = _derived(
            table, name, kinds, derived_select(columns, base, mapping.where, quote_name, source.first_rows)
        )
        connection.execute(f"SELECT * FROM {relation.quoted} LIMIT 0").close()
    except sqlite3.Error as error:
        # Python's own errors, such as that of a second statement, have no name.
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
            raise
        raise cannot_be_read(table, str(error), where=source.shown) from error
    return relation


def column_types(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """The declared type of each column of a table."""
    return dict(connection.execute("SELECT name, type FROM pragma_table_xinfo(?)", (name,)))


def _unnumbered(names: list[str]) -> list[str]:
    """The names that a query gave; SQLite numbers the second ``id`` as ``id:1``."""
    return [base if (base := name.partition(":")[0]) in names else name for name in names]


def _own_name(name: str) -> str:
    """The table's name without that of a file's only schema."""
    schema, dot, rest = name.partition(".")
    return rest if dot and schema.lower() == _SCHEMA else name


def _derived(table: str, name: str, kinds: dict[str, str], select: str) -> Relation:
    return Relation(table, name, {column: column for column in kinds}, kinds, select)


@contextmanager
def texts_as_bytes(connection: sqlite3.Connection) -> Iterator[None]:
    """Within this context, texts are returned as bytes, UTF-8 or not."""
    connection.text_factory = bytes
    try:
        yield
    finally:
        connection.text_factory = str


@contextmanager
def translated(source: Source) -> Iterator[None]:
    """Turn the driver's errors into shopsight's.

    Raises:
        SourceUnavailable: trying again can help.
        ConfigurationError: it is no database, or may not be read.
        SourceError: the file is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        told = f"{source.shown}: {error}."
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_TRANSIENT):
            raise SourceUnavailable(
                f"{told} {STATE}",
                remedy="Another process holds the file: run again, or give it PRAGMA journal_mode=WAL.",
            ) from error
        if name.startswith(_UNUSABLE):
            raise as_configuration_error(
                told,
                "Give an SQLite 3 database that may be read; beside a write-ahead log, a writable folder.",
            ) from error
        raise SourceError(f"{told} {STATE}", remedy="Check the file with PRAGMA integrity_check.") from error
