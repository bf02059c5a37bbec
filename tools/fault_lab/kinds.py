"""What is done to a run. Each kind disturbs one run of a shop and says how that run ended.

After each, the same two demands, in :func:`survive`: what is served is whole, and a plain rerun or a resumed
one ends in the content of an undisturbed run.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from fault_lab.disks import fill, resize
from fault_lab.ground import MEGABYTE, Broken, Ground
from fault_lab.workers import Ending

STAGES = ("extract", "clean", "metrics", "insights", "prove", "publish")
_WRITING = STAGES[:4]

#: Every moment between two things that a run does: where a kill leaves the one done and the other not begun.
BOUNDARIES = (
    "opened",
    *(
        f"{moment}:{stage}"
        for stage in _WRITING
        for moment in ("before", "begun", "closing", "closed", "after")
    ),
    "before:prove",
    "after:prove",
    "before:publish",
    "healed",
    "rows:publish:1",
    "written",
    "proven",
    "flipped",
    "swept",
    "after:publish",
)
_LEASE_SECONDS = 1.5
_TRIES = 8


class Missed(Exception):
    """The run ended before the fault came; it does not count."""


@dataclass(frozen=True)
class Disturbed:
    """A run that a fault was done to.

    Attributes:
        workdir: the folder to run again in, when it is not the usual one.
        is_overtaken: whether a younger snapshot was published meanwhile: then it must not be resumed.
    """

    run_id: str
    ending: Ending
    workdir: str | None = None
    is_overtaken: bool = False


Fault = Callable[[Ground, str, random.Random], Disturbed]


def killed_at(moment: str) -> Fault:
    """SIGKILL at a boundary."""

    def fault(ground: Ground, shop: str, _: random.Random) -> Disturbed:
        worker, run_id = ground.start(shop, moment)
        if not worker.wait_for(moment):
            raise Broken(f"a run did not come to {moment}: {worker.end()}")
        worker.send_signal(signal.SIGKILL)
        return Disturbed(run_id, _expect(worker.end(), "killed"))

    return fault


def killed_inside(stage: str) -> Fault:
    """SIGKILL at any moment of a stage."""

    def fault(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
        seconds = ground.undisturbed(shop).seconds[stage]
        for attempt in range(_TRIES):
            worker, run_id = ground.start(shop)
            worker.wait_for(f"before:{stage}")
            time.sleep(chance.uniform(0, seconds / (1 + attempt)))
            worker.send_signal(signal.SIGKILL)
            ending = worker.end()
            if (
                ending.outcome == "killed"
                and ending.stage == stage
                and f"after:{stage}" not in ending.moments
            ):
                return Disturbed(run_id, ending)
        raise Missed(stage)

    return fault


def mongo_killed_during_load(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """SIGKILL for MongoDB between two inserts, and a restart while the run goes on."""
    gate = f"rows:publish:{chance.randint(1, 46)}"
    worker, run_id = ground.start(shop, gate, connect_timeout=10.0, retries=2)
    worker.wait_for(gate)
    ground.kill(ground.mongo)
    worker.go()
    time.sleep(chance.uniform(0, 1))
    ground.restart(ground.mongo)
    return Disturbed(run_id, _expect(worker.end(), "published", "TargetUnavailable"))


def postgres_killed_during_extraction(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """SIGKILL for PostgreSQL while tables are read, and a restart while the run goes on."""
    gate = chance.choice(["begun:extract", *(f"rows:extract:{n}" for n in range(1, 7))])
    worker, run_id = ground.start(shop, gate, retries=2, retry_delay=0.5, connect_timeout=10.0)
    worker.wait_for(gate)
    ground.kill(ground.postgres)
    worker.go()
    time.sleep(chance.uniform(0, 1))
    ground.restart(ground.postgres)
    return Disturbed(run_id, _expect(worker.end(), "published", "SourceUnavailable"))


def mongo_away(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """MongoDB away for longer than the retries, from any stage on."""
    gate = chance.choice([f"before:{stage}" for stage in STAGES] + ["rows:publish:20", "proven", "flipped"])
    worker, run_id = ground.start(shop, gate)
    worker.wait_for(gate)
    ground.kill(ground.mongo)
    try:
        worker.go()
        # After the flip it is published, whatever cannot be tidied up any more.
        ending = _expect(worker.end(), "published" if gate == "flipped" else "TargetUnavailable")
    finally:
        ground.restart(ground.mongo)
    return Disturbed(run_id, ending)


def postgres_away(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """PostgreSQL away for longer than the retries."""
    gate = chance.choice(["opened", "begun:extract", "rows:extract:1"])
    worker, run_id = ground.start(shop, gate)
    worker.wait_for(gate)
    ground.kill(ground.postgres)
    try:
        worker.go()
        ending = _expect(worker.end(), "SourceUnavailable")
    finally:
        ground.restart(ground.postgres)
    return Disturbed(run_id, ending)


def run_disk_full(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """The disk of the run's directory full at any byte of what a run writes."""
    ground.empty_run_disk()
    resize(
        ground.run_disk, int(chance.uniform(0.02, 0.9) * ground.undisturbed(shop).run_bytes) // 4096 * 4096
    )
    worker, run_id = ground.start(shop, workdir=str(ground.run_disk))
    ending = worker.end()
    resize(ground.run_disk, 64 * MEGABYTE)
    return Disturbed(run_id, _expect(ending, "WorkspaceError"), str(ground.run_disk))


