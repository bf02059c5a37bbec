"""Positions of a chart's marks, in per cent of the chart's box.

ADR 7 says why the page draws its charts itself. Floats are used for places only, never for figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Number = Decimal | float | int


def per_cent(share: float) -> str:
    """A share of 1 as a CSS length, kept between 0 and 100: ``42.35%``."""
    return f"{min(max(share, 0.0), 1.0) * 100:.4g}%"


def lengths(values: Sequence[Number | None], scale: tuple[float, float] | None = None) -> list[str]:
    """The length of each value's bar, on a scale by default from 0 to the greatest. Null has no length.

    >>> lengths([Decimal("8.00"), Decimal("2.00"), None])
    ['100%', '25%', '0%']
    >>> lengths([4.0, 1.0], scale=(1, 5))
    ['75%', '0%']
    """
    low, high = scale or (0.0, max((float(value) for value in values if value is not None), default=0.0))
    if high <= low:
        return ["0%" for _ in values]
    return [per_cent(0.0 if value is None else (float(value) - low) / (high - low)) for value in values]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round figures for an axis: the first at or below ``low``, the last at or above ``high``.

    >>> ticks(0, 870)
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    >>> ticks(0, 0)
    [0, 1.0]
    """
    if high <= low:
        return [low, low + 1.0]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """A vertical axis: from a figure to its distance from the top, in per cent."""

    marks: list[float]

    @classmethod
    def over(cls, values: Sequence[Number], most: int = 5) -> Scale:
        """The axis that holds all values and zero."""
        numbers = [float(value) for value in values]
        return cls(ticks(min([0.0, *numbers]), max([0.0, *numbers]), most))

    def top(self, value: Number) -> float:
        """Where the figure is, in per cent from the top."""
        low, high = self.marks[0], self.marks[-1]
        return round(100 * (1 - (float(value) - low) / (high - low)), 3)


def line_path(points: Sequence[tuple[float, float]]) -> str:
    """The points as an SVG path.

    >>> line_path([(0, 10), (50, 2.5)])
    'M0,10L50,2.5'
    """
    return "".join(f"{'L' if index else 'M'}{x:g},{y:g}" for index, (x, y) in enumerate(points))


def area_path(points: Sequence[tuple[float, float]], base: float) -> str:
    """The surface between the points and a base line, as an SVG path; empty for no points."""
    if not points:
        return ""
    return f"{line_path(points)}L{points[-1][0]:g},{base:g}L{points[0][0]:g},{base:g}Z"
