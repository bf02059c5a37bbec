"""Finding the six tables in PostgreSQL's catalog, whatever they are and however they are written."""

from __future__ import annotations

from dataclasses import dataclass

from shopsight.errors import SchemaMismatch
from shopsight.extract.dialect import Source, matching_columns, matching_name
from shopsight.extract.postgresql.columns import SourceColumn, quote_name
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

# Domains are followed to what they are made of; their modifier comes with them. A constraint that was never
# validated says nothing of the rows that were there before it.
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


@dataclass(frozen=True)
class Relation:
    """A table of the contract as the database has it.

    Attributes:
        table: the contract's name.
        schema: the source's schema.
        name: the source's name.
        oid: the database's own identifier.
        has_pages: whether it can be read by ranges of its own pages, which then are all of it; the place of a
            row is only for those who may read the whole table.
        is_lockable: whether a lock can keep it as it is.
        columns: by the contract's names, in the contract's order.
    """

    table: str
    schema: str
    name: str
    oid: int
    has_pages: bool
    is_lockable: bool
    columns: dict[str, SourceColumn]

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return f"{quote_name(self.schema)}.{quote_name(self.name)}"

    @property
    def selected(self) -> str:
        """The columns as SQL, in the contract's order."""
        return ", ".join(quote_name(column.name) for column in self.columns.values())

    @property
    def shown(self) -> str:
        """The name as people write it."""
        return f"{self.schema}.{self.name}"


class Catalog:
    """The schemas in which a source's tables are looked for.

    In the schema that was asked for, else along the connection's search path, where the first schema that has
    a table wins. The same name goes before one that differs in upper and lower case.

    Raises:
        SchemaMismatch: the schema that was asked for is missing or ambiguous.
        adbc_driver_manager.Error: the catalog cannot be read.
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
        """A table of the contract as the source has it.

        Raises:
            SchemaMismatch: it, or a column of it, is missing or ambiguous.
            adbc_driver_manager.Error: the catalog cannot be read.
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
            is_lockable=kind in "rp" and may_read,
            columns={expected: columns[found] for expected, found in names.items()},
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
