"""Finding the six tables in PostgreSQL's catalog, of any kind and in any letter case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from adbc_driver_manager import Error as DriverError

from shopsight.errors import SchemaMismatch
from shopsight.extract.dialect import Source, matching_name, quote_name
from shopsight.extract.mapping import (
    Choice,
    MappedTable,
    Place,
    cannot_be_read,
    choose,
    look_up_all,
    table_missing,
)
from shopsight.extract.postgresql.columns import SourceColumn, quote_text
from shopsight.extract.postgresql.errors import words_of
from shopsight.extract.postgresql.session import Session

# Tables, partitioned tables, views, materialised views, foreign tables.
_KINDS = "('r', 'p', 'v', 'm', 'f')"

_RELATIONS = f"""
    SELECT c.relname::text, c.oid::bigint, c.relkind::text, c.relhassubclass,
           coalesce(am.amname = 'heap', false), has_table_privilege(c.oid, 'SELECT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam
    WHERE n.nspname = $1 AND c.relkind IN {_KINDS}
"""

_ALL_COLUMNS = f"""
    SELECT c.relname::text, a.attname::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = $1 AND c.relkind IN {_KINDS} AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
"""

_ELSEWHERE = f"""
    SELECT DISTINCT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE lower(c.relname) = $1 AND c.relkind IN {_KINDS} ORDER BY 1
"""

# Domains are followed to their base type, with its modifier.
_DOWN_TO_BASE_TYPES = """
    WITH RECURSIVE made_of(attnum, attname, declared, type, modifier, is_nullable) AS (
        {}
        UNION ALL
        SELECT m.attnum, m.attname, m.declared, t.typbasetype, t.typtypmod, m.is_nullable
        FROM made_of m JOIN pg_type t ON t.oid = m.type WHERE t.typtype = 'd'
    )
    SELECT m.attname::text, m.declared, t.typname::text, m.modifier, m.is_nullable
    FROM made_of m JOIN pg_type t ON t.oid = m.type WHERE t.typtype <> 'd' ORDER BY m.attnum
"""

# A NOT NULL constraint that was never validated guarantees nothing about the rows that were there before it.
_COLUMNS = _DOWN_TO_BASE_TYPES.format("""
        SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS declared, a.atttypid AS type,
               a.atttypmod AS modifier, NOT a.attnotnull OR EXISTS (
                   SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'n'
                   AND NOT c.convalidated AND a.attnum = ANY (c.conkey)) AS is_nullable
        FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
""")

# Whether anything that this transaction has looked at so far is a foreign table.
_LOOKED_AT_FOREIGN = """
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                   WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind = 'f')
"""

# Whether reading the relation reads a foreign table: itself, a view's (not a materialised view's) table, or a
# partition.
_READS_FOREIGN = """
    WITH RECURSIVE beneath AS (
        SELECT $1::oid AS oid
        UNION
        SELECT below.oid FROM beneath b JOIN pg_class c ON c.oid = b.oid AND c.relkind <> 'm', LATERAL (
            SELECT d.refobjid AS oid FROM pg_rewrite r JOIN pg_depend d
            ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
            WHERE r.ev_class = b.oid
            UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = b.oid
        ) AS below
    )
    SELECT coalesce(bool_or(c.relkind = 'f'), false) FROM beneath b JOIN pg_class c ON c.oid = b.oid
"""


@dataclass(frozen=True)
class Relation(MappedTable[SourceColumn]):
    """A table of the contract as PostgreSQL has it; ``base`` is the table, or the SELECT in its place.

    Attributes:
        oid: the database's own identifier; none for a SELECT.
        has_pages: whether ranges of its own pages make up the whole of it. Reading a row's page needs SELECT
            on the whole table.
        is_lockable: whether LOCK TABLE takes it: a table or a view, with SELECT on the whole of it.
        reads_foreign: whether it is, or reads, a foreign table.
    """

    oid: int = 0
    has_pages: bool = False
    is_lockable: bool = False
    reads_foreign: bool = False

    @property
    def selected(self) -> str:
        """The columns as SQL, in the contract's order."""
        return ", ".join(column.sql for column in self.columns.values())


def look_up_tables(session: Session, source: Source) -> dict[str, Relation]:
    """The six tables as the source has them, by the contract's names.

    Raises:
        SchemaMismatch: a schema, table or column is missing or ambiguous.
    """
    return look_up_all(Catalog(session, source).relation)


