"""The servers, the two shops, and what an undisturbed run makes of each of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bson
import psutil
import psycopg

from fault_lab.disks import release, small_disk
from fault_lab.watcher import Whole, whole_generation
from fault_lab.workers import Ending, Job, Worker, Zygote
from shopsight import publish
from shopsight.pipeline.workspace import new_run_id
from shopsight.publish import Target, connect
from shopsight.publish.naming import VIEWS, stored_generations
from shopsight.reader import open_generation
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.servers import EmbeddedServer, MongoServer, PostgresServer
from shopsight_demo.servers.process import wait_gone

DATABASE = "faults"
MEGABYTE = 1_000_000
#: Two shops that are published in turns, so that a mixture of two generations would show.
SHOPS = {
    "a": (ShopSize(customers=300, orders=2_000, products=200), 7),
    "b": (ShopSize(300, 2_100, products=210), 8),
}
_PREFIX = "shopsight-faults-"
_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nobody disturbed makes of a shop, as of one day."""

    digests: dict[str, str]
    documents: int
    whole: Whole
    seconds: dict[str, float]
    run_bytes: int


class Broken(AssertionError):
    """A promise that was not kept."""


@dataclass
class Ground:
    """Where faults happen; made by :func:`prepared_ground`.

    Attributes:
        has_disks: whether disks can be filled here.
        documents: how many documents were compared with an undisturbed run's so far.
    """

    root: Path
    zygote: Zygote
    postgres: PostgresServer
    mongo: MongoServer
    has_disks: bool
    documents: int = 0
    _undisturbed: dict[tuple[str, date], Undisturbed] = field(default_factory=dict)

    @property
    def workdir(self) -> Path:
        """Where runs are kept."""
        return self.root / "work"

    @property
    def run_disk(self) -> Path:
        """A small disk for a run's directory."""
        return self.root / "run-disk"

    @property
    def mongo_disk(self) -> Path:
        """The small disk that MongoDB's data lie on."""
        return self.root / "mongo-disk"

    def settings(self, shop: str, **others: Any) -> dict[str, Any]:
        """A run's settings: short waits, so that being away for longer than the retries is short too."""
        return {
            "source_url": self.postgres.url_of(f"shop_{shop}"),
            "target_url": self.mongo.url,
            "target_database": DATABASE,
            "workdir": str(self.workdir),
            "shrink_max_share": 1.0,
            "connect_timeout": 1.0,
            "retries": 1,
            "retry_delay": 0.1,
            **others,
        }

    def start(
        self, shop: str, *gates: str, run_id: str | None = None, resume: bool = False, **settings: Any
    ) -> tuple[Worker, str]:
        """Begin a run; the worker and the run's id."""
        run_id = run_id or new_run_id()
        job = Job(self.settings(shop, **settings), run_id, resume, gates)
        return self.zygote.start(job), run_id

    def run(self, shop: str, *, run_id: str | None = None, resume: bool = False, **settings: Any) -> Ending:
        """A run from its start to its end."""
        return self.start(shop, run_id=run_id, resume=resume, **settings)[0].end()

    @contextmanager
    def target(self) -> Iterator[Target]:
        """MongoDB, as shopsight sees it."""
        with connect(self.mongo.url, DATABASE, timedelta(seconds=10)) as target:
            yield target

    def undisturbed(self, shop: str, day: date | None = None) -> Undisturbed:
        """What a run makes of a shop on a day; done now, unless one was done on that day."""
        for (name, of_day), known in self._undisturbed.items():
            if name == shop and of_day == (day or of_day):
                return known
        ending = self.run(shop)
        if ending.outcome != "published":
            raise Broken(f"an undisturbed run of shop {shop} ended otherwise: {ending}")
        with self.target() as target:
            generation = open_generation(target.db)
            made = Undisturbed(
                _digests(target),
                sum(target.db[view].count_documents({}) for view in VIEWS),
                whole_generation(generation),
                ending.said["seconds"],
                _bytes_under(self.workdir / "runs" / generation.run_id),
            )
            self._undisturbed[shop, generation.as_of.date()] = made
        return made

    def expect_content(self, shop: str, generation: int) -> None:
        """What is served must be this run's generation, and to the document what an undisturbed run makes.

        Raises:
            Broken: it is not, or something was left behind.
        """
        with self.target() as target:
            served = publish.served(target)
            if served is None or served.generation != generation:
                raise Broken(f"generation {generation} was published, and {served} is served")
            digests = _digests(target)
            left = sorted(stored_generations(target.db))
            kept = sorted(g.number for g in publish.list_generations(target))
            held = publish.held_until(target)
        expected = self.undisturbed(shop, served.as_of.date())
        if digests != expected.digests:
            wrong = [view for view in VIEWS if digests[view] != expected.digests[view]]
            raise Broken(f"{', '.join(wrong)} of shop {shop} are not as an undisturbed run makes them")
        if left != kept:
            raise Broken(f"collections of generations {left} are there, of which {kept} are kept")
        if held is not None:
            raise Broken(f"the lease is still held: {held}")
        self.documents += expected.documents

    def restart(self, server: EmbeddedServer) -> None:
        """Start a server that was killed."""
        server.start()

    def kill(self, server: EmbeddedServer) -> None:
        """SIGKILL for all of a server's processes, as when its machine goes down."""
        process = server.process()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        if not all(wait_gone(one, 30) for one in family):
            raise RuntimeError(f"{server.title} cannot be killed")

    def empty_run_disk(self) -> None:
        """Remove what a run left on the small disk."""
        for path in self.run_disk.iterdir():
            shutil.rmtree(path)


