"""Ranges of a table's pages: how a table is cut, so that several connections read it at once."""

from __future__ import annotations

from dataclasses import dataclass

# No table has so many.
_BEYOND_ALL = 4_294_967_295


@dataclass(frozen=True)
class Pages:
    """A range of a table's pages. The last one is open: ``end`` is only where it was seen to end."""

    start: int
    end: int
    is_last: bool

    def condition(self, start: str | None = None, end: str | None = None) -> str:
        """What holds for the rows of these pages, as SQL.

        Args:
            start: as SQL, the number of a page of this range from which on rows are wanted; None for all.
            end: the number of the page before which they end, or this range's own end if that comes first.
        """
        limit = str(_BEYOND_ALL if self.is_last else self.end)
        if start is None or end is None:
            return f"ctid >= '({self.start},0)' AND ctid < '({limit},0)'"
        if self.is_last:
            end = f"CASE WHEN {end} < {self.end} THEN {end} ELSE {limit} END"
        else:
            end = f"least({end}, {limit})"
        return f"ctid >= {_place(start)} AND ctid < {_place(end)}"


def _place(page: str) -> str:
    return f"('(' || {page} || ',0)')::tid"
