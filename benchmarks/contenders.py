"""Who is measured: shopsight and its peers, in groups that do the same work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import checks
from benchmarks.checks import Check
from benchmarks.shop import MeasuredShop, Servers
from shopsight.contract import TABLES

ROOT = Path(__file__).parent.parent
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
SPARK_PYTHON = ROOT / ".venv-spark" / "bin" / "python"
OURS = "shopsight"

#: The group of those who read from MariaDB.
MARIADB = "mariadb"

#: Always measured: they show how shopsight grows with the shop.
GROWTH = {"extraction", "run"}


@dataclass(frozen=True)
class Place:
    """Where one contender does its work.

    Attributes:
        servers: the same for all.
        shop: the source.
        prepared: a clean shop and its customers' metrics, for those who begin in the middle.
        output: the contender's own empty folder.
        database: the contender's own empty target.
    """

    servers: Servers
    shop: MeasuredShop
    prepared: Path
    output: Path
    database: str

    @property
    def mariadb_url(self) -> str:
        """The same shop in MariaDB; "" unless somebody is measured on it."""
        is_running = self.servers.mariadb.process() is not None
        return self.servers.mariadb.url_of(self.shop.name) if is_running else ""

    @property
    def environment(self) -> dict[str, str]:
        """What a contender's process is told. Addresses hold passwords: they are never on a command line."""
        source = self.servers.postgres.url_of(self.shop.name)
        return {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
            "BENCH_SOURCE_URL": source,
            "BENCH_MARIADB_URL": self.mariadb_url,
            "BENCH_MARIADB_FOLDER": str(self.servers.mariadb.home),
            "BENCH_TARGET_URL": self.servers.mongo.url,
            "BENCH_TARGET_DATABASE": self.database,
            "BENCH_INPUT": str(self.prepared),
            "BENCH_OUTPUT": str(self.output),
            "SHOPSIGHT_SOURCE_URL": source,
            "SHOPSIGHT_TARGET_URL": self.servers.mongo.url,
            "SHOPSIGHT_TARGET_DATABASE": self.database,
            "SHOPSIGHT_WORKDIR": str(self.output),
            # The same memory for Spark by hand and for ours.
            "PYSPARK_SUBMIT_ARGS": "--driver-memory 6g pyspark-shell",
            "PGPASSFILE": str(self.servers.postgres.folder / "pgpass"),
        }


@dataclass(frozen=True)
class Contender:
    """One program in one group.

    Attributes:
        group: those of a group do the same work.
        name: ``shopsight`` or the peer's.
        title: what it is, for people.
        command: the program and its arguments.
        check: compares what it made with what shopsight made; None where nothing is made.
        is_timed_within: whether its own clock counts, as the group is about a part of a program.
        missing: why it cannot run here; empty if it can.
    """

    group: str
    name: str
    title: str
    command: Callable[[Place], list[str | Path]]
    check: Check | None = None
    is_timed_within: bool = False
    missing: str = ""

    @property
    def id(self) -> str:
        """Its name in results.json."""
        return f"{self.group}/{self.name}"


def _module(name: str, python: Path | str = PEER_PYTHON) -> Callable[[Place], list[str | Path]]:
    return lambda _: [python, "-m", name]


def _ours(name: str) -> Callable[[Place], list[str | Path]]:
    return _module(f"benchmarks.ours.{name}", sys.executable)


def _run(_: Place) -> list[str | Path]:
    return [Path(sys.executable).with_name("shopsight"), "run", "--json"]


def _copy_everything(place: Place) -> list[str | Path]:
    postgres = place.servers.postgres
    copies = "; ".join(
        f"COPY (SELECT {', '.join(table.column_names)} FROM {table.name}) TO STDOUT (FORMAT binary)"
        for table in TABLES.values()
    )
    server: list[str | Path] = ["-h", postgres.socket_folder, "-U", "postgres", "-d", place.shop.name]
    psql = [postgres.program("psql"), "--no-psqlrc", *server, "-c", copies]
    return ["/bin/sh", "-c", 'exec "$0" "$@" >/dev/null', *psql]


def _from_mariadb(_: Place) -> list[str | Path]:
    return [sys.executable, "-m", "benchmarks.ours.extraction", "mariadb"]


def _mariadb_missing() -> str:
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return "" if found else "mariadbd is not installed"


