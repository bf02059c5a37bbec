"""PostgreSQL's and the driver's errors, as shopsight's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote

from adbc_driver_manager import AdbcStatusCode
from adbc_driver_manager import Error as DriverError

from shopsight.errors import SchemaMismatch, ShopsightError, SourceError, SourceUnavailable
from shopsight.extract.dialect import STATE, Source, as_configuration_error

# While connecting, the driver passes on the text alone, in the server's language: an unrecognised text counts
# as unavailable, which is retried.
_REFUSALS = (
    (
        r"certificate|server does not support SSL|no encryption|SSL off",
        "cannot be reached over a connection that both sides accept as secure",
        "Set sslmode in the source URL; with verify-full also sslrootcert=FILE, and the host's name as in its"
        " certificate.",
    ),
    (
        r"password authentication failed|no password supplied|authentication failed for user"
        r"|no pg_hba\.conf entry",
        "refuses the user or the password",
        "Correct the user and the password in the source URL (percent-encode special characters).",
    ),
    (
        r'role ".*" does not exist|role ".*" is not permitted to log in',
        "does not know the user",
        "Correct the user in the source URL, or create the role (README: least-privilege GRANTs).",
    ),
    (
        r'database ".*" does not exist',
        "has no such database",
        "Correct the database's name at the end of the source URL.",
    ),
    (
        r"permission denied for database",
        "does not let the user connect to the database",
        "GRANT CONNECT ON DATABASE … TO the user of the source URL.",
    ),
)
# libpq's texts for a malformed URL. They may quote a part of it, even of the password.
_UNREADABLE_URL = re.compile(
    r"invalid (URI|percent-encoded|port|connection option|.*value)|(extra|missing) key/value|forbidden value"
    r"|unexpected character|end of string reached|could not match \d+ (port|host)"
)
# The driver's prefixes to the server's words.
_DRIVERS_OWN = re.compile(
    r"^([A-Z_]+: )?(\[libpq\] )?(Failed to connect: |Execution error \[\w+\]: |Failed to execute query: )?"
    r"(could not begin COPY: )?(ERROR: )?"
)


# By SQLSTATE or its class: what is known to pass. Everything else needs a person.
_TRANSIENT = {
    "08": "Check the network and the server's log, then run again.",
    "25P03": "The server ended an idle transaction: run again.",
    "25P04": "The server ended a long transaction: raise transaction_timeout for the user, then run again.",
    "40": "On a standby, set hot_standby_feedback = on or raise max_standby_streaming_delay; then run again.",
    "53": "The server is out of connections, memory or disk: see its log, then run again.",
    "55P03": "Another session holds a lock (a migration?): run again when it is done.",
    "57": "The server starts, stops or cancelled the query: run again. If it recurs, look for a timeout.",
    "58": "The server has trouble with its disk: see its log.",
    "72000": "The snapshot became too old: raise old_snapshot_threshold, or run when less is written.",
}


@contextmanager
def translated(source: Source, what: str) -> Iterator[None]:
    """Turn the driver's errors into shopsight's.

    Args:
        source: where it happened; its credentials never enter a message.
        what: what was being done, e.g. ``reading public.orders``.

    Raises:
        SourceUnavailable: trying again can help.
        ConfigurationError: a privilege is missing, or row-level security hides rows.
        SchemaMismatch: a table or column has gone since it was looked up.
        SourceError: anything else.
    """
    try:
        yield
    except DriverError as error:
        raise translation(error, source, what) from _cause(error, source)


def connection_error(error: DriverError, source: Source) -> ShopsightError:
    """The error for a connection that could not be opened."""
    text = words_of(error, source)
    if _UNREADABLE_URL.search(text) and "connection to server" not in text:
        return as_configuration_error(
            "The source URL cannot be read.",
            "Write it as postgresql://user:password@host:5432/database, special characters percent-encoded.",
        )
    for pattern, finding, remedy in _REFUSALS:
        if re.search(pattern, text):
            return as_configuration_error(f"PostgreSQL at {source.shown} {finding}: {text}.", remedy)
    return SourceUnavailable(
        f"PostgreSQL at {source.shown} does not answer: {text}. {STATE}",
        remedy="Check that PostgreSQL runs, and host and port of the source URL.",
    )


def translation(error: DriverError, source: Source, what: str) -> ShopsightError:
    """The error for a statement that failed, by its SQLSTATE."""
    # The driver's own errors have no SQLSTATE: those of input and output mean that the connection is lost.
    code = error.sqlstate or ("08" if error.status_code is AdbcStatusCode.IO else "")
    if "conflict with recovery" in str(error):
        # A standby that ends the connection leaves the driver no SQLSTATE.
        code = "40"
    told = f"PostgreSQL at {source.shown}, {what}: {words_of(error, source)}."
    if code == "42501" and "row-level security" in told:
        return as_configuration_error(
            told,
            "Give the user of the source URL BYPASSRLS, or use the table's owner: a policy would hide rows.",
        )
    if code == "42501":
        return as_configuration_error(
            told, "GRANT USAGE ON SCHEMA … and GRANT SELECT ON the six tables to the user of the source URL."
        )
    if code in ("42P01", "42703", "3F000"):
        remedy = "A table was changed while it was read: run again."
        return SchemaMismatch(f"{told} {STATE}", remedy=remedy)
    if transient := _TRANSIENT.get(code) or _TRANSIENT.get(code[:2]):
        return SourceUnavailable(f"{told} {STATE}", remedy=transient)
    remedy = "`shopsight doctor` shows what can be read; the server's log shows why it failed."
    return SourceError(f"{told} {STATE}", remedy=remedy)


def words_of(error: DriverError, source: Source) -> str:
    """The driver's words on one line, without its prefixes, the query and any credential."""
    text = str(error).partition("\n\nQuery was:")[0]
    text = re.sub(r"\.?\s*SQLSTATE: \w+|\s*Is the server running on that host.*", "", text)
    text = _DRIVERS_OWN.sub("", " ".join(text.split())).rstrip(".?")
    for secret in _secrets(source.url):
        text = text.replace(secret, "***")
    return text


def _cause(error: DriverError, source: Source) -> DriverError | None:
    """The original, for ``--debug``, unless its text holds a credential."""
    return None if any(secret in str(error) for secret in _secrets(source.url)) else error


def _secrets(url: str) -> list[str]:
    """The passwords of the URL, as written and decoded."""
    address, _, options = url.partition("://")[2].partition("?")
    written = address.rpartition("@")[0].partition(":")[2]
    given = [value for name, value in parse_qsl(options) if "password" in name.lower()]
    found = {text for text in (written, unquote(written), *given) if len(text) > 2}
    return sorted(found, key=len, reverse=True)
