"""The files of one kept run, as a trace reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import narwhals as nw
from narwhals.exceptions import NarwhalsError

from shopsight.clean.parse import completed, raw_name, read
from shopsight.contract import TABLES, Column, Kind, Table
from shopsight.engine.polars import PolarsEngine
from shopsight.engine.protocol import Frame
from shopsight.errors import WorkspaceError
from shopsight.marts.insights import Shop
from shopsight.pipeline.workspace import Workspace

#: What stands beside a rejected row, kept as text while the row's values are read.
_BESIDE = (Column("rule", Kind.TEXT), Column("measure", Kind.TEXT))


class TracedRun:
    """A run whose marts are whole."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.record: dict[str, Any] = workspace.read_record()
        self._engine = PolarsEngine()

    @classmethod
    def open(cls, workdir: Path, run_id: str | None = None) -> TracedRun:
        """The run of this id; by default the newest that was published.

        Raises:
            WorkspaceError: it is not kept, or did not get as far as its marts.
        """
        run = cls(Workspace.existing(workdir, run_id or _newest_published(workdir)))
        if not run.workspace.insights.manifest_path.exists():
            raise WorkspaceError(
                f"Run {run.workspace.run_id} has no figures to explain: {run._ending()}.",
                remedy="Name another run with --run (`shopsight runs`), or start one with `shopsight run`.",
            )
        return run

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.workspace.run_id

    @property
    def generation(self) -> int | None:
        """The generation that it published; None if it published none."""
        generation: int | None = self.record.get("generation")
        return generation

    @property
    def as_of(self) -> datetime:
        """The moment of its snapshot, as extraction noted it: a run at work has no whole record."""
        with self.reading():
            manifest = json.loads(self.workspace.raw.manifest_path.read_text())
        return datetime.fromisoformat(manifest["details"]["snapshot"]["as_of"])

    def about(self) -> dict[str, Any]:
        """Which run it is, for whoever reads the trace."""
        return {"run_id": self.run_id, "generation": self.generation, "as_of": self.as_of}

    def clean(self, table: str) -> Frame:
        """A table's kept rows."""
        return self._scan(f"clean/{table}")

    def raw(self, table: str) -> Frame:
        """A table's rows in the contract's types, each column beside it as it came, ``raw_<column>``."""
        return completed(read(self._scan(f"raw/{table}"), TABLES[table]), TABLES[table])

    def rejected(self, table: str) -> Frame:
        """A table's rejected rows as :meth:`raw` gives them, with ``rule`` and ``measure``."""
        wide = replace(TABLES[table], columns=(*TABLES[table].columns, *_BESIDE))
        rows = completed(read(self._scan(f"rejected/{table}"), wide), wide)
        return rows.with_columns(measure=nw.col(raw_name("measure"))).drop(
            raw_name("rule"), raw_name("measure")
        )

    def repairs(self, table: str) -> Frame:
        """What was changed in a table's kept rows."""
        return self._scan(f"rejected/repairs/{table}")

    def merged(self, table: str) -> Frame:
        """A table's rows that were folded into another."""
        return self._scan(f"rejected/merged/{table}")

    def customer_metrics(self) -> Frame:
        """The customers' figures as published."""
        return self._scan("marts/customer_metrics")

    def insight(self, name: str) -> Frame:
        """An insight's rows as published, in their order."""
        return self._scan(f"marts/insights/{name}")

    def shop(self) -> Shop:
        """The clean tables, as the insights have them."""
        return Shop(**{name: self.clean(name) for name in TABLES}, customer_metrics=self.customer_metrics())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While its files are read.

        Raises:
            WorkspaceError: they went away meanwhile, or are damaged.
        """
        try:
            yield
        except (OSError, NarwhalsError) as error:
            what = str(error).partition("\n")[0][:200]
            raise WorkspaceError(
                f"The files of run {self.run_id} under {self.workspace.root} cannot be read: {what}.",
                remedy="They are damaged, were swept meanwhile, or are of another version of shopsight: name"
                " another run with --run, or start one with `shopsight run`.",
            ) from error

    def _scan(self, folder: str) -> Frame:
        return self._engine.scan(self.workspace.folder(folder))

    def _ending(self) -> str:
        error = self.record.get("error")
        if error:
            return f"it ended in {error.get('stage')}: {error.get('message')}"
        return "it is still at work, or was stopped before they were worked out"


def raw_values(table: Table) -> list[nw.Expr]:
    """A table's columns as they came, under their own names."""
    return [nw.col(raw_name(name)).alias(name) for name in table.column_names]


def _newest_published(workdir: Path) -> str:
    run_ids = Workspace.run_ids(workdir)
    for run_id in reversed(run_ids):
        if Workspace(workdir, run_id).is_published:
            return run_id
    kept = ", ".join(run_ids[-5:])
    found = f"Kept are {kept}, none of which was published" if kept else "It holds no run"
    raise WorkspaceError(
        f"The files of the last published run are not under {workdir / 'runs'}. {found}.",
        remedy="Explain where the runs are kept (--workdir), name a run with --run, or start a new one with"
        " `shopsight run`.",
    )
