"""PostgreSQL: several connections on one exported snapshot, each reading ranges of pages.

The modules, in the order in which they build on each other: ``errors``, ``session`` (a connection),
``columns`` and ``catalog`` (which tables and columns there are), ``locks`` (one state for all connections),
``packed``, ``lines`` and ``control_totals`` (the queries), ``snapshot`` (reading).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, closing

from shopsight.contract import TABLES
from shopsight.errors import ShopsightError
from shopsight.extract.dialect import Source, SourceCheck, check
from shopsight.extract.postgresql.catalog import Catalog
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.locks import begin_to_look
from shopsight.extract.postgresql.session import Session
from shopsight.extract.postgresql.snapshot import PostgresSnapshot, open_snapshot


class PostgreSQL:
    """See :class:`shopsight.extract.dialect.Dialect`."""

    name = "postgresql"

    def snapshot(self, source: Source, connections: int) -> AbstractContextManager[PostgresSnapshot]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        return open_snapshot(source, connections)

    def tables(self, source: Source) -> dict[str, list[str]]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        with closing(Session(source)) as session, translated(source, "looking up the tables"):
            begin_to_look(session, source)
            return Catalog(session, source).tables()

    def describe(self, source: Source) -> list[SourceCheck]:
        """See :class:`shopsight.extract.dialect.Dialect`."""
        try:
            session = Session(source)
        except ShopsightError as error:
            return [SourceCheck.failed("connection", error)]
        with closing(session):
            checks = [check("connection", lambda: _connection(session, source))]
            try:
                with translated(source, "looking up the tables"):
                    begin_to_look(session, source)
                    catalog = Catalog(session, source)
            except ShopsightError as error:
                return [*checks, SourceCheck.failed("schema", error)]
            checks += [
                check(table, lambda table=table: _table(session, source, catalog, table))  # type: ignore[misc]
                for table in TABLES
            ]
        if all(check.is_ok for check in checks):
            checks.append(check("snapshot", lambda: _snapshot(source)))
        return checks


def _connection(session: Session, source: Source) -> str:
    with translated(source, "asking for the version"):
        ((version, user),) = session.rows("SELECT current_setting('server_version'), current_user::text")
    return f"PostgreSQL {version} at {source.shown}, as {user}"


def _table(session: Session, source: Source, catalog: Catalog, table: str) -> str:
    with translated(source, f"looking up {table}"):
        relation = catalog.relation(table)
    with translated(source, f"reading {relation.shown}"):
        session.execute("SAVEPOINT before_reading")
        try:
            session.rows(f"SELECT {relation.selected} FROM {relation.base} LIMIT 0")
        finally:
            session.execute("ROLLBACK TO SAVEPOINT before_reading")
    return f"{relation.shown} can be read"


def _snapshot(source: Source) -> str:
    with open_snapshot(source, 2) as snapshot:
        if len(snapshot.connections) > 1:
            return "connections share a snapshot"
        if any(relation.reads_foreign for relation in snapshot.relations.values()):
            return "one connection only: several would see different states of the foreign tables"
    return "one connection only: the server shares no snapshot"
