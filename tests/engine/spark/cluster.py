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
    """Where the cluster listens, and its workers' processes."""

    master: str
    connect: str
    workers: list[subprocess.Popen[bytes]]

    def kill_worker(self) -> None:
        """SIGKILL for the first worker and its executors."""
        kill(self.workers.pop(0))


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A master, workers of one core and a Connect server that uses them, on 127.0.0.1."""
    master_port, connect_port = free_port(), free_port()
    master, connect = f"spark://127.0.0.1:{master_port}", f"sc://127.0.0.1:{connect_port}"
    deploy = "org.apache.spark.deploy"
    with ExitStack() as stack:
        stack.enter_context(
            _java(
                folder / "master.log",
                [
                    "spark-class",
                    f"{deploy}.master.Master",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(master_port),
                    "--webui-port",
                    "0",
                ],
            )
        )
        wait_for(master_port)
        started = [
            stack.enter_context(
                _java(
                    folder / f"worker-{number}.log",
                    [
                        "spark-class",
                        f"{deploy}.worker.Worker",
                        "--host",
                        "127.0.0.1",
                        "--webui-port",
                        "0",
                        "--cores",
                        "1",
                        "--memory",
                        "1g",
                        "-d",
                        str(folder / f"work-{number}"),
                        master,
                    ],
                )
            )
            for number in range(workers)
        ]
        yield Cluster(master, connect, started)


@contextmanager
def connect_server(running: Cluster, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Spark Connect server whose tasks the cluster does; it holds the workers while it lives."""
    port = running.connect.rpartition(":")[2]
    command = ["spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.ui.enabled": "false",
        "spark.log.level": "ERROR",
    }
    command += ["--master", running.master, *(f"--conf={name}={value}" for name, value in settings.items())]
    with _java(folder / "connect.log", [*command, "spark-internal"]) as server:
        wait_for(int(port))
        yield server


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
def _java(log: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(home / "bin" / command[0]), *command[1:]],
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
