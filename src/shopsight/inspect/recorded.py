"""What was recorded of a generation when it was proven and published: what ``verify`` goes by.

It stands in three places: in the generation's own note in MongoDB (``generations``), in its run's document in
``pipeline_runs``, and in the twin of that beside the run's files. Whoever alters what is served has to alter
all three alike to stay unseen, the last of them on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shopsight.audit.proof import CONTENT, MARTS_ARE_TARGET
from shopsight.publish import Served
from shopsight.record import Check, Figure

#: What is said of a document that is where it should be.
THERE = "there"

Document = Mapping[str, Any]
Figures = dict[str, dict[str, Figure | str]]


class Recorded:
    """What was recorded of the served generation.

    Args:
        served: what ``published`` says.
        kept: the run's document beside its files; empty when that is gone.
        stored: the run's document in ``pipeline_runs``; None when it is gone.
        note: the generation's own note; empty when it is gone.

    A run that is resumed after it was published records its next try in the place of the one that is served;
    such records are not of this generation and are passed over. The generation's own note always is.
    """

    def __init__(self, served: Served, kept: Document, stored: Document | None, note: Document) -> None:
        self._served = served
        self._note = note
        self._is_stored = stored is not None
        self._kept, self._stored = (
            record if record and record.get("generation") == served.generation else None
            for record in (kept, stored)
        )

    @property
    def _record(self) -> Document | None:
        return self._kept or self._stored

    def snapshot(self) -> Document | None:
        """The snapshot, if the run's record is of this generation."""
        return self._record.get("snapshot") if self._record else None

    def figures(self) -> Figures:
        """By mart, what was proven; at least the digests that were noted."""
        figures: Figures = {view: {CONTENT: digest} for view, digest in self._note.get("digests", {}).items()}
        for mart, proven in _proven(self._record).items():
            figures[mart] = {**figures.get(mart, {}), **proven}
        return figures

    def checks(self) -> list[Check]:
        """The records against each other, and what ``published`` says against them."""
        served, note, record = self._served, self._note, self._record or {}
        known = (record.get("snapshot") or {}).get("as_of") or note.get("as_of") or served.as_of
        until = record.get("valid_until") or note.get("valid_until") or served.valid_until
        checks = [
            Check(f"generations: {served.generation}", THERE, THERE if note else None),
            Check(f"pipeline_runs: {served.run_id}", THERE, THERE if self._is_stored else None),
            Check("published: run_id", note.get("run_id", served.run_id), served.run_id),
            Check("published: as_of", _moment(known), _moment(served.as_of)),
            Check("published: valid_until", _moment(until), _moment(served.valid_until)),
        ]
        if self._kept and self._stored:
            ours, theirs = (_flat(_proven(record)) for record in (self._kept, self._stored))
            for what in dict.fromkeys([*ours, *theirs]):
                checks.append(Check(f"pipeline_runs: {what}", ours.get(what), theirs.get(what)))
        return checks


def _proven(record: Document | None) -> Figures:
    return proven_figures(record.get("proof") or (), MARTS_ARE_TARGET) if record else {}


def _flat(figures: Figures) -> dict[str, Figure | str]:
    return {f"{mart}: {what}": figure for mart, found in figures.items() for what, figure in found.items()}


def proven_figures(proof: Iterable[Document], link_name: str) -> Figures:
    """By mart, what the named link of a run's document held when it was proven."""
    figures: Figures = {}
    for link in proof:
        if link["name"] == link_name:
            for check in link["checks"]:
                mart, what = check["what"].split(": ", 1)
                expected = check["expected"]
                figures.setdefault(mart, {})[what] = expected if what == CONTENT else as_figure(expected)
    return figures


def as_figure(value: Any) -> Figure | str:
    """A figure as it was recorded: in a file, decimals are text."""
    try:
        return Decimal(value) if isinstance(value, str) else value
    except InvalidOperation:
        return str(value)


def _moment(value: datetime | str) -> str:
    """A moment as MongoDB keeps it: to the millisecond."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.isoformat(sep=" ", timespec="milliseconds")
