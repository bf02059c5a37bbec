"""Extraction from MariaDB: one state, read by ranges of keys or line by line, and what can go wrong."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl
import pymysql
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.support.extracted import assert_proven, raw_measure
from tests.support.literal_rows import load_rows

from shopsight.contract import TABLES
from shopsight.errors import (
    ConfigurationError,
    SchemaMismatch,
    ShopsightError,
    SourceError,
    SourceUnavailable,
)
from shopsight.extract import Source, check_source, extract, source_totals
from shopsight.extract.mysql import session as session_module
from shopsight.extract.mysql import snapshot as snapshot_module
from shopsight.extract.mysql.session import Session, driver_options
from shopsight.extract.mysql.snapshot import open_snapshot
from shopsight.record import Snapshot
from shopsight.settings.table_mapping import TableMapping
from shopsight_demo.seed import ShopSize, Types, seed
from shopsight_demo.servers import MariaDBServer

if TYPE_CHECKING:
    from conftest import Restartable

SAMPLES = Path(__file__).parents[2] / "samples"
D = Decimal
PATIENCE = timedelta(seconds=5)
DAY = "2024-01-31"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def read(url: str, folder: Path, schema: str | None = None, **given: Any) -> Snapshot:
    patience, tables = given.pop("connect_timeout", PATIENCE), given.pop("tables", {})
    source = Source(url, schema, patience, tables)
    return extract(source, folder, **{"connections": 2, "batch_rows": 1000, **given})


def refused(url: str, folder: Path, kind: type[ShopsightError], **given: Any) -> ShopsightError:
    with pytest.raises(kind) as caught:
        read(url, folder, **given)
    assert caught.value.remedy
    assert "Nothing was extracted." in caught.value.message
    return caught.value


@contextlib.contextmanager
def connected(url: str) -> Iterator[pymysql.cursors.Cursor]:
    options = {**driver_options(Source(url, None, PATIENCE)), "read_timeout": 60, "use_unicode": True}
    del options["conv"]
    with pymysql.connect(**options) as connection, connection.cursor() as cursor:
        yield cursor


def execute(url: str, *statements: str) -> None:
    with connected(url) as cursor:
        for statement in statements:
            cursor.execute(statement)


def rows_of(folder: Path, table: str) -> list[tuple[Any, ...]]:
    return pl.read_parquet(folder / table).sort(TABLES[table].key).rows()


def with_login(server: MariaDBServer, url: str, name: str, *grants: str) -> str:
    """The URL for a new user with these privileges."""
    execute(
        server.url,
        f"CREATE OR REPLACE USER {name}@localhost IDENTIFIED BY 'p@ss/w:rd'",
        *(f"GRANT {grant} TO {name}@localhost" for grant in grants),
    )
    return url.replace(f"root:{server.password}", f"{name}:{quote('p@ss/w:rd', safe='')}")


def database_of(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


# --- whole -----------------------------------------------------------------------------------------------


def test_all_values_arrive_as_they_are(mariadb_url: str, raw: Path) -> None:
    rows: dict[str, list[tuple[Any, ...]]] = {
        "categories": [(1, "Books")],
        "products": [(1, "Atlas", 1), (2, None, None)],
        "customers": [(1, "Ann", "ann@example.com", "DE"), (2, 'O"Hara, the\n2nd \\n', "", None)],
        "orders": [(1, 1, date(2024, 1, 31), D("19.99"), "Paid"), (2, 2, None, None, "on hold")],
        "order_items": [(1, 1, 1, 2, D("9.50")), (2, 1, 2, None, D("0.99"))],
        "reviews": [(1, 1, 1, 5, date(2024, 2, 29)), (2, 1, 2, None, date(9999, 12, 31))],
    }
    load_rows(mariadb_url, rows)
    snapshot = read(mariadb_url, raw)
    assert {name: rows_of(raw, name) for name in TABLES} == rows
    assert_proven(snapshot, raw)
    assert all(set(table.physical.values()) == {"native"} for table in snapshot.tables.values())
    assert snapshot.dialect == "mysql"
    assert snapshot.source.startswith(f"mariadb:///{database_of(mariadb_url)}?unix_socket=/")
    assert snapshot.server_version.startswith("10.")
    assert snapshot.tables["orders"].column_types["total_amount"] == "decimal(18,2)"
    assert abs(snapshot.as_of - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("types", "constraints"), [(Types.NATIVE, True), (Types.NATIVE, False), (Types.TEXT, False)]
)
def test_a_dirty_shop_is_read_whole(types: Types, constraints: bool, mariadb_url: str, raw: Path) -> None:
    size = ShopSize(customers=300, orders=3000, products=60, categories=12)
    made = seed(mariadb_url, size, dirt=0.2, types=types, constraints=constraints)
    told = dict.fromkeys(TABLES, 0)

    def on_rows(table: str, rows: int) -> None:
        told[table] += rows

    snapshot = read(mariadb_url, raw, on_rows=on_rows)
    assert_proven(snapshot, raw)
    assert told == {name: table.rows for name, table in snapshot.tables.items()} == made.rows
    physical = {name: table.physical for name, table in snapshot.tables.items()}
    asked = source_totals(Source(mariadb_url, None, PATIENCE), physical)
    assert asked.tables == snapshot.tables


def test_empty_tables_are_files_of_the_right_types(mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {})
    execute(mariadb_url, "ALTER TABLE orders ADD PRIMARY KEY (order_id)")
    assert_proven(read(mariadb_url, raw), raw)
    assert str(raw_measure(raw, "orders")) == "0.00"
    assert pl.read_parquet_schema(raw / "reviews" / "part-00000.parquet")["review_date"] == pl.Date


# --- ranges ----------------------------------------------------------------------------------------------

ORDERS = (
    "CREATE OR REPLACE TABLE orders (order_id {} PRIMARY KEY, customer_id INT, order_date DATE,"
    " total_amount DECIMAL(18,2), status {})"
)


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("BIGINT", [-(2**63) + 1, -5, 0, 7, 2**62, 2**63 - 1]),
        ("BIGINT UNSIGNED", [0, 1, 2**63, 2**64 - 1]),
        ("INT(10) UNSIGNED ZEROFILL", [1, 42, 2**32 - 1]),
        ("INT", [n * n for n in range(0, 3000, 3)]),
        ("DECIMAL(20,0)", [1, 2, 10**18]),
        ("VARCHAR(30)", ["1", "10", "2", "x", "-7", "007", "٣", "8\n", "9 ", "1234567890123456789"]),
    ],
)
def test_keys_however_far_apart_are_read_once(key: str, keys: list[Any], mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {})
    execute(mariadb_url, ORDERS.format(key, "VARCHAR(20) COLLATE utf8mb4_nopad_bin"))
    with connected(mariadb_url) as cursor:
        cursor.executemany(
            "INSERT INTO orders VALUES (%s, 3, '2024-01-31', 1.5, 'paid')", [(k,) for k in keys]
        )
    snapshot = read(mariadb_url, raw)
    found = [row[0] for row in rows_of(raw, "orders")]
    as_read = [f"{k:010}" if "ZEROFILL" in key else k for k in keys]
    assert sorted(map(str, found)) == sorted(map(str, keys)) or sorted(found) == sorted(as_read)
    assert_proven(snapshot, raw)


def test_a_mapped_table_is_read_by_ranges_of_its_own_key(mariadb_url: str, raw: Path) -> None:
    seed(mariadb_url, ShopSize(customers=200, orders=3000), dirt=0.1, constraints=True)
    execute(mariadb_url, "ALTER TABLE orders RENAME COLUMN order_id TO entity_id")
    mapping = {
        "where": "status <> 'cancelled' OR entity_id < 9 -- not these",
        "columns": {"order_id": "entity_id", "status": {"sql": "CONCAT('wc-', status)"}},
    }
    tables = {"orders": TableMapping.model_validate(mapping)}
    with open_snapshot(Source(mariadb_url, None, PATIENCE, tables), 1) as snapshot:
        ((whole,),) = [snapshot.parts("orders")]
        assert whole is not None
        session = snapshot.connections[0]
        ((expected,),) = session.rows(
            "SELECT COUNT(*) FROM orders WHERE status <> 'cancelled' OR entity_id < 9"
        )
    told: list[str] = []
    found = read(mariadb_url, raw, tables=tables, on_rows=lambda table, rows: told.append(table))
    assert_proven(found, raw)
    assert found.tables["orders"].rows == expected
    assert told.count("orders") > 1
    assert {row[4][:3] for row in rows_of(raw, "orders")} == {"wc-"}


def test_a_key_of_several_columns_is_read_by_ranges_of_its_first(mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {})
    execute(
        mariadb_url,
        "CREATE OR REPLACE TABLE order_items (item_id INT, order_id INT, product_id INT, quantity INT,"
        " price DECIMAL(10,2), PRIMARY KEY (order_id, item_id))",
        "INSERT INTO order_items SELECT seq, seq DIV 700, 1, 2, 9.5 FROM seq_1_to_5000",
    )
    assert_proven(read(mariadb_url, raw), raw)
    assert raw_measure(raw, "order_items") == D("95000.00")


def test_lines_that_the_server_cuts_are_read_by_smaller_ranges(
    restartable_mariadb: Restartable, raw: Path
) -> None:
    url = restartable_mariadb.url
    load_rows(url, {})
    execute(
        url,
        "SET GLOBAL max_allowed_packet = 1048576",
        "ALTER TABLE categories ADD PRIMARY KEY (category_id), MODIFY category_name MEDIUMTEXT",
        # Ten megabytes of characters of three bytes in a thousand rows; then a row of nearly a packet.
        "INSERT INTO categories SELECT seq, REPEAT('€', seq * 7) FROM seq_1_to_1000",
        "INSERT INTO categories VALUES (5000, REPEAT('x', 1048000))",
    )
    told: list[int] = []
    snapshot = read(url, raw, on_rows=lambda table, rows: told.append(rows))
    assert_proven(snapshot, raw)
    assert snapshot.tables["categories"].rows == sum(told) == 1001
    assert max(told) < 500

    execute(url, "SET GLOBAL max_allowed_packet = 2097152")
    execute(url, "INSERT INTO categories VALUES (5001, REPEAT('x', 1100000))")
    execute(url, "SET GLOBAL max_allowed_packet = 1048576")
    error = refused(url, raw, SourceError)
    assert "categories has a row that is longer than the server's max_allowed_packet" in error.message
    assert "max_allowed_packet" in error.remedy


def test_connections_share_a_state_where_the_binary_log_tells_it(scratch: Path, raw: Path) -> None:
    options = {"log-bin": "binlog", "server-id": "1", "innodb-flush-log-at-trx-commit": "0"}
    with MariaDBServer(scratch / "mariadb-log", options=options) as server:
        seed(server.url, ShopSize(customers=200, orders=2000), constraints=True)
        stop = threading.Event()

        def write() -> None:
            with connected(server.url) as cursor:
                while not stop.is_set():
                    cursor.execute("BEGIN")
                    cursor.execute("UPDATE orders SET total_amount = total_amount + 1 WHERE order_id = 7")
                    cursor.execute("UPDATE reviews SET rating = 6 - rating WHERE review_id = 3")
                    cursor.execute("COMMIT")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                with open_snapshot(Source(server.url, None, PATIENCE), 3) as snapshot:
                    sums = [
                        session.rows("SELECT SUM(total_amount) FROM orders")
                        for session in snapshot.connections
                    ]
                assert sums == sums[:1] * len(sums)
                snapshot_of = read(server.url, raw / str(number), connections=3)
                assert snapshot_of.snapshot_id.startswith("binlog.")
                assert_proven(snapshot_of, raw / str(number))
        finally:
            stop.set()
            writer.join()
        with open_snapshot(Source(server.url, None, PATIENCE), 3) as snapshot:
            assert len(snapshot.connections) == 3
            assert len(snapshot.parts("orders")) == 12
        server.remove()


# --- one state -------------------------------------------------------------------------------------------


def test_all_tables_are_of_one_state_while_somebody_writes(mariadb_url: str, raw: Path) -> None:
    load_rows(
        mariadb_url,
        {
            "categories": [(1, "Books")],
            "orders": [(number, 1, DAY, "1.00", "paid") for number in range(3000)],
            "reviews": [(1, 1, 1, 5, DAY)],
        },
    )
    with connected(mariadb_url) as writer:

        def on_rows(table: str, rows: int) -> None:
            writer.execute("DELETE FROM orders")
            writer.execute("UPDATE reviews SET rating = 1")

        snapshot = read(mariadb_url, raw, on_rows=on_rows)
    assert_proven(snapshot, raw)
    assert raw_measure(raw, "orders") == D("3000.00")
    assert raw_measure(raw, "reviews") == 5


def test_reading_can_change_nothing(mariadb_url: str) -> None:
    load_rows(mariadb_url, {})
    with (
        open_snapshot(Source(mariadb_url, None, PATIENCE), 1) as snapshot,
        pytest.raises(pymysql.Error, match="READ ONLY transaction"),
    ):
        snapshot.connections[0].execute("DELETE FROM orders")


def test_a_table_waits_to_be_dropped_until_it_is_read(mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {"orders": [(number, 1, DAY, "1.00", "paid") for number in range(3000)]})
    outcomes = []
    with connected(mariadb_url) as other:
        other.execute("SET lock_wait_timeout = 1")

        def on_rows(table: str, rows: int) -> None:
            if not outcomes:
                try:
                    other.execute("DROP TABLE reviews")
                except pymysql.Error as error:
                    outcomes.append(error.args[0])

        assert_proven(read(mariadb_url, raw, on_rows=on_rows), raw)
    assert outcomes == [1205]


def test_a_table_altered_after_the_snapshot_is_reported(
    mariadb_url: str, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = snapshot_module.look_up_tables

    def altered_first(*given: Any) -> Any:
        execute(mariadb_url, "ALTER TABLE reviews FORCE")
        return look_up(*given)

    load_rows(mariadb_url, {"reviews": [(1, 1, 1, 5, DAY)]})
    monkeypatch.setattr(snapshot_module, "look_up_tables", altered_first)
    error = refused(mariadb_url, raw, SourceUnavailable)
    assert "reviews: Table definition has changed" in error.message
    assert error.is_retryable


# --- names, rights and addresses -------------------------------------------------------------------------


def test_views_and_names_in_other_letters_are_read(mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {"orders": [(1, 1, DAY, "1.50", "paid")]})
    execute(
        mariadb_url,
        "RENAME TABLE orders TO old_orders, categories TO `Categories`",
        'ALTER TABLE `Categories` ADD `odd``"name` INT FIRST, ADD PRIMARY KEY (category_id)',
        "INSERT INTO `Categories` VALUES (0, 3, 'Games')",
        "CREATE VIEW `ORDERS` AS SELECT order_id AS `Order_ID`, customer_id, order_date, total_amount,"
        " status, 'x' AS extra FROM old_orders",
    )
    snapshot = read(mariadb_url, raw)
    assert rows_of(raw, "orders") == [(1, 1, date(2024, 1, 31), D("1.50"), "paid")]
    assert rows_of(raw, "categories") == [(3, "Games")]
    assert_proven(snapshot, raw)


def test_a_server_that_folds_names_is_read(scratch: Path, raw: Path) -> None:
    with MariaDBServer(scratch / "mariadb-fold", options={"lower-case-table-names": "1"}) as server:
        execute(server.url, "CREATE DATABASE `Mixed`")
        url = server.url_of("Mixed")
        load_rows(url, {"orders": [(1, 1, DAY, "1.50", "paid")]})
        assert_proven(read(url, raw), raw)
        server.remove()


def test_a_schema_is_a_database(mariadb_url: str, mariadb_server: MariaDBServer, raw: Path) -> None:
    load_rows(mariadb_url, {"categories": [(1, "Books")]})
    assert_proven(read(mariadb_server.url, raw, schema=database_of(mariadb_url)), raw)
    error = refused(mariadb_server.url, raw, ConfigurationError, schema="nowhere")
    assert "has no such database" in error.message


def test_missing_tables_and_columns_are_named_with_the_nearest(mariadb_url: str, raw: Path) -> None:
    load_rows(mariadb_url, {})
    execute(mariadb_url, "ALTER TABLE reviews RENAME COLUMN review_date TO reviewdate")
    error = refused(mariadb_url, raw, SchemaMismatch)
    assert "column 'review_date' is missing" in error.message
    assert "Did you mean 'reviewdate'?" in error.message
    execute(mariadb_url, "RENAME TABLE orders TO order_s")
    assert "Did you mean 'order_s'?" in refused(mariadb_url, raw, SchemaMismatch).message
    assert not raw.exists()


def test_select_is_enough_and_each_missing_privilege_is_reported(
    mariadb_server: MariaDBServer, mariadb_url: str, raw: Path
) -> None:
    load_rows(mariadb_url, {"orders": [(1, 1, DAY, "1.50", "paid")]})
    name = database_of(mariadb_url)
    tables = [f"SELECT ON {name}.{table}" for table in TABLES]
    reader = with_login(mariadb_server, mariadb_url, "reader", *tables)
    assert_proven(read(reader, raw), raw)

    reader = with_login(mariadb_server, mariadb_url, "reader", *tables[:-1])
    error = refused(reader, raw, ConfigurationError)
    assert "SELECT command denied" in error.message
    assert f"{name}.reviews" in error.remedy

    columns = f"SELECT (review_id, product_id, customer_id, rating) ON {name}.reviews"
    reader = with_login(mariadb_server, mariadb_url, "reader", *tables[:-1], columns)
    assert "column 'review_date' is missing" in refused(reader, raw, SchemaMismatch).message

    reader = with_login(mariadb_server, mariadb_url, "reader")
    assert "does not let the user into the database" in refused(reader, raw, ConfigurationError).message


def test_the_documented_rights_are_enough_and_no_more(
    mariadb_server: MariaDBServer, mariadb_url: str, raw: Path
) -> None:
    load_rows(mariadb_url, {"orders": [(1, 1, DAY, "1.50", "paid")]})
    client = ["mariadb", "--no-defaults", f"--socket={mariadb_server.socket_path}", "--user=root"]
    environment = {"PATH": os.environ["PATH"], "MYSQL_PWD": mariadb_server.password}
    for _ in range(2):
        grants = (SAMPLES / "sql" / "grants-mysql.sql").read_text()
        subprocess.run(
            [*client, database_of(mariadb_url)], input=grants, text=True, env=environment, check=True
        )
    reader = mariadb_url.replace(f"root:{mariadb_server.password}", "shopsight_reader:")
    assert "locked" in refused(reader, raw, ConfigurationError).message
    execute(mariadb_url, "ALTER USER shopsight_reader IDENTIFIED BY 'read-only' ACCOUNT UNLOCK")
    reader = reader.replace("shopsight_reader:", "shopsight_reader:read-only")
    assert_proven(read(reader, raw), raw)
    for statement in ("DELETE FROM reviews", "CREATE TABLE mine (id INT)", "SELECT * FROM mysql.user"):
        with pytest.raises(pymysql.Error, match="denied"):
            execute(reader, statement)
    execute(mariadb_url, "DROP USER shopsight_reader")


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("@/", "0@/", "refuses the user or the password"),
        ("root:", "nobody:", "refuses the user or the password"),
        ("?unix_socket", "?ssl_mode=sometimes&unix_socket", "ssl_mode=sometimes"),
        ("?unix_socket", "?sslmode=required&unix_socket", "sslmode"),
        ("?unix_socket", "?ssl_ca=/nowhere&ssl-mode=VERIFY_CA&unix_socket", "files of TLS"),
        ("@/", "@host:port/", "address"),
        ("/test_", "/nowhere_", "has no such database"),
        ("/test_", "/?x=", "names no database"),
    ],
)
def test_a_wrong_url_is_reported_without_its_password(
    old: str, new: str, finding: str, mariadb_server: MariaDBServer, mariadb_url: str, raw: Path
) -> None:
    error = refused(mariadb_url.replace(old, new, 1), raw, ConfigurationError)
    assert finding in error.message or finding.startswith("names")
    assert mariadb_server.password not in error.message + error.remedy


def test_a_password_with_a_question_mark_is_not_taken_for_options() -> None:
    with pytest.raises(ConfigurationError, match=r"what follows the \? is not known") as refusal:
        driver_options(Source("mysql://ann:pa?s3cret=x@db/shop", None, PATIENCE))
    assert "s3cret" not in refusal.value.message + refusal.value.remedy


def test_a_server_that_does_not_answer_is_unavailable(
    mariadb_url: str, restartable_mariadb: Restartable, raw: Path
) -> None:
    nowhere = mariadb_url.replace("mariadb.sock", "nowhere.sock")
    assert refused(nowhere, raw, SourceUnavailable).is_retryable
    closed = "mysql://ann:secret@127.0.0.1:1/shop"
    assert "secret" not in refused(closed, raw, SourceUnavailable).message
    restartable_mariadb.pause()
    error = refused(restartable_mariadb.url, raw, SourceUnavailable, connect_timeout=timedelta(seconds=0.3))
    assert error.is_retryable


def test_tls_is_as_strict_as_the_url_says(scratch: Path, raw: Path) -> None:
    server = MariaDBServer(scratch / "mariadb-tls")
    with server:
        key, certificate = make_certificate(scratch)
        copies = [server.home / key.name, server.home / certificate.name]
        for file, copy in zip((key, certificate), copies, strict=True):
            server.run(["sh", "-c", 'cat > "$0"', copy], given=file.read_text())
    server.options = {"ssl-key": str(copies[0]), "ssl-cert": str(copies[1])}
    with server:
        load_rows(server.url, {"categories": [(1, "Books")]})

        def cipher(options: str, host: str = "") -> str:
            url = server.url.replace("@/", f"@{host}/")
            with contextlib.closing(Session(Source(f"{url}&{options}", None, PATIENCE))) as session:
                ((_, name),) = session.rows("SHOW STATUS LIKE 'Ssl_cipher'")
                return str(name)

        assert cipher("") == cipher("ssl_mode=DISABLED") == ""
        assert cipher("ssl-mode=REQUIRED") != ""
        assert cipher(f"ssl_ca={certificate}") != ""
        assert cipher(f"ssl_mode=VERIFY_IDENTITY&ssl_ca={certificate}", "localhost") != ""
        for host, options in (
            ("localhost", "ssl_mode=VERIFY_CA"),
            ("localhost", "ssl_mode=VERIFY_IDENTITY"),
            ("example.org", f"ssl_mode=VERIFY_IDENTITY&ssl_ca={certificate}"),
        ):
            url = server.url.replace("@/", f"@{host}/")
            assert "TLS" in refused(f"{url}&{options}", raw, ConfigurationError).message
    server.remove()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for the name `localhost`, signed by itself."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[0].write_bytes(key.private_bytes(pem, *plain))
    files[1].write_bytes(certificate.public_bytes(pem))
    return files


# --- lost ------------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_is_unavailable(restartable_mariadb: Restartable, raw: Path) -> None:
    url = restartable_mariadb.url
    load_rows(url, {"orders": [(number, 1, DAY, "1.00", "paid") for number in range(20_000)]})
    killed = []

    def on_rows(table: str, rows: int) -> None:
        if not killed:
            restartable_mariadb.kill()
            killed.append(table)

    error = refused(url, raw, SourceUnavailable, on_rows=on_rows)
    assert error.is_retryable
    assert "run again" in error.remedy or "Check that it runs" in error.remedy


@pytest.mark.parametrize("what", ["QUERY", "CONNECTION"])
def test_a_killed_query_or_connection_is_unavailable(
    what: str, mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    load_rows(mariadb_url, {})
    execute(
        mariadb_url,
        "CREATE OR REPLACE VIEW slow AS SELECT SLEEP(0.05) AS x FROM seq_1_to_400",
        "DROP TABLE orders",
        "CREATE VIEW orders AS SELECT x AS order_id, 1 AS customer_id, 1 AS order_date, 1 AS total_amount,"
        " 1 AS status FROM slow",
    )
    with open_snapshot(Source(mariadb_url, None, PATIENCE), 1) as snapshot:
        session = snapshot.connections[0]
        ((number,),) = session.rows("SELECT CONNECTION_ID()")
        killer = threading.Timer(0.3, execute, (mariadb_server.url, f"KILL {what} {number}"))
        killer.start()
        with pytest.raises(SourceUnavailable) as caught:
            snapshot.control_totals(session, "orders", frozenset())
        killer.join()
    assert caught.value.is_retryable


def test_a_cancelled_query_ends_at_once(mariadb_url: str) -> None:
    load_rows(mariadb_url, {})
    with open_snapshot(Source(mariadb_url, None, PATIENCE), 1) as snapshot:
        session = snapshot.connections[0]
        canceller = threading.Timer(0.3, session.cancel)
        canceller.start()
        with pytest.raises(pymysql.Error):
            session.rows("SELECT SLEEP(60) FROM seq_1_to_10")
        canceller.join()


def test_connections_without_a_state_in_common_are_closed(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(mariadb_url, {})
    places = map(str, itertools.count())
    monkeypatch.setattr(snapshot_module, "_binary_log", lambda _: next(places))
    with open_snapshot(Source(mariadb_url, None, PATIENCE), 3) as snapshot:
        assert len(snapshot.connections) == 1
        assert comes_to(1, mariadb_url)


def test_a_connection_that_cannot_be_set_up_is_closed(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_SETTINGS", "no_such_setting = 1")
    with pytest.raises(SourceError) as caught:
        Session(Source(mariadb_url, None, PATIENCE))
    assert comes_to(0, mariadb_url), "while its error holds on to the session"
    del caught


def comes_to(connections: int, url: str) -> bool:
    """Whether a database comes to have so many connections besides the one that asks."""
    until = time.monotonic() + PATIENCE.total_seconds()
    with connected(url) as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT COUNT(*) - 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE()")
            if cursor.fetchall() == ((connections,),):
                return True
    return False


# --- the doctor ------------------------------------------------------------------------------------------


def test_the_doctor_tells_what_can_be_read(mariadb_url: str) -> None:
    checks = check_source(Source(mariadb_url.replace("root:", "root:x"), None, PATIENCE))
    assert [(check.name, check.is_ok) for check in checks] == [("connection", False)]

    load_rows(mariadb_url, {})
    checks = check_source(Source(mariadb_url, None, PATIENCE))
    assert [check.name for check in checks if check.is_ok] == [
        "connection",
        *(table for table in TABLES),
        "snapshot",
    ]
    assert checks[0].message.startswith("MariaDB 10.")
    assert checks[-1].message == "one connection"

    execute(mariadb_url, "ALTER TABLE orders ENGINE = MyISAM")
    assert "orders is MyISAM" in check_source(Source(mariadb_url, None, PATIENCE))[-1].message
    execute(mariadb_url, "DROP TABLE reviews")
    checks = check_source(Source(mariadb_url, None, PATIENCE))
    assert [check.name for check in checks if not check.is_ok] == ["reviews"]
