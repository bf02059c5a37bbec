"""The connection to the MongoDB database that is published to, and the driver's errors as shopsight's."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from bson.codec_options import CodecOptions
from bson.errors import BSONError
from dns.exception import DNSException
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    InvalidName,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri

from shopsight.errors import ConfigurationError, PublishError, ShopsightError, TargetUnavailable

Document = dict[str, Any]

#: Every write but a load's waits until most members have it on disk, or fails after a minute.
DURABLE = WriteConcern(w="majority", j=True, wtimeout=60_000)

_REACH_REMEDY = (
    "Check that MongoDB runs (a full disk stops it: see its log) and can be reached from here"
    " (`shopsight doctor`), and --target."
)
_SPACE_REMEDY = "Free some space on MongoDB's disk, or lower keep_generations; then `shopsight run --resume`."

_SERVERS_OWN = ("admin", "config", "local")

#: The server's error codes, by name in tests/publish/test_target.py. Refused: the user or the permission.
_REFUSED_CODES = {11, 13, 18, 8000}
_FULL_CODES = {14031}
#: The server stops, has only just begun, is no primary, or was too slow; a later attempt may succeed.
# fmt: off
_AWAY_CODES = {
    6, 7, 50, 64, 89, 91, 100, 133, 134, 189, 211, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436,
}
# fmt: on


@dataclass(frozen=True)
class Target:
    """An open connection to the database that is published to.

    Attributes:
        client: the driver's client; closed when :func:`connect`'s context ends.
        db: the database: majority reads from the primary, durable writes, moments in UTC.
        redacted_url: scheme and hosts, for messages; no user, no password, no options.
    """

    client: MongoClient[Document]
    db: Database[Document]
    redacted_url: str

    def translated(self) -> AbstractContextManager[None]:
        """See :func:`translated`."""
        return translated(self.redacted_url)

    def clock(self) -> datetime:
        """The server's clock, UTC.

        Raises:
            TargetUnavailable: MongoDB does not answer.
        """
        with self.translated():
            now: datetime = self.client.admin.command("hello")["localTime"]
        return now.replace(tzinfo=UTC)


@contextmanager
def connect(url: str, database: str, timeout: timedelta) -> Iterator[Target]:
    """The target while the context lasts; MongoDB has answered once before it begins.

    Args:
        url: ``mongodb://…`` or ``mongodb+srv://…``. Its read and write concerns are ignored.
        database: the database's name.
        timeout: the limit for the first answer, and later for the choice of a server.

    Raises:
        ConfigurationError: the URL or the name cannot be used, or MongoDB refuses the user.
        TargetUnavailable: MongoDB does not answer, or its host has no address.
    """
    with _client(url, timeout) as client:
        where = redacted_url(url)
        with translated(where):
            db = _database(client, database)
            client.admin.command("ping")
        yield Target(client, db, where)


def require_hosts(url: str, timeout: timedelta) -> None:
    """Fail at once where each host refuses or is unknown; the driver would ask again until its timeout.

    Raises:
        ConfigurationError: the URL cannot be used.
        TargetUnavailable: no host can be connected to.
    """
    if url.startswith("mongodb+srv://"):
        return
    _client(url, timeout).close()  # what is wrong with the URL comes first
    refusals = []
    for host, port in parse_uri(url, validate=False, warn=False)["nodelist"]:
        try:
            socket.create_connection((host, port), timeout.total_seconds()).close()
        except (ConnectionRefusedError, socket.gaierror) as error:
            refusals.append(f"{host}:{port}: {error}")
            continue
        except (OSError, TypeError):  # TypeError: a socket's path has no port
            pass
        return
    said = ", ".join(refusals)
    raise TargetUnavailable(f"MongoDB at {redacted_url(url)} does not answer: {said}.", remedy=_REACH_REMEDY)


def _database(client: MongoClient[Document], name: str) -> Database[Document]:
    remedy = "Give another one in SHOPSIGHT_TARGET_DATABASE."
    if name in _SERVERS_OWN:
        raise ConfigurationError(
            f"The database {name!r} is MongoDB's own. Nothing was changed.", remedy=remedy
        )
    try:
        return client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            read_preference=ReadPreference.PRIMARY,
            write_concern=DURABLE,
            read_concern=ReadConcern("majority"),
        )
    except InvalidName as error:
        message = f"{name!r} cannot be the name of a MongoDB database: {error}."
        raise ConfigurationError(message, remedy=remedy) from error


def _client(url: str, timeout: timedelta) -> MongoClient[Document]:
    milliseconds = int(timeout.total_seconds() * 1000)
    try:
        redacted_url(url)  # refuses a URL without a scheme, which the client would take for a host's name
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # an option that the driver does not know
            return MongoClient(
                url,
                appname="shopsight",
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                retryWrites=True,
                retryReads=True,
            )
    except (DriverConfigurationError, InvalidURI, ValueError, TypeError, UserWarning) as error:
        if isinstance(error.__cause__ or error.__context__, DNSException):
            message = f"MongoDB at {redacted_url(url)} cannot be found: {_said(error)}."
            raise TargetUnavailable(message, remedy=_REACH_REMEDY) from None
        # The driver's text may quote a piece of the password, and so may the chain: neither is handed on.
        raise ConfigurationError(
            "The target's URL cannot be read, or has an option that MongoDB's driver does not know.",
            remedy="Write it as mongodb://user:password@host:27017/?options, every special character of user"
            " and password percent-encoded (`/` is %2F, `@` is %40).",
        ) from None


def redacted_url(url: str) -> str:
    """The URL's scheme and hosts alone.

    >>> redacted_url("mongodb://ann:s3cret@db1,db2:27018/shop?replicaSet=rs0")
    'mongodb://db1:27017,db2:27018'
    """
    if url.startswith("mongodb+srv://"):
        return f"mongodb+srv://{urlsplit(url).hostname}"
    hosts = parse_uri(url, validate=False, warn=False)["nodelist"]
    return "mongodb://" + ",".join(host if port is None else f"{host}:{port}" for host, port in hosts)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into shopsight's; ``where`` names the target in messages.

    Raises:
        TargetUnavailable: MongoDB does not answer, went away, or has no primary.
        ConfigurationError: it refuses the user, or the user lacks a permission.
        PublishError: its disk is full, or it refuses for another reason.
    """
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise translate(error, where) from error


