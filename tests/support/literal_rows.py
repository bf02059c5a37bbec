"""Rows written by hand, loaded as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from shopsight.contract import TABLES, Kind
from shopsight.errors import ConfigurationError
from shopsight_demo.seed.database import Database, quote
from shopsight_demo.seed.load import open_database
from shopsight_demo.seed.mysql import MySQLDatabase

#: The kinds of databases that a shop can be read from, by the scheme of a URL.
DIALECTS = ("postgresql", "mariadb", "sqlite")

#: Wide types without a constraint, in all dialects: every literal row fits.
LOOSE_TYPES = {
    Kind.KEY: "bigint",
    Kind.TEXT: "text",
    Kind.DATE: "date",
    Kind.MONEY: "numeric(18,2)",
    Kind.COUNT: "bigint",
}


def database_url(request: pytest.FixtureRequest, dialect: str) -> str:
    """The URL of this test's own empty database, of any dialect."""
    if dialect == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/shop.db"
    fixture = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}[dialect]
    url: str = request.getfixturevalue(fixture)
    return url


def load_rows(
    url: str,
    rows: Mapping[str, Sequence[Sequence[Any]]],
    column_types: Mapping[str, Mapping[str, str]] | None = None,
    schema: str | None = None,
) -> None:
    """Create the six tables without constraints and put these rows into them; what was there is dropped.

    Values are ints, text, dates, Decimals and None, in the order of the contract's columns. PostgreSQL reads
    every value's text by the column's type, SQLite keeps what its affinities make of it (a Decimal in a
    ``numeric`` column becomes INTEGER or REAL; name the column ``text`` to keep its digits).

    Args:
        url: ``postgresql://…``, ``mariadb://…`` or ``sqlite:///path``.
        rows: rows by table; a table that is not named is created empty.
        column_types: by table and column, the SQL type where it is not the loose default (bigint, text, date,
            numeric(18,2)): ``{"orders": {"total_amount": "text"}}``. An optional column that is named is
            created behind the contract's.
        schema: PostgreSQL's schema, created if need be; by default the search path's first.
    """
    column_types = column_types or {}
    unknown = sorted(set(rows).union(column_types) - set(TABLES))
    unknown += [
        f"{table}.{column}"
        for table, types in column_types.items()
        if table in TABLES
        for column in sorted(set(types) - {*TABLES[table].column_names, *_optional(table)})
    ]
    if unknown:
        raise ConfigurationError(f"A shop has no {', '.join(unknown)}.")
    with open_database(url, schema) as database:
        database.drop(TABLES)
        for table in TABLES.values():
            types = {c.name: LOOSE_TYPES[c.kind] for c in table.columns}
            types |= column_types.get(table.name, {})
            database.create(table.name, types)
            if rows.get(table.name):
                _insert(database, table.name, types, rows[table.name])
        database.commit()


def _optional(table: str) -> list[str]:
    return [column.name for column in TABLES[table].optional]


def _insert(database: Database, table: str, types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    if database.constrains_late:
        # PostgreSQL binds each value as text, and the column's own type reads it.
        places = [f"CAST(${place}::text AS {kind})" for place, kind in enumerate(types.values(), start=1)]
        columns = [
            pa.array([None if value is None else str(value) for value in column], pa.string())
            for column in zip(*rows, strict=True)
        ]
        values: Any = pa.record_batch(columns, names=list(types))
    else:
        places = ["%s" if isinstance(database, MySQLDatabase) else "?"] * len(types)
        values = [[str(v) if isinstance(v, date | Decimal) else v for v in row] for row in rows]
    statement = f"INSERT INTO {database.quoted(table)} ({', '.join(map(quote, types))})"
    with database.cursor(f"filling {table}") as cursor:
        cursor.executemany(f"{statement} VALUES ({', '.join(places)})", values)
