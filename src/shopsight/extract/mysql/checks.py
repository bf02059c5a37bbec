"""What `shopsight doctor` says of a source in MySQL or MariaDB."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from shopsight.contract import TABLES
from shopsight.errors import ShopsightError
from shopsight.extract.dialect import Source, SourceCheck, check
from shopsight.extract.mysql.catalog import Catalog
from shopsight.extract.mysql.errors import translated
from shopsight.extract.mysql.session import Session
from shopsight.extract.mysql.snapshot import open_snapshot

# These engines ignore transactions, so their tables have no snapshot.
_WITHOUT_SNAPSHOTS = ("MyISAM", "Aria", "MEMORY", "CSV", "ARCHIVE", "MRG_MyISAM")


def describe(source: Source) -> list[SourceCheck]:
    """See :class:`shopsight.extract.dialect.Dialect`."""
    try:
        session = Session(source)
    except ShopsightError as error:
        return [SourceCheck.failed("connection", error)]
    with closing(session):
        checks = [check("connection", lambda: _connection(session, source))]
        try:
            with translated(source, "looking up the tables"):
                catalog = Catalog(session, source)
        except ShopsightError as error:
            return [*checks, SourceCheck.failed("schema", error)]
        checks += [check(table, partial(_table, source, catalog, table)) for table in TABLES]
    if all(check.is_ok for check in checks):
        checks.append(check("snapshot", lambda: _snapshot(source)))
    return checks


def tables(source: Source) -> dict[str, list[str]]:
    """See :class:`shopsight.extract.dialect.Dialect`."""
    with closing(Session(source)) as session, translated(source, "looking up the tables"):
        return Catalog(session, source).tables()


def _connection(session: Session, source: Source) -> str:
    with translated(source, "asking for the user"):
        ((user,),) = session.rows("SELECT CURRENT_USER()")
    product = "MariaDB" if "MariaDB" in session.version else "MySQL"
    return f"{product} {session.version.partition('-')[0]} at {source.shown}, as {user}"


def _table(source: Source, catalog: Catalog, table: str) -> str:
    with translated(source, f"looking up {table}"):
        relation = catalog.relation(table)
    return f"{relation.shown} can be read"


def _snapshot(source: Source) -> str:
    with open_snapshot(source, 2) as snapshot:
        moving = [one for one in snapshot.relations.values() if one.engine in _WITHOUT_SNAPSHOTS]
        if moving:
            engines = ", ".join(f"{relation.shown} is {relation.engine}" for relation in moving)
            return f"not of one state: {engines}; ALTER TABLE … ENGINE = InnoDB"
        return "connections share a snapshot" if len(snapshot.connections) > 1 else "one connection"
