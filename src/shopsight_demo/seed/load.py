"""Loads a made-up shop into a SQL database, whole or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError
from shopsight_demo.seed.database import Database
from shopsight_demo.seed.generate import MadeShop
from shopsight_demo.seed.mysql import MySQLDatabase
from shopsight_demo.seed.postgresql import PostgresDatabase
from shopsight_demo.seed.schemas import Types, column_types, required_columns, table_constraints
from shopsight_demo.seed.size import DEFAULT_END_DATE, Recipe, ShopSize
from shopsight_demo.seed.sqlite import SqliteDatabase

#: The scheme of a SQLite URL; what follows is the path, absolute when it starts with a fourth slash.
SQLITE_SCHEME = "sqlite:///"
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
MYSQL_SCHEMES = ("mysql://", "mariadb://")


class TablesExist(ConfigurationError):
    """The database has tables of a shop already; nothing was changed."""


@dataclass(frozen=True)
class SeedReport:
    """The loaded shop.

    Attributes:
        rows: by table, how many rows.
        dirt: by table and kind, how many of them were made dirty (see :mod:`shopsight_demo.seed.dirt`).
        seconds: how long making and loading took.
    """

    rows: dict[str, int]
    dirt: dict[str, dict[str, int]]
    seconds: float


def seed(
    url: str,
    size: ShopSize | None = None,
    dirt: float = 0.05,
    seed: int = 1,
    *,
    constraints: bool = False,
    types: Types = Types.NATIVE,
    end_date: date = DEFAULT_END_DATE,
    schema: str | None = None,
    replace: bool = False,
    on_progress: Callable[[str, str, int], None] | None = None,
) -> SeedReport:
    """Create the six tables and fill them with a made-up shop, in one transaction.

    The same arguments give the same rows, except that only SQLite gets NUL in names.

    Args:
        url: ``postgresql://…``, ``mysql://…``, ``mariadb://…`` or ``sqlite:///path``.
        size: how many customers, orders and so on.
        dirt: the share of each table's rows that are dirty, between 0 and 1.
        seed: another seed, another shop.
        constraints: with the shop's own keys, references and checks, and only the dirt that they let through;
            otherwise without any, and with every kind of dirt.
        types: ``Types.TEXT`` makes every column text and adds values that cannot be read.
        end_date: the last day with orders.
        schema: PostgreSQL's schema or MySQL's database, created if need be; by default the URL's.
        replace: drop the tables that are there; otherwise they are left alone and an error tells of them.
        on_progress: called with ``"seed"``, the table and its rows loaded so far.

    Raises:
        TablesExist: the tables are there already.
        ConfigurationError: the arguments or the URL are wrong.
        SourceUnavailable: the database does not answer.
        SourceError: the database refused something. In every case it is as it was before.
    """
    started = time.perf_counter()
    shop = MadeShop(
        Recipe(
            size=size or ShopSize(),
            dirt=dirt,
            seed=seed,
            end_date=end_date,
            constraints=constraints,
            types=types,
            nul=url.startswith(SQLITE_SCHEME) and not constraints,
        )
    )
    rows: Counter[str] = Counter()
    with open_database(url, schema) as database:
        _make_room(database, replace)
        _create_tables(database, shop.recipe)
        for table, batch in shop.batches():
            database.ingest(table, batch)
            rows[table] += batch.num_rows
            if on_progress:
                on_progress("seed", table, rows[table])
        if constraints and database.constrains_late:
            _add_late_constraints(database)
        database.analyze(TABLES)
        database.commit()
    return SeedReport({table: rows[table] for table in TABLES}, shop.dirt, time.perf_counter() - started)


@contextmanager
def open_database(url: str, schema: str | None = None) -> Iterator[Database]:
    """The database that a URL means: ``postgresql://…``, ``mysql://…`` or ``sqlite:///path``.

    Raises:
        ConfigurationError: another kind of URL, or a schema for SQLite, which has none.
        SourceUnavailable: the database does not answer.
    """
    database: Database
    if url.startswith(SQLITE_SCHEME):
        if schema is not None:
            raise ConfigurationError(
                f"SQLite has no schemas, and {schema!r} was asked for.", remedy="Leave the schema out."
            )
        database = SqliteDatabase(url.removeprefix(SQLITE_SCHEME))
    elif url.startswith(POSTGRES_SCHEMES):
        database = PostgresDatabase(url, schema)
    elif url.startswith(MYSQL_SCHEMES):
        database = MySQLDatabase(url, schema)
    else:
        raise ConfigurationError(
            f"The source {url!r} is not a database that can be filled.",
            remedy="Give postgresql://user@host/database, mysql://user@host/database or sqlite:///path.",
        )
    with closing(database):
        yield database


def _make_room(database: Database, replace: bool) -> None:
    found = database.existing(TABLES)
    if found and not replace:
        raise TablesExist(
            f"The database has tables of a shop already: {', '.join(found)}. Nothing was changed.",
            remedy="Name another database or schema, or --replace the tables, which deletes their rows.",
        )
    if found:
        database.drop(TABLES)


def _create_tables(database: Database, recipe: Recipe) -> None:
    for table in TABLES:
        columns = column_types(table, recipe.types)
        constraints: list[str] = []
        if recipe.constraints:
            columns |= {column: f"{columns[column]} NOT NULL" for column in required_columns(table)}
            constraints = [] if database.constrains_late else table_constraints(table, database.quoted)
        database.create(table, columns, constraints)


def _add_late_constraints(database: Database) -> None:
    """Keys and references after the load: building an index once is faster than growing it row by row."""
    database.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for table in TABLES:
        added = ", ".join(f"ADD {constraint}" for constraint in table_constraints(table, database.quoted))
        database.execute(f"ALTER TABLE {database.quoted(table)} {added}")