def translate(error: PyMongoError | BSONError, where: str) -> ShopsightError:
    """Shopsight's error for one of the driver's."""
    said, code = _said(error), _code(error)
    if code in _REFUSED_CODES:
        return ConfigurationError(
            f"MongoDB at {where} refuses: {said}.",
            remedy="Check user and password in the target's URL, and that the user has the role of"
            " samples/mongo/role.js in this database.",
        )
    if code in _FULL_CODES or "no space left" in said.lower():
        return PublishError(f"The disk of MongoDB at {where} is full.", remedy=_SPACE_REMEDY)
    if isinstance(error, ConnectionFailure) or code in _AWAY_CODES or getattr(error, "timeout", False):
        waited = "does not answer" if isinstance(error, ServerSelectionTimeoutError) else "went away"
        return TargetUnavailable(f"MongoDB at {where} {waited}: {said}.", remedy=_REACH_REMEDY)
    return PublishError(
        f"MongoDB at {where} refuses: {said}.",
        remedy="`shopsight doctor` says what this user and this server can do.",
    )


def _first_error(error: Exception) -> Document:
    """The server's reply, of a bulk write its first error; empty if the server sent none."""
    details = (error.details or {}) if isinstance(error, OperationFailure) else {}
    if isinstance(error, BulkWriteError):
        return next(iter([*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]), {})
    return dict(details)


def _code(error: Exception) -> int | None:
    if isinstance(error, BulkWriteError):
        return int(_first_error(error).get("code", 0)) or None
    return error.code if isinstance(error, OperationFailure) else None


def _said(error: Exception) -> str:
    """The reason alone, without the topology and the whole reply that the driver adds."""
    text = str(_first_error(error).get("errmsg", error))
    return text.split(" (configured timeouts", maxsplit=1)[0].split(", Timeout:", maxsplit=1)[0].rstrip(".")
