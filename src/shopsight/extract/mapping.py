"""The settings' mapping applied to what a database has: which columns are read, and from which SELECT.

Shared by all dialects. A table that is only renamed stays a table, which a dialect can read its fastest way.
An expression, a condition or a query makes it a derived table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shopsight.contract import TABLES, Table
from shopsight.errors import SchemaMismatch, ShopsightError, raise_together
from shopsight.extract.dialect import STATE, Source, matching_name
from shopsight.extract.nearest import nearest_columns, nearest_table
from shopsight.settings.table_mapping import (
    OPTIONAL_TABLES,
    UNMAPPED,
    SqlColumn,
    TableMapping,
    toml_text,
)

#: The name, for messages, of what is read for an optional table that the source lacks.
_EMPTY = "an empty table in its place"
#: What the settings' file is called in messages.
_FILE = "shopsight.toml"
_PASTE = f"Map them in {_FILE} as below, correct wrong guesses, or create views with these names:"
_NO_ROW = "(SELECT 1 AS one) AS no_row WHERE 1 = 0"

Relation = TypeVar("Relation")
OwnColumn = TypeVar("OwnColumn")
#: By the contract's names in its order, the source's column or an expression.
Columns = Mapping[str, str | SqlColumn]


def mapping_of(source: Source, table: str) -> TableMapping:
    """The settings' mapping of a table; nothing is renamed by default."""
    return source.tables.get(table) or UNMAPPED


def look_up_all(look_up: Callable[[str], Relation]) -> dict[str, Relation]:
    """Each table of the contract as ``look_up`` finds it.

    Raises:
        SchemaMismatch: names everything that is missing or ambiguous in all six.
    """
    found: dict[str, Relation] = {}
    faults: list[SchemaMismatch] = []
    for table in TABLES:
        try:
            found[table] = look_up(table)
        except SchemaMismatch as fault:
            faults.append(fault)
    raise_together(faults)
    return found


#: A table's own names: its schema or database, where it has one, and its name.
Place = tuple[str, ...]


class Catalog(Protocol):
    """What :func:`choose` asks a dialect about the tables of a database."""

    def quote(self, name: str) -> str:
        """The name as an SQL identifier."""

    def query_columns(self, table: str, base: str) -> Iterable[str]:
        """The columns of a table's query, each as often as it has them.

        Raises:
            SchemaMismatch: the query cannot be read.
        """

    def find(self, wanted: str) -> Place | None:
        """Where the table of a name is, in any letter case; None if it is not there."""

    def columns(self, place: Place) -> Iterable[str]:
        """The columns of a table."""

    def missing(self, table: str, wanted: str) -> ShopsightError:
        """The error for a table that is not there."""


@dataclass(frozen=True)
class MappedTable(Generic[OwnColumn]):
    """A table of the contract as a database has it.

    Attributes:
        table: the contract's name.
        shown: the source's name, for messages.
        base: the source's table or query as SQL.
        columns: by the contract's names, in the contract's order.
    """

    table: str
    shown: str
    base: str
    columns: dict[str, OwnColumn]

    @property
    def contract(self) -> Table:
        """The table's contract, with the optional columns that are read."""
        return TABLES[self.table].having(self.columns)


@dataclass(frozen=True)
class Choice:
    """What is read for a table of the contract.

    Attributes:
        table: the contract's name.
        place: the source's table; None for a query, and for an optional table that is not there.
        shown: its name for messages.
        base: the source's table or query as SQL.
        columns: by the contract's names, what each column is read from.
        renamed: the same for a table that is only renamed, all of them columns; None if it takes a SELECT.
        select: gives that SELECT, for a condition on the source's own columns, or "".
    """

    table: str
    place: Place | None
    shown: str
    base: str
    columns: Columns
    renamed: dict[str, str] | None
    select: Callable[[str], str]


def choose(source: Source, table: str, catalog: Catalog) -> Choice:
    """What is read for a table of the contract, by the settings' mapping and what the database has.

    Raises:
        SchemaMismatch: it, or a column of it, is missing or ambiguous, or its query cannot be read.
    """
    mapping, place = mapping_of(source, table), None
    if mapping.query is not None:
        # On lines of its own, because it may end in a comment.
        shown, base = f"the query for {table}", f"(\n{mapping.query.rstrip().rstrip(';')}\n) AS given"
        found = catalog.query_columns(table, base)
    elif (place := catalog.find(mapping.source or table)) is not None:
        shown, base = ".".join(place), ".".join(map(catalog.quote, place))
        found = catalog.columns(place)
    elif mapping.is_optional:
        nulls = dict.fromkeys(TABLES[table].column_names, SqlColumn(sql="NULL"))
        select_none = derived_select(nulls, _NO_ROW, (), catalog.quote)
        return Choice(table, None, _EMPTY, _NO_ROW, nulls, None, lambda _: select_none)
    else:
        raise catalog.missing(table, mapping.source or table)
    columns = choose_columns(source, table, found, where=shown)
    own = {name: column for name, column in columns.items() if isinstance(column, str)}
    is_plain = mapping.query is None and mapping.where is None and source.first_rows is None

    def select(condition: str) -> str:
        return derived_select(columns, base, (condition, mapping.where), catalog.quote, source.first_rows)

    renamed = own if is_plain and len(own) == len(columns) else None
    return Choice(table, place, shown, base, columns, renamed, select)


