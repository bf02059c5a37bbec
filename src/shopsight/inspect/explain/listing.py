"""Rows of one kind, held as a frame, so that a customer of a million orders can be traced too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from shopsight.engine.protocol import Frame


@dataclass(frozen=True)
class Listing:
    """Some rows that a trace shows.

    Attributes:
        frame: all of them, in the order in which they are shown.
    """

    frame: nw.DataFrame[Any]

    @classmethod
    def of(cls, frame: Frame, *order: str) -> Listing:
        """The frame's rows in this order."""
        return cls(collected(frame.sort(*order, nulls_last=True) if order else frame))

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The first of them as plain values; all by default."""
        shown = self.frame if limit is None else self.frame.head(limit)
        return list(shown.rows(named=True))


@dataclass(frozen=True)
class AddedUp:
    """One figure: what the rows that are listed add up to, and what was published."""

    what: str
    added_up: Any
    published: Any

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return bool(self.added_up == self.published)

    def as_document(self) -> dict[str, Any]:
        """The figure as plain values."""
        return {**vars(self), "holds": self.holds}


def collected(frame: Frame) -> nw.DataFrame[Any]:
    """The frame's rows, worked out without holding whole tables in memory."""
    return frame.collect(engine="streaming")
