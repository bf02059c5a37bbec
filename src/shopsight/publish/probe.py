"""Checks for ``doctor``: tries what this user can do on this MongoDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.publish.lease import held_until
from shopsight.publish.naming import check_names
from shopsight.publish.rollback import pin_note
from shopsight.publish.target import Target, connect
from shopsight.publish.views import point_view, served

#: As README.md promises.
LEAST_VERSION = (5, 0)

Step = Callable[[Target], str]


@dataclass(frozen=True)
class TargetCheck:
    """One thing that was tried; ``message`` says what was found, ``remedy`` what to do if it is not ok."""

    name: str
    is_ok: bool
    message: str
    remedy: str = ""


def check_target(url: str, database: str, timeout: timedelta) -> list[TargetCheck]:
    """Try what a run needs of MongoDB, on a scratch collection that is dropped afterwards; raises nothing.

    Returns:
        In this order: connect, version, replica set, names, write, index, view, read, drop, lease, served.
        If nothing may be written, index to drop are left out.
    """
    try:
        with connect(url, database, timeout) as target:
            answers = TargetCheck("connect", True, f"MongoDB answers at {target.redacted_url}")
            return [answers, *_checks(target)]
    except ShopsightError as error:
        return [TargetCheck("connect", False, error.message, error.remedy)]


def _checks(target: Target) -> Iterator[TargetCheck]:
    yield _tried(target, "version", _version)
    yield _tried(target, "replica set", _replica_set)
    yield _tried(target, "names", _names)
    for name, step in _scratch_steps(f"doctor.{os.urandom(4).hex()}"):
        check = _tried(target, name, step)
        yield check
        if name == "write" and not check.is_ok:
            break
    yield _tried(target, "lease", _lease)
    yield _tried(target, "served", _served)


def _tried(target: Target, name: str, step: Step) -> TargetCheck:
    try:
        with target.translated():
            return TargetCheck(name, True, step(target))
    except ShopsightError as error:
        return TargetCheck(name, False, error.message, error.remedy)


def _scratch_steps(scratch: str) -> list[tuple[str, Step]]:
    """Do with a scratch collection what a run does with a generation's collections."""
    view = f"{scratch}.view"

    def write(target: Target) -> str:
        target.db[scratch].insert_one({"_id": 1})
        return "may write"

    def index(target: Target) -> str:
        target.db[scratch].create_index("probe")
        return "may build indexes"

    def show(target: Target) -> str:
        point_view(target, view, f"{scratch}.other")
        point_view(target, view, scratch)
        return "may create views and point them elsewhere"

    def read(target: Target) -> str:
        target.db[view].find_one({"_id": 1})
        return "may read through a view"

    def drop(target: Target) -> str:
        target.db.drop_collection(view)
        target.db.drop_collection(scratch)
        return "may drop what it made"

    return [("write", write), ("index", index), ("view", show), ("read", read), ("drop", drop)]


def _version(target: Target) -> str:
    version = target.client.server_info()["version"]
    least = ".".join(map(str, LEAST_VERSION))
    if tuple(map(int, version.split(".")[:2])) < LEAST_VERSION:
        message = f"MongoDB at {target.redacted_url} is {version}; {least} or later is needed."
        raise ConfigurationError(message, remedy="Upgrade it.")
    return f"MongoDB {version}"


def _replica_set(target: Target) -> str:
    name = target.client.admin.command("hello").get("setName")
    if name is None:
        return "a single server: it works, but the driver does not retry a write that is cut off"
    return f"replica set {name}"


def _names(target: Target) -> str:
    check_names(target)
    return f"the names in database {target.db.name} are free or shopsight's"


def _lease(target: Target) -> str:
    held = held_until(target)
    return f"run {held[0]} holds the lease until {held[1]:%H:%M:%S} UTC" if held else "the lease is free"


def _served(target: Target) -> str:
    current = served(target)
    if current is None:
        return "nothing is published yet"
    is_served = f"generation {current.generation} is served, as of {current.as_of:%Y-%m-%d %H:%M} UTC"
    pin = pin_note(target)
    return f"{is_served}. {pin}" if pin else is_served
