"""What this user can do on this MongoDB, tried out, for ``doctor``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.publish.lease import held_until
from shopsight.publish.naming import check_names
from shopsight.publish.target import Target, connect
from shopsight.publish.views import point_view, served

#: As README.md promises.
LEAST_VERSION = (5, 0)

Step = Callable[[Target], str]

_ON_SCRATCH = ("index", "view", "read", "drop")


@dataclass(frozen=True)
class TargetCheck:
    """One thing that was tried.

    Attributes:
        name: what.
        is_ok: whether it can be done.
        message: what was found.
        remedy: what to do if it cannot.
    """

    name: str
    is_ok: bool
    message: str
    remedy: str = ""


def check_target(url: str, database: str, timeout: timedelta) -> list[TargetCheck]:
    """Try what a run needs of MongoDB, on a scratch collection that is gone afterwards; raises nothing.

    Returns:
        In this order: connect, version, replica set, names, write, index, view, read, drop, lease, served;
        where nothing may be written, what follows from it is left out.
    """
    try:
        with connect(url, database, timeout) as target:
            return [
                TargetCheck("connect", True, f"MongoDB answers at {target.redacted_url}"),
                *_checks(target),
            ]
    except ShopsightError as error:
        return [TargetCheck("connect", False, error.message, error.remedy)]


def _checks(target: Target) -> list[TargetCheck]:
    checks: list[TargetCheck] = []
    for name, step in (
        ("version", _version),
        ("replica set", _replica_set),
        ("names", _names),
        *_scratch_steps(f"doctor.{os.urandom(4).hex()}"),
        ("lease", _lease),
        ("served", _served),
    ):
        if name in _ON_SCRATCH and any(check.name == "write" and not check.is_ok for check in checks):
            continue
        try:
            with target.translated():
                checks.append(TargetCheck(name, True, step(target)))
        except ShopsightError as error:
            checks.append(TargetCheck(name, False, error.message, error.remedy))
    return checks


def _scratch_steps(scratch: str) -> list[tuple[str, Step]]:
    """What a run does with the collections of a generation, done with one that nobody reads."""
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
    if tuple(map(int, version.split(".")[:2])) < LEAST_VERSION:
        raise ConfigurationError(
            f"MongoDB at {target.redacted_url} is {version}; {'.'.join(map(str, LEAST_VERSION))} or later is"
            " needed.",
            remedy="Upgrade it.",
        )
    return f"MongoDB {version}"


def _replica_set(target: Target) -> str:
    name = target.client.admin.command("hello").get("setName")
    if name is None:
        return "a single server: it works, but a write that is cut off is not tried again by the driver"
    return f"replica set {name}"


def _names(target: Target) -> str:
    check_names(target)
    return f"the names that readers read are free or shopsight's in database {target.db.name}"


def _lease(target: Target) -> str:
    held = held_until(target)
    return f"run {held[0]} holds the lease until {held[1]:%H:%M:%S} UTC" if held else "the lease is free"


def _served(target: Target) -> str:
    current = served(target)
    if current is None:
        return "nothing is published yet"
    return f"generation {current.generation} is served, as of {current.as_of:%Y-%m-%d %H:%M} UTC"
