"""Kill runs and servers a hundred times, over and over, and count what survived (`make faults`).

Seeded: the same seed does the same faults in the same order; how long a machine takes decides the rest.
Every fault that breaks a promise is printed with how its run ended, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fault_lab import kinds
from fault_lab.ground import SHOPS, Broken, Ground, prepared_ground
from fault_lab.kinds import BOUNDARIES, STAGES, Fault
from fault_lab.watcher import PAUSE_SECONDS, Watcher

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"

_INTRODUCTION = """\
# Injected faults, and what survived

Written by `make faults`, on real servers over a small dirty shop. Each fault disturbs one run; then a plain
rerun or, in about half of the cases, `run --resume` must end in the very documents that an undisturbed run
makes, with the lease free and no collection left behind, and a resumed run must keep every stage that was
whole. Two shops are published in turns, so that a mixture of two generations would show. Meanwhile a reader
polls each of the four names, and the generation that `shopsight.reader` opens as a whole, and compares run
id, counts and sums.
"""
_EXPLANATION = """
*kill -9 at a boundary* is every moment between two things that a run does: before, begun, closing, closed and
after of each stage, and between the lease, the load, the proof, the flip and the sweep. *Killed* servers are
killed with all their processes, as when their machine goes down. A disturbed run that ended as *published*
went on by its own retries, or was past its flip.
"""


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: its name in the table, and the faults of it that are to be done."""

    name: str
    faults: list[Fault]
    needs_disks: bool = False


@dataclass
class Tally:
    """What became of the faults of one kind."""

    injected: int = 0
    survived: int = 0
    endings: Counter[str] = field(default_factory=Counter)


@dataclass
class Figures:
    """All figures of one go."""

    seed: int
    tallies: dict[str, Tally] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    documents: int = 0
    looks: int = 0
    generations: int = 0
    apart: int = 0
    unanswered: int = 0
    mixtures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def injected(self) -> int:
        """Faults injected in all."""
        return sum(tally.injected for tally in self.tallies.values())

    @property
    def survived(self) -> int:
        """Faults after which every promise was kept."""
        return sum(tally.survived for tally in self.tallies.values())

    @property
    def is_good(self) -> bool:
        """Whether nothing was broken."""
        return not self.broken and not self.mixtures and self.survived == self.injected


def all_kinds(rounds: int) -> list[FaultKind]:
    """Every kind; the random ones are repeated ``rounds`` times over, the boundaries are what they are."""
    inside = [kinds.killed_inside(stage) for stage in STAGES]
    return [
        FaultKind("kill -9 at a boundary", [kinds.killed_at(moment) for moment in BOUNDARIES]),
        FaultKind("kill -9 inside a stage, at a random moment", inside * (2 * rounds)),
        FaultKind(
            "MongoDB killed and restarted during the load", [kinds.mongo_killed_during_load] * (2 * rounds)
        ),
        FaultKind(
            "PostgreSQL killed and restarted during extraction",
            [kinds.postgres_killed_during_extraction] * (2 * rounds),
        ),
        FaultKind("MongoDB away for longer than the retries", [kinds.mongo_away] * rounds),
        FaultKind("PostgreSQL away for longer than the retries", [kinds.postgres_away] * rounds),
        FaultKind("the run's disk full", [kinds.run_disk_full] * (2 * rounds), needs_disks=True),
        FaultKind("MongoDB's disk full during the load", [kinds.mongo_disk_full] * rounds, needs_disks=True),
        FaultKind(
            "SIGSTOP past the lease, overtaken, SIGCONT",
            [kinds.stopped_past_its_lease(overtaken=True)] * rounds,
        ),
        FaultKind(
            "SIGSTOP past the lease, SIGCONT", [kinds.stopped_past_its_lease(overtaken=False)] * rounds
        ),
    ]


