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
    above: float | None = Field(None, allow_inf_nan=False)
    below: float | None = Field(None, allow_inf_nan=False)

    @property
    def name(self) -> str:
        """The watched figure and its limits, in words: ``order_statuses, cancelled: orders (above 500)``."""
        row = ", ".join(part for part in (self.insight, self.key) if part)
        figure = f"{row}: {self.figure}" if row else self.figure
        against = "the run before" if self.compared_with == "before" else f"a {self.compared_with} before"
        limits = {
            f"falls_by {{}} against {against}": self.falls_by,
            "above {}": self.above,
            "below {}": self.below,
        }
        # A float's own digits, because two rules that differ must not have one name.
        told = (words.format(str(at).removesuffix(".0")) for words, at in limits.items() if at is not None)
        return f"{figure} ({', '.join(told)})"

    @model_validator(mode="after")
    def _can_alert(self) -> Self:
        if self.falls_by is self.above is self.below is None:
            raise ValueError("give `falls_by`, `above` or `below`")
        if self.key is not None and self.insight is None:
            raise ValueError("a `key` needs an `insight`")
        return self
