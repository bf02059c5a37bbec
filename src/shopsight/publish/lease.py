"""The lease: at most one run publishes, on any machine.

One document, ``lease`` / ``_id: "publish"``::

    token        the fencing token: grows with every acquisition, never falls
    run_id       the run that holds it
    holder       host and pid, and how to tell whether that process is alive
    expires_at   by the server's clock; the clients' clocks do not matter

A heartbeat renews it at a third of its duration, from a thread that ends with the process. A process that was
stopped for longer than the duration finds its lease lost, by its own clock, which keeps counting while it is
stopped, and by the server. How far this fences: docs/adr/0005.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shopsight.errors import LeaseHeld, LeaseLost, ShopsightError
from shopsight.publish import naming
from shopsight.publish.target import Document, Target

_ID = {"_id": "publish"}
_EXPIRED = {"$lte": ["$expires_at", "$$NOW"]}
_ALIVE = {"$gt": ["$expires_at", "$$NOW"]}


def _clock() -> float:
    """Seconds of a clock that continues while the process is stopped and while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """A lease that is held; made by :func:`hold_lease`.

    Attributes:
        run_id: the run that holds it.
        token: the fencing token, greater than every earlier holder's.
    """

    def __init__(self, target: Target, run_id: str, duration: timedelta, token: int, deadline: float) -> None:
        self.run_id = run_id
        self.token = token
        self._target = target
        self._duration = duration
        self._deadline = deadline
        self._is_lost = False
        self._taken: int | None = None
        self._renewing = threading.Lock()
        self._ended = threading.Event()

    def guard(self) -> None:
        """Make sure, by this machine's clock alone, that the lease cannot have expired.

        Raises:
            LeaseLost: it may have expired.
        """
        if _clock() >= self._deadline:
            self._is_lost = True
        if self._is_lost:
            raise self._lost()

    def check(self) -> None:
        """Renew the lease, which the server allows to its holder alone.

        Raises:
            LeaseLost: it expired, or another run took over.
            TargetUnavailable: the server does not answer.
        """
        self._renew()

    def take_generation(self) -> int:
        """A generation number that was never given before: the token, incremented on a second call.

        Raises:
            LeaseLost: as :meth:`check`.
        """
        self._renew(self.token + 1 if self._taken == self.token else self.token)
        self._taken = self.token
        return self.token

    def _renew(self, token: int | None = None) -> None:
        # One at a time: a heartbeat that was sent before the token grew would look for the old one.
        with self._renewing:
            self.guard()
            asked = _clock()
            token = self.token if token is None else token
            with self._target.translated():
                answer = self._target.db[naming.LEASE].update_one(
                    {**_ID, "token": self.token, "$expr": _ALIVE},
                    [{"$set": {"token": token, "expires_at": _after(self._duration)}}],
                )
            if answer.matched_count == 0:
                self._is_lost = True
                raise self._lost()
            self.token = token
            self._deadline = asked + self._duration.total_seconds()

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"Run {self.run_id} lost its lease (token {self.token}): it was not renewed for"
            f" {self._duration.total_seconds():g} s, or another run took over. It publishes nothing; what is"
            " served stays.",
            remedy="Start a new run. If the process was not stopped and the machine did not sleep, look at"
            " the connection to MongoDB, or raise SHOPSIGHT_LEASE_DURATION.",
        )

    def _beat(self) -> None:
        """Renew until the end; a server that does not answer is asked again until the lease is lost."""
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
        """Free the lease for the next run; if the server is down, the lease expires."""
        self._ended.set()
        self._is_lost = True
        with suppress(ShopsightError), self._target.translated():
            self._target.db[naming.LEASE].update_one(
                {**_ID, "token": self.token}, [{"$set": {"expires_at": "$$NOW"}}]
            )


@contextmanager
def hold_lease(target: Target, run_id: str, duration: timedelta) -> Iterator[Lease]:
    """Hold the lease while the context lasts.

    It is free if nobody holds it, if it expired, if the same run holds it (a run that is resumed), or if its
    holder was a process of this machine that is dead.

    Args:
        target: where.
        run_id: the run that will hold it.
        duration: the time after which a lease that is not renewed expires.

    Raises:
        LeaseHeld: another run holds it: which, and until when.
        ConfigurationError: somebody else's collections have shopsight's names; nothing was written.
        TargetUnavailable: MongoDB does not answer.
    """
    naming.check_names(target)
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
            _create(target)
            return _acquire(target, run_id, duration)
        if is_surely_dead(held["holder"]):
            taken = _take(target, run_id, duration, {"token": held["token"]})
        if taken is None:
            raise _held(target.db[naming.LEASE].find_one(_ID) or held)
    return int(taken["token"])


def _take(target: Target, run_id: str, duration: timedelta, free: Mapping[str, Any]) -> Document | None:
    held = {
        "token": {"$add": ["$token", 1]},
        "run_id": {"$literal": run_id},
        "holder": {"$literal": this_process()},
        "acquired_at": "$$NOW",
        "expires_at": _after(duration),
    }
    return target.db[naming.LEASE].find_one_and_update(
        {**_ID, **free}, [{"$set": held}], return_document=ReturnDocument.AFTER
    )


def _create(target: Target) -> None:
    """Create the lease's document, free, with the greatest token that a generation of this database had."""
    published = target.db[naming.PUBLISHED].find_one({"_id": "current"}) or {}
    newest = target.db[naming.GENERATIONS].find_one({"_id": {"$type": "number"}}, sort=[("_id", -1)]) or {}
    token = max(0, published.get("token", 0), newest.get("_id", 0), *naming.stored_generations(target.db))
    never = datetime(1970, 1, 1, tzinfo=UTC)
    with suppress(DuplicateKeyError):  # another run created it, which is as good
        target.db[naming.LEASE].insert_one(
            {**_ID, "token": int(token), "run_id": None, "holder": {}, "expires_at": never}
        )


def _after(duration: timedelta) -> dict[str, Any]:
    return {"$add": ["$$NOW", int(duration.total_seconds() * 1000)]}


def _held(held: Mapping[str, Any]) -> LeaseHeld:
    holder, until = held["holder"], held["expires_at"]
    return LeaseHeld(
        f"Run {held['run_id']} (host {holder.get('host')}, process {holder.get('pid')}) is at work and holds"
        f" the lease until {until:%Y-%m-%d %H:%M:%S} UTC by MongoDB's clock.",
        remedy="Wait until it finishes. If it is dead, its lease expires at that moment.",
    )


def this_process() -> dict[str, Any]:
    """This process: host and pid for people, realm and started for :func:`is_surely_dead`."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "realm": _realm(), "started": _state(pid)[1]}


def is_surely_dead(holder: Mapping[str, Any]) -> bool:
    """Whether a process of this machine, since its last start, is known to have ended.

    A stopped process is alive. A pid that belongs to another process now is recognised by the moment at which
    that process started.
    """
    if not holder.get("realm") or holder["realm"] != _realm():
        return False
    pid = int(holder["pid"])
    state, started = _state(pid)
    if state is not None:
        return state in "ZX" or started != holder.get("started")
    try:
        os.kill(pid, 0)  # sends nothing; distinguishes a dead process from a hidden one
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@cache
def _realm() -> str | None:
    """The scope in which a pid is unique: this boot of this kernel, and the pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _state(pid: int) -> tuple[str, int] | tuple[None, None]:
    """The process's state, and the kernel's tick at which it started; None where that cannot be read.

    The wall clock is not used, because it shifts when it is set.
    """
    try:
        # The second field is the program's name in parentheses and may hold blanks and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None, None
    return fields[0], int(fields[19])
