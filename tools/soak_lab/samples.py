"""What might grow, measured after each run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

import psutil
from pymongo.database import Database
from tests.support.orchestration_service import Service

from shopsight.publish.naming import stored_generations

MEGABYTE = 1_000_000
_PREFECT_TABLES = ("flow_run", "task_run", "log", "artifact", "events")


def sample(service: psutil.Process, workdir: Path, db: Database[dict[str, object]]) -> dict[str, float]:
    """The figures of this moment, while no run is under way.

    Args:
        service: ``shopsight serve``.
        workdir: its working directory.
        db: where it publishes to.
    """
    children = service.children(recursive=True)
    family = [service, *children]
    statistics = db.command("dbStats")
    return {
        "memory of serve, MB": service.memory_info().rss / MEGABYTE,
        "memory of Prefect's server, MB": sum(one.memory_info().rss for one in children) / MEGABYTE,
        "open files of serve and its children": sum(one.num_fds() for one in family),
        "processes": len(family),
        "threads": sum(one.num_threads() for one in family),
        "run directories": len(list((workdir / "runs").iterdir())),
        "disk of the runs, MB": _bytes_under(workdir / "runs") / MEGABYTE,
        "generations in MongoDB": len(stored_generations(db)),
        "collections in MongoDB": len(db.list_collection_names()),
        "MongoDB's storage, MB": (float(str(statistics["totalSize"])) / MEGABYTE),
        "documents in pipeline_runs": db["pipeline_runs"].count_documents({}),
        "disk of Prefect, MB": _bytes_under(workdir / "prefect") / MEGABYTE,
        **{f"Prefect's {table}": count for table, count in prefect_records(workdir)},
    }


def prefect_records(workdir: Path) -> Iterator[tuple[str, int]]:
    """How many rows Prefect's tables have."""
    with closing(
        sqlite3.connect(f"file:{workdir / 'prefect' / 'prefect.db'}?mode=ro", uri=True)
    ) as connection:
        for table in _PREFECT_TABLES:
            [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
            yield table, count


def age_prefect_records(workdir: Path, days: int) -> None:
    """Make runs, logs and events older, while no server has the database open."""
    columns = {
        "flow_run": "end_time",
        "log": "timestamp",
        "events": "occurred",
        "event_resources": "occurred",
    }
    with closing(sqlite3.connect(workdir / "prefect" / "prefect.db")) as connection, connection:
        for table, column in columns.items():
            earlier = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{days} days')"
            connection.execute(f"UPDATE {table} SET {column} = {earlier} WHERE {column} IS NOT NULL")


class PeakMemory:
    """A context manager: the most memory that the service and its children have, looked up each second."""

    def __init__(self, service: Service) -> None:
        self.megabytes = 0.0
        self._service = service
        self._ended = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    def _watch(self) -> None:
        while not self._ended.wait(1):
            total = 0
            # It may be between a stop and a start.
            with suppress(psutil.NoSuchProcess):
                for one in self._service.family():
                    with suppress(psutil.NoSuchProcess):
                        total += one.memory_info().rss
            self.megabytes = max(self.megabytes, total / MEGABYTE)


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
