"""Printing on the command line: consoles, JSON, errors, progress.

A terminal obeys control characters, and names come from a database: :func:`say` and the tables replace them,
:func:`print_json` escapes them. Where the output is no terminal, no line is wrapped or cut.
"""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from shopsight.cli.application import state
from shopsight.errors import ShopsightError

if TYPE_CHECKING:
    from shopsight.pipeline.current_run import Progress as ProgressCallback

_UNLIMITED = 1_000_000
# JSON itself escapes those below U+0020; these are C1 and those that change the direction of text.
_CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

out = Console(highlight=False, width=None if sys.stdout.isatty() else _UNLIMITED)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _UNLIMITED)


def one_line(text: str) -> str:
    """The text on one line, without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


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


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[ProgressCallback | None]:
    """One line per stage on stderr when that is a terminal: time, rows done, the table at work."""
    if quiet or state.quiet or not err.is_terminal:
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<9}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rows]}"),
        TextColumn("{task.fields[table]}"),
    )
    lock, rows = Lock(), Counter[tuple[str, str]]()
    with Progress(*columns, console=err) as progress:

        def finish() -> None:
            for line in progress.task_ids:
                progress.update(line, total=1, completed=1, table="")

        def show(stage: str, table: str, done: int) -> None:
            with lock:
                lines = {task.description: task.id for task in progress.tasks}
                if stage not in lines:
                    finish()
                    lines[stage] = progress.add_task(stage, total=None, rows="", table="")
                if table:
                    rows[stage, table] = done
                    total = sum(count for (name, _), count in rows.items() if name == stage)
                    progress.update(lines[stage], rows=f"{total:>13,} rows", table=table)

        yield show
        finish()
