"""How the command line prints: consoles, JSON, errors, progress.

A terminal obeys control characters, and names come from a database: :func:`say` and the tables replace them,
:func:`print_json` escapes them. Where the output is no terminal, no line is wrapped or cut.
"""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from shopsight.cli.application import state
from shopsight.cli.tables import one_line
from shopsight.errors import ShopsightError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from shopsight.pipeline.stages import Progress as ProgressCallback

_UNLIMITED = 1_000_000
# JSON itself escapes the ones below U+0020; these are C1 and what turns the direction of text.
_CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

out = Console(highlight=False, width=None if sys.stdout.isatty() else _UNLIMITED)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _UNLIMITED)


def say(*parts: str | tuple[str, str], console: Console = out) -> None:
    """Print a line of texts, each alone or with its style. Markup and control characters in it do nothing."""
    styled = [(part, "") if isinstance(part, str) else part for part in parts]
    lines = [("\n".join(map(one_line, text.split("\n"))), style) for text, style in styled]
    console.print(Text.assemble(*lines))


@contextmanager
def paged() -> Iterator[None]:
    """Show what is printed in a pager if it is longer than the terminal; elsewhere print it."""
    if not sys.stdout.isatty():
        yield
        return
    os.environ.setdefault("LESS", "-FRX")
    with out.pager(styles=True):
        yield


def print_json(document: Any) -> None:
    """One JSON document on stdout: money as text, moments as ISO 8601, control characters escaped."""
    text = json.dumps(document, indent=2, default=_as_json, ensure_ascii=False)
    sys.stdout.write(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    state.has_answered = True


def _as_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def answer_failure(error: ShopsightError) -> None:
    """With ``--json``, the error as the answer, unless there was one already; otherwise nothing."""
    if state.as_json and not state.has_answered:
        print_json({"status": "failed", "error": error.as_document()})


def print_error(error: ShopsightError) -> None:
    """The message and the remedy on stderr, without a traceback; with ``--json`` on stdout as well."""
    answer_failure(error)
    where = f" in {error.stage}" if error.stage else ""
    say((f"Error{where}: ", "bold red"), error.message, console=err)
    if error.remedy:
        say(("Remedy: ", "bold"), error.remedy, console=err)
    if error.run_id:
        say((f"run {error.run_id}", "dim"), console=err)


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
    if quiet or state.quiet or not err.is_terminal:
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
