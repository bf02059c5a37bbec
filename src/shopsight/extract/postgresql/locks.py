"""Opening one state of the database for several connections: all locks first, then the snapshot.

``TRUNCATE``, ``REFRESH MATERIALIZED VIEW`` and a rewriting ``ALTER TABLE`` do not respect snapshots: a table
that is emptied between the snapshot and its lock looks empty. So all connections take their locks (ACCESS
SHARE: readers and writers continue) before the first one takes the snapshot. ``LOCK TABLE`` also locks
partitions, and the tables beneath a view. It needs SELECT; beneath a view, the view's owner needs it.

Materialised views, foreign tables, and tables with SELECT on some columns only cannot be locked that way.
Reading no rows of them locks them, but takes the snapshot first. If any storage was replaced between the two,
everything is done again.

A statement that waits for the first connection's locks keeps all others from taking them, until the first has
read everything. So the others wait only briefly, and are left out if they get no lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from adbc_driver_manager import Error as DriverError

from shopsight.errors import SourceUnavailable
from shopsight.extract.dialect import STATE, Source, as_configuration_error
from shopsight.extract.postgresql.catalog import Relation, look_up_tables
from shopsight.extract.postgresql.columns import quote_text
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.session import Session

OLDEST_VERSION = 13

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_PARAMETERS = {
    # A full read may take longer than a server's limits for a web application's queries, as pg_dump's may.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    # But do not wait long for a migration's lock.
    "lock_timeout": "30s",
    # Fail where a policy would hide rows, as pg_dump does.
    "row_security": "off",
    # Values read the same on every server.
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    # Compiling takes longer than reading a part.
    "jit": "off",
    "enable_tidscan": "on",
}
# A connection that does not get a lock at once stands behind somebody who waits for the first connection.
_FOLLOWERS_LOCK_TIMEOUT = "100ms"
# How long to try again while tables are replaced; a few times is usual under constant migrations.
_PATIENCE_SECONDS = 30.0

# Locked storage that is not the snapshot's. A new index counts too: one more try does no harm.
_REPLACED = """
    SELECT count(*) FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (c.oid IS NULL OR c.relkind IN ('r', 'm') AND c.relfilenode > 0
         AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid))
