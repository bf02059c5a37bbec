"""Let the service run for hours over a shop that changes, and see that nothing grows (`make soak`).

Each published generation is compared with plain SQL, row for row: every change of the shop also asks
``tests/marts/oracle_sql`` for the figures, in the transaction that makes the change, and numbers the new
state in the name of a customer. So a generation says which state its snapshot showed, also when the shop
changed while the run was at work. A run is put on the schedule as soon as the one before has ended; between
two of the real schedule lie three hours. The exit code is 1 if something is wrong or grew.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from fault_lab.watcher import Watcher
from pymongo import MongoClient
from soak_lab.ground import DATABASE, LIBRARY, Ground, idle, prepared_ground
from soak_lab.samples import PeakMemory, age_prefect_records, prefect_records, sample
from soak_lab.shop import CHANGES, ChangingShop
from tests.support.orchestration_service import eventually

from shopsight import publish

READER_PAUSE_SECONDS = 0.25
#: A run takes some ten seconds on a machine of its own.
PATIENCE_SECONDS = 900
DISK_FULL = "the disk is full during a run"
FAST_CLOCK = "PostgreSQL's clock jumps an hour ahead, and back after the run"
SERVICE_STOPPED = "the service is stopped and started"
#: How a run may end that one of these happens to; all others end well.
ENDINGS = {
    # There is room again after a minute: in time for a run that still retries.
    DISK_FULL: ("Completed", "Failed", "Crashed"),
    FAST_CLOCK: ("Refused",),
    SERVICE_STOPPED: ("Completed", "Crashed"),
}
#: How much a figure's median may be greater in the last tenth of the runs than in the first.
LIMITS: dict[str, Callable[[float], float]] = {
    "memory of serve, MB": lambda first: 1.25 * first + 20,
    "memory of Prefect's server, MB": lambda first: 1.25 * first + 20,
    "open files of serve and its children": lambda first: first + 10,
    "processes": lambda first: first,
    "threads": lambda first: first + 10,
    "run directories": lambda _: 4,
    "disk of the runs, MB": lambda first: 1.5 * first + 1,
    "generations in MongoDB": lambda _: 3,
    "collections in MongoDB": lambda _: 40,
    "MongoDB's storage, MB": lambda first: 2 * first + 20,
}


@dataclass
class Figures:
    """What became of a soak.

    Attributes:
        samples: one after each run.
        endings: of runs, by Prefect's name of the state.
        unexpected: runs that failed without having been disturbed, and disturbed ones that did not.
        differing: generations that are not what plain SQL says.
        vacuumed: Prefect's records, before and after they became 31 days older.
    """

    samples: list[dict[str, float]] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    changes: dict[str, int] = field(default_factory=dict)
    compared: set[int] = field(default_factory=set)
    rows: int = 0
    unexpected: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    mixtures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    vacuumed: dict[str, tuple[int, int]] = field(default_factory=dict)
    looks: int = 0
    unanswered: int = 0
    peak: float = 0.0
    seconds: float = 0.0

    def tenths(self, name: str) -> tuple[float, float, float]:
        """A figure's median in the first and in the last tenth of the runs, and its peak."""
        values = [one[name] for one in self.samples]
        tenth = max(1, len(values) // 10)
        return median(values[:tenth]), median(values[-tenth:]), max(values)

    @property
    def grown(self) -> list[str]:
        """Figures that are beyond their limit."""
        found = []
        for name, limit in LIMITS.items():
            first, last, _ = self.tenths(name)
            if last > limit(first):
                found.append(f"{name}: {first:.0f} in the first tenth, {last:.0f} in the last")
        return [
            *found,
            *(
                f"Prefect keeps {now:,} of {name} for more than 30 days"
                for name, (before, now) in self.vacuumed.items()
                if now > max(20, before / 10)
            ),
        ]

    @property
    def broken(self) -> list[str]:
        """Everything that should not be."""
        return [*self.unexpected, *self.differing, *self.mixtures, *self.grown]


class Soak:
    """The runs, one after the other, and what happens to them."""

    def __init__(self, ground: Ground, shop: ChangingShop, chance: random.Random) -> None:
        self.figures = Figures()
        self._ground = ground
        self._shop = shop
        self._chance = chance

    def first_run(self) -> None:
        """Start the service, which runs at once."""
        service = self._ground.service
        service.start()
        eventually("the first run", lambda: any(run["end_time"] for run in service.flow_runs()))

    def run(self, event: str | None) -> None:
        """One scheduled run, one or two changes of the shop, and perhaps an event."""
        service, chance = self._ground.service, self._chance
        self._shop.change(chance.choice(list(CHANGES)))
        with self._ground.fast_clock() if event == FAST_CLOCK else nullcontext():
            flow_run = service.schedule()
            time.sleep(chance.uniform(0, 6))
            if event is None:
                self._shop.change(chance.choice(list(CHANGES)))
            elif event == DISK_FULL:
                eventually("a start", lambda: service.flow_run(flow_run)["state_type"] != "SCHEDULED")
                # Prefect's records are on the same disk: the run's end may be noted only when there is room.
                with self._ground.full_disk(), suppress(AssertionError):
                    eventually("the run's end", lambda: self._ended(flow_run), seconds=60)
            elif event != FAST_CLOCK:
                _EVENTS[event](self._ground)
            known = eventually("the run's end", lambda: self._ended(flow_run), seconds=PATIENCE_SECONDS)
        self.figures.endings[known["state_name"]] += 1
        if event is not None:
            self.figures.events[event] += 1
        said = f"{event or 'undisturbed'}: {known['state_name']}: {known['state']['message']}"
        # A run that comes while another one is at work is cancelled.
        if known["state_name"] not in ("Cancelled", *ENDINGS.get(event or "", ("Completed",))):
            self.figures.unexpected.append(said)
        elif event in ENDINGS:
            print(f"      {said}", flush=True)

    def measure(self, db: Any) -> None:
        """Wait until no run is under way, compare what was published, and take a sample."""
        process = idle(self._ground.service)
        self._compare()
        self.figures.samples.append(sample(process, self._ground.service.workdir, db))

    def _ended(self, flow_run: str) -> dict[str, Any] | None:
        known = self._ground.service.flow_run(flow_run)
        return known if known["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    def _compare(self) -> None:
        """Hold every generation that is kept and was not compared yet against plain SQL."""
        figures = self.figures
        with publish.connect(self._ground.mongo.url, DATABASE, timedelta(seconds=30)) as target:
            for generation in publish.list_generations(target):
                if generation.number not in figures.compared:
                    figures.compared.add(generation.number)
                    rows, differing = self._shop.differences(target.db, generation.number)
                    figures.rows += rows
                    figures.differing += [f"generation {generation.number}: {name}" for name in differing]


def _nothing_more(_: Ground) -> None:
    """What :meth:`Soak.run` itself does around the run."""


#: What happens during a run, in turns.
_EVENTS: dict[str, Callable[[Ground], None]] = {
    "PostgreSQL is killed and restarted": lambda ground: ground.restart(ground.postgres),
    DISK_FULL: _nothing_more,
    "MongoDB is killed and restarted": lambda ground: ground.restart(ground.mongo),
    FAST_CLOCK: _nothing_more,
    "Prefect's server is killed": Ground.kill_prefect,
    SERVICE_STOPPED: Ground.restart_service,
}


def soak(ground: Ground, runs: int, seed: int, tell: Callable[[str], None]) -> Figures:
    """Do all runs; an interruption ends them early, and what was measured counts."""
    started = time.monotonic()
    shop = ChangingShop(ground.postgres.url, random.Random(f"{seed}:shop"))  # noqa: S311 - not for secrets
    shop.open()
    soak = Soak(ground, shop, random.Random(seed))  # noqa: S311
    figures = soak.figures
    possible = {DISK_FULL: ground.has_disk, FAST_CLOCK: LIBRARY is not None}
    events = [event for event in _EVENTS if possible.get(event, True)]
    figures.left_out = [event for event in _EVENTS if event not in events]
    every = min(6, max(2, runs // 8))
    soak.first_run()
    watcher = Watcher(ground.mongo.url, DATABASE, shop.whole, READER_PAUSE_SECONDS)
    with MongoClient[dict[str, Any]](ground.mongo.url) as client, watcher:
        with PeakMemory(ground.service) as peak:
            try:
                for number in range(1, runs + 1):
                    event = events[(number // every - 1) % len(events)] if number % every == 0 else None
                    try:
                        soak.run(event)
                        soak.measure(client[DATABASE])
                    except AssertionError as never:
                        figures.unexpected.append(f"run {number}, {event or 'undisturbed'}: {never}")
                        continue
                    seen = " ".join(f"{value:.0f}" for value in figures.samples[-1].values())
                    tell(f"{number:>4}  {seen}  {event or ''}")
            except KeyboardInterrupt:
                tell("interrupted")
        figures.peak = peak.megabytes
        _pass_a_month(ground, figures)
    figures.changes = shop.changes
    figures.looks, figures.unanswered, figures.mixtures = watcher.looks, watcher.unanswered, watcher.mixtures
    figures.seconds = time.monotonic() - started
    return figures


def _pass_a_month(ground: Ground, figures: Figures) -> None:
    """Prefect keeps its records for 30 days: make those of all runs 31 days older, and see them go."""
    service = ground.service
    service.stop()
    age_prefect_records(service.workdir, days=31)
    before = dict(prefect_records(service.workdir))
    service.start()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        figures.vacuumed = {name: (before[name], n) for name, n in prefect_records(service.workdir)}
        if all(now <= max(20, old / 10) for old, now in figures.vacuumed.values()):
            break
        time.sleep(2)


def page(figures: Figures) -> str:
    """The figures as a table."""
    names = list(figures.samples[0])
    rows = []
    for name in names:
        first, last, peak = figures.tenths(name)
        rows.append(f"| {name} | {first:,.0f} | {last:,.0f} | {peak:,.0f} |")
    runs = ", ".join(f"{count} {name}" for name, count in figures.endings.most_common())
    return "\n".join(
        [
            "| after a run | first tenth | last tenth | peak |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            f"| memory during a run, MB | | | {figures.peak:,.0f} |",
            "",
            f"- {len(figures.samples)} scheduled runs in {figures.seconds / 60:.0f} minutes: {runs}",
            f"- changes of the shop: {', '.join(f'{n} × {name}' for name, n in figures.changes.items())}",
            f"- events: {', '.join(f'{n} × {name}' for name, n in figures.events.items())}",
            f"- generations compared with plain SQL: {len(figures.compared)}, {figures.rows:,} rows;"
            f" differing: {len(figures.differing)}",
            f"- looks of the reader: {figures.looks:,}; {figures.unanswered:,} more came while MongoDB was"
            f" down; mixtures: {len(figures.mixtures)}",
            *(
                f"- Prefect's {name}, before and after they became 31 days older: {a:,}, {b:,}"
                for name, (a, b) in figures.vacuumed.items()
            ),
            *(f"- left out: {event}" for event in figures.left_out),
        ]
    )


def main() -> int:
    """Do all of it and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--seed", type=int, default=20261129)
    given = options.parse_args()
    # Servers and disks are taken down again, however it is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with prepared_ground() as ground:
        figures = soak(ground, given.runs, given.seed, lambda line: print(line, flush=True))
    print(page(figures))
    for what in figures.broken:
        print(f"BROKEN: {what}", file=sys.stderr)
    return 1 if figures.broken else 0


if __name__ == "__main__":
    sys.exit(main())
