"""What the doctor asks of a PostgreSQL source; reads no rows."""

from __future__ import annotations

from collections.abc import Callable

from shopsight.contract import TABLES
from shopsight.errors import ShopsightError
from shopsight.extract.dialect import Source, SourceCheck
from shopsight.extract.postgresql.catalog import Catalog
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.session import Session
from shopsight.extract.postgresql.snapshot import begin_to_look, shared_snapshot


def check_source(source: Source) -> list[SourceCheck]:
    """See :func:`shopsight.extract.check_source`."""
    try:
        session = Session(source)
    except ShopsightError as error:
        return [SourceCheck.failed("source: connection", error)]
    with session:
        checks = [_check("source: connection", lambda: _connection(session, source))]
        try:
            with translated(source, "looking up the tables"):
                begin_to_look(session, source)
                catalog = Catalog(session, source)
        except ShopsightError as error:
            return [*checks, SourceCheck.failed("source: schema", error)]
        checks += [
            _check(f"source: {table}", lambda table=table: _table(session, source, catalog, table))  # type: ignore[misc]
            for table in TABLES
        ]
    if all(check.is_ok for check in checks):
        checks.append(_check("source: snapshot", lambda: _snapshot(source)))
    return checks


def _check(name: str, look: Callable[[], str]) -> SourceCheck:
    try:
        return SourceCheck(name, True, look())
    except ShopsightError as error:
        return SourceCheck.failed(name, error)


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
            session.rows(f"SELECT {relation.selected} FROM {relation.quoted} LIMIT 0")
        finally:
            session.execute("ROLLBACK TO SAVEPOINT before_reading")
    return f"{relation.shown} can be read"


def _snapshot(source: Source) -> str:
    with shared_snapshot(source, 2) as snapshot:
        shared = len(snapshot.sessions) > 1
    return "connections share a snapshot" if shared else "one connection only: the server shares no snapshot"
