"""URLs and names: which dialect, what is shown, what is quoted, and that no password is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from adbc_driver_manager import AdbcStatusCode, OperationalError

from shopsight.contract import ORDERS
from shopsight.errors import (
    ConfigurationError,
    SchemaMismatch,
    ShopsightError,
    SourceError,
    SourceUnavailable,
)
from shopsight.extract import extract
from shopsight.extract.dialect import Source, matching_name, quote_name
from shopsight.extract.postgresql.columns import SourceColumn, quote_text
from shopsight.extract.postgresql.errors import connection_error, translated
from shopsight.extract.postgresql.lines import line

SECOND = timedelta(seconds=1)


def source(url: str) -> Source:
    return Source(url, None, SECOND)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db.example:5433/shop", "postgresql://db.example:5433/shop"),
        ("postgresql://ann:s3cret@db/shop?sslpassword=s3cret", "postgresql://db/shop"),
        ("postgresql://ann:s3cret@/shop?host=/run/pg", "postgresql:///shop?host=/run/pg"),
        ("postgresql://ann:s3:c/r@et@db:1/shop", "postgresql://db:1/shop"),
        ("postgresql://ann:s3?cret@db/shop", "postgresql://db/shop"),
        ("mysql://ann:s3@cret@db:1/shop?ssl_ca=s3", "mysql://db:1/shop"),
        ("mysql://ann:s3cret@/shop?unix_socket=/run/s", "mysql:///shop?unix_socket=/run/s"),
        ("sqlite:////var/lib/a@b.db", "sqlite:////var/lib/a@b.db"),
    ],
)
def test_a_source_is_shown_without_user_password_and_options(url: str, shown: str) -> None:
    assert source(url).shown == shown
    assert "s3" not in repr(source(url))


@pytest.mark.parametrize("url", ["oracle://ann:s3cret@db/shop", "db2://db", "shop.db", ""])
def test_a_url_of_another_kind_names_those_that_can_be_read(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mysql://, mariadb://, sqlite:// can be read") as caught:
        extract(source(url), tmp_path, connections=1, batch_rows=1000)
    assert "s3cret" not in str(caught.value)


def test_an_exact_name_is_preferred_to_one_in_other_case() -> None:
    assert matching_name("table", "orders", ["ORDERS", "orders"], where="public") == "orders"
    assert matching_name("schema", "Shop", ["shop"], where="db") == "shop"


def test_an_ambiguous_name_is_not_guessed() -> None:
    with pytest.raises(SchemaMismatch, match=r"'orders' could be any of 'ORDERS', 'Orders'"):
        matching_name("table", "orders", ["Orders", "ORDERS"], where="public")


def test_a_missing_name_lists_the_nearest_and_all_existing_names() -> None:
    with pytest.raises(
        SchemaMismatch, match=r"'orders' is missing; found customer, order\. Did you mean 'order'\?"
    ):
        matching_name("table", "orders", ["order", "customer"], where="public")


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    assert quote_name('a"; DROP TABLE x; --') == '"a""; DROP TABLE x; --"'
    assert quote_text("a'; DROP TABLE x; --") == "'a''; DROP TABLE x; --'"


def column(name: str, base: str, modifier: int = -1) -> SourceColumn:
    return SourceColumn(name, base, base, modifier)


def decimal_modifier(precision: int, scale: int) -> int:
    return (precision << 16 | scale) + 4


def test_a_line_quotes_text_and_sends_numbers_bare() -> None:
    columns = [
        column("ID", "int4"),
        column("customer_id", "uuid"),
        column("day", "timestamptz"),
        column("total", "float8"),
        column("status", "citext"),
    ]
    assert (
        'concat_ws(\',\', "ID", quote_ident("customer_id"::text), ("day" AT TIME ZONE \'UTC\')::date,'
        ' "total"::text::numeric, quote_ident("status"::text))'
    ) in line(ORDERS, columns)


def driver_error(text: str, sqlstate: str | None = None) -> OperationalError:
    return OperationalError(text, status_code=AdbcStatusCode.IO, sqlstate=sqlstate)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('FATAL:  password authentication failed for user "ann"', ConfigurationError, "refuses the user"),
        ('FATAL:  role "ann" does not exist', ConfigurationError, "does not know the user"),
        ('FATAL:  database "shop" does not exist', ConfigurationError, "has no such database"),
        ('could not translate host name "nowhere" to address', SourceUnavailable, "does not answer"),
        ("Connection refused", SourceUnavailable, "does not answer"),
        ("FATAL:  sorry, too many clients already", SourceUnavailable, "too many clients"),
        ("FATALER FEHLER: nichts geht mehr", SourceUnavailable, "nichts geht mehr"),
    ],
)
def test_a_connection_refusal_becomes_the_right_error(
    text: str, kind: type[ShopsightError], said: str
) -> None:
    told = f'IO: [libpq] Failed to connect: connection to server at "db", port 5432 failed: {text}\n'
    error = connection_error(driver_error(told), source("postgresql://ann:s3cret@db/shop"))
    assert type(error) is kind
    assert said in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("42501", ConfigurationError),
        ("42P01", SchemaMismatch),
        ("57P01", SourceUnavailable),
        ("55P03", SourceUnavailable),
        ("72000", SourceUnavailable),
        ("40001", SourceUnavailable),
        ("53100", SourceUnavailable),
        (None, SourceUnavailable),
        ("22012", SourceError),
        ("XX000", SourceError),
        ("25006", SourceError),
        ("55000", SourceError),
    ],
)
def test_an_sqlstate_becomes_the_right_error(sqlstate: str | None, kind: type[ShopsightError]) -> None:
    with pytest.raises(ShopsightError) as caught, translated(source("postgresql://db/shop"), "reading x"):
        raise driver_error("IO: [libpq] ERROR:  something", sqlstate)
    assert type(caught.value) is kind
    assert "postgresql://db/shop, reading x: something." in caught.value.message


def test_a_password_in_the_drivers_message_is_hidden() -> None:
    ann = source("postgresql://ann:pass%2Dword@db/shop")
    with pytest.raises(SourceError) as caught, translated(ann, "reading"):
        raise driver_error("cannot use pass-word nor pass%2Dword", "22012")
    assert "cannot use *** nor ***" in caught.value.message
    # A traceback would show what caused it.
    assert caught.value.__cause__ is None
