"""Time and memory of a whole run against the rows of the source, as SVG drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.contenders import OURS
from benchmarks.results import Groups

_WIDTH, _HEIGHT = 340, 260
_LEFT, _BOTTOM, _TOP, _RIGHT = 56, 44, 36, 16
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#444}.title{font-weight:600;fill:#222}"
    ".axis,.grid{stroke:#ccc;stroke-width:1}.grid{stroke-dasharray:2 3}"
    ".ours{fill:none;stroke:#0b6bcb;stroke-width:2}.dot{fill:#0b6bcb}"
    ".line{fill:none;stroke:#999;stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.axis,.grid{stroke:#555}}"
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One small chart: both axes logarithmic, so that a straight line of slope 1 is linear growth."""

    title: str
    points: Sequence[Point]
    unit: str


def growth_chart(results: Mapping[str, Groups]) -> str:
    """Two panels beside each other; a dashed line grows as the rows do."""
    runs = [
        (sum(groups["growth"]["rows"].values()), groups["growth"]["contenders"][f"run/{OURS}"])
        for groups in results.values()
    ]
    panels = (
        Panel("Seconds", [(rows, run["median"]) for rows, run in runs], "s"),
        Panel("Peak memory", [(rows, run["peak_mb"]) for rows, run in runs], "MB"),
    )
    drawn = "".join(_panel(panel, number * _WIDTH) for number, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}" role="img">'
        "<title>Time and peak memory of a whole run against the rows of the source</title>"
        f"<style>{_STYLE}</style>{drawn}</svg>\n"
    )


def _panel(panel: Panel, offset: int) -> str:
    xs, ys = zip(*panel.points, strict=True)
    x_low, x_high = min(xs) / 1.5, max(xs) * 1.5
    y_low = min(ys) / 1.5
    y_high = max(*ys, min(ys) * max(xs) / min(xs)) * 1.5

    def place(point: Point) -> Point:
        inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        x = offset + _LEFT + inner_width * math.log(point[0] / x_low) / math.log(x_high / x_low)
        y = _HEIGHT - _BOTTOM - inner_height * math.log(point[1] / y_low) / math.log(y_high / y_low)
        return round(x, 1), round(y, 1)

    left, bottom = offset + _LEFT, _HEIGHT - _BOTTOM
    parts = [
        f'<text class="title" x="{left}" y="20">{panel.title}</text>',
        f'<path class="axis" d="M{left} {_TOP}V{bottom}H{offset + _WIDTH - _RIGHT}" fill="none"/>',
        _path("line", [place((x, ys[0] * x / xs[0])) for x in (xs[0], max(xs))]),
        _path("ours", [place(point) for point in panel.points]),
    ]
    for point in panel.points:
        x, y = place(point)
        parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>')
        parts.append(
            f'<text x="{x - 8}" y="{y - 10}" text-anchor="middle">{point[1]:,.0f} {panel.unit}</text>'
        )
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{point[0] / 1e6:.3g} M</text>')
    parts.append(
        f'<text x="{offset + (_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">'
        "rows of the source (dashed: as the rows grow)</text>"
    )
    return "".join(parts)


def _path(name: str, points: Sequence[Point]) -> str:
    return f'<path class="{name}" d="M' + "L".join(f"{x} {y}" for x, y in points) + '"/>'
