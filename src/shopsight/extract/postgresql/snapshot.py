"""One state of the database, shared by several connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from adbc_driver_manager import Error as DriverError

from shopsight.contract import TABLES
from shopsight.extract.dialect import Source, as_configuration_error
from shopsight.extract.postgresql.catalog import Catalog, Relation
from shopsight.extract.postgresql.columns import quote_text
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.session import Session

OLDEST_VERSION = 14

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# A full read may take longer than a server's limits for a web application's queries, as pg_dump's may. But
# nobody waits long behind a migration's lock. The rest makes values read the same everywhere.
_PARAMETERS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "lock_timeout": "30s",
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    # Compiling takes longer than reading a part.
    "jit": "off",
    "enable_tidscan": "on",
}

_STATE = """
    SELECT pg_current_snapshot()::text, statement_timestamp(), current_setting('server_version'),
           getdatabaseencoding()::text
"""

# Values that are too large for a page lie in a table of their own.
_EXTENT = """
    SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint,
           coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)) > 0, false)
    FROM pg_class c WHERE c.oid = $1::oid
"""


@dataclass(frozen=True)
class Extent:
    """How many pages a table has, and whether it has values that are larger than a page."""

    pages: int
    has_large_values: bool


@dataclass(frozen=True)
class SharedSnapshot:
    """Connections in read-only transactions that all see the same state of the database.

    Attributes:
        sessions: at least one.
        id: the database's own name for the state.
        as_of: the database's clock when it was taken.
        server_version: as the database says it.
        is_utf8: whether its encoding is UTF-8.
        relations: by the contract's names; as they are in this state.
        extents: by the contract's names, of those tables that have pages.
    """

    sessions: list[Session]
    id: str
    as_of: datetime
    server_version: str
    is_utf8: bool
    relations: Mapping[str, Relation]
    extents: Mapping[str, Extent]


@contextmanager
def shared_snapshot(source: Source, connections: int) -> Iterator[SharedSnapshot]:
    """Open connections on one state of the database, and end them with the context.

    Tables are locked against being altered or emptied (ACCESS SHARE: readers and writers go on). Where a
    server or a pooler does not hand the state on to other connections, there are fewer, and at least one.

    Raises:
        SourceError: see :mod:`shopsight.extract.postgresql.errors`.
        SchemaMismatch: a table or column is missing or ambiguous.
        ConfigurationError: the server is too old, or a privilege is missing.
    """
    with ExitStack() as stack:
        leader = stack.enter_context(Session(source))
        stack.callback(_end, leader)
        with translated(source, "looking up the tables"):
            # In a transaction of its own: the snapshot is to be taken after the tables are locked.
            parameters = begin_to_look(leader, source)
            relations = _relations(leader, source)
            leader.execute("COMMIT")
        while True:
            with translated(source, "taking a snapshot"):
                exported = _take(leader, parameters, relations, connections)
                ((snapshot_id, as_of, version, encoding),) = leader.rows(_STATE)
            for relation in relations.values():
                with translated(source, f"reading {relation.shown}"):
                    leader.rows(f"SELECT {relation.selected} FROM {relation.quoted} LIMIT 0")
            with translated(source, "looking up the tables"):
                found = _relations(leader, source)
                if found == relations:
                    break
                # A migration ended while its lock was waited for: types are others than those looked up.
                leader.execute("ROLLBACK")
                relations = found
        with translated(source, "measuring the tables"):
            extents = {
                name: Extent(*leader.rows(_EXTENT, (relation.oid,))[0])
                for name, relation in relations.items()
                if relation.has_pages
            }
        sessions = [leader]
        while exported is not None and len(sessions) < connections:
            follower = _follow(leader, exported, parameters)
            if follower is None:
                break
            sessions.append(stack.enter_context(follower))
            stack.callback(_end, follower)
        yield SharedSnapshot(
            sessions, snapshot_id, as_of.astimezone(UTC), version, encoding == "UTF8", relations, extents
        )


def _relations(session: Session, source: Source) -> dict[str, Relation]:
    catalog = Catalog(session, source)
    return {table: catalog.relation(table) for table in TABLES}


def _take(
    leader: Session, parameters: Mapping[str, str], relations: Mapping[str, Relation], connections: int
) -> str | None:
    """Begin, lock the tables and take the snapshot; the name under which others find it, if there is one."""
    _begin(leader, parameters, relations)
    exported = _export(leader) if connections > 1 else None
    if connections > 1 and exported is None:
        leader.execute("ROLLBACK")
        _begin(leader, parameters, relations)
    return exported


def begin_to_look(session: Session, source: Source) -> dict[str, str]:
    """Begin a read-only transaction under shopsight's parameters.

    Returns:
        The parameters, as far as this server has them.

    Raises:
        ConfigurationError: the server is too old.
        adbc_driver_manager.Error: it failed.
    """
    session.execute(_BEGIN)
    parameters = _known_parameters(session, source)
    _set(session, parameters)
    return parameters


def _known_parameters(session: Session, source: Source) -> dict[str, str]:
    ((number, version, encoding),) = session.rows(
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),"
        " getdatabaseencoding()::text"
    )
    if number < OLDEST_VERSION * 10_000:
        raise as_configuration_error(
            f"PostgreSQL at {source.shown} has version {version}; at least {OLDEST_VERSION} is needed.",
            "Upgrade the server, or read from a replica that has a newer version.",
        )
    names = {name for (name,) in session.rows("SELECT lower(name) FROM pg_settings")}
    # SQL_ASCII stands for bytes of which the server knows nothing: it would refuse those that are not UTF-8.
    wanted = {**_PARAMETERS, "client_encoding": "SQL_ASCII" if encoding == "SQL_ASCII" else "UTF8"}
    return {name: value for name, value in wanted.items() if name in names}


def _begin(session: Session, parameters: Mapping[str, str], relations: Mapping[str, Relation]) -> None:
    """Begin, and lock the tables; neither takes the snapshot, so that no change slips between the two."""
    session.execute(_BEGIN)
    _set(session, parameters)
    for relation in relations.values():
        if relation.is_lockable:
            session.execute(f"LOCK TABLE {relation.quoted} IN ACCESS SHARE MODE")


def _set(session: Session, parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        session.execute(f"SET LOCAL {name} = {quote_text(value)}")


def _export(session: Session) -> str | None:
    """The name under which other connections find the snapshot; None where the server does not give one."""
    try:
        return str(session.rows("SELECT pg_export_snapshot()")[0][0])
    except DriverError:
        return None


def _follow(leader: Session, exported: str, parameters: Mapping[str, str]) -> Session | None:
    """Another connection in the snapshot; None where there is none: no free slot, or another server."""
    try:
        session = leader.another()
    except DriverError:
        return None
    try:
        session.execute(_BEGIN)
        session.execute(f"SET TRANSACTION SNAPSHOT {quote_text(exported)}")
        _set(session, parameters)
    except DriverError:
        session.close()
        return None
    return session


def _end(session: Session) -> None:
    """Leave the transaction in an orderly way: behind a pooler the server's connection lives on."""
    with suppress(DriverError):
        session.execute("ROLLBACK")