def mongo_disk_full(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
    """MongoDB's disk full during the load: it crashes, as it does, and is restarted with room on its disk."""
    gate = f"rows:publish:{chance.randint(1, 30)}"
    worker, run_id = ground.start(shop, gate)
    worker.wait_for(gate)
    ballast = fill(ground.mongo_disk, chance.choice([0, 4096, 16_384]))
    try:
        worker.go()
        ending = _expect(worker.end(), "TargetUnavailable", "PublishError")
    finally:
        ballast.unlink()
        ground.kill(ground.mongo)
        ground.restart(ground.mongo)
    return Disturbed(run_id, ending)


def stopped_past_its_lease(*, overtaken: bool) -> Fault:
    """SIGSTOP until the lease has expired, and SIGCONT; meanwhile, if so, another run publishes."""

    def fault(ground: Ground, shop: str, chance: random.Random) -> Disturbed:
        moments = (
            "after:extract",
            "after:insights",
            "rows:publish:1",
            "rows:publish:40",
            "written",
            "proven",
        )
        gate = chance.choice(moments)
        worker, run_id = ground.start(shop, gate, lease_duration=_LEASE_SECONDS)
        worker.wait_for(gate)
        worker.send_signal(signal.SIGSTOP)
        worker.go()
        stopped = time.monotonic()
        other = None
        if overtaken:
            other = _expect(_until_free(ground, shop), "published")
        time.sleep(max(0.0, stopped + 2 * _LEASE_SECONDS - time.monotonic()))
        worker.send_signal(signal.SIGCONT)
        if other is None:
            # The lease is held by publishing alone.
            is_publishing = not gate.startswith("after:")
            return Disturbed(run_id, _expect(worker.end(), "LeaseLost" if is_publishing else "published"))
        # Whichever it sees first: that its lease is gone, or that a younger snapshot is served.
        ending = _expect(worker.end(), "LeaseLost", "SnapshotOutdated")
        ground.expect_content(shop, other.said["generation"])
        return Disturbed(run_id, ending, is_overtaken=True)

    return fault


def _until_free(ground: Ground, shop: str) -> Ending:
    """Another run, once the lease of the stopped one has ended."""
    deadline = time.monotonic() + 60
    while (ending := ground.run(shop)).outcome == "LeaseHeld" and time.monotonic() < deadline:
        time.sleep(0.3)
    return ending


def survive(ground: Ground, shop: str, disturbed: Disturbed, *, resume: bool) -> None:
    """Run again, or resume; and hold what is served then against an undisturbed run.

    Raises:
        Broken: the content differs, or the run does not end well.
    """
    if disturbed.is_overtaken and resume:
        _expect(ground.run(shop, run_id=disturbed.run_id, resume=True), "SnapshotOutdated")
        resume = False
    others = {"workdir": disturbed.workdir} if disturbed.workdir else {}
    ending = ground.run(shop, run_id=disturbed.run_id if resume else None, resume=resume, **others)
    if ending.outcome != "published":
        raise Broken(f"the {'resumed run' if resume else 'rerun'} ended otherwise: {ending}")
    ground.expect_content(shop, ending.said["generation"])
    if resume:
        _expect_kept(disturbed.ending, ending)


def _expect_kept(before: Ending, after: Ending) -> None:
    """A stage whose manifest was closed is kept, and none is done again after all."""
    closed = {moment.removeprefix("after:") for moment in before.moments if moment.startswith("after:")}
    again = [s for s in _WRITING if s in closed and after.said["stages"][s] != "kept"]
    if again:
        raise Broken(f"stages {again} were whole and were done again")


def _expect(ending: Ending, *outcomes: str) -> Ending:
    if ending.outcome not in outcomes:
        raise Broken(f"a disturbed run should have ended as {' or '.join(outcomes)}: {ending}")
    return ending
