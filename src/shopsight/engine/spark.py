"""Spark, the engine for shops that have outgrown one machine: docs/scale.md.

The same Narwhals frames as Polars', run by a cluster. The run's folder must be a path that all its machines
see. What is used twice is written below the run's ``scratch`` folder: unlike Spark's own caches, files
outlive a killed worker, cut the plan, and need no memory.

PySpark is imported only when an engine is opened.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from shopsight.engine.protocol import Frame, keeping
from shopsight.errors import ConfigurationError, EngineUnavailable, WorkspaceError, translated_disk_errors

#: The oldest version that has everything the stages use.
LEAST_VERSION = (4, 0)

#: Rows of the file that is passed through the cluster to see whether it shares the run's folder, and the
#: number of tasks that pass them.
_PROBE_ROWS, _PROBE_TASKS = 64, 8

_SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # A cluster's own setting could lose the rows of an earlier part.
    "spark.sql.sources.partitionOverwriteMode": "static",
}
# Spark on this machine alone takes no calls from others.
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
}
# A cluster's driver plans and touches no rows: Java's optimising compiler costs it more than it saves.
_DRIVER = {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}
# By default Spark Connect's client waits ten minutes for a server that is gone, and as long again to tell it
# that the session has ended. These are twenty seconds each; later tries are the run's own.
_CONNECT_RETRIES = {"max_retries": 6, "max_backoff": 8000}
_CLASSIC = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}

# What Spark, its transports and its cluster say when they are gone, by their own words.
_IS_GONE = re.compile(
    r"UNAVAILABLE|DEADLINE_EXCEEDED|RETRIES_EXCEEDED|RetriesExceeded"
    r"|SESSION_CLOSED|SESSION_CHANGED|SESSION_NOT_FOUND|NO_ACTIVE_SESSION|HANDLE_NOT_FOUND"
    r"|Py4JNetworkError|Connection (?:refused|reset)|SparkContext (?:was|has been) (?:shut down|stopped)"
    r"|stopped SparkContext|Master removed our application|All masters are unresponsive|ExecutorLostFailure"
    r"|FetchFailed"
)
_IS_FULL = re.compile("No space left on device|Disk quota exceeded")


class SparkEngine:
    """An open Spark session that works on one run's folder.

    Attributes:
        session: classic or Connect.
        scratch: a folder for what is used twice.
    """

    def __init__(self, session: Any, scratch: Path) -> None:
        self.session = session
        self.scratch = scratch
        self._numbers = count()

    @property
    def versions(self) -> dict[str, str]:
        """The versions to put in the run's record: the cluster's, and the client's."""
        import pyspark  # noqa: PLC0415 - only who opens an engine needs it

        return {"spark": self.session.version, "pyspark": pyspark.__version__}

    def scan(self, folder: Path) -> Frame:
        """All rows of a table's folder of Parquet files, lazily; row order is not defined."""
        rows: Frame = nw.from_native(self.session.read.parquet(_path(folder)))
        return rows

    def sink(self, frames: Mapping[Path, Frame], part: int = 0) -> None:  # noqa: ARG002 - Spark numbers files
        """Write each frame into its folder, beside what is there; Spark names the files, in order of rows."""
        for folder, frame in frames.items():
            with translated_disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            self._write(frame, folder)

    def keep(self, frame: Frame) -> Frame:
        """The same rows, computed now and written to the scratch folder."""
        folder = self.scratch / f"{next(self._numbers):05}"
        self._write(frame, folder)
        schema = frame.to_native().schema
        kept: Frame = nw.from_native(self.session.read.schema(schema).parquet(_path(folder)))
        return kept

    def release(self) -> None:
        """Remove what was written to the scratch folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _write(self, frame: Frame, folder: Path) -> None:
        write = frame.to_native().write.mode("append")
        write = write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        write.parquet(_path(folder))
        for checksum in folder.glob(".*.crc"):
            checksum.unlink()


def _path(folder: Path) -> str:
    """The folder's path on the cluster. An address of object storage would be made here."""
    return str(folder.absolute())


@contextmanager
def open_spark(url: str, scratch: Path, connect_timeout: timedelta) -> Iterator[SparkEngine]:
    """A Spark session while the context lasts, on a cluster that sees the run's folder.

    Args:
        url: ``sc://host[:port]`` for Spark Connect, ``spark://host:port`` or ``local[n]`` for classic Spark.
        scratch: a folder of the run, made and removed here.
        connect_timeout: how long the cluster may take to answer the first call.

    Raises:
        ConfigurationError: Java or the package is missing, Spark is too old, or the cluster sees another file
            system.
        EngineUnavailable: the cluster does not answer, or was lost during the work.
        WorkspaceError: no space is left where Spark writes.
    """
    _require_package(url)
    _require_answer(url, connect_timeout)
    with _translated_errors(url, scratch):
        session = _session(url)
        engine = SparkEngine(session, scratch)
        try:
            refuse_old(session.version)
            _probe(engine)
            with keeping(engine, nw.Implementation.PYSPARK, nw.Implementation.PYSPARK_CONNECT):
                yield engine
        finally:
            engine.release()
            with suppress(Exception):
                session.stop()


