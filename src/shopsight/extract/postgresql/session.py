"""One connection to PostgreSQL, through ADBC."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import pyarrow as pa
from adbc_driver_manager import AdbcStatusCode, OperationalError
from adbc_driver_manager import Error as DriverError
from adbc_driver_postgresql import StatementOptions, dbapi

from shopsight.extract.dialect import Source
from shopsight.extract.postgresql.errors import connection_error

# A connection through a firewall or to a dead host must end by itself within minutes. What the URL says of
# the same option goes before.
_LINK_OPTIONS = {
    "fallback_application_name": "shopsight",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "120000",
}


class Session:
    """A connection. Not for several threads at once, but for :meth:`cancel`.

    Raises:
        SourceUnavailable: the server does not answer.
        ConfigurationError: it refuses the user, the password or the database, or the URL cannot be read.
    """

    def __init__(self, source: Source) -> None:
        try:
            self._connection = dbapi.connect(_libpq_url(source), autocommit=True)
        except DriverError as error:
            # The driver's text may quote the URL.
            raise connection_error(error, source) from None

    def another(self) -> Session:
        """One more connection to the same database, without asking again for its types.

        Raises:
            adbc_driver_manager.Error: there is none to be had.
        """
        session = Session.__new__(Session)
        session._connection = self._connection.adbc_clone()
        try:
            # The driver begins a transaction at once.
            session._connection.adbc_connection.set_autocommit(True)
        except DriverError:
            session.close()
            raise
        return session

    def execute(self, statement: str) -> None:
        """Run a statement that gives no rows.

        Raises:
            adbc_driver_manager.Error: it failed.
        """
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(statement)
            cursor.adbc_statement.execute_update()

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result.

        Raises:
            adbc_driver_manager.Error: it failed.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def batches(self, query: str, batch_bytes: int) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a result, as they arrive.

        Args:
            query: what to ask for.
            batch_bytes: about how much is held at a time; a single value is never split.

        Raises:
            adbc_driver_manager.Error: it failed, at once or (then without an SQLSTATE) in the middle.
        """
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(batch_bytes)}
            )
            cursor.execute(query)
            reader = cursor.fetch_record_batch()
            try:
                while (batch := _next(reader)) is not None:
                    yield batch
            except BaseException:
                # Closing would wait for the rest of the result.
                self.cancel()
                raise

    def cancel(self) -> None:
        """Stop what runs; from another thread."""
        with suppress(DriverError):
            self._connection.adbc_cancel()

    def close(self) -> None:
        """End the session, and with it its transaction."""
        with suppress(DriverError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except OSError as error:
        # As Arrow passes on what the driver says within a stream; no disk has to do with it.
        raise OperationalError(str(error), status_code=AdbcStatusCode.IO) from error


def _libpq_url(source: Source) -> str:
    """The URL with the options that it does not give itself."""
    base, _, options = source.url.partition("?")
    given = {name for name, _ in parse_qsl(options, keep_blank_values=True)}
    # libpq takes whole seconds, and waits for at least two.
    wanted = {
        **_LINK_OPTIONS,
        "connect_timeout": str(max(2, math.ceil(source.connect_timeout.total_seconds()))),
    }
    added = "&".join(f"{name}={value}" for name, value in wanted.items() if name not in given)
    return f"{base}?{options}&{added}" if options else f"{base}?{added}"
