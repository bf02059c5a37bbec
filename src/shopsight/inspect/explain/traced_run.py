"""The files of one kept run, as a trace reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import narwhals as nw
from narwhals.exceptions import NarwhalsError

from shopsight.clean.parse import completed, raw_name, read
from shopsight.clean.text import tidied
from shopsight.contract import TABLES, Column, Kind, Table
from shopsight.engine.polars import PolarsEngine
from shopsight.engine.protocol import Frame
from shopsight.errors import WorkspaceError
from shopsight.marts.insights import Shop
from shopsight.pipeline.workspace import Workspace
from shopsight.time_zone import UTC_NAME

#: Columns beside a rejected row's own, which stay text while the row's values are read.
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
            WorkspaceError: it is not kept, or has no whole marts.
        """
        run = cls(Workspace.existing(workdir, run_id or _newest_published(workdir)))
        if not run.workspace.insights.manifest_path.exists():
            error = run.record.get("error")
            ending = (
                f"it ended in {error.get('stage')}: {error.get('message')}"
                if error
                else "it is still at work, or was stopped before they were computed"
            )
            raise WorkspaceError(
                f"Run {run.run_id} has no figures to explain: {ending}.",
                remedy="Name another run with --run (`shopsight runs`), or start one with `shopsight run`.",
            )
        return run

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.workspace.run_id

    def about(self) -> dict[str, Any]:
        """The run's id, the generation that it published, if any, and the moment of its snapshot."""
        as_of = datetime.fromisoformat(self._snapshot["as_of"])
        return {"run_id": self.run_id, "generation": self.record.get("generation"), "as_of": as_of}

    @cached_property
    def _snapshot(self) -> dict[str, Any]:
        # A run at work has no whole record; extraction's manifest has the snapshot.
        manifest = json.loads(self.workspace.raw.manifest_path.read_text())
        snapshot: dict[str, Any] = manifest["details"]["snapshot"]
        return snapshot

    @property
    def _time_zone(self) -> str:
        return str(self._snapshot.get("time_zone", UTC_NAME))

    @cached_property
    def shop(self) -> Shop:
        """What the insights were computed from."""
        tables = {name: self._scan(f"clean/{name}") for name in (*TABLES, "order_units")}
        return Shop(**tables, customer_metrics=self._scan("marts/customer_metrics"))

    def raw(self, table: str) -> Frame:
        """A table's rows in the contract's types, each column beside it as it came, ``raw_<column>``."""
        return completed(read(self._scan(f"raw/{table}"), TABLES[table], self._time_zone), TABLES[table])

    def rejected(self, table: str) -> Frame:
        """A table's rejected rows as :meth:`raw` gives them, texts tidied, with ``rule`` and ``measure``."""
        columns = TABLES[table].columns
        wide = replace(TABLES[table], columns=(*columns, *_BESIDE))
        rows = completed(read(self._scan(f"rejected/{table}"), wide, self._time_zone), wide)
        texts = [
            tidied(nw.col(column.name)).alias(column.name) for column in columns if column.kind is Kind.TEXT
        ]
        rows = rows.with_columns(*texts, measure=nw.col(raw_name("measure")))
        return rows.drop(raw_name("rule"), raw_name("measure"))

    def repairs(self, table: str) -> Frame:
        """The changes to a table's kept rows."""
        return self._scan(f"rejected/repairs/{table}")

    def merged(self, table: str) -> Frame:
        """A table's rows that were folded into another."""
        return self._scan(f"rejected/merged/{table}")

    def insight(self, name: str) -> Frame:
        """An insight's rows as published, in their order."""
        return self._scan(f"marts/insights/{name}")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translate errors in reading the run's files.

        Raises:
            WorkspaceError: they were removed meanwhile, or are damaged.
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


def raw_values(table: Table) -> list[nw.Expr]:
    """A table's columns as they came, under their own names."""
    return [nw.col(raw_name(name)).alias(name) for name in table.column_names]


def _newest_published(workdir: Path) -> str:
    run_ids = Workspace.run_ids(workdir)
    for run_id in reversed(run_ids):
        if Workspace(workdir, run_id).is_published:
            return run_id
    kept = ", ".join(run_ids[-5:])
    found = f"The runs that are kept ({kept}) were not published" if kept else "It holds no run"
    raise WorkspaceError(
        f"The files of the last published run are not under {workdir / 'runs'}. {found}.",
        remedy="Explain where the runs are kept (--workdir), name a run with --run, or start a new one with"
        " `shopsight run`.",
    )