def refuse_old(version: str) -> None:
    """Refuse a cluster whose Spark is older than :data:`LEAST_VERSION`.

    Raises:
        ConfigurationError: naming both versions.
    """
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise ConfigurationError(
            f"The cluster runs Spark {version}, and shopsight needs {least} or later. Nothing was read.",
            remedy="Use a newer cluster, or engine = polars.",
        )


def _session(url: str) -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only who opens an engine needs it

    builder = SparkSession.builder.appName("shopsight")
    if url.startswith("sc://"):
        from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415

        session = builder.remote(url).create()
        session.client.set_retry_policies([DefaultPolicy(**_CONNECT_RETRIES)])
    else:
        for name, value in {**_CLASSIC, **(_LOCAL if url.startswith("local") else _DRIVER)}.items():
            builder = builder.config(name, value)
        session = builder.master(url).getOrCreate()
    for name, value in _SESSION.items():
        session.conf.set(name, value)
    return session


def _require_package(url: str) -> None:
    extra = "spark" if url.startswith("sc://") else "spark-classic"
    is_there = find_spec("pyspark") is not None and (extra == "spark" or find_spec("py4j") is not None)
    if not is_there:
        raise ConfigurationError(
            f"engine = spark with {url.partition(':')[0]} needs a package that is not installed.",
            remedy=f"Install shopsight[{extra}].",
        )
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if extra == "spark-classic" and java is None:
        raise _no_java(f"there is no `java` {'in JAVA_HOME' if home else 'on PATH'}")


def _no_java(found: str) -> ConfigurationError:
    return ConfigurationError(
        f"Spark needs Java 17 or later, and {found}.",
        remedy="Install it (on Debian: apt-get install openjdk-17-jre-headless), or use a Spark Connect"
        " server (spark_url = sc://…), which needs no Java on this machine.",
    )


def _require_answer(url: str, timeout: timedelta) -> None:
    """Spark's own clients take minutes to give up, and say so in a page of Java."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("sc", "spark"):
        return
    places = rest.split("/")[0].split(",")
    errors = []
    for place in places:
        host, _, port = place.rpartition(":") if ":" in place else (place, "", "15002")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout.total_seconds()).close()
            return
        except (OSError, ValueError) as error:
            errors.append(f"{place}: {error}")
    raise _unavailable(f"Spark does not answer at {'; '.join(errors)}.")


def _probe(engine: SparkEngine) -> None:
    """Pass a file through the cluster, there and back, to see whether its machines see the run's folder."""
    ours, theirs = engine.scratch / "probe", engine.scratch / "probed"
    with translated_disk_errors(engine.scratch):
        ours.mkdir(parents=True)
    pq.write_table(pa.table({"number": range(_PROBE_ROWS)}), ours / "part-00000.parquet")
    rows, problem = 0, ""
    try:
        frame = nw.from_native(engine.scan(ours).to_native().repartition(_PROBE_TASKS))
        engine.sink({theirs: frame})
        rows = sum(pq.read_metadata(path).num_rows for path in theirs.glob("*.parquet"))
    except Exception as error:
        if _IS_GONE.search(repr(error)) or _IS_FULL.search(repr(error)):
            raise
        problem = f" ({str(error).strip().splitlines()[0]})"
    if rows != _PROBE_ROWS:
        raise ConfigurationError(
            f"The cluster does not see this machine's files: of {_PROBE_ROWS} rows written to"
            f" {ours.absolute()}, {rows} came back through the workers{problem}. Nothing was read.",
            remedy="Give a --workdir on a file system that this machine, the Spark driver and all workers"
            " mount at the same path and may write to.",
        )


@contextmanager
def _translated_errors(url: str, scratch: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        text = f"{type(error).__module__}.{type(error).__name__}: {error}"
        if not text.startswith(("pyspark.", "py4j.", "grpc.")) and not isinstance(error, ConnectionError):
            raise
        if "JAVA_GATEWAY_EXITED" in text:
            raise _no_java("the `java` that was found did not start it: see its own words above") from error
        if _IS_FULL.search(text):
            raise WorkspaceError(
                f"Spark has no space left: on the disk that holds {scratch}, or on that of a machine's"
                " spark.local.dir.",
                remedy="Free some space there, then `shopsight run --resume`.",
            ) from error
        if _IS_GONE.search(text) or isinstance(error, ConnectionError):
            raise _unavailable(f"Spark at {url} was lost: {text.splitlines()[0][:300]}.") from error
        raise


def _unavailable(message: str) -> EngineUnavailable:
    return EngineUnavailable(
        message, remedy="Start the cluster, or correct spark_url; `shopsight doctor` checks it."
    )
