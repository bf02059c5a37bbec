"""An SQLite file, opened to be read as it is at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from shopsight.audit.measures import cents_of, whole_of
from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch, SourceError, SourceUnavailable
from shopsight.extract.dialect import STATE, Source, as_configuration_error, matching_columns, matching_name

_SCHEMA = "main"
# By the beginnings of the names that SQLite gives its errors.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR")
_UNUSABLE = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")


@dataclass(frozen=True)
class Found:
    """A table of the contract as the file has it; ``columns`` and ``types`` by the contract's names."""

    table: str
    name: str
    columns: dict[str, str]
    types: dict[str, str]


@dataclass(frozen=True)
class State:
    """An open read transaction: the file as it was at ``as_of``."""

    connection: sqlite3.Connection
    id: str
    as_of: datetime
    tables: dict[str, Found]


@contextmanager
def opened(source: Source) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    Raises:
        ConfigurationError: there is no such file.
        sqlite3.Error: it cannot be opened.
    """
    path = Path(unquote(source.url.partition("://")[2].partition("?")[0].removeprefix("/")))
    if not path.is_file():
        raise as_configuration_error(
            f"There is no SQLite file {path}.",
            "Give --source sqlite:///relative/path or sqlite:////absolute/path of a file that is there.",
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    timeout = source.connect_timeout.total_seconds()
    with closing(sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)) as connection:
        yield connection


@contextmanager
def read_transaction(source: Source) -> Iterator[State]:
    """A transaction of which every query sees the file as it is now.

    Raises:
        SchemaMismatch: a table or column is missing.
        ConfigurationError: there is no such file.
        sqlite3.Error: it cannot be read.
    """
    with opened(source) as connection:
        connection.execute("BEGIN")
        as_of = datetime.now(UTC)
        # The first read, which takes the state.
        names = table_names(connection, source)
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        state_id = f"{_change_counter(connection)}-{version}"
        tables = {table: find_table(connection, table, names, source) for table in TABLES}
        _register_functions(connection)
        yield State(connection, state_id, as_of, tables)


def _change_counter(connection: sqlite3.Connection) -> int:
    """How many transactions have changed the file; what is in a write-ahead log is not counted yet."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with Path(path).open("rb") as file:
        return int.from_bytes(file.read(28)[24:], "big")


def table_names(connection: sqlite3.Connection, source: Source) -> list[str]:
    """The names of the file's tables and views.

    Raises:
        SchemaMismatch: a schema was asked for; a file has but one.
        sqlite3.Error: it cannot be read.
    """
    if source.schema is not None and source.schema.lower() != _SCHEMA:
        remedy = "Leave --source-schema out for SQLite."
        raise SchemaMismatch.missing("schema", source.schema, [_SCHEMA], where=source.shown, remedy=remedy)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return [name for (name,) in found]


def find_table(connection: sqlite3.Connection, table: str, names: list[str], source: Source) -> Found:
    """A table of the contract as the file has it.

    Raises:
        SchemaMismatch: it, or a column of it, is missing.
        sqlite3.Error: it cannot be read.
    """
    name = matching_name("table", table, names, where=source.shown)
    types = dict(connection.execute("SELECT name, type FROM pragma_table_xinfo(?)", (name,)))
    columns = matching_columns(table, types, where=name)
    return Found(table, name, columns, {expected: types[own] for expected, own in columns.items()})


@contextmanager
def texts_as_bytes(connection: sqlite3.Connection) -> Iterator[None]:
    """Within this, texts are handed over as they are, UTF-8 or not."""
    connection.text_factory = bytes
    try:
        yield
    finally:
        connection.text_factory = str


class _ExactSum:
    """An aggregate: the sum of its argument's products, of any length, as text. Nulls count nothing."""

    def __init__(self) -> None:
        self._total = 0

    def step(self, value: int | None, times: int | None) -> None:
        if value is not None and times is not None:
            self._total += value * times

    def finalize(self) -> str:
        return str(self._total)


def _register_functions(connection: sqlite3.Connection) -> None:
    """SQLite has no exact decimals: these read and add up what :func:`sql.figures` asks for."""
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()

    def reading(read: Callable[[str], int | None]) -> Callable[[bytes], int | None]:
        return lambda text: read(text.decode(encoding, "replace"))

    connection.create_function("shopsight_cents", 1, reading(cents_of), deterministic=True)
    connection.create_function("shopsight_whole", 1, reading(whole_of), deterministic=True)
    connection.create_aggregate("shopsight_sum", 2, _ExactSum)  # type: ignore[arg-type]


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
        if name.startswith(_PASSING):
            raise SourceUnavailable(
                f"{told} {STATE}",
                remedy="Another process holds the file: run again, or give it PRAGMA journal_mode=WAL.",
            ) from error
        if name.startswith(_UNUSABLE):
            raise as_configuration_error(
                told,
                "Give an SQLite 3 database that may be read; beside a write-ahead log, a writable folder.",
            ) from error
        raise SourceError(f"{told} {STATE}", remedy="Look at it with PRAGMA integrity_check.") from error
