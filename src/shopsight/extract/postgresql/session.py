"""One connection to PostgreSQL, through ADBC."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pyarrow as pa
from adbc_driver_manager import Error as DriverError
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_postgresql import StatementOptions, dbapi

from shopsight.extract.dialect import Source
from shopsight.extract.postgresql.errors import connection_error

# A connection through a firewall or to a dead host must end by itself within minutes. The URL's own options
# override these.
_LINK_OPTIONS = {
    "fallback_application_name": "shopsight",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "120000",
}


class Session:
    """A connection for one thread at a time, except :meth:`cancel`.

    Its methods raise :class:`adbc_driver_manager.Error`.

    Raises:
        SourceUnavailable: the server does not answer.
        ConfigurationError: it refuses the user, the password or the database, or the URL cannot be read.
    """

    def __init__(self, source: Source) -> None:
        try:
            self._connection = dbapi.connect(_libpq_url(source), autocommit=True)
            if self._quotes_all_names():
                self.close()
                self._connection = dbapi.connect(_libpq_url(source, unquoted=True), autocommit=True)
        except DriverError as error:
            # The driver's text may quote the URL.
            raise connection_error(error, source) from None

    def _quotes_all_names(self) -> bool:
        """Whether the driver failed to learn the database's types, as it looks them up by bare names."""
        # In a transaction, because a pooler may give the two steps of a query to two servers.
        self.execute("BEGIN")
        ((setting,),) = self.rows("SELECT current_setting('quote_all_identifiers')")
        self.execute("ROLLBACK")
        return setting in (b"on", "on")

    def execute(self, statement: str) -> None:
        """Run a statement that returns no rows."""
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(statement)
            cursor.adbc_statement.execute_update()

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def column_names(self, query: str) -> list[str]:
        """The names of a result's columns, each as often as the result has it."""
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return [column[0] for column in cursor.description or ()]

    def batches(self, query: str, batch_bytes: int) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a result as they arrive, about ``batch_bytes`` at a time; a value is never split."""
        with self._connection.cursor() as cursor:
            statement = cursor.adbc_statement
            statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(batch_bytes)})
            statement.set_sql_query(query)
            # The cursor's own way loses the SQLSTATE of an error in the middle of a result.
            stream, _ = statement.execute_query()
            reader = AdbcRecordBatchReader._import_from_c(stream.address)
            try:
                with suppress(StopIteration):
                    while True:
                        yield reader.read_next_batch()
            except BaseException:
                # Closing would wait for the rest of the result.
                self.cancel()
                raise
            finally:
                reader.close()

    def cancel(self) -> None:
        """Stop the running query; may be called by another thread."""
        with suppress(DriverError):
            self._connection.adbc_cancel()

    def close(self) -> None:
        """End the session, and with it its transaction."""
        with suppress(DriverError):
            self._connection.close()


def _libpq_url(source: Source, *, unquoted: bool = False) -> str:
    """The source's URL, completed by the options that it does not give itself."""
    base, _, written = source.url.partition("?")
    given = dict(parse_qsl(written, keep_blank_values=True))
    # libpq takes whole seconds, and waits for at least two.
    timeout = str(max(2, math.ceil(source.connect_timeout.total_seconds())))
    added = {
        name: value
        for name, value in {**_LINK_OPTIONS, "connect_timeout": timeout}.items()
        if name not in given
    }
    if unquoted:
        # Not for everyone: older poolers refuse "options". libpq takes the last of two.
        added["options"] = f"{given.get('options', '')} -c quote_all_identifiers=off"
    return f"{base}?{written}{'&' if written else ''}{urlencode(added, quote_via=quote)}"