def short_kinds(seed: int) -> list[FaultKind]:
    """A dozen: two of each sort of kill, and one of each other kind."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    short = []
    for kind in all_kinds(1):
        number = 2 if kind.name.startswith("kill") else 1
        short.append(FaultKind(kind.name, chance.sample(kind.faults, number), kind.needs_disks))
    return short


def inject(
    ground: Ground,
    chosen: list[FaultKind],
    seed: int,
    tell: Callable[[str], None],
    pause_seconds: float = PAUSE_SECONDS,
) -> Figures:
    """Do the faults one after the other, while a reader looks on, and run again after each."""
    figures, started = Figures(seed), time.monotonic()
    known = {shop: ground.undisturbed(shop).whole for shop in SHOPS}
    before = ground.documents
    with Watcher(ground.mongo.url, "faults", known, pause_seconds) as watcher:
        for number, (kind, fault) in enumerate(_in_turn(chosen, ground, figures)):
            # Another shop than the one that is served, and each fault resumed as often as rerun.
            shop = list(SHOPS)[number % len(SHOPS)]
            chance = random.Random(f"{seed}:{number}")  # noqa: S311 - not for secrets
            _do(ground, kind, fault, shop=shop, chance=chance, figures=figures)
            tell(f"{number + 1:>4}  {kind.name}: {figures.survived} of {figures.injected} survived")
    figures.documents = ground.documents - before
    figures.looks, figures.apart, figures.unanswered = watcher.looks, watcher.apart, watcher.unanswered
    figures.generations, figures.mixtures = len(watcher.generations), watcher.mixtures
    figures.seconds = time.monotonic() - started
    return figures


def _in_turn(chosen: list[FaultKind], ground: Ground, figures: Figures) -> Iterator[tuple[FaultKind, Fault]]:
    for kind in chosen:
        if kind.needs_disks and not ground.has_disks:
            figures.left_out.append(kind.name)
            continue
        for fault in kind.faults:
            yield kind, fault


def _do(
    ground: Ground, kind: FaultKind, fault: Fault, *, shop: str, chance: random.Random, figures: Figures
) -> None:
    tally = figures.tallies.setdefault(kind.name, Tally())
    resume = chance.random() < 0.5
    try:
        disturbed = fault(ground, shop, chance)
    except kinds.Missed:
        return
    except Broken as broken:
        tally.injected += 1
        figures.broken.append(f"{kind.name}: {broken}")
        return
    tally.injected += 1
    tally.endings[disturbed.ending.outcome] += 1
    try:
        kinds.survive(ground, shop, disturbed, resume=resume)
    except Broken as broken:
        figures.broken.append(f"{kind.name} ({disturbed.ending.stage}): {broken}")
        return
    tally.survived += 1


def page(figures: Figures) -> str:
    """The figures as docs/faults.md."""
    rows = [
        f"| {name} | {tally.injected} | {tally.survived} |"
        f" {', '.join(f'{count} {outcome}' for outcome, count in tally.endings.most_common())} |"
        for name, tally in figures.tallies.items()
    ]
    left_out = [f"- left out, for want of a disk to fill (root only): {name}" for name in figures.left_out]
    return "\n".join(
        [
            _INTRODUCTION,
            "| fault | injected | survived | how the disturbed run ended |",
            "| --- | ---: | ---: | --- |",
            *rows,
            f"| **all** | **{figures.injected}** | **{figures.survived}** | |",
            "",
            f"- documents compared with an undisturbed run's: {figures.documents:,}",
            f"- looks of the reader: {figures.looks:,}, at {figures.generations} generations;"
            f" {figures.unanswered} more came while MongoDB was down",
            f"- **mixtures seen: {len(figures.mixtures)}**",
            "- looks in which the views, read one after the other, were of two generations, each whole:"
            f" {figures.apart} (see [reading.md](reading.md); `shopsight.reader` never gives two)",
            *left_out,
            f"- seed {figures.seed}; {figures.seconds:.0f} seconds",
            _EXPLANATION,
        ]
    )


def main() -> int:
    """Do all of it, print the figures and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=20261122)
    options.add_argument("--rounds", type=int, default=4, help="how often the random kinds are repeated")
    options.add_argument("--short", action="store_true", help="a dozen faults; writes no page")
    options.add_argument("--only", default="", help="only kinds whose name holds this; writes no page")
    given = options.parse_args()
    chosen = short_kinds(given.seed) if given.short else all_kinds(given.rounds)
    chosen = [kind for kind in chosen if given.only in kind.name]
    # Servers and disks are taken down again, however it is ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with prepared_ground() as ground:
        figures = inject(ground, chosen, given.seed, lambda line: print(line, flush=True))
    print(page(figures))
    for what in (*figures.broken, *figures.mixtures):
        print(f"BROKEN: {what}", file=sys.stderr)
    if figures.is_good and not given.short and not given.only:
        PAGE.write_text(page(figures))
    return 0 if figures.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
