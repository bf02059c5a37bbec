"""The lease: at most one run publishes, whoever started it and wherever.

One document, ``lease`` / ``_id: "publish"``::

    token        the fencing token: grows with every acquisition, never falls
    run_id       the run that holds it
    holder       host, pid and what tells whether that process is dead
    expires_at   by the server's clock, always; the clients' clocks do not matter

A heartbeat renews it at a third of its duration, from a thread that dies with the process. A process that was
stopped for longer than the duration finds its lease lost: by a clock of its own that keeps counting while it
is stopped, so without asking anyone, and by the server. Why and how far this fences: docs/adr/0005.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shopsight.errors import LeaseHeld, LeaseLost, ShopsightError
from shopsight.publish import naming
from shopsight.publish.holder import is_surely_dead, this_process
from shopsight.publish.target import Document, Target

_ID = {"_id": "publish"}
_EXPIRED = {"$lte": ["$expires_at", "$$NOW"]}
_ALIVE = {"$gt": ["$expires_at", "$$NOW"]}


def _clock() -> float:
    """Seconds that go on counting while the process is stopped and while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """A lease that is held; made by :func:`hold_lease`.

    Attributes:
        run_id: the run that holds it.
    """

    def __init__(self, target: Target, run_id: str, duration: timedelta, token: int, deadline: float) -> None:
        self.run_id = run_id
        self._target = target
        self._duration = duration
        self._token = token
        self._deadline = deadline
        self._is_lost = False
        self._taken: int | None = None
        self._renewing = threading.Lock()
        self._ended = threading.Event()

    @property
    def token(self) -> int:
        """The fencing token: greater than every earlier holder's."""
        return self._token

    def guard(self) -> None:
        """Go on only if the lease cannot have expired, by this machine's own clock; asks nobody.

        Raises:
            LeaseLost: it may have expired.
        """
        if _clock() >= self._deadline:
            self._is_lost = True
        if self._is_lost:
            raise self._lost()

    def check(self) -> None:
        """Go on only if the server says that this is the holder still; renews the lease.

        Raises:
            LeaseLost: it expired, or another run took over.
            TargetUnavailable: the server does not answer.
        """
        self._renew()

    def take_generation(self) -> int:
        """A generation number that was never given before: the token, and a greater token for a second one.

        Raises:
            LeaseLost: as :meth:`check`.
        """
        self._renew(self._token + 1 if self._taken == self._token else self._token)
        self._taken = self._token
        return self._token

    def _renew(self, token: int | None = None) -> None:
        # One at a time: a heartbeat that was sent before the token grew would find it gone.
        with self._renewing:
            self.guard()
            asked = _clock()
            token = self._token if token is None else token
            with self._target.translated():
                answer = self._target.db[naming.LEASE].update_one(
                    {**_ID, "token": self._token, "$expr": _ALIVE},
                    [{"$set": {"token": token, "expires_at": _after(self._duration)}}],
                )
            if answer.matched_count == 0:
                self._is_lost = True
                raise self._lost()
            self._token = token
            self._deadline = asked + self._duration.total_seconds()

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"Run {self.run_id} lost its lease (token {self._token}): it was not renewed for"
            f" {self._duration.total_seconds():g} s, or another run took over. It publishes nothing; what is"
            " served stays.",
            remedy="Start a new run. If the process was not stopped and the machine did not sleep, look at"
            " the connection to MongoDB, or raise SHOPSIGHT_LEASE_DURATION.",
        )

    def _beat(self) -> None:
        """Renew until the end; a server that does not answer is asked again, until the lease is lost."""
        pause = self._duration.total_seconds() / 3
        while not self._ended.wait(pause):
            try:
                self.check()
                pause = self._duration.total_seconds() / 3
            except LeaseLost:
                return
            except ShopsightError:
                pause = self._duration.total_seconds() / 20

    def _release(self) -> None:
        """Let the next run begin at once; a server that is away finds the lease expired by itself."""
        self._ended.set()
        self._is_lost = True
        try:
            with self._target.translated():
                self._target.db[naming.LEASE].update_one(
                    {**_ID, "token": self._token}, [{"$set": {"expires_at": "$$NOW"}}]
                )
        except ShopsightError:
            return


