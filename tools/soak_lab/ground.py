"""The servers, the small disk, the clock and the service that a soak consists of."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import psutil
from fault_lab.disks import fill, small_disk
from tests.support.orchestration_service import Service, eventually

from shopsight_demo.servers import EmbeddedServer, MongoServer, PostgresServer

DATABASE = "soak"
DISK_BYTES = 600_000_000
#: Less than a run needs, and Prefect's server still finds room for some of its records.
LEFT_BYTES = 150_000
_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
_PREFIX = "shopsight-soak-"
#: From the package libfaketime; None without it.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@dataclass(frozen=True)
class Ground:
    """Where the soak happens; made by :func:`prepared_ground`.

    Attributes:
        disk: a disk of its own, if ``has_disk``; the service works on it.
    """

    postgres: ClockedPostgres
    mongo: MongoServer
    service: Service
    disk: Path
    has_disk: bool

    def restart(self, server: EmbeddedServer) -> None:
        """SIGKILL for all of the server's processes, and a new start two seconds later."""
        process = server.process()
        if process is None:
            raise RuntimeError(f"{server.title} does not run")
        for one in (process, *process.children(recursive=True)):
            one.kill()
        time.sleep(2)
        server.start()

    def kill_prefect(self) -> None:
        """SIGKILL for Prefect's server, which the service starts again."""
        self.service.child("prefect server start").kill()

    def restart_service(self) -> None:
        """Stop the service in order, and start it."""
        self.service.stop()
        self.service.start()

    @contextmanager
    def fast_clock(self) -> Iterator[None]:
        """PostgreSQL's clock is an hour ahead, in the sessions that there are, too."""
        self.postgres.clock.write_text("+1h")
        try:
            yield
        finally:
            self.postgres.clock.write_text("+0")

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Almost no room on the service's disk."""
        ballast = fill(self.disk, LEFT_BYTES)
        try:
            yield
        finally:
            ballast.unlink()


class ClockedPostgres(PostgresServer):
    """PostgreSQL with a clock of its own, by libfaketime. Prefect's server does not start under it."""

    @property
    def clock(self) -> Path:
        """The file that says how much it is ahead."""
        return self.folder.with_name("clock")

    def spawn(self, command: Sequence[str | Path], **environment: str) -> None:
        """Start it under its own clock."""
        if LIBRARY is not None:
            self.clock.write_text("+0")
            environment.update(
                LD_PRELOAD=str(LIBRARY),
                FAKETIME_TIMESTAMP_FILE=str(self.clock),
                FAKETIME_CACHE_DURATION="1",
                FAKETIME_DONT_FAKE_MONOTONIC="1",
            )
        super().spawn(command, **environment)


@contextmanager
def prepared_ground() -> Iterator[Ground]:
    """Servers and the service, which has not been started; all of it gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Root's servers keep their data in a temporary directory that their user can reach.
    root.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        has_disk = stack.enter_context(small_disk(root / "disk", DISK_BYTES))
        with patch.dict(os.environ, TMPDIR=str(root)):
            postgres = stack.enter_context(ClockedPostgres(root / "postgres", options=_FAST))
            mongo = stack.enter_context(MongoServer(root / "mongo"))
        service = Service(
            root / "disk",
            {
                "SHOPSIGHT_SOURCE_URL": postgres.url,
                "SHOPSIGHT_TARGET_URL": mongo.url,
                "SHOPSIGHT_TARGET_DATABASE": DATABASE,
                "SHOPSIGHT_RETRY_DELAY": "2s",
            },
        )
        # A service like any other: without the faults of the tests, and its log elsewhere, as journald's is.
        del service.environment["PYTHONPATH"], service.environment["FAULT_FOLDER"]
        service.output = root / "output.log"
        ground = Ground(postgres, mongo, service, root / "disk", has_disk)
        try:
            yield ground
        finally:
            service.stop()


def idle(service: Service) -> psutil.Process:
    """The service's process, once no run's process is left."""

    def no_run() -> bool:
        return not any("prefect_flow" in " ".join(_command(one)) for one in service.family())

    eventually("the end of the run's process", no_run)
    return psutil.Process(service.process.pid)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
