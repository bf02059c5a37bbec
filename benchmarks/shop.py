"""The shop that is measured: one made-up shop a scale, in servers of the benchmark's own, made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from pymongo import MongoClient

from shopsight.contract import TABLES
from shopsight_demo.seed import ShopSize, TablesExist, seed
from shopsight_demo.servers import MariaDBServer, MongoServer, PostgresServer

#: Dirt is measured in a shop of its own; the peers' shop has none (see docs/performance.md).
DIRTY = 0.05

#: The same for everyone. What is lost when the machine loses power does not matter here.
POSTGRES_OPTIONS = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "synchronous_commit": "off",
    "fsync": "off",
    "autovacuum": "off",
}
MONGO_CACHE_GB = "2"


@dataclass(frozen=True)
class MeasuredShop:
    """A filled source.

    Attributes:
        name: the source's database.
        scale: 1 is half a million customers and five million orders.
        rows: by table.
    """

    name: str
    scale: float
    rows: dict[str, int]

    @property
    def all_rows(self) -> int:
        """The rows of all tables."""
        return sum(self.rows.values())


MARIADB_OPTIONS = {
    "innodb-buffer-pool-size": "2G",
    "innodb-log-file-size": "1G",
    "innodb-flush-log-at-trx-commit": "0",
    # Names the state of a snapshot, so that several connections can share one.
    "log-bin": "binlog",
    "server-id": "1",
}


class Servers:
    """A PostgreSQL, a MongoDB and, if somebody is measured on it, a MariaDB in a work folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres", options=POSTGRES_OPTIONS)
        self.mariadb = MariaDBServer(folder / "mariadb", options=MARIADB_OPTIONS)
        self.mongo = MongoServer(folder / "mongo", options={"wiredTigerCacheSizeGB": MONGO_CACHE_GB})

    def versions(self) -> dict[str, str]:
        """What the servers say that they are."""
        with (
            psycopg.connect(self.postgres.url) as connection,
            MongoClient[dict[str, Any]](self.mongo.url) as client,
        ):
            row = connection.execute("SHOW server_version").fetchone()
            return {
                "PostgreSQL": str(row[0]).split()[0] if row else "",
                "MongoDB": client.server_info()["version"],
            }

    def cpu_seconds(self) -> float:
        """What the servers have computed so far, sessions that have ended included."""
        total = 0.0
        for process in (self.postgres.process(), self.mariadb.process(), self.mongo.process()):
            if process is not None:
                own = process.cpu_times()
                total += own.user + own.system + own.children_user + own.children_system
        return total

    def drop_target(self, database: str) -> None:
        """Empty a target, so that nobody's load meets an earlier one."""
        with MongoClient[dict[str, Any]](self.mongo.url) as client:
            client.drop_database(database)


@contextmanager
def running_servers(folder: Path, *, with_mariadb: bool = False) -> Iterator[Servers]:
    """The servers of a work folder, while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers(folder)
    with servers.postgres, servers.mongo, servers.mariadb if with_mariadb else nullcontext():
        yield servers


def shop_size(scale: float) -> ShopSize:
    """Everything grows with the shop but its categories."""
    return ShopSize(
        customers=max(1, round(500_000 * scale)),
        orders=max(1, round(5_000_000 * scale)),
        products=max(50, round(20_000 * scale)),
    )


def measured_shop(servers: Servers, scale: float, *, dirt: float = 0.0) -> MeasuredShop:
    """The shop of a scale: made now, or found from an earlier call.

    With the shop's own keys, references and checks. It is vacuumed, so that no reader pays for being first.
    """
    name = f"shop_{scale:g}".replace(".", "_") + ("_dirty" if dirt else "")
    url = servers.postgres.url_of(name)
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            print(f"Making a shop of scale {scale:g}", flush=True)
            draft = sql.Identifier(f"{name}_draft")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(draft))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(draft))
            seed(servers.postgres.url_of(f"{name}_draft"), shop_size(scale), dirt=dirt, constraints=True)
            with psycopg.connect(servers.postgres.url_of(f"{name}_draft"), autocommit=True) as filled:
                filled.execute("VACUUM (FREEZE, ANALYZE)")
            connection.execute("CHECKPOINT")
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(draft, sql.Identifier(name)))
    if servers.mariadb.process() is not None:
        _fill_mariadb(servers.mariadb, name, scale, dirt)
    with psycopg.connect(url) as connection:
        counted = {
            table: connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            for table in TABLES
        }
        rows = {table: int(row[0]) for table, cursor in counted.items() if (row := cursor.fetchone())}
    return MeasuredShop(name, scale, rows)


def _fill_mariadb(server: MariaDBServer, name: str, scale: float, dirt: float) -> None:
    """The same shop in MariaDB, unless an earlier call made it."""
    with suppress(TablesExist):
        seed(server.url, shop_size(scale), dirt=dirt, constraints=True, schema=name)


def fresh_folder(folder: Path) -> Path:
    """An empty folder in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
