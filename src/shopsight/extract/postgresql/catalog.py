"""Finding the six tables in PostgreSQL's catalog, of any kind and in any letter case."""

from __future__ import annotations

from dataclasses import dataclass

from shopsight.contract import TABLES
from shopsight.errors import SchemaMismatch
from shopsight.extract.dialect import Source, matching_columns, matching_name, quote_name
from shopsight.extract.postgresql.columns import SourceColumn
from shopsight.extract.postgresql.session import Session

# Tables, partitioned tables, views, materialised views, foreign tables.
_KINDS = "('r', 'p', 'v', 'm', 'f')"

_RELATIONS = f"""
    SELECT c.relname::text, c.oid::bigint, c.relkind::text, c.relhassubclass,
           coalesce(am.amname = 'heap', false), has_table_privilege(c.oid, 'SELECT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam
    WHERE n.nspname = $1 AND c.relkind IN {_KINDS}
"""

_ELSEWHERE = f"""
    SELECT DISTINCT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE lower(c.relname) = $1 AND c.relkind IN {_KINDS} ORDER BY 1
"""

# Domains are followed to their base type, with its modifier. A NOT NULL constraint that was never validated
# guarantees nothing about the rows that were there before it.
_COLUMNS = """
    WITH RECURSIVE made_of AS (
        SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS declared, a.atttypid AS type,
               a.atttypmod AS modifier, NOT a.attnotnull OR EXISTS (
                   SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'n'
                   AND NOT c.convalidated AND a.attnum = ANY (c.conkey)) AS is_nullable
        FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT m.attnum, m.attname, m.declared, t.typbasetype, t.typtypmod, m.is_nullable
        FROM made_of m JOIN pg_type t ON t.oid = m.type WHERE t.typtype = 'd'
    )
    SELECT m.attname::text, m.declared, t.typname::text, m.modifier, m.is_nullable
    FROM made_of m JOIN pg_type t ON t.oid = m.type WHERE t.typtype <> 'd' ORDER BY m.attnum
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
class Relation:
    """A table of the contract as the database has it.

    Attributes:
        table: the contract's name.
        schema: the source's schema.
        name: the source's name.
        oid: the database's own identifier.
        has_pages: whether ranges of its own pages make up the whole of it. Reading a row's page needs SELECT
            on the whole table.
        is_lockable: whether LOCK TABLE takes it: a table or a view, with SELECT on the whole of it.
        columns: by the contract's names, in the contract's order.
        reads_foreign: whether it is, or reads, a foreign table.
    """

    table: str
    schema: str
    name: str
    oid: int
    has_pages: bool
    is_lockable: bool
    columns: dict[str, SourceColumn]
    reads_foreign: bool = False

    @property
    def quoted(self) -> str:
        """The name as SQL, used wherever the table is read."""
        return f"{quote_name(self.schema)}.{quote_name(self.name)}"

    @property
    def selected(self) -> str:
        """The columns as SQL, in the contract's order."""
        return ", ".join(column.sql for column in self.columns.values())

    @property
    def shown(self) -> str:
        """The name for messages."""
        return f"{self.schema}.{self.name}"


def look_up_tables(session: Session, source: Source) -> dict[str, Relation]:
    """The six tables as the source has them, by the contract's names.

    Raises:
        SchemaMismatch: a schema, table or column is missing or ambiguous.
    """
    catalog = Catalog(session, source)
    return {table: catalog.relation(table) for table in TABLES}


class Catalog:
    """The schemas in which a source's tables are looked for.

    That is the schema that the settings name, else the connection's search path, in which the first schema
    with the table wins. An identical name wins over one that differs in upper and lower case.

    Raises:
        SchemaMismatch: the schema that the settings name is missing or ambiguous.
    """

    def __init__(self, session: Session, source: Source) -> None:
        self._session = session
        schemas = _schemas(session, source)
        self._where = f"{source.shown}, schema {' and '.join(schemas) or '(none on the search path)'}"
        self._found = {
            schema: {name: facts for name, *facts in session.rows(_RELATIONS, (schema,))}
            for schema in schemas
        }

    def relation(self, table: str) -> Relation:
        """A table of the contract as the source has it: decides what is read for it, and for each column.

        Raises:
            SchemaMismatch: it, or a column of it, is missing or ambiguous.
        """
        schema, name = self._choose(table)
        oid, kind, has_children, is_heap, may_read = self._found[schema][name]
        columns = {row[0]: SourceColumn(*row) for row in self._session.rows(_COLUMNS, (oid,))}
        names = matching_columns(table, columns, where=f"{schema}.{name}")
        return Relation(
            table=table,
            schema=schema,
            name=name,
            oid=oid,
            has_pages=kind in "rm" and is_heap and not has_children and may_read,
            is_lockable=kind in "rpv" and may_read,
            columns={expected: columns[found] for expected, found in names.items()},
            reads_foreign=self._session.rows(_READS_FOREIGN, (oid,))[0][0],
        )

    def _choose(self, table: str) -> tuple[str, str]:
        """The schema and the name of a table."""
        for schema, names in self._found.items():
            if any(name.lower() == table for name in names):
                return schema, matching_name("table", table, names, where=self._where)
        elsewhere = [name for (name,) in self._session.rows(_ELSEWHERE, (table,))]
        remedy = f"It is in schema {' and '.join(elsewhere)}: give --source-schema." if elsewhere else ""
        known = {name for names in self._found.values() for name in names}
        raise SchemaMismatch.missing("table", table, known, where=self._where, remedy=remedy)


def _schemas(session: Session, source: Source) -> list[str]:
    if source.schema is None:
        return [name for (name,) in session.rows("SELECT unnest(current_schemas(false))::text")]
    names = [name for (name,) in session.rows("SELECT nspname::text FROM pg_namespace")]
    remedy = "Name one of these with --source-schema; without it, the connection's search path is used."
    return [matching_name("schema", source.schema, names, where=source.shown, remedy=remedy)]