def choose_columns(source: Source, table: str, found: Iterable[str], *, where: str) -> Columns:
    """For each column of a table, the source's column or the expression that it is read from.

    Args:
        source: with the mapping.
        table: the contract's table.
        found: the columns of the source's table or query, each as often as it has them.
        where: the source's table or query, for messages.

    Raises:
        SchemaMismatch: columns are missing or ambiguous.
    """
    mapping, names = mapping_of(source, table), list(found)
    chosen: dict[str, str | SqlColumn] = {}
    missing: list[str] = []
    for column in TABLES[table].having(mapping.columns).columns:
        wanted = mapping.columns.get(column.name, column.name)
        if isinstance(wanted, SqlColumn):
            chosen[column.name] = wanted
        elif wanted.lower() in (name.lower() for name in names):
            chosen[column.name] = matching_name("column", wanted, names, where=where)
        elif (
            column.references and mapping_of(source, column.references).is_optional and wanted == column.name
        ):
            # A shop without categories has products without them.
            chosen[column.name] = SqlColumn(sql="NULL")
        else:
            missing.append(column.name)
    if missing:
        expected = [str(mapping.columns.get(name, name)) for name in missing]
        proposed = _proposed(table, missing, [name for name in names if name not in chosen.values()])
        raise _missing("column", table, expected, names, where=where, proposed=proposed)
    return chosen


def table_missing(
    source: Source,
    table: str,
    found: Collection[str],
    columns: Callable[[str], Collection[str]],
    *,
    where: str,
) -> SchemaMismatch:
    """The error for a table that is not there.

    Args:
        source: with the mapping.
        table: the contract's table.
        found: the tables that are there.
        columns: the columns of one of these.
        where: what was looked at, for the message.
    """
    near = nearest_table(table, found)
    mapping = mapping_of(source, table)
    names = columns(near.name) if near else ()
    missing = [
        name for name in TABLES[table].column_names if name not in names and name not in mapping.columns
    ]
    proposed: dict[str, str | None] = {"from": near.name if near else None}
    if near is not None:
        proposed |= _proposed(table, missing, names)
    return _missing("table", table, [mapping.source or table], found, where=where, proposed=proposed)


def _proposed(table: str, columns: Iterable[str], found: Iterable[str]) -> dict[str, str | None]:
    """By what is to be written for each column, the name that may be meant."""
    guesses = nearest_columns(table, columns, found)
    return {f"columns.{column}": guess.name if guess else None for column, guess in guesses.items()}


def _missing(
    kind: str,
    table: str,
    expected: list[str],
    found: Collection[str],
    *,
    where: str,
    proposed: Mapping[str, str | None],
) -> SchemaMismatch:
    toml = [f"{key} = {toml_text(name)}" if name else f'# {key} = "…"' for key, name in proposed.items()]
    nearest = [name for name in proposed.values() if name]
    if not nearest and kind == "table" and table in OPTIONAL_TABLES:
        toml.append("optional = true  # if the shop has none")
    return SchemaMismatch.missing(
        kind,
        expected,
        found,
        where=where,
        nearest=nearest[:1] if kind == "table" else nearest,
        remedy="\n".join([_PASTE, f"[tables.{table}]", *toml]),
    )


def cannot_be_read(table: str, words: str, *, where: str) -> SchemaMismatch:
    """The error for a query, condition or expression that the database does not understand."""
    return SchemaMismatch(
        f"{where}: the mapping of {table} cannot be read: {words}. {STATE}",
        remedy=f"Correct [tables.{table}] in {_FILE}; its SQL is the database's own.",
    )


def derived_select(
    columns: Columns,
    base: str,
    conditions: Iterable[str | None],
    quote: Callable[[str], str],
    first_rows: int | None = None,
) -> str:
    """The SELECT that has the contract's columns.

    >>> columns = {"order_id": "entity_id", "status": SqlColumn(sql="upper(state)")}
    >>> print(derived_select(columns, '"sales_order"', ["state <> 'new'"], lambda name: f'"{name}"', 3))
    SELECT "entity_id" AS "order_id", (
    upper(state)
    ) AS "status" FROM "sales_order" WHERE (
    state <> 'new'
    ) LIMIT 3
    """
    selected = ", ".join(f"{_expression(column, quote)} AS {quote(name)}" for name, column in columns.items())
    both = " AND ".join(_parenthesised(condition) for condition in conditions if condition)
    where = f" WHERE {both}" if both else ""
    limit = "" if first_rows is None else f" LIMIT {first_rows}"
    return f"SELECT {selected} FROM {base}{where}{limit}"


def _expression(column: str | SqlColumn, quote: Callable[[str], str]) -> str:
    return _parenthesised(column.sql) if isinstance(column, SqlColumn) else quote(column)


def _parenthesised(text: str) -> str:
    return f"(\n{text}\n)"
