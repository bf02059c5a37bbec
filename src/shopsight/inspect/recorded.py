"""The record of a generation from when it was proven and published; ``verify`` compares with it.

Three places hold it: the generation's own note in MongoDB (``generations``), the run's document in
``pipeline_runs``, and ``run.json`` beside the run's files. To stay unseen, a change to what is served must
change all three alike, the last of them on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from shopsight.audit.proof import CONTENT
from shopsight.publish import Served
from shopsight.record import Check, Compared, Forgotten, Snapshot, as_figure

Document = Mapping[str, Any]
#: By ``<mart or collection>: <figure>``.
Figures = dict[str, Compared]


class Recorded:
    """The record of the served generation.

    A run that is resumed after it was published records its next try in the same places. Such a record is of
    another generation and is ignored. The generation's own note never is.

    Args:
        served: what ``published`` says.
        kept: the run's document beside its files; empty when it is gone.
        stored: the run's document in ``pipeline_runs``; None when it is gone.
        note: the generation's own note; empty when it is gone.
        forgotten: what ``forget`` noted of the generation, the oldest first.
    """

    def __init__(
        self,
        served: Served,
        kept: Document,
        stored: Document | None,
        note: Document,
        forgotten: Sequence[Forgotten] = (),
    ) -> None:
        self.served, self.note, self.is_stored = served, note, stored is not None
        self._forgotten = forgotten
        self.kept, self.stored = (
            record if record and record.get("generation") == served.generation else {}
            for record in (kept, stored)
        )
        self.record = self.kept or self.stored

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot that the generation was made from; None when no record of it is left."""
        details = self.record.get("snapshot")
        return Snapshot.from_details(details) if details else None

    def figures(self) -> Figures:
        """The proven figures, as ``forget`` left them; at least the digests that were noted."""
        noted = self.note.get("digests", {})
        digests = {f"{view}: {CONTENT}": digest for view, digest in noted.items()}
        after = {f"{entry.view}: {CONTENT}": entry.after for entry in self.forgotten}
        return {**digests, **flat(self.record.get("figures", {})), **after}

    @cached_property
    def forgotten(self) -> list[Forgotten]:
        """The changes by ``forget`` from the proven digests to the noted ones; none if they end elsewhere."""
        digests = {**self.note.get("digests", {})}
        for view, figures in self.record.get("figures", {}).items():
            if CONTENT in figures:
                digests[view] = figures[CONTENT]
        steps = []
        for entry in self._forgotten:
            # A forget that was killed before it changed anything left an entry, too.
            if digests.get(entry.view) == entry.before != self.note.get("digests", {}).get(entry.view):
                digests[entry.view] = entry.after
                steps.append(entry)
        is_whole = digests == {**digests, **self.note.get("digests", {})}
        return steps if is_whole else []

    def checks(self) -> list[Check]:
        """The records against each other, and what ``published`` says against them."""
        served, note = self.served, self.note
        as_of = (self.record.get("snapshot") or {}).get("as_of") or note.get("as_of") or served.as_of
        until = self.record.get("valid_until") or note.get("valid_until") or served.valid_until
        checks = [
            Check(f"generations: {served.generation}", "there", "there" if note else None),
            Check(f"pipeline_runs: {served.run_id}", "there", "there" if self.is_stored else None),
            Check("published: run_id", note.get("run_id", served.run_id), served.run_id),
            Check("published: as_of", _moment(as_of), _moment(served.as_of)),
            Check("published: valid_until", _moment(until), _moment(served.valid_until)),
        ]
        if "forgetting" in note:
            checks.append(Check("generations: forget", "finished", "interrupted: repeat it"))
        if self.kept and self.stored:
            ours, theirs = (flat(record.get("figures", {})) for record in (self.kept, self.stored))
            checks += compared(ours, theirs, prefix="pipeline_runs: ")
            checks += [
                Check(f"pipeline_runs: {what}", None, theirs[what]) for what in theirs.keys() - ours.keys()
            ]
        return checks


def compared(expected: Figures, found: Figures, *, prefix: str = "") -> list[Check]:
    """Each expected figure against the one of the same name; None where that is gone."""
    return [Check(f"{prefix}{what}", figure, found.get(what)) for what, figure in expected.items()]


def flat(figures: Mapping[str, Mapping[str, Any]]) -> Figures:
    """Figures by mart or collection under one name each. In a file, decimals are text."""
    return {
        f"{name}: {what}": figure if what == CONTENT else as_figure(figure)
        for name, by_what in figures.items()
        for what, figure in by_what.items()
    }


def _moment(value: datetime | str) -> str:
    """A moment as MongoDB keeps it: to the millisecond."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.isoformat(sep=" ", timespec="milliseconds")
