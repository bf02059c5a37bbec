"""What the command line prints with: consoles, JSON, errors, progress."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

from rich.console import Console

from shopsight.cli.application import state
from shopsight.errors import ShopsightError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from shopsight.pipeline.stages import Progress as ProgressCallback

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One JSON document on stdout: money as text, moments as ISO 8601."""
    json.dump(document, sys.stdout, indent=2, default=_as_json, ensure_ascii=False)
    sys.stdout.write("\n")
    state.has_answered = True


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return str(value)


def answer_failure(error: ShopsightError) -> None:
    """With ``--json``, the error as the answer, unless there was one already; otherwise nothing."""
    if state.as_json and not state.has_answered:
        print_json({"status": "failed", "error": error.as_document()})


def print_error(error: ShopsightError) -> None:
    """The message and the remedy on stderr, nothing of the machinery; with ``--json`` on stdout as well."""
    answer_failure(error)
    where = f" in {error.stage}" if error.stage else ""
    err.print(f"[bold red]Error{where}:[/] ", end="")
    err.print(error.message, markup=False)
    if error.remedy:
        err.print("[bold]Remedy:[/] ", end="")
        err.print(error.remedy, markup=False)
    if error.run_id:
        err.print(f"[dim]run {error.run_id}[/]")


class _StageLines:
    """One line a stage: a spinner while it runs, the rows it has done, its seconds."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines: dict[str, TaskID] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self._lock = Lock()
        self._drawn = 0.0

    def __call__(self, stage: str, table: str, rows: int) -> None:
        with self._lock:
            if stage not in self._lines:
                self.finish()
                self._lines[stage] = self._progress.add_task(stage, total=None, what="")
                self._rows[stage] = {}
            if table:
                self._rows[stage][table] = rows
            now = time.monotonic()
            if now - self._drawn > 0.05:
                self._drawn = now
                self._progress.update(self._lines[stage], what=f"{self._total(stage)}  {table}")

    def finish(self) -> None:
        """Mark the last line as done."""
        for stage, line in self._lines.items():
            self._progress.update(line, total=1, completed=1, what=self._total(stage))

    def _total(self, stage: str) -> str:
        rows = sum(self._rows[stage].values())
        return f"{rows:>13,} rows" if rows else ""


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[ProgressCallback | None]:
    """A progress display on stderr when that is a terminal; otherwise nothing."""
    if quiet or not err.is_terminal:
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<9}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=err) as progress:
        lines = _StageLines(progress)
        yield lines
        lines.finish()
