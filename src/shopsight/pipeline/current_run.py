"""The run that the stages work on, and what a stage says of its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from shopsight import publish
from shopsight.audit.parquet import count_rows
from shopsight.contract import TABLES
from shopsight.marts.insights import Insight
from shopsight.pipeline.own_insights import LoadedInsight, insights_of, own_insights
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord, Snapshot
from shopsight.settings import Settings

Progress = Callable[[str, str, int], None]


@dataclass
class Run:
    """What the stages work on.

    Attributes:
        target: where to publish; None for a run that only plans.
        served: the generation that was served when the run began, if any is known.
        allow_shrink: publish even if the figures are much smaller than those served.
        allow_older: publish even if a younger snapshot is served.
        unpin: serve the new generation even if another one is pinned.
        on_progress: called as ``(stage, table, rows)``.
    """

    settings: Settings
    workspace: Workspace
    record: RunRecord
    target: publish.Target | None = None
    allow_shrink: bool = False
    allow_older: bool = False
    unpin: bool = False
    on_progress: Progress | None = None
    served: int | None = None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that extraction took."""
        if self.record.snapshot is None:
            raise RuntimeError("no stage may ask for the snapshot before extraction")
        return self.record.snapshot

    @cached_property
    def own_insights(self) -> list[LoadedInsight]:
        """The user's own insights, loaded and checked once."""
        return own_insights(self.settings)

    @cached_property
    def insights(self) -> dict[str, Insight]:
        """Built-in and own insights by id, in the order of the report."""
        return insights_of(self.own_insights)

    @property
    def state(self) -> str:
        """A sentence for messages on what is published and served."""
        if self.record.pinned is not None:
            kept = f"Generation {self.record.generation} is proven and kept"
            return f"{kept}; generation {self.record.pinned} is pinned and stays served."
        if self.record.generation is not None:
            return f"Generation {self.record.generation} is published and served."
        if self.served is not None:
            return f"Nothing was published; generation {self.served} is still served."
        return "Nothing was published."

    def progress(self, stage: str, table: str, rows: int) -> None:
        """Report how many rows of a table a stage has done so far."""
        if self.on_progress is not None:
            self.on_progress(stage, table, rows)


@dataclass(frozen=True)
class StageResult:
    """A stage's row counts. ``seconds`` is set for a kept stage: the time it took when it was done."""

    rows_in: int | None = None
    rows_out: int | None = None
    rejected: int | None = None
    is_kept: bool = False
    seconds: float | None = None


def tally(run: Run, stage: str) -> Callable[[str, int], None]:
    """A callback that reports the running row count."""
    so_far: Counter[str] = Counter()

    def count(table: str, rows: int) -> None:
        so_far[table] += rows
        run.progress(stage, table, so_far[table])

    return count


def table_rows(run: Run, folder: str) -> int:
    """The rows of the six tables in a folder of the run."""
    return sum(count_rows(run.workspace.folder(folder) / table) for table in TABLES)


def rows_in(run: Run, folder: str) -> int:
    """All rows in the Parquet files under a folder of the run."""
    root = run.workspace.folder(folder)
    return sum(count_rows(path) for path in sorted({file.parent for file in root.rglob("*.parquet")}))