"""


class Locked(NamedTuple):
    """Connections in one snapshot, its id and clock, and the tables as they are in it."""

    sessions: list[Session]
    id: str
    as_of: datetime
    relations: dict[str, Relation]


@contextmanager
def locked_snapshot(source: Source, connections: int) -> Iterator[Locked]:
    """Open connections on one state of the database, and end them with the context.

    There are fewer than asked for where the server has no more, or a server or pooler does not share the
    snapshot, and only one where a foreign table is read: each connection would see its own state of that.

    Raises:
        SourceError: see :mod:`shopsight.extract.postgresql.errors`.
        SchemaMismatch: a table or column is missing or ambiguous.
        ConfigurationError: the server is too old, or a privilege is missing.
    """
    with ExitStack() as stack:
        leader = stack.enter_context(closing(Session(source)))
        stack.callback(_end, leader)
        with translated(source, "looking up the tables"):
            parameters = begin_to_look(leader, source)
            relations = look_up_tables(leader, source)
        followers: list[Session] = []
        if not any(relation.reads_foreign for relation in relations.values()):
            followers = _connect_followers(stack, source, connections - 1)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            sessions, (snapshot_id, as_of) = _take_snapshot(source, leader, followers, parameters, relations)
            with translated(source, "looking up the tables"):
                found = look_up_tables(leader, source)
                ((replaced,),) = leader.rows(_REPLACED)
            if found == relations and not replaced:
                break
            # A migration ended after the tables were looked up, or after the snapshot.
            relations = found
            if any(relation.reads_foreign for relation in relations.values()):
                followers = []
            if time.monotonic() > deadline:
                raise SourceUnavailable(
                    f"PostgreSQL at {source.shown}: tables were altered, emptied or refreshed without a pause"
                    f" for {_PATIENCE_SECONDS:g} s. {STATE}",
                    remedy="Run again when the migration is done.",
                )
        yield Locked(sessions, snapshot_id, as_of.astimezone(UTC), relations)


def begin_to_look(session: Session, source: Source) -> dict[str, str]:
    """Begin a read-only transaction under shopsight's parameters, and return those that this server has.

    Raises:
        ConfigurationError: the server is too old.
    """
    session.execute(_BEGIN)
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
    # In a SQL_ASCII database, UTF8 would make the server refuse bytes that are not UTF-8.
    wanted = {**_PARAMETERS, "client_encoding": "SQL_ASCII" if encoding == "SQL_ASCII" else "UTF8"}
    parameters = {name: value for name, value in wanted.items() if name in names}
    _set(session, parameters)
    return parameters


def _set(session: Session, parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        session.execute(f"SET LOCAL {name} = {quote_text(value)}")


def _connect_followers(stack: ExitStack, source: Source, count: int) -> list[Session]:
    followers: list[Session] = []
    with suppress(SourceUnavailable):  # no free slot
        while len(followers) < count:
            followers.append(stack.enter_context(closing(Session(source))))
            stack.callback(_end, followers[-1])
    return followers


def _take_snapshot(
    source: Source,
    leader: Session,
    followers: list[Session],
    parameters: Mapping[str, str],
    relations: Mapping[str, Relation],
) -> tuple[list[Session], tuple[str, datetime]]:
    """Lock the tables and take the snapshot: the connections that share it, its id and clock."""
    for session in (leader, *followers):
        _end(session)
    with translated(source, "locking the tables"):
        _lock(leader, parameters, relations)
    brief = {**parameters, "lock_timeout": _FOLLOWERS_LOCK_TIMEOUT}
    ready = [follower for follower in followers if _succeeds(_lock, follower, brief, relations)]
    exported = _export(leader) if ready else None
    if ready and exported is None:
        # The refusal ended the transaction: go on alone.
        followers.clear()
        return _take_snapshot(source, leader, followers, parameters, relations)
    with translated(source, "taking a snapshot"):
        ((snapshot_id, as_of),) = leader.rows("SELECT pg_current_snapshot()::text, statement_timestamp()")
    for relation in relations.values():
        with translated(source, f"reading {relation.shown}"):
            _read_no_rows(leader, relation)
    joined = [follower for follower in ready if _succeeds(_join, follower, exported, parameters, relations)]
    return [leader, *joined], (snapshot_id, as_of)


def _lock(session: Session, parameters: Mapping[str, str], relations: Mapping[str, Relation]) -> None:
    """Begin, and lock what LOCK TABLE takes; none of these statements takes the snapshot."""
    session.execute(_BEGIN)
    _set(session, parameters)
    for relation in relations.values():
        if not relation.is_lockable:
            continue
        session.execute("SAVEPOINT before_lock")
        try:
            session.execute(f"LOCK TABLE {relation.base} IN ACCESS SHARE MODE")
        except DriverError as error:
            if error.sqlstate != "42501":
                raise
            # The view's owner has SELECT on only some columns beneath it: reading no rows locks those tables.
            session.execute("ROLLBACK TO SAVEPOINT before_lock")
        session.execute("RELEASE SAVEPOINT before_lock")


def _join(
    session: Session, exported: str, parameters: Mapping[str, str], relations: Mapping[str, Relation]
) -> None:
    """Join the snapshot, which another server behind a pooler does not know."""
    session.execute(f"SET TRANSACTION SNAPSHOT {quote_text(exported)}")
    for relation in relations.values():
        _read_no_rows(session, relation)
    # Tables that a view's function reads are locked when it is called; that lock may be waited for.
    _set(session, {"lock_timeout": parameters["lock_timeout"]})


def _succeeds(action: Callable[..., None], *arguments: Any) -> bool:
    try:
        action(*arguments)
    except DriverError:
        return False
    return True


def _read_no_rows(session: Session, relation: Relation) -> None:
    """Lock everything that reading the relation reads, with no more privileges than that needs."""
    session.rows(f"SELECT {relation.selected} FROM {relation.base} LIMIT 0")


def _export(session: Session) -> str | None:
    """The name under which other connections find the snapshot; None where the server refuses it."""
    try:
        return str(session.rows("SELECT pg_export_snapshot()")[0][0])
    except DriverError:
        return None


def _end(session: Session) -> None:
    """Leave the transaction in an orderly way: behind a pooler the server's connection lives on."""
    with suppress(DriverError):
        session.execute("ROLLBACK")
