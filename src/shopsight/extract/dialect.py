"""What a dialect does for the stage, and what all dialects share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError, SchemaMismatch
from shopsight.record import Snapshot

#: Called with a table's name and how many more rows of it are on disk (fewer, when a table is read again).
#: Never by two threads at once.
OnRows = Callable[[str, int], None]


#: What every error of this stage says of the state that things are in.
STATE = "Nothing was extracted."


@dataclass(frozen=True)
class Source:
    """Where to read. ``url`` may hold credentials and is never shown."""

    url: str = field(repr=False)
    schema: str | None
    connect_timeout: timedelta

    @property
    def shown(self) -> str:
        """The URL without user, password and options: what run documents and messages say."""
        scheme, _, rest = self.url.partition("://")
        if scheme == "sqlite":
            return self.url.partition("?")[0]
        # What comes after the last @, even of a URL in which the password is not encoded as it should be.
        address, _, options = rest.rpartition("@")[2].partition("?")
        socket = dict(parse_qsl(options)).get("host") if address.startswith("/") else None
        return f"{scheme}://{address}" + (f"?host={socket}" if socket else "")


class SourceCheck(NamedTuple):
    """One thing that was looked at: what, whether it is as it should be, what was found, and the remedy."""

    name: str
    is_ok: bool
    message: str
    remedy: str = ""


class Dialect(Protocol):
    """One kind of SQL database."""

    def extract(
        self, source: Source, folder: Path, *, connections: int, batch_rows: int, on_rows: OnRows | None
    ) -> Snapshot:
        """See :func:`shopsight.extract.extract`."""

    def source_figures(self, source: Source) -> Snapshot:
        """See :func:`shopsight.extract.source_figures`."""

    def check_source(self, source: Source) -> list[SourceCheck]:
        """See :func:`shopsight.extract.check_source`."""


def matching_name(kind: str, expected: str, found: Iterable[str], *, where: str, remedy: str = "") -> str:
    """The name that the source has for a schema, table or column: the same, but for upper and lower case.

    A name that is the very same goes first.

    Raises:
        SchemaMismatch: there is none, or there are several of which none is the same.

    >>> matching_name("table", "orders", ["Orders", "customers"], where="public")
    'Orders'
    """
    names = list(found)
    if expected in names:
        return expected
    alike = sorted(name for name in names if name.lower() == expected.lower())
    if not alike:
        raise SchemaMismatch.missing(kind, expected, names, where=where, remedy=remedy)
    if len(alike) > 1:
        raise SchemaMismatch(
            f"{where}: {kind} {expected!r} could be any of {', '.join(map(repr, alike))}. {STATE}",
            remedy=f"Rename one, or create a view that has the {kind} under the name {expected!r}.",
        )
    return alike[0]


def matching_columns(table: str, found: Collection[str], *, where: str) -> dict[str, str]:
    """By the contract's name, in its order, the name that the source has for each of a table's columns.

    Raises:
        SchemaMismatch: a column is missing or ambiguous.
    """
    return {name: matching_name("column", name, found, where=where) for name in TABLES[table].column_names}


def as_configuration_error(message: str, remedy: str) -> ConfigurationError:
    """A :class:`ConfigurationError` that says what state things are in."""
    return ConfigurationError(f"{message} {STATE}", remedy=remedy)
