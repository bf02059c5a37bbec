"""Finding the six tables in MySQL or MariaDB, in any letter case, or as the settings map them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pymysql.err import MySQLError

from shopsight.errors import SchemaMismatch
from shopsight.extract.dialect import Source, as_configuration_error, matching_name
from shopsight.extract.mapping import MappedTable, Place, cannot_be_read, choose, look_up_all, table_missing
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
class Relation(MappedTable[SourceColumn]):
    """A table of the contract as MySQL or MariaDB has it.

    Attributes:
        engine: what stores it; "" for a view and a query.
        range_key: the column by which the table is read in ranges, as SQL: a whole number that its rows are
            stored in the order of.
        select: the SELECT in the table's place, given a condition on its rows; None for a table as it is.
    """

    engine: str = ""
    range_key: str | None = None
    select: Callable[[str], str] | None = None

    def rows(self, condition: str = "") -> str:
        """The rows to read, as SQL after FROM; the condition is on the source's own columns."""
        if self.select is not None:
            return f"({self.select(condition)}) AS mapped"
        return f"{self.base} WHERE {condition}" if condition else self.base


class Catalog:
    """The tables and views of a source. An identical name wins over one in other letters."""

    quote = staticmethod(quote_name)

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

        Runs a query that returns no rows: it checks the privilege and locks the table against ALTER.

        Raises:
            SchemaMismatch: it, or a column of it, is missing or ambiguous, or its mapping cannot be read.
            ConfigurationError: the user may not SELECT from it.
        """
        choice = choose(self._source, table, self)
        relation, is_view = Relation(table, choice.shown, choice.base, {}), True
        if choice.place is not None:
            database, name = choice.place
            is_view, engine = self._tables(database)[name]
            key = next((quote_name(key) for (key,) in self._session.rows(_RANGE_KEY, choice.place)), None)
            if self._source.first_rows is not None:
                key = None  # the first rows of all, not of each range
            relation = replace(relation, engine=engine, range_key=key)
        if choice.renamed is not None:
            return self._described(relation, choice.columns, choice.renamed.values(), may_be_null=is_view)
        with self._understood(table):
            return self._described(replace(relation, select=choice.select), choice.columns)

    def _described(
        self,
        relation: Relation,
        expected: Collection[str],
        names: Collection[str] | None = None,
        *,
        may_be_null: bool = True,
    ) -> Relation:
        """The relation with its columns. A view's or a SELECT's may hold nulls that its tables' do not."""
        selected = ", ".join(map(quote_name, names or expected))
        described = self._session.columns(f"SELECT {selected} FROM {relation.rows()} LIMIT 0")
        columns = {
            name: replace(column, is_nullable=column.is_nullable or may_be_null)
            for name, column in zip(expected, described, strict=True)
        }
        return replace(relation, columns=columns)

    def query_columns(self, table: str, base: str) -> list[str]:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        with self._understood(table):
            return [column.name for column in self._session.columns(f"SELECT * FROM {base} LIMIT 0")]

    def columns(self, place: Place) -> list[str]:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        return [name for (name,) in self._session.rows(_COLUMNS, place)]

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

    def find(self, wanted: str) -> Place | None:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        database, name = self._place(wanted)
        names = self._tables(database)
        if name.lower() not in (known.lower() for known in names):
            return None
        return database, matching_name("table", name, names, where=self._where(database))

    def _where(self, database: str) -> str:
        return f"{self._source.shown}, database {database}"

    def missing(self, table: str, wanted: str) -> SchemaMismatch:
        """See :class:`shopsight.extract.mapping.Catalog`.

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
            lambda known: self.columns(self._place(known)),
            where=self._where(database),
        )


def look_up_tables(session: Session, source: Source) -> dict[str, Relation]:
    """The six tables as the source has them, by the contract's names.

    Raises:
        SchemaMismatch: a table or column is missing or ambiguous.
        ConfigurationError: the user may not SELECT from one.
    """
    return look_up_all(Catalog(session, source).relation)
