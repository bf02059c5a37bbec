"""docs/definitions.md describes every field, insight and column, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.clean_tables import shop

from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.marts.insights.rfm import SEGMENTS, SEGMENTS_BY_RECENCY

PAGE = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text()


def section(heading: str) -> str:
    """The text under a heading, up to the next one of its own level or above."""
    level = heading.partition(" ")[0]
    match = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", PAGE, re.M | re.S)
    assert match, f"docs/definitions.md has no section {heading!r}"
    return match[1]


def first_cells(text: str) -> list[str]:
    """The names in the first column of a section's first table."""
    table = re.split(r"\n\n", text[text.index("| ") :])[0].splitlines()[2:]
    return [name for line in table for name in re.findall(r"`(\w+)`", line.split("|")[1])]


def test_every_field_of_the_metrics_is_defined_in_order() -> None:
    assert first_cells(section("### `customer_metrics`")) == shop().customer_metrics.collect_schema().names()


@pytest.mark.parametrize("insight", INSIGHTS.values(), ids=INSIGHTS.keys())
def test_every_column_of_an_insight_is_defined_in_order(insight: Insight) -> None:
    names = [column.name for column in insight.columns]
    assert first_cells(section(f"#### `{insight.id}`")) == names


def test_the_insights_are_in_report_order_and_none_is_made_up() -> None:
    assert re.findall(r"^#### `(\w+)`$", section("### Insights"), re.M) == list(INSIGHTS)


def test_the_grid_of_segments_is_the_code_s() -> None:
    text = section("#### `rfm_segments`")
    rows = re.findall(r"^\| R = (\d) \| (.*) \|$", text, re.M)
    assert {int(recency): tuple(cells.split(" | ")) for recency, cells in rows} == SEGMENTS_BY_RECENCY
    assert ", ".join(SEGMENTS) in " ".join(text.split())