def _java_missing() -> str:
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return ""
    return "java is not installed"


def _on_spark(name: str, title: str, url: str) -> Contender:
    return Contender(
        "middle",
        name,
        title,
        lambda _: [SPARK_PYTHON, "-m", "benchmarks.ours.middle", url],
        checks.same_marts,
        is_timed_within=True,
        missing=_java_missing() or ("" if SPARK_PYTHON.exists() else "`make .venv-spark` was not done"),
    )


def all_contenders() -> list[Contender]:
    """Everyone, in the order in which they take their turns."""
    return [
        Contender("extraction", OURS, "shopsight, with link 1's figures", _ours("extraction")),
        Contender("extraction", "psql", "psql, COPY binary to nowhere, one connection", _copy_everything),
        Contender(
            "extraction",
            "duckdb",
            "DuckDB's PostgreSQL scanner to Parquet",
            _module("benchmarks.peers.duckdb_extraction"),
            checks.same_extraction,
        ),
        Contender(
            "extraction",
            "dlt",
            "dlt's sql_database to Parquet",
            _module("benchmarks.peers.dlt_extraction"),
            checks.same_extraction,
        ),
        Contender(
            MARIADB, OURS, "shopsight, with link 1's figures", _from_mariadb, missing=_mariadb_missing()
        ),
        Contender(
            MARIADB,
            "outfile",
            "SELECT … INTO OUTFILE, one connection",
            _module("benchmarks.peers.mariadb_outfile", sys.executable),
            missing=_mariadb_missing(),
        ),
        Contender(
            MARIADB,
            "pymysql",
            "a plain PyMySQL script to Parquet",
            _module("benchmarks.peers.pymysql_extraction", sys.executable),
            checks.same_extraction,
            missing=_mariadb_missing(),
        ),
        Contender("run", OURS, "shopsight run: clean, ten insights, ledger, proof, publish", _run),
        Contender(
            "run",
            "duckdb-best",
            "the strongest DuckDB job: pruned pairs, two threads load; ten insights",
            _module("benchmarks.peers.duckdb_best_job"),
            checks.same_target,
        ),
        Contender(
            "run",
            "polars",
            "Polars + ADBC + pymongo by hand, two threads load: four insights",
            _module("benchmarks.peers.polars_job"),
            checks.same_target,
        ),
        Contender(
            "run",
            "duckdb",
            "DuckDB + pymongo by hand: ten insights",
            _module("benchmarks.peers.duckdb_job"),
            checks.same_target,
        ),
        Contender(
            "run",
            "pandas",
            "pandas + SQLAlchemy + insert_many: four insights",
            _module("benchmarks.peers.pandas_job"),
            checks.same_target,
        ),
        Contender(
            "middle",
            OURS,
            "shopsight's metrics and four insights, start-up apart",
            _ours("middle"),
            is_timed_within=True,
        ),
        Contender(
            "middle",
            "spark",
            "Spark, local, from the same Parquet, start-up apart",
            _module("benchmarks.peers.spark_middle"),
            checks.same_marts,
            is_timed_within=True,
            missing=_java_missing(),
        ),
        _on_spark("spark-engine", "the same as shopsight's, engine = spark", "local[*]"),
        _on_spark("spark-engine-one-core", "the same on one core of Spark", "local[1]"),
        Contender("load", OURS, "shopsight: Parquet to BSON to MongoDB", _ours("load"), is_timed_within=True),
        Contender(
            "load",
            "bson",
            "BSON encoded before the clock starts, two threads",
            _module("benchmarks.peers.bson_load"),
            checks.same_load,
            is_timed_within=True,
        ),
    ]


def chosen_contenders(peers: str) -> list[Contender]:
    """The named peers (``all``, ``none``, or names with commas between), and shopsight beside each.

    Raises:
        SystemExit: a name that no peer has.
    """
    everyone = all_contenders()
    known = {contender.name for contender in everyone} - {OURS}
    wanted = known if peers == "all" else set(peers.split(",")) - {"none", ""}
    if wrong := wanted - known:
        raise SystemExit(
            f"No peer is called {', '.join(sorted(wrong))}; there are {', '.join(sorted(known))}."
        )
    chosen = [contender for contender in everyone if contender.name in wanted]
    groups = {contender.group for contender in chosen} | GROWTH
    return [c for c in everyone if c in chosen or (c.name == OURS and c.group in groups)]
