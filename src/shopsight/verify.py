"""Whether what is served still is what was proven, asked anew of the source and of MongoDB.

Three sides: the source's figures now, the figures that the run recorded when it was proven, and the served
generation's figures now. A source that differs from the record has moved on, which is its right; a served
generation that differs from the record was altered after it was published, which is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shopsight.record import Check, Figure, Snapshot


@dataclass(frozen=True)
class Verification:
    """What differs, by side.

    Attributes:
        generation: the served generation.
        moved: source figures that are no longer as in the snapshot (expected: then, found: now).
        altered: served figures that are not as they were proven (expected: proven, found: now).
        documents: single documents that differ from the run's own files, as far as these are kept.
    """

    generation: int
    run_id: str
    moved: list[Check] = field(default_factory=list)
    altered: list[Check] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether the served generation is as it was proven."""
        return not self.altered and not self.documents

    @property
    def is_current(self) -> bool:
        """Whether the source is as it was in the snapshot."""
        return not self.moved


def moved_figures(then: Mapping[str, Any], now: Snapshot) -> list[Check]:
    """The source's rows and measures that differ from those of an earlier snapshot.

    Args:
        then: ``snapshot`` of a run's document.
        now: the same figures, asked for just now.
    """
    checks = []
    for name, table in now.tables.items():
        before = then["tables"][name]
        checks.append(Check(f"{name}: rows", before["rows"], table.rows))
        if table.measure is not None:
            checks.append(Check(f"{name}: measure", before["measure"], table.measure))
    return [check for check in checks if not check.holds]


def altered_figures(
    proven: Mapping[str, Mapping[str, Figure]], served: Mapping[str, Mapping[str, Figure]]
) -> list[Check]:
    """The served generation's figures that differ from those that were proven.

    Args:
        proven: by mart, the figures of the proof's fourth link as the run's document keeps them.
        served: by mart, the server's own aggregation, made just now.
    """
    checks = (
        Check(f"{mart}: {what}", figure, served.get(mart, {}).get(what))
        for mart, figures in proven.items()
        for what, figure in figures.items()
    )
    return [check for check in checks if not check.holds]


def proven_figures(proof: list[Mapping[str, Any]], link_name: str) -> dict[str, dict[str, Figure]]:
    """By mart, what the named link of a run's document found when it was proven."""
    figures: dict[str, dict[str, Figure]] = {}
    for link in proof:
        if link["name"] == link_name:
            for check in link["checks"]:
                mart, what = check["what"].split(": ", 1)
                figures.setdefault(mart, {})[what] = check["expected"]
    return figures
