"""One connection to MySQL or MariaDB, through PyMySQL."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from pymysql.err import MySQLError

from shopsight.extract.dialect import Source, as_configuration_error
from shopsight.extract.mysql.columns import SourceColumn, described
from shopsight.extract.mysql.errors import connection_error
from shopsight.time_zone import offset_changes

# The server's settings must neither change the meaning of the SQL nor end a long query.
_SETTINGS = (
    "sql_mode = '', net_write_timeout = 600, sql_select_limit = 18446744073709551615,"
    f" sql_big_selects = 1, group_concat_max_len = LEAST(@@max_allowed_packet - 1024, {2**24})"
)
_NO_TIME_LIMIT = {True: "max_statement_time = 0", False: "max_execution_time = 0"}

# A dead host must be noticed within minutes.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}

_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_mode", "unix_socket")
_TLS = ("disabled", "preferred", "required", "verify_ca", "verify_identity")


class Session:
    """A connection for one thread at a time, except :meth:`cancel`.

    Its methods raise :class:`pymysql.err.MySQLError`. Texts arrive as bytes.

    Raises:
        SourceUnavailable: the server does not answer.
        ConfigurationError: it refuses the user, the password or the database, or the URL cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self._options = driver_options(source)
        self._offset = _only_offset(source.time_zone)
        try:
            self._connection = self._connect()
            with ExitStack() as stack:
                stack.callback(self.close)
                ((self.version,),) = self.rows("SELECT VERSION()")
                limit = _NO_TIME_LIMIT["MariaDB" in self.version]
                self.execute(f"SET SESSION {_SETTINGS}, {limit}, time_zone = '{self._offset or '+00:00'}'")
                ((self.longest,),) = self.rows("SELECT @@group_concat_max_len")
                stack.pop_all()
        except (MySQLError, OSError, RuntimeError) as error:
            raise connection_error(error, source) from error

    def _connect(self) -> Any:
        connection: Any = pymysql.connect(**self._options, defer_connect=True)
        if path := self._options["unix_socket"]:
            # The driver would not close a socket that does not connect.
            with ExitStack() as stack:
                link = stack.enter_context(socket.socket(socket.AF_UNIX))
                link.settimeout(self._options["connect_timeout"])
                link.connect(path)
                connection._secure = True
                connection.connect(link)
                stack.pop_all()
        else:
            connection.connect()
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):
                    connection._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection._read_timeout = None  # a query may take long, its connection may not
        return connection

    def execute(self, statement: str) -> None:
        """Run a statement that returns no rows."""
        self._connection.query(statement)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result, texts decoded."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return [
                tuple(value.decode() if isinstance(value, bytes) else value for value in row)
                for row in cursor.fetchall()
            ]

    def columns(self, query: str) -> list[SourceColumn]:
        """The columns of a result."""
        self._connection.query(query)
        fields = self._connection._result.fields
        return [described(field, shows_days=self._offset is not None) for field in fields]

    def values(self, query: str) -> tuple[Any, ...]:
        """The only row of a result, texts as bytes."""
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    def lines(self, query: str, batch_bytes: int) -> Generator[tuple[int, bytes], None, None]:
        """The rows of a result of one column as they arrive: by batches, how many, and the rows as lines.

        A null counts, and is no line.
        """
        batch: list[bytes] = []
        count = size = 0
        self._connection.query(query, unbuffered=True)
        # The driver's own cursor reads a lost connection once more when it is collected, and fails.
        result = self._connection._result
        try:
            while (row := result._read_rowdata_packet_unbuffered()) is not None:
                count += 1
                if row[0] is not None:
                    batch.append(row[0])
                    size += len(row[0])
                if size >= batch_bytes:
                    yield count, b"\n".join([*batch, b""])
                    batch, count, size = [], 0, 0
            if count:
                yield count, b"\n".join([*batch, b""])
        except BaseException:
            # The rest of the result has to be read: let it be short.
            self._kill_query()
            with suppress(MySQLError, OSError, AttributeError):
                result._finish_unbuffered_query()
            raise
        finally:
            result.unbuffered_active = False

    def cancel(self) -> None:
        """Stop the running query and end the connection; may be called by another thread."""
        self._kill_query()
        with suppress(OSError, AttributeError):
            self._connection._sock.shutdown(socket.SHUT_RDWR)

    def _kill_query(self) -> None:
        with suppress(MySQLError, OSError), closing(self._connect()) as other:
            other.query(f"KILL QUERY {self._connection.thread_id()}")

    def close(self) -> None:
        """End the session, and with it its transaction."""
        with suppress(MySQLError, OSError):
            self._connection.close()


