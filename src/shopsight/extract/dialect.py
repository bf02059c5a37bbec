"""The interface of a dialect, and the code that all dialects share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

import pyarrow as pa

from shopsight.audit.control_totals import Totals
from shopsight.errors import ConfigurationError, SchemaMismatch, ShopsightError
from shopsight.settings.table_mapping import TableMapping
from shopsight.time_zone import UTC_NAME

#: Called with a table and how many more rows of it are on disk; fewer (negative) when it is read again.
#: Never called by two threads at once.
OnRows = Callable[[str, int], None]

#: The end of every error message of this stage.
STATE = "Nothing was extracted."


@dataclass(frozen=True)
class Source:
    """The database to read, and where in it.

    Attributes:
        url: may hold credentials and is never shown.
        schema: where the tables are; None for the connection's own search path.
        connect_timeout: how long the database may take to answer the first call.
        tables: the settings' mapping of tables, by the contract's names.
        time_zone: the shop's.
        first_rows: read no more rows than these of each table, whichever come first.
    """

    url: str = field(repr=False)
    schema: str | None
    connect_timeout: timedelta
    tables: Mapping[str, TableMapping] = field(default_factory=dict)
    time_zone: str = UTC_NAME
    first_rows: int | None = None

    @property
    def shown(self) -> str:
        """The URL without user, password and options, for run documents and messages."""
        scheme, _, rest = self.url.partition("://")
        if scheme == "sqlite":
            return self.url.partition("?")[0]
        # The address follows the last @, even where the password holds an unencoded one.
        address, _, options = rest.rpartition("@")[2].partition("?")
        given = dict(parse_qsl(options)) if address.startswith("/") else {}
        sockets = [f"?{name}={given[name]}" for name in ("host", "unix_socket") if name in given]
        return f"{scheme}://{address}{''.join(sockets[:1])}"


class SourceCheck(NamedTuple):
    """One check of the source: its subject, whether it passed, the finding, and the remedy."""

    name: str
    is_ok: bool
    message: str
    remedy: str = ""
    error: ShopsightError | None = None

    @classmethod
    def failed(cls, name: str, error: ShopsightError) -> SourceCheck:
        """The check that ended with an error."""
        return cls(name, False, error.message, error.remedy, error)


def check(name: str, look: Callable[[], str]) -> SourceCheck:
    """A check that passes, with the finding that ``look`` returns, unless it raises."""
    try:
        return SourceCheck(name, True, look())
    except ShopsightError as error:
        return SourceCheck.failed(name, error)


class Connection(Protocol):
    """A connection that one thread uses at a time."""

    def cancel(self) -> None:
        """Stop the running query; may be called by another thread."""


class OpenSnapshot(Protocol):
    """One state of the source, held open by one connection or more that all see it.

    Attributes:
        id: the database's own name for the state.
        as_of: the database's clock when the snapshot was taken, UTC.
        server_version: as the database reports it.
        is_utf8: whether its texts are in Unicode; else only ASCII counts in control totals.
        hashes_bytes: whether control totals see bytes that are not Unicode as they are, which no file holds.
        connections: at least one.
        column_types: by table, in the order in which tables should be read; by the contract's column, the
            type as the database names it.
    """

    id: str
    as_of: datetime
    server_version: str
    is_utf8: bool
    hashes_bytes: bool

    @property
    def connections(self) -> Sequence[Connection]: ...  # noqa: D102 - see the attributes

    @property
    def column_types(self) -> Mapping[str, dict[str, str]]: ...  # noqa: D102

    def never_native(self, table: str) -> frozenset[str]:
        """The columns that are read as text from the start, because their type is unlike the contract's."""

    def parts(self, table: str) -> Sequence[Any]:
        """The table in disjoint parts, at least one; each part becomes one file."""

    def read(
        self, connection: Any, table: str, part: Any, as_text: frozenset[str], batch_bytes: int
    ) -> Generator[Callable[[], pa.Table]]:
        """Read a part in batches of about ``batch_bytes``, each as a function that decodes its rows.

        Raises:
            SourceError: the database failed.
            ValuesDoNotFit: from a decoding function; the table is then read again.
        """

    def control_totals(self, connection: Any, table: str, as_text: frozenset[str]) -> Totals:
        """The table's control totals, worked out by the database over the whole table.

        The columns in ``as_text`` count by their text. Where a value of another column does not fit its
        native type, the column's totals mean nothing: it is then read as text, and the totals asked again.

        Raises:
            SourceError: the database failed.
        """


class Dialect(Protocol):
    """One kind of SQL database: describe it, take a snapshot, and in that read tables and control totals."""

    name: str

    def describe(self, source: Source) -> list[SourceCheck]:
        """Connect and look up the six tables; reports faults instead of raising, and reads no row."""

    def tables(self, source: Source) -> dict[str, list[str]]:
        """The columns of each table and view, by the name that a mapping gives it.

        Raises:
            SourceError: the database does not answer, or failed.
            ConfigurationError: the URL or the user is wrong.
        """

    def snapshot(self, source: Source, connections: int) -> AbstractContextManager[OpenSnapshot]:
        """Open one state of the database for at most ``connections`` connections.

        Raises:
            SourceError: the database does not answer, or failed.
            SchemaMismatch: a table or column is missing or ambiguous.
            ConfigurationError: the URL, the user or a privilege is wrong.
        """


def matching_name(kind: str, expected: str, found: Iterable[str], *, where: str, remedy: str = "") -> str:
    """The source's name for a schema, table or column; upper and lower case may differ.

    An identical name wins.

    Raises:
        SchemaMismatch: there is none, or there are several and none is identical.

    >>> matching_name("table", "orders", ["Orders", "customers"], where="public")
    'Orders'
    """
    names = list(found)
    if names.count(expected) == 1:
        return expected
    alike = sorted(name for name in names if name.lower() == expected.lower())
    if not alike:
        raise SchemaMismatch.missing(kind, [expected], names, where=where, remedy=remedy)
    if len(alike) > 1:
        raise SchemaMismatch(
            f"{where}: {kind} {expected!r} could be any of {', '.join(map(repr, alike))}. {STATE}",
            remedy=f"Rename one, or create a view that has the {kind} under the name {expected!r}.",
        )
    return alike[0]


def quote_name(name: str) -> str:
    """The name as an SQL identifier.

    >>> quote_name('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def as_configuration_error(message: str, remedy: str) -> ConfigurationError:
    """A :class:`ConfigurationError` that says what state things are in."""
    return ConfigurationError(f"{message} {STATE}", remedy=remedy)
