"""The contenders take turns: one round to warm up and to compare results, then the measured ones."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks import checks
from benchmarks.contenders import OURS, ROOT, Contender, Place
from benchmarks.measure import CommandFailed, Measurement, measure
from benchmarks.peers.task import read_measured_within
from benchmarks.shop import MeasuredShop, Servers, fresh_folder
from shopsight.publish.documents import customer_documents
from shopsight.publish.privacy import Privacy

WHOLE_RUN = f"run/{OURS}"


@dataclass
class Taken:
    """What one contender took in all measured rounds."""

    title: str
    group: str
    name: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    server_cpu_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    peak_anonymous_bytes: list[int] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    left_out: str = ""


class Rounds:
    """All rounds over one shop.

    Args:
        servers: running.
        shop: the source.
        contenders: whom to measure; shopsight comes before its peers in each group.
        compares: whether results are compared in the round before the first.
    """

    def __init__(
        self, servers: Servers, shop: MeasuredShop, contenders: Sequence[Contender], *, compares: bool = True
    ) -> None:
        self.taken = {
            contender.id: Taken(contender.title, contender.group, contender.name, left_out=contender.missing)
            for contender in contenders
        }
        self._servers = servers
        self._shop = shop
        self._contenders = contenders
        self._compares = compares
        self._work = servers.folder / "work" / shop.name
        self._prepared = servers.folder / "prepared" / shop.name

    def run(self, rounds: int, after_round: Callable[[int], None]) -> None:
        """Warm up, compare, and measure so many rounds; after each, ``after_round`` is told its number."""
        fresh_folder(self._work)
        self._prepare()
        for contender in self._contenders:
            if not contender.missing and contender.id != WHOLE_RUN:
                self._warm_up(contender)
        for number in range(1, rounds + 1):
            for contender in self._contenders:
                if not self.taken[contender.id].left_out:
                    self._take_turn(contender, number)
            after_round(number)
        for contender in self._contenders:
            self._servers.drop_target(self._place(contender).database)
        shutil.rmtree(self._work)
        shutil.rmtree(self._prepared)

    def _prepare(self) -> None:
        """One run of shopsight, its warming up; those who begin in the middle begin with what it left."""
        contender = next(contender for contender in self._contenders if contender.id == WHOLE_RUN)
        self.perform(contender)
        (run,) = (self._place(contender).output / "runs").iterdir()
        fresh_folder(self._prepared).rmdir()
        shutil.copytree(run / "clean", self._prepared)
        shutil.copytree(run / "marts" / "customer_metrics", self._prepared / "customer_metrics")
        with (self._prepared / "customers.bson").open("wb") as stream:
            for batch in customer_documents(self._prepared / "customer_metrics", Privacy()):
                stream.writelines(batch)

    def _warm_up(self, contender: Contender) -> None:
        """One turn that is not measured. A peer that fails, or makes something else, is left out."""
        print(f"  {contender.id}: warming up", flush=True)
        try:
            self.perform(contender)
            if contender.check is not None and self._compares:
                ours, theirs = (self._left(f"{contender.group}/{n}") for n in (OURS, contender.name))
                checks.compare(self._servers.mongo.url, contender.check, ours, theirs)
        except (CommandFailed, AssertionError) as problem:
            if contender.name == OURS:
                raise
            self.taken[contender.id].left_out = f"left out: {str(problem)[-2000:]}"
            print(f"  {contender.id}: {self.taken[contender.id].left_out}", flush=True)

    def _take_turn(self, contender: Contender, number: int) -> None:
        taken = self.taken[contender.id]
        measured, served = self.perform(contender)
        taken.server_cpu_seconds.append(served)
        within = read_measured_within(measured.said)
        taken.seconds.append(within["seconds"] if contender.is_timed_within else measured.seconds)
        taken.cpu_seconds.append(measured.cpu_seconds)
        taken.peak_bytes.append(measured.peak_bytes)
        taken.peak_anonymous_bytes.append(measured.peak_anonymous_bytes)
        if contender.id == WHOLE_RUN:
            self._note_parts(contender, taken, measured)
        memory = taken.peak_bytes[-1] / 1e6
        print(f"  {contender.id}: round {number}, {taken.seconds[-1]:.2f} s, {memory:.0f} MB", flush=True)

    def _note_parts(self, contender: Contender, taken: Taken, measured: Measurement) -> None:
        """The stages' own seconds, and those of what the proof asks of the databases beside."""
        record: dict[str, Any] = json.loads(measured.said[measured.said.index("{\n") :])
        for stage in record["stages"]:
            taken.parts[stage["name"]].append(stage["seconds"])
        place = self._place(contender)
        asked = measure(
            [sys.executable, "-m", "benchmarks.ours.proof"],
            place.environment,
            self._work / "proof.log",
            cwd=ROOT,
        )
        for name, seconds in read_measured_within(asked.said).items():
            taken.parts[name].append(seconds)

    def perform(self, contender: Contender) -> tuple[Measurement, float]:
        """One turn, and what the servers computed meanwhile."""
        place = self._place(contender)
        fresh_folder(place.output)
        self._servers.drop_target(place.database)
        self._settle()
        log = self._work / f"{place.database}.log"
        computed = self._server_cpu()
        measured = measure(contender.command(place), place.environment, log, cwd=ROOT)
        return measured, self._server_cpu() - computed

    def _server_cpu(self) -> float:
        """The servers' work so far, once sessions have ended that nobody uses any more."""
        time.sleep(0.5)
        return self._servers.cpu_seconds()

    def _settle(self) -> None:
        """Let the target write out what the one before left it, so that nobody pays for another."""
        with MongoClient[dict[str, Any]](self._servers.mongo.url) as client:
            client.admin.command("fsync")

    def _place(self, contender: Contender) -> Place:
        output, database = self._left(contender.id)
        return Place(self._servers, self._shop, self._prepared, output, database)

    def _left(self, contender_id: str) -> tuple[Path, str]:
        slug = contender_id.replace("/", "_")
        return self._work / slug, f"bench_{slug}"
