"""The setting ``[[watch]]``: a figure that each run looks at, and the limits at which it alerts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class WatchRule(BaseModel):
    """One rule.

    Attributes:
        figure: a figure of the shop, or a numeric column of the insight.
        insight: an insight's id.
        key: the row of the insight, as ``explain`` takes it; left out for an insight of one row.
        falls_by: the rule alerts if the figure is smaller by more than this share than the one compared with.
        compared_with: the published run before, or the newest that is at least a day or a week older.
        above: it alerts if the figure is greater.
        below: it alerts if the figure is smaller.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str
    insight: str | None = None
    key: str | None = None
    falls_by: float | None = Field(None, gt=0, le=1)
    compared_with: Literal["before", "day", "week"] = "before"
    above: float | None = None
    below: float | None = None

    @property
    def name(self) -> str:
        """What it watches, in words: ``order_statuses, cancelled: orders``."""
        row = ", ".join(part for part in (self.insight, self.key) if part)
        return f"{row}: {self.figure}" if row else self.figure

    @model_validator(mode="after")
    def _can_alert(self) -> Self:
        if self.falls_by is self.above is self.below is None:
            raise ValueError("give `falls_by`, `above` or `below`")
        if self.key is not None and self.insight is None:
            raise ValueError("a `key` needs an `insight`")
        return self
