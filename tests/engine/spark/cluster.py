"""A real Spark cluster on this machine: a master, workers and a Spark Connect server, each a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Cluster:
    """Where the master listens, its process and its workers'; a worker's process group has its executors."""

    master: str
    process: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def cluster(folder: Path, workers: int = 2, disk: str = "") -> Iterator[Cluster]:
    """A master and workers of one core, on 127.0.0.1.

    Args:
        folder: for logs and work.
        workers: their number.
        disk: the size of each worker's local disk, as ``64k``; without it, they share this machine's.
    """
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    classes, local = "org.apache.spark.deploy", ["--host", "127.0.0.1", "--webui-port", "0"]
    with ExitStack() as stack:
        command = ["spark-class", f"{classes}.master.Master", *local, "--port", str(port)]
        process = stack.enter_context(_java(folder / "master.log", command))
        wait_for(port)
        command = ["spark-class", f"{classes}.worker.Worker", *local, "--cores", "1", "--memory", "1g"]
        started = [
            stack.enter_context(
                _java(
                    folder / f"worker-{number}.log",
                    [*command, "-d", str(folder / f"work-{number}"), master],
                    disk=disk,
                )
            )
            for number in range(workers)
        ]
        yield Cluster(master, process, started)


@contextmanager
def connect_server(folder: Path, master: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Spark Connect server's address and process; it holds the master's workers while it lives."""
    port = free_port()
    command = ["spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    settings = {"address": "127.0.0.1", "port": str(port)}
    command += [f"--conf=spark.connect.grpc.binding.{name}={value}" for name, value in settings.items()]
    with _java(folder / "connect.log", [*command, "--master", master, "spark-internal"]) as server:
        wait_for(port)
        yield f"sc://127.0.0.1:{port}", server


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens on the port."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextmanager
def _java(log: Path, command: list[str], disk: str = "") -> Iterator[subprocess.Popen[bytes]]:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(home / "bin" / command[0]), *command[1:]]
    if disk:
        local = log.with_suffix(".local")
        local.mkdir()
        environment["SPARK_LOCAL_DIRS"] = str(local)
        # A file system that only this process and its children see; it needs no rights and ends with them.
        mount = f'mount -t tmpfs -o size={disk} tmpfs "$SPARK_LOCAL_DIRS" && exec "$0" "$@"'
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, *command]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                kill(process)