class Catalog:
    """The schemas in which a source's tables are looked for.

    That is the schema that the settings name, else the connection's search path, in which the first schema
    with the table wins. An identical name wins over one that differs in upper and lower case.

    Raises:
        SchemaMismatch: the schema that the settings name is missing or ambiguous.
    """

    quote = staticmethod(quote_name)

    def __init__(self, session: Session, source: Source) -> None:
        self._session = session
        self._source = source
        self._path = _schemas(session, source)
        self._found: dict[str, dict[str, list[Any]]] = {}

    def tables(self) -> dict[str, list[str]]:
        """The columns of all tables; the first schema on the path that has a table's name wins."""
        found: dict[str, list[str]] = {}
        for schema in self._path:
            here: dict[str, list[str]] = {}
            for table, column in self._session.rows(_ALL_COLUMNS, (schema,)):
                here.setdefault(table, []).append(column)
            found = {**here, **found}
        return found

    def relation(self, table: str) -> Relation:
        """A table of the contract as the source has it: decides what is read for it, and for each column.

        Raises:
            SchemaMismatch: it, or a column of it, is missing or ambiguous, or its mapping cannot be read.
        """
        choice = choose(self._source, table, self)
        if choice.renamed is None or choice.place is None:
            return self._derived(choice)
        schema, name = choice.place
        oid, kind, has_children, is_heap, may_read = self._tables(schema)[name]
        found = self.columns(choice.place)
        return Relation(
            table,
            choice.shown,
            choice.base,
            {expected: found[column] for expected, column in choice.renamed.items()},
            oid=oid,
            has_pages=kind in "rm" and is_heap and not has_children and may_read,
            is_lockable=kind in "rpv" and may_read,
            reads_foreign=self._session.rows(_READS_FOREIGN, (oid,))[0][0],
        )

    def _derived(self, choice: Choice) -> Relation:
        """A SELECT in the place of a table, and the types that its columns have."""
        expected, select = choice.columns, choice.select("")
        types = ", ".join(f"pg_typeof(m.{quote_name(column)})::oid::bigint" for column in expected)
        with self._understood(choice.table):
            # A row of nulls has types even where there are no rows; looking at none reads none.
            ((*oids,),) = self._session.rows(
                f"SELECT {types} FROM (SELECT 1) AS one"
                f" LEFT JOIN (SELECT * FROM ({select}) AS s LIMIT 0) AS m ON true"
            )
        listed = ", ".join(
            f"({number}, {quote_text(column)}, {oid}::oid)"
            for number, (column, oid) in enumerate(zip(expected, oids, strict=True))
        )
        made = _DOWN_TO_BASE_TYPES.format(
            "SELECT number, name, format_type(type, -1), type, -1, true"
            f" FROM (VALUES {listed}) AS listed(number, name, type)"
        )
        return Relation(
            choice.table,
            choice.shown,
            f"({select}) AS mapped",
            {row[0]: self._column(row) for row in self._session.rows(made)},
            reads_foreign=self._session.rows(_LOOKED_AT_FOREIGN)[0][0],
        )

    def query_columns(self, table: str, base: str) -> list[str]:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        with self._understood(table):
            return self._session.column_names(f"SELECT * FROM {base} LIMIT 0")

    @contextmanager
    def _understood(self, table: str) -> Iterator[None]:
        """Turn the server's complaint about a mapping into one that names it; the transaction goes on."""
        self._session.execute("SAVEPOINT before_mapping")
        try:
            yield
        except DriverError as error:
            with suppress(DriverError):  # a lost connection has no savepoint, and its own error says more
                self._session.execute("ROLLBACK TO SAVEPOINT before_mapping")
            if error.sqlstate == "42501" or not (error.sqlstate or "").startswith("42"):
                raise
            raise cannot_be_read(table, words_of(error, self._source), where=self._source.shown) from None
        self._session.execute("RELEASE SAVEPOINT before_mapping")

    def _tables(self, schema: str) -> dict[str, list[Any]]:
        """The tables of a schema: by name, what :data:`_RELATIONS` tells of each."""
        if schema not in self._found:
            rows = self._session.rows(_RELATIONS, (schema,))
            self._found[schema] = {name: facts for name, *facts in rows}
        return self._found[schema]

    def columns(self, place: Place) -> dict[str, SourceColumn]:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        schema, name = place
        rows = self._session.rows(_COLUMNS, (self._tables(schema)[name][0],))
        return {row[0]: self._column(row) for row in rows}

    def _column(self, row: tuple[Any, ...]) -> SourceColumn:
        name, declared, base, modifier, is_nullable = row
        return SourceColumn(name, declared, base, modifier, is_nullable, self._source.time_zone)

    def find(self, wanted: str) -> Place | None:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        schema, dot, name = wanted.partition(".")
        path = [schema] if dot else self._path
        for schema in path:
            names = self._tables(schema)
            if any(known.lower() == (name or wanted).lower() for known in names):
                return schema, matching_name("table", name or wanted, names, where=self._where(path))
        return None

    def _where(self, schemas: list[str]) -> str:
        return f"{self._source.shown}, schema {' and '.join(schemas) or '(none on the search path)'}"

    def missing(self, table: str, wanted: str) -> SchemaMismatch:
        """See :class:`shopsight.extract.mapping.Catalog`."""
        schema, dot, _ = wanted.partition(".")
        path = [schema] if dot else self._path
        elsewhere = [name for (name,) in self._session.rows(_ELSEWHERE, (wanted,))]
        if elsewhere:
            return SchemaMismatch.missing(
                "table",
                [wanted],
                {name for schema in path for name in self._tables(schema)},
                where=self._where(path),
                remedy=f"It is in schema {' and '.join(elsewhere)}: give --source-schema.",
            )
        # A table that is proposed under its bare name must be found under it.
        found = {
            (f"{schema}.{name}" if dot else name): (schema, name)
            for schema in reversed(path)
            for name in self._tables(schema)
        }
        return table_missing(
            self._source, table, found, lambda name: self.columns(found[name]), where=self._where(path)
        )


def _schemas(session: Session, source: Source) -> list[str]:
    if source.schema is None:
        return [name for (name,) in session.rows("SELECT unnest(current_schemas(false))::text")]
    names = [name for (name,) in session.rows("SELECT nspname::text FROM pg_namespace")]
    remedy = "Name one of these with --source-schema; without it, the connection's search path is used."
    return [matching_name("schema", source.schema, names, where=source.shown, remedy=remedy)]