def _only_offset(time_zone: str) -> str | None:
    """How far a zone has always been ahead of UTC, as ``+05:30``; None if that changed.

    Few servers know zones by their names.
    """
    seconds, changes = offset_changes(time_zone)
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return None if changes else f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def driver_options(source: Source) -> dict[str, Any]:
    """The driver's arguments for a source URL.

    Raises:
        ConfigurationError: the URL cannot be read, names no database, or a file of TLS cannot be used.
    """
    rest, _, written = source.url.partition("://")[2].partition("?")
    # The address follows the last @, even where the password holds an unencoded one.
    login, _, address = rest.rpartition("@")
    user, _, password = login.partition(":")
    given = {name.replace("-", "_").lower(): value for name, value in parse_qsl(written)}
    given.pop("charset", None)  # often written, and always utf8mb4 here
    wrong = sorted(set(given) - set(_OPTIONS))
    # As MySQL's own clients: encrypted if the server can, and not verified without a CA to verify by.
    usual = "verify_ca" if "ssl_ca" in given else "disabled" if "unix_socket" in given else "preferred"
    mode = given.get("ssl_mode", usual).lower()
    if mode not in _TLS:
        wrong.append(f"ssl_mode={mode}")
    try:
        place = urlsplit(f"//{address}")
        host, port = place.hostname, place.port
    except ValueError:
        wrong.append("address")
    if wrong and "@" in written:
        wrong = ["what follows the ?"]  # an unencoded password has a ?, and its rest would be quoted
    if wrong:
        raise as_configuration_error(
            f"The source URL cannot be read: {' and '.join(wrong)} is not known.",
            "Write it as mysql://user:password@host:3306/database, special characters percent-encoded."
            f" Options are {', '.join(_OPTIONS)}; ssl_mode is one of {', '.join(_TLS)}.",
        )
    database = source.schema or unquote(place.path.strip("/"))
    if not database:
        raise as_configuration_error(
            "The source URL names no database.", "Write it as mysql://user:password@host:3306/database."
        )
    timeout = max(0.1, source.connect_timeout.total_seconds())
    return {
        "host": host,
        "port": port,
        "unix_socket": given.get("unix_socket"),
        "user": unquote(user) or None,
        "password": unquote(password).encode(),
        "database": database,
        "connect_timeout": timeout,
        "read_timeout": timeout,
        "charset": "utf8mb4",
        "use_unicode": False,
        "conv": {**conversions, FIELD_TYPE.NEWDECIMAL: lambda digits: Decimal(digits.decode())},
        "autocommit": True,
        "program_name": "shopsight",
        "ssl_disabled": mode == "disabled",
        "ssl": None if mode in ("disabled", "preferred") else _tls(mode, given),
    }


def _tls(mode: str, given: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=given.get("ssl_ca"))
        # The certificates that MySQL makes for itself are not that strict.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "verify_identity"
        context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
        if "ssl_cert" in given:
            context.load_cert_chain(given["ssl_cert"], given.get("ssl_key"))
    except OSError as error:
        raise as_configuration_error(
            f"The files of TLS in the source URL cannot be used: {error}.",
            "Check ssl_ca, ssl_cert and ssl_key.",
        ) from error
    return context