@contextmanager
def hold_lease(target: Target, run_id: str, duration: timedelta) -> Iterator[Lease]:
    """Hold the lease while the context lasts.

    It is free when nobody holds it, when it expired, when the same run holds it (a run that is resumed), or
    when its holder was a process of this machine that is dead.

    Args:
        target: where.
        run_id: for whom.
        duration: a lease that is not renewed for so long is anybody's.

    Raises:
        LeaseHeld: another run holds it: who, and until when.
        TargetUnavailable: MongoDB does not answer.
    """
    asked = _clock()
    with target.translated():
        token = _acquire(target, run_id, duration)
    lease = Lease(target, run_id, duration, token, asked + duration.total_seconds())
    heartbeat = threading.Thread(target=lease._beat, name="shopsight-lease", daemon=True)
    heartbeat.start()
    try:
        yield lease
    finally:
        lease._release()
        heartbeat.join(timeout=5)


def refuse_if_held(target: Target, run_id: str) -> None:
    """Raise what :func:`hold_lease` would raise now, without taking the lease.

    Raises:
        LeaseHeld: another run holds it.
        TargetUnavailable: MongoDB does not answer.
    """
    with target.translated():
        held = target.db[naming.LEASE].find_one({**_ID, "run_id": {"$ne": run_id}, "$expr": _ALIVE})
    if held is not None and not is_surely_dead(held["holder"]):
        raise _held(held)


def held_until(target: Target) -> tuple[str, datetime] | None:
    """The run that holds the lease now and until when, by the server's clock; None when it is free."""
    with target.translated():
        held = target.db[naming.LEASE].find_one({**_ID, "$expr": _ALIVE})
    return (held["run_id"], held["expires_at"]) if held else None


def _acquire(target: Target, run_id: str, duration: timedelta) -> int:
    taken = _take(target, run_id, duration, {"$expr": {"$or": [_EXPIRED, {"$eq": ["$run_id", run_id]}]}})
    if taken is None:
        held = target.db[naming.LEASE].find_one(_ID)
        if held is None:
            _found(target)
            return _acquire(target, run_id, duration)
        if is_surely_dead(held["holder"]):
            taken = _take(target, run_id, duration, {"token": held["token"]})
        if taken is None:
            raise _held(target.db[naming.LEASE].find_one(_ID) or held)
    return int(taken["token"])


def _take(target: Target, run_id: str, duration: timedelta, free: Mapping[str, Any]) -> Document | None:
    return target.db[naming.LEASE].find_one_and_update(
        {**_ID, **free},
        [
            {
                "$set": {
                    "token": {"$add": ["$token", 1]},
                    "run_id": {"$literal": run_id},
                    "holder": {"$literal": this_process()},
                    "acquired_at": "$$NOW",
                    "expires_at": _after(duration),
                }
            }
        ],
        return_document=ReturnDocument.AFTER,
    )


def _found(target: Target) -> None:
    """Make the lease's document, free, with a token that no generation ever had."""
    try:
        target.db[naming.LEASE].insert_one(
            {
                **_ID,
                "token": naming.greatest_generation(target.db),
                "run_id": None,
                "holder": {},
                "expires_at": datetime(1970, 1, 1, tzinfo=UTC),
            }
        )
    except DuplicateKeyError:
        return  # another run was first, which is as good


def _after(duration: timedelta) -> dict[str, Any]:
    return {"$add": ["$$NOW", int(duration.total_seconds() * 1000)]}


def _held(held: Mapping[str, Any]) -> LeaseHeld:
    holder, until = held["holder"], held["expires_at"]
    return LeaseHeld(
        f"Run {held['run_id']} (host {holder.get('host')}, process {holder.get('pid')}) is at work and holds"
        f" the lease until {until:%Y-%m-%d %H:%M:%S} UTC by MongoDB's clock.",
        remedy="Wait until it is done. If it is dead, its lease ends by itself at that moment.",
    )
