"""Real servers for the tests: one of each kind a session, and a database for each test.

Their data are in a scratch folder, which the session removes at its end. The next session ends and removes
what a killed one left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import chdir, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pymysql
import pytest
from psycopg import sql
from pymongo import MongoClient
from tests.support.installed_postgres import GIVEN, InstalledPostgres
from tests.support.people import SHOP_OF_PEOPLE
from tests.support.published_shop import PublishedShop, published_shop

from shopsight.errors import WorkspaceError
from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight_demo.servers import EmbeddedServer, MariaDBServer, MongoServer, PostgresServer
from shopsight_demo.servers.process import wait_gone

SCRATCH_PREFIX = "shopsight-test-"

# Airflow's tests run in Airflow's own environment, by `make test-airflow`.
collect_ignore = [] if find_spec("airflow") else ["orchestration/airflow"]
# Spark's likewise, by `make test-spark`.
collect_ignore += [] if find_spec("pyspark") else ["engine/spark"]

if find_spec("hypothesis"):
    from hypothesis import settings

    # A shared machine pauses now and then: time limits are pytest-timeout's, for whole tests.
    settings.register_profile("shopsight", deadline=None, print_blob=True)
    settings.load_profile("shopsight")

#: The files that take longest. They are begun first, so that no process is left alone with one at the end.
LONGEST = (
    *("orchestration/test_service.py", "tools/test_faults.py", "orchestration/test_flow.py"),
    *("docs/test_tutorial.py", "reference/test_reference.py", "tools/test_soak.py", "tools/test_tamper.py"),
    *("cli/test_stopped.py", "orchestration/test_docs.py", "report/test_browser.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; `make test` keeps pytest-xdist from sorting by the number of tests."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


# What is lost when the machine loses power does not matter here; what a killed server loses does.
FAST_POSTGRES = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
}
FAST_MARIADB = {
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
}


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the caller's settings, or leaves files in the directory that pytest was called from."""
    for name in os.environ:
        if name.startswith("SHOPSIGHT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder with a short name for servers' data."""
    _remove_abandoned_scratch()
    folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))
    # Root's servers keep their own files in a temporary directory that their user can reach.
    folder.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield folder
    shutil.rmtree(folder)


def _remove_abandoned_scratch() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        pid = folder.name.removeprefix(SCRATCH_PREFIX).partition("-")[0]
        if folder.stat().st_uid != os.geteuid() or not pid.isdigit() or psutil.pid_exists(int(pid)):
            continue
        # What another user's tests, or another version's, left is only in the way if it is still running.
        for server in (
            *map(PostgresServer, folder.glob("postgres*")),
            *map(MongoServer, folder.glob("mongo*")),
            *map(MariaDBServer, folder.glob("mariadb*")),
        ):
            with suppress(WorkspaceError):
                server.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[PostgresServer]:
    """The session's PostgreSQL."""
    kind = InstalledPostgres if GIVEN else PostgresServer
    with kind(scratch / "postgres", options=FAST_POSTGRES) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of this test's own, credentials included."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex}")
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield postgres_server.url_of(name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def mariadb_server(scratch: Path) -> Iterator[MariaDBServer]:
    """The session's MariaDB."""
    with MariaDBServer(scratch / "mariadb", options=FAST_MARIADB) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """The URL of an empty database of this test's own, credentials included."""
    name = f"test_{uuid.uuid4().hex}"
    address = {"unix_socket": str(mariadb_server.socket_path), "password": mariadb_server.password}
    with pymysql.connect(user="root", **address) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield mariadb_server.url_of(name)
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def mongo_server(scratch: Path) -> Iterator[MongoServer]:
    """The session's MongoDB."""
    with MongoServer(scratch / "mongo") as server:
        yield server


@pytest.fixture
def mongo_url(mongo_server: MongoServer) -> str:
    """The URL of the session's MongoDB, credentials included."""
    return mongo_server.url


@pytest.fixture
def mongo_database(mongo_url: str) -> Iterator[str]:
    """The name of a database of this test's own; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    with MongoClient(mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A working directory for runs."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class Restartable:
    """A server of one test's own, which it may kill, pause and start again; the URL stays the same."""

    server: EmbeddedServer

    @property
    def url(self) -> str:
        """The URL, credentials included."""
        return self.server.url

    @property
    def pid(self) -> int:
        """The server's process id."""
        process = self.server.process()
        assert process is not None, "the server does not run"
        return process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = psutil.Process(self.pid)
        process.kill()
        assert wait_gone(process, 10)

    def pause(self) -> None:
        """SIGSTOP: it neither answers nor closes its connections."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> str:
        """Start it again after :meth:`kill`."""
        return self.server.start()


@pytest.fixture
def restartable_postgres(scratch: Path) -> Iterator[Restartable]:
    """A PostgreSQL of this test's own."""
    yield from _restartable(
        PostgresServer(scratch / f"postgres-{uuid.uuid4().hex[:8]}", options=FAST_POSTGRES)
    )


@pytest.fixture
def restartable_mariadb(scratch: Path) -> Iterator[Restartable]:
    """A MariaDB of this test's own."""
    yield from _restartable(MariaDBServer(scratch / f"mariadb-{uuid.uuid4().hex[:8]}", options=FAST_MARIADB))


@pytest.fixture
def restartable_mongo(scratch: Path) -> Iterator[Restartable]:
    """A MongoDB of this test's own."""
    yield from _restartable(MongoServer(scratch / f"mongo-{uuid.uuid4().hex[:8]}"))


def _restartable(server: EmbeddedServer) -> Iterator[Restartable]:
    server.start()
    yield Restartable(server)
    if (process := server.process()) is not None:
        process.send_signal(signal.SIGCONT)
    server.stop()
    server.remove()


# Relative, so that a copy is the same source.
SOURCE_URL = "sqlite:///shop.db"


@pytest.fixture(scope="session")
def proven_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: the literal shop in a SQLite file; in ``work``, a run that is proven and not published."""
    folder = tmp_path_factory.mktemp("proven")
    with chdir(folder):
        shop = published_shop(SOURCE_URL, "mongodb://nowhere", "nowhere", folder / "work")
        with open_run(shop.settings, publishes=False) as run:
            for stage in STAGES[:-1]:
                run_stage(run, stage)
    return folder


@pytest.fixture
def sqlite_shop(
    proven_shop: Path, mongo_url: str, mongo_database: str, workdir: Path, tmp_path: Path
) -> PublishedShop:
    """The literal shop in a SQLite file; its run is proven, and published by ``run(resume=True)``."""
    shutil.copy(proven_shop / "shop.db", tmp_path)
    shutil.copytree(proven_shop / "work" / "runs", workdir / "runs")
    return published_shop(SOURCE_URL, mongo_url, mongo_database, workdir, rows=None)


@pytest.fixture
def shop(sqlite_shop: PublishedShop) -> PublishedShop:
    """The same, published as generation 1."""
    sqlite_shop.run(resume=True)
    return sqlite_shop


@pytest.fixture
def people(mongo_url: str, mongo_database: str, workdir: Path) -> PublishedShop:
    """A shop of customers whose names and addresses can be told from any other text, not published yet."""
    return published_shop("sqlite:///people.db", mongo_url, mongo_database, workdir, SHOP_OF_PEOPLE)
