"""PostgreSQL as companies run it: over TLS, behind PgBouncer, as a hot standby. Debian's own packages."""

from __future__ import annotations

import re
import subprocess
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from tests.conftest import FAST_POSTGRES
from tests.support.extracted import assert_proven
from tests.support.installed_postgres import InstalledPostgres, Standby, free_address, pgbouncer

from shopsight.errors import ConfigurationError, SourceUnavailable
from shopsight.extract import Source, extract
from shopsight.extract.postgresql import snapshot as snapshot_module
from shopsight.record import Snapshot
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.servers.postgres import DATABASE, USER

SIZE = ShopSize(customers=300, orders=3000, products=60, categories=12)


def read(url: str, folder: Path, **given: Any) -> Snapshot:
    options = {"connections": 3, "batch_rows": 1000, **given}
    return extract(Source(url, None, timedelta(seconds=5)), folder, **options)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for ``localhost`` that is its own authority."""
    key, certificate = folder / "server.key", folder / "server.crt"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *kind, *name, *files], check=True, capture_output=True)
    return key, certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def server(scratch: Path, certificate: tuple[Path, Path]) -> Iterator[InstalledPostgres]:
    """A small dirty shop; over TCP only for those who come with TLS and a password."""
    folder = scratch / f"postgres-{uuid.uuid4().hex[:8]}"
    with InstalledPostgres(folder, FAST_POSTGRES) as server:
        key, own = (server.write(path.name, path.read_text()) for path in certificate)
        method = "scram-sha-256"
        lines = [f"local all,replication all {method}", f"hostssl all all 127.0.0.0/8 {method}"]
        server.again(
            listen_addresses=free_address(5432),
            ssl="on",
            ssl_key_file=str(key),
            ssl_cert_file=str(own),
            hba_file=str(server.write("hba.conf", "\n".join(lines) + "\n")),
        )
        seed(server.url, SIZE, dirt=0.2)
        yield server


@pytest.fixture(autouse=True)
def _many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even this small shop is read in many parts, by all connections."""
    monkeypatch.setattr(snapshot_module, "_LEAST_PAGES_PER_PART", 3)


def over_tls(server: InstalledPostgres, host: str = "localhost", **options: str) -> str:
    """The URL over TCP to the server's address, by this name."""
    options = {"hostaddr": server.options["listen_addresses"], **options}
    given = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return f"postgresql://{USER}:{server.password}@{host}/{DATABASE}?{given}"


def test_shop_is_read_over_tls_from_a_server_whose_certificate_is_verified(
    server: InstalledPostgres, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    url = over_tls(server, sslmode="verify-full", sslrootcert=str(certificate[1]))
    assert_proven(read(url, tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("host", "options", "said"),
    [
        ("localhost", {"sslmode": "disable"}, "no encryption|SSL off"),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": "other"}, "certificate verify failed"),
        ("db.example", {"sslmode": "verify-full", "sslrootcert": "own"}, "does not match host name"),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": "/nowhere/ca.crt"}, "/nowhere/ca.crt"),
    ],
)
def test_tls_that_cannot_be_is_refused_with_the_remedy(
    server: InstalledPostgres,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    host: str,
    options: dict[str, str],
    said: str,
) -> None:
    if options.get("sslrootcert") in ("own", "other"):
        own = options["sslrootcert"] == "own"
        options = {**options, "sslrootcert": str(certificate[1] if own else make_certificate(tmp_path)[1])}
    with pytest.raises(ConfigurationError) as refused:
        read(over_tls(server, host, **options), tmp_path / "raw")
    assert re.search(said, refused.value.message)
    assert "sslmode" in refused.value.remedy
    assert server.password not in f"{refused.value.message} {refused.value.__cause__}"


def test_several_connections_read_one_snapshot_through_a_busy_pooler(
    server: InstalledPostgres, tmp_path: Path
) -> None:
    with pgbouncer(server, default_pool_size=6) as url:
        ended = threading.Event()

        def use_pool() -> None:
            while not ended.is_set():
                with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
                    for _ in range(20):
                        connection.execute("SELECT pg_sleep(0.001)")

        others = [threading.Thread(target=use_pool) for _ in range(3)]
        for other in others:
            other.start()
        try:
            for number in range(5):
                folder = tmp_path / str(number)
                assert_proven(read(url, folder), folder)
        finally:
            ended.set()
            for other in others:
                other.join()
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            names = ("row_security", "lock_timeout", "datestyle", "jit", "default_transaction_read_only")
            found = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        with psycopg.connect(server.url) as connection:
            assert found == [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]


def test_pooler_with_one_connection_is_read_by_one(server: InstalledPostgres, tmp_path: Path) -> None:
    settings = {"default_pool_size": 1, "query_wait_timeout": 1}
    with pgbouncer(server, **settings) as url:
        assert_proven(read(url, tmp_path / "raw"), tmp_path / "raw")


@pytest.fixture(scope="module")
def standby(scratch: Path, server: InstalledPostgres) -> Iterator[Standby]:
    """A hot standby, which waits for no reader's lock."""
    own = {"listen_addresses": "", "max_standby_streaming_delay": "0", "hot_standby_feedback": "on"}
    with Standby(scratch / f"postgres-{uuid.uuid4().hex[:8]}", server, own) as standby:
        yield standby


def test_several_connections_read_one_snapshot_of_a_hot_standby(
    server: InstalledPostgres, standby: Standby, tmp_path: Path
) -> None:
    standby.wait_for(server.url)
    snapshot = read(standby.url, tmp_path / "standby")
    assert_proven(snapshot, tmp_path / "standby")
    primary = read(server.url, tmp_path / "primary")
    assert {n: t.rows for n, t in snapshot.tables.items()} == {n: t.rows for n, t in primary.tables.items()}


def test_conflict_with_recovery_may_pass_and_names_the_standby_s_settings(
    server: InstalledPostgres, standby: Standby, tmp_path: Path
) -> None:
    standby.wait_for(server.url)
    altered: list[str] = []

    def alter(table: str, _rows: int) -> None:
        if not altered:
            altered.append(table)
            with psycopg.connect(server.url) as primary:
                primary.execute("ALTER TABLE order_items ADD COLUMN note text")
            standby.wait_for(server.url)

    with pytest.raises(SourceUnavailable) as cancelled:
        read(standby.url, tmp_path / "raw", connections=1, on_rows=alter)
    assert "conflict with recovery" in cancelled.value.message
    assert "hot_standby_feedback" in cancelled.value.remedy
    assert_proven(read(standby.url, tmp_path / "again"), tmp_path / "again")
