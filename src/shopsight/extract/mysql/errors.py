"""MySQL's, MariaDB's and the driver's errors, as shopsight's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymysql.err import MySQLError

from shopsight.errors import SchemaMismatch, ShopsightError, SourceError, SourceUnavailable
from shopsight.extract.dialect import STATE, Source, as_configuration_error

#: Error codes for a missing SELECT privilege on a table or column.
DENIED = (1142, 1143)

_REFUSALS = {
    1044: (
        "does not let the user into the database",
        "GRANT SELECT ON the six tables to the user of the source URL.",
    ),
    1045: (
        "refuses the user or the password",
        "Correct the user and the password in the source URL (percent-encode special characters).",
    ),
    1049: ("has no such database", "Correct the database's name at the end of the source URL."),
    1130: ("refuses this host", "Create the user for this host: CREATE USER name@'host'."),
    1698: (
        "accepts this user only through an operating-system login",
        "Give the user a password: ALTER USER … IDENTIFIED BY ….",
    ),
    3118: ("has locked the user", "ALTER USER … ACCOUNT UNLOCK."),
    4151: ("has locked the user", "ALTER USER … ACCOUNT UNLOCK."),
    3159: ("wants TLS", "Add ?ssl_mode=REQUIRED to the source URL."),
}
_REFUSALS[1046] = _REFUSALS[1049]

# Errors that pass by themselves. All others need a person.
_LOST = "The server stopped, or ended the connection: see its log, then run again."
_STOPPED = "Somebody, or a time limit for statements, stopped the query: run again."
_FULL = "The server is out of connections, memory or disk: see its log, then run again."
_TRANSIENT = {
    **dict.fromkeys((0, 1053, 1080, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2014, 2055), _LOST),
    **dict.fromkeys((1317, 1969, 3024), _STOPPED),
    **dict.fromkeys((3, 28, 1021, 1037, 1038, 1040, 1041, 1114, 1129, 1135, 1203, 1226), _FULL),
    **dict.fromkeys((1205, 1213), "Another session holds a lock (a migration?): run again when it is done."),
    1412: "A table was altered after the snapshot was taken: run again.",
}
_GONE = (1051, 1054, 1146, 1356)


@contextmanager
def translated(source: Source, what: str) -> Iterator[None]:
    """Turn the driver's errors into shopsight's.

    Args:
        source: where it happened; its credentials never enter a message.
        what: what was being done, e.g. ``reading shop.orders``.

    Raises:
        SourceUnavailable: trying again can help.
        ConfigurationError: a privilege is missing.
        SchemaMismatch: a table or column has gone since it was looked up.
        SourceError: anything else.
    """
    try:
        yield
    except MySQLError as error:
        raise _translation(error, source, what) from error


def connection_error(error: Exception, source: Source) -> ShopsightError:
    """The error for a connection that could not be opened."""
    code, text = _code(error), words_of(error)
    if code in _REFUSALS:
        finding, remedy = _REFUSALS[code]
        return as_configuration_error(f"The server at {source.shown} {finding}: {text}.", remedy)
    if "certificate" in text or "SSL" in text:
        return as_configuration_error(
            f"No TLS connection to {source.shown}: {text}.",
            "Check ssl_ca, ssl_cert, ssl_key and ssl_mode of the source URL.",
        )
    return SourceUnavailable(
        f"The server at {source.shown} does not answer: {text}. {STATE}",
        remedy=_TRANSIENT.get(code, "Check that MySQL runs, and host and port of the source URL."),
    )


def row_too_long(shown: str) -> SourceError:
    """The error for a row that is longer than the server can send."""
    return SourceError(
        f"{shown} has a row that is longer than the server's max_allowed_packet. {STATE}",
        remedy="Raise max_allowed_packet on the server.",
    )


def _translation(error: MySQLError, source: Source, what: str) -> ShopsightError:
    code, text = _code(error), words_of(error)
    told = f"{source.shown}, {what}: {text}."
    if code in DENIED or code in (1227, 1370):
        return as_configuration_error(told, "GRANT SELECT ON the six tables to the user of the source URL.")
    if code in _GONE:
        remedy = "A table was changed while it was read: run again."
        return SchemaMismatch(f"{told} {STATE}", remedy=remedy)
    if remedy := _TRANSIENT.get(code, ""):
        return SourceUnavailable(f"{told} {STATE}", remedy=remedy)
    remedy = "`shopsight doctor` shows what can be read; the server's log shows why it failed."
    return SourceError(f"{told} {STATE}", remedy=remedy)


def words_of(error: Exception) -> str:
    """The error's words on one line."""
    words = error.args[1:] if _code(error) else error.args
    return " ".join(" ".join(map(str, words)).split()).rstrip(".") or type(error).__name__


def _code(error: Exception) -> int:
    """The server's or the driver's number of the error; 0 for none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
