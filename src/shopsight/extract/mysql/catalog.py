"""Finding the six tables in MySQL or MariaDB, in any letter case, or as the settings map them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pymysql.err import MySQLError

from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch
from shopsight.extract.dialect import Source, as_configuration_error, matching_name
from shopsight.extract.mapping import (
    EMPTY,
    cannot_be_read,
    choose_columns,
    derived_select,
    empty_select,
    given_query,
    look_up_all,
    mapping_of,
    renamed_columns,
    table_missing,
)
from shopsight.extract.mysql.columns import SourceColumn, quote_name
from shopsight.extract.mysql.errors import DENIED, words_of
from shopsight.extract.mysql.session import Session

_RELATIONS = """
    SELECT TABLE_NAME, TABLE_TYPE = 'VIEW', COALESCE(ENGINE, '') FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = %s
"""
_COLUMNS = "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
_ALL_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION
"""
_RANGE_KEY = """
    SELECT COLUMN_NAME FROM information_schema.STATISTICS
    JOIN information_schema.COLUMNS USING (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME)
    WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY' AND SEQ_IN_INDEX = 1
    AND DATA_TYPE IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint')
"""


@dataclass(frozen=True)
class Relation:
    """A table of the contract as the database has it.

    Attributes:
        table: the contract's name.
        shown: the source's name, for messages.
        quoted: the table, or the SELECT in its place, as SQL.
        columns: by the contract's names, in the contract's order.
        engine: what stores it; "" for a view and a SELECT.
        range_key: a whole number that the table is stored in the order of, so that it can be read by ranges.
    """

    table: str
    shown: str
    quoted: str
    columns: dict[str, SourceColumn]
    engine: str = ""
    range_key: str | None = None


class Catalog:
    """The tables and views of a source. An identical name wins over one in other letters."""

    def __init__(self, session: Session, source: Source) -> None:
        self._session = session
        self._source = source
        ((self._database,),) = session.rows("SELECT DATABASE()")
        self._found: dict[str, dict[str, tuple[bool, str]]] = {}

    def tables(self) -> dict[str, list[str]]:
        """The columns of all tables of the connection's database."""
        found: dict[str, list[str]] = {}
        for table, column in self._session.rows(_ALL_COLUMNS):
            found.setdefault(table, []).append(column)
        return found

    def relation(self, table: str) -> Relation:
        """A table of the contract as the source has it: decides what is read for it, and for each column.

        Reads no row of it, which fails where the user may not read, and lets nobody alter it meanwhile.

        Raises:
            SchemaMismatch: it, or a column of it, is missing or ambiguous, or its mapping cannot be read.
            ConfigurationError: the user may not SELECT from it.
        """
        mapping = mapping_of(self._source, table)
        if mapping.query is not None:
            shown, base = f"the query for {table}", given_query(mapping)
            with self._understood(table):
                names = [column.name for column in self._session.columns(f"SELECT * FROM {base} LIMIT 0")]
            columns = choose_columns(self._source, table, names, where=shown)
            return self._derived(table, shown, derived_select(columns, base, mapping.where, quote_name))
        place = self._choose(mapping.source or table)
        if place is None:
            if mapping.is_optional:
                return self._derived(table, EMPTY, empty_select(table, quote_name))
            raise self._missing(table, mapping.source or table)
        shown, base = ".".join(place), ".".join(map(quote_name, place))
        names = [name for (name,) in self._session.rows(_COLUMNS, place)]
        columns = choose_columns(self._source, table, names, where=shown)
        own = renamed_columns(mapping, columns)
        if own is None:
            return self._derived(table, shown, derived_select(columns, base, mapping.where, quote_name))
        is_view, engine = self._tables(place[0])[place[1]]
        return Relation(
            table=table,
            shown=shown,
            quoted=base,
            columns=self._described(list(own.values()), table, base, may_be_null=is_view),
            engine=engine,
            range_key=next((key for (key,) in self._session.rows(_RANGE_KEY, place)), None),
        )

    def _derived(self, table: str, shown: str, select: str) -> Relation:
        """A SELECT in the place of a table."""
        quoted = f"({select}) AS mapped"
        with self._understood(table):
            columns = self._described(list(TABLES[table].column_names), table, quoted, may_be_null=True)
        return Relation(table, shown, quoted, columns)

    def _described(
        self, names: list[str], table: str, quoted: str, *, may_be_null: bool
    ) -> dict[str, SourceColumn]:
        """The columns of these names, by the contract's. A view's may hold nulls that its tables' do not."""
        selected = ", ".join(map(quote_name, names))
        described = self._session.columns(f"SELECT {selected} FROM {quoted} LIMIT 0")
        return {
            expected: replace(column, is_nullable=column.is_nullable or may_be_null)
            for expected, column in zip(TABLES[table].column_names, described, strict=True)
        }

    @contextmanager
    def _understood(self, table: str) -> Iterator[None]:
        """Turn the server's complaint about a mapping into one that names it."""
        try:
            yield
        except MySQLError as error:
            if not str(getattr(error, "sqlstate", "")).startswith("42") or error.args[0] in DENIED:
                raise
            raise cannot_be_read(table, words_of(error), where=self._source.shown) from error

    def _tables(self, database: str) -> dict[str, tuple[bool, str]]:
        """The tables of a database: by name, whether it is a view, and its engine."""
        if database not in self._found:
            rows = self._session.rows(_RELATIONS, (database,))
            self._found[database] = {name: (bool(is_view), engine) for name, is_view, engine in rows}
        return self._found[database]

    def _place(self, wanted: str) -> tuple[str, str]:
        database, dot, name = wanted.partition(".")
        return (database, name) if dot else (self._database, wanted)

    def _choose(self, wanted: str) -> tuple[str, str] | None:
        """The database and the name of a table; None if it is not there."""
        database, name = self._place(wanted)
        names = self._tables(database)
        if name.lower() not in (known.lower() for known in names):
            return None
        return database, matching_name("table", name, names, where=self._where(database))

    def _where(self, database: str) -> str:
        return f"{self._source.shown}, database {database}"

    def _missing(self, table: str, wanted: str) -> SchemaMismatch:
        """The error for a table that is not there.

        Raises:
            ConfigurationError: it may be there, but is hidden from the user.
        """
        database, name = self._place(wanted)
        try:
            self._session.columns(f"SELECT 1 FROM {quote_name(database)}.{quote_name(name)} LIMIT 0")
        except MySQLError as error:
            if error.args[0] in DENIED:
                raise as_configuration_error(
                    f"{self._where(database)}: {words_of(error)}.",
                    f"GRANT SELECT ON {database}.{name} TO the user of the source URL.",
                ) from error
        # A table that is proposed under its bare name must be found under it.
        prefix = f"{database}." if "." in wanted else ""
        return table_missing(
            self._source,
            table,
            [f"{prefix}{known}" for known in self._tables(database)],
            lambda known: [column for (column,) in self._session.rows(_COLUMNS, self._place(known))],
            where=self._where(database),
        )


def look_up_tables(session: Session, source: Source) -> dict[str, Relation]:
    """The six tables as the source has them, by the contract's names.

    Raises:
        SchemaMismatch: a table or column is missing or ambiguous.
        ConfigurationError: the user may not SELECT from one.
    """
    return look_up_all(Catalog(session, source).relation)
