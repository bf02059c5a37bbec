"""The connection to MongoDB, and its errors in our own words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from bson.codec_options import CodecOptions
from bson.errors import BSONError
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

#: What every write waits for, unless a load says otherwise: on disk at most members, or an error in a minute.
DURABLE = WriteConcern(w="majority", j=True, wtimeout=60_000)

_REACH_REMEDY = (
    "Check that MongoDB runs (a full disk stops it: see its log) and can be reached from here"
    " (`shopsight doctor`), and --target."
)
_SPACE_REMEDY = "Free some space on MongoDB's disk, or lower keep_generations; then `shopsight run --resume`."

_REFUSED_CODES = {11, 13, 18, 8000}
_FULL_CODES = {14031}
#: The server is going, is no primary, or could not do it in time; its other members may.
_AWAY_CODES = {6, 7, 50, 64, 89, 91, 100, 133, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436}


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

    @contextmanager
    def translated(self) -> Iterator[None]:
        """See :func:`translated`."""
        with translated(self.redacted_url):
            yield

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
    """The target, reached once, while the context lasts.

    Args:
        url: ``mongodb://…`` or ``mongodb+srv://…``. What it says of reads and writes is not followed.
        database: the database's name.
        timeout: how long the first answer, and later the choice of a server, may take.

    Raises:
        ConfigurationError: the URL or the name cannot be used, or MongoDB refuses the user.
        TargetUnavailable: MongoDB does not answer.
    """
    with _client(url, timeout) as client:
        where = redacted_url(url)
        with translated(where):
            try:
                db = client.get_database(
                    database,
                    codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
                    read_preference=ReadPreference.PRIMARY,
                    write_concern=DURABLE,
                    read_concern=ReadConcern("majority"),
                )
            except InvalidName as error:
                raise ConfigurationError(
                    f"{database!r} cannot be the name of a MongoDB database: {error}.",
                    remedy="Give another one in SHOPSIGHT_TARGET_DATABASE.",
                ) from error
            client.admin.command("ping")
        yield Target(client, db, where)


@contextmanager
def _client(url: str, timeout: timedelta) -> Iterator[MongoClient[Document]]:
    milliseconds = int(timeout.total_seconds() * 1000)
    try:
        redacted_url(url)  # refuses what has no scheme, which the client would take for a host's name
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # an option that the driver does not know
            client: MongoClient[Document] = MongoClient(
                url,
                appname="shopsight",
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                retryWrites=True,
                retryReads=True,
            )
    except (DriverConfigurationError, InvalidURI, ValueError, TypeError, UserWarning):
        # The driver's text may quote a piece of the password, and so may the chain: neither is handed on.
        raise ConfigurationError(
            "The target's URL cannot be read, or has an option that MongoDB's driver does not know.",
            remedy="Write it as mongodb://user:password@host:27017/?options, every special character of user"
            " and password percent-encoded (`/` is %2F, `@` is %40).",
        ) from None
    with client:
        yield client


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
    """Turn the driver's errors into ours.

    Args:
        where: the target as messages name it; see :attr:`Target.redacted_url`.

    Raises:
        TargetUnavailable: MongoDB does not answer, went away, or has no primary.
        ConfigurationError: it refuses the user, or the user may not do this.
        PublishError: its disk is full, or it refuses for another reason.
    """
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise translate(error, where) from error


def translate(error: PyMongoError | BSONError, where: str) -> ShopsightError:
    """The error of ours that stands for one of the driver's."""
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


def _code(error: Exception) -> int | None:
    """The server's error code; of a bulk write, that of its first error."""
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        for one in (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())):
            return int(one.get("code", 0)) or None
        return None
    return error.code if isinstance(error, OperationFailure) else None


def _said(error: Exception) -> str:
    """What the driver or the server says, without the topology and the whole reply behind it."""
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        for one in (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())):
            return str(one.get("errmsg", error))
    if isinstance(error, OperationFailure) and error.details:
        return str(error.details.get("errmsg", error)).rstrip(".")
    return str(error).split(" (configured timeouts")[0].split(", Timeout:")[0].rstrip(".")