@contextmanager
def prepared_ground() -> Iterator[Ground]:
    """Servers, both shops, and the process that starts runs; all of it gone afterwards."""
    _remove_abandoned()
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        has_disks = stack.enter_context(small_disk(root / "mongo-disk", 700 * MEGABYTE))
        has_disks &= stack.enter_context(small_disk(root / "run-disk", 64 * MEGABYTE))
        zygote = stack.enter_context(Zygote(root / "runs.log"))
        # Root's servers keep their data in a temporary directory that their user can reach.
        root.chmod(0o711)
        with patch.dict(os.environ, TMPDIR=str(root)):
            postgres = stack.enter_context(PostgresServer(root / "postgres", options=_FAST))
        with patch.dict(os.environ, TMPDIR=str(root / "mongo-disk")):
            mongo = stack.enter_context(MongoServer(root / "mongo-disk" / "mongo"))
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            for name in SHOPS:
                connection.execute(f"CREATE DATABASE shop_{name}")
        for name, (size, number) in SHOPS.items():
            seed(postgres.url_of(f"shop_{name}"), size, dirt=0.05, seed=number)
        ground = Ground(root, zygote, postgres, mongo, has_disks)
        for name in SHOPS:
            ground.undisturbed(name)
        yield ground


def _remove_abandoned() -> None:
    """What a killed process left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if folder.stat().st_uid != os.geteuid() or not pid.isdigit() or psutil.pid_exists(int(pid)):
            continue
        PostgresServer(folder / "postgres").end()
        MongoServer(folder / "mongo-disk" / "mongo").end()
        for disk in ("mongo-disk", "run-disk"):
            release(folder / disk)
        shutil.rmtree(folder, ignore_errors=True)


def _digests(target: Target) -> dict[str, str]:
    return {view: _digest(target, view) for view in VIEWS}


def _digest(target: Target, view: str) -> str:
    """Equal for equal documents, whichever run published them."""
    digest = hashlib.sha256()
    for document in target.db[view].find({}, {"run_id": 0, "as_of": 0}, sort=[("_id", 1)]):
        digest.update(bson.encode(document))
    return digest.hexdigest()


def _bytes_under(folder: Path) -> int:
    """What the folder takes on a disk of whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())
