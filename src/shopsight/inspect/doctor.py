"""Checks whether a run could succeed here (databases, disk, versions) and whether one did recently."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shopsight import publish
from shopsight.audit import guards
from shopsight.engine.opening import open_engine
from shopsight.errors import ShopsightError
from shopsight.extract import check_source
from shopsight.inspect.freshness import freshness
from shopsight.inspect.preview import previews
from shopsight.pipeline.databases import open_source, open_target, target_address
from shopsight.pipeline.own_insights import own_insights
from shopsight.pipeline.run import versions
from shopsight.pipeline.workspace import Workspace, make_folder
from shopsight.settings import Settings

#: Holds raw, clean and rejected files of three runs (`keep_runs`) of a large shop.
LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One check; ``remedy`` is what to do if it fails."""

    area: str
    name: str
    is_ok: bool
    message: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Check everything that a run needs. Reads a few rows of each table, and leaves nothing behind.

    Returns:
        Versions, the working directory, the engine, the source and the target, in this order. Checks that an
        earlier failure makes impossible are left out.
    """
    source = _guarded("source", lambda: _source(settings))
    if all(finding.is_ok for finding in source):
        source += _guarded("source", lambda: _previews(settings))
    return [
        Finding("shopsight", "versions", True, ", ".join(f"{k} {v}" for k, v in versions().items())),
        Finding("shopsight", "machine", True, f"{platform.platform()}, {os.cpu_count()} cores"),
        _workdir(settings.workdir),
        *_guarded("insights", lambda: _insights(settings)),
        *_guarded("engine", lambda: _engine(settings)),
        *source,
        *_guarded("source", lambda: _time_zone(settings)),
        *_guarded("target", lambda: _target(settings)),
    ]


def examine_freshness(settings: Settings) -> Finding:
    """Whether what is served is fresh enough, for monitoring."""

    def look() -> Iterable[Finding]:
        with open_target(settings) as target:
            served = publish.served(target)
        found = freshness(vars(served) if served else None, datetime.now(UTC))
        remedy = "See why no run published (`shopsight runs`), and whether `shopsight serve` is alive."
        yield Finding("served", "freshness", found.is_fresh, found.sentence, remedy)

    return _guarded("served", look)[0]


def _guarded(area: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings, or the error that prevented them."""
    try:
        return list(look())
    except ShopsightError as error:
        return [Finding(area, "connect", False, error.message, error.remedy)]


def _source(settings: Settings) -> Iterable[Finding]:
    with open_source(settings) as source:
        for check in check_source(source):
            yield Finding("source", check.name, check.is_ok, check.message, check.remedy)


def _previews(settings: Settings) -> Iterable[Finding]:
    with open_source(settings) as source:
        for preview in previews(settings, source):
            name, remedy = f"first rows of {preview.table}", "Correct the mapping in shopsight.toml."
            yield Finding("source", name, preview.is_usable, preview.text, remedy)


def _time_zone(settings: Settings) -> Iterable[Finding]:
    """The shop's day, and whether the newest run met orders of a day that UTC had not reached yet."""
    message = f"days are those of {settings.shop_time_zone}"
    run_ids = Workspace.run_ids(settings.workdir)
    if settings.time_zone is None and run_ids:
        workspace = Workspace(settings.workdir, run_ids[-1])
        snapshot = workspace.read_record().get("snapshot")
        folder = workspace.folder("rejected") / "orders"
        if snapshot is not None and workspace.clean.details() is not None:
            early = guards.orders_ahead_of_utc(folder, datetime.fromisoformat(snapshot["as_of"]))
            if early:
                message += (
                    f"; the last run rejected {early:,} orders dated tomorrow (UTC): set time_zone if that"
                    " day may have begun in the shop"
                )
    yield Finding("source", "time zone", True, message)


def _insights(settings: Settings) -> Iterable[Finding]:
    for own in own_insights(settings):
        yield Finding("insights", own.insight.id, True, f"{own.path}. {own.proved}")


def _target(settings: Settings) -> Iterable[Finding]:
    with target_address(settings) as url:
        for check in publish.check_target(url, settings.target_database, settings.connect_timeout):
            yield Finding("target", check.name, check.is_ok, check.message, check.remedy)


def _engine(settings: Settings) -> Iterable[Finding]:
    """Spark is started, and passes a file through its workers."""
    if settings.engine == "polars":
        return
    new = [folder for folder in (settings.workdir, *settings.workdir.parents) if not folder.exists()]
    make_folder(settings.workdir)
    try:
        with tempfile.TemporaryDirectory(dir=settings.workdir, prefix="doctor-") as folder:
            with open_engine(settings, Path(folder) / "scratch") as engine:
                found = ", ".join(f"{name} {version}" for name, version in engine.versions.items())
            message = f"{settings.shown('spark_url')}: {found}; it sees the workdir"
            yield Finding("engine", "spark", True, message)
    finally:
        for empty in new:
            empty.rmdir()


def _workdir(workdir: Path) -> Finding:
    place = next(folder for folder in (workdir.absolute(), *workdir.absolute().parents) if folder.exists())
    if not os.access(place, os.W_OK):
        return Finding(
            "shopsight", "workdir", False, f"{place} cannot be written", "Give another with --workdir."
        )
    free = shutil.disk_usage(place).free
    message = f"{workdir}: {free / 1024**3:,.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return Finding("shopsight", "workdir", False, message, "Free some space, or give another --workdir.")
    return Finding("shopsight", "workdir", True, message)
