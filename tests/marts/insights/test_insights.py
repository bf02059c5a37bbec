"""What holds for all insights: the registry, the types, and a shop with nothing in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.clean_tables import made_up_tables, shop, shop_of

from shopsight.engine.polars import PolarsEngine
from shopsight.marts.insights import INSIGHTS, Insight, InsightOptions, compute_insights

OPTIONS = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 11, 22))

TYPES = {
    "key": pl.Int64,
    "text": pl.String,
    "date": pl.Date,
    "money": pl.Decimal(38, 2),
    "count": pl.Int64,
    "share": pl.Float64,
    "number": pl.Float64,
}


@pytest.mark.parametrize("insight", INSIGHTS.values(), ids=INSIGHTS.keys())
def test_an_insight_says_what_it_is(insight: Insight) -> None:
    assert insight.id == insight.compute.__name__
    assert insight.compute.__module__.endswith(f".{insight.id}")
    assert insight.title
    assert insight.description.endswith(".")
    assert all(column.label for column in insight.columns)
    assert "Grain:" in (insight.compute.__doc__ or "")


@pytest.mark.parametrize("name", INSIGHTS)
@pytest.mark.parametrize("is_empty", [True, False], ids=["nothing", "a shop"])
def test_a_frame_has_its_kinds_types(name: str, is_empty: bool) -> None:
    tables = made_up_tables(1)
    frame = INSIGHTS[name].frame(shop() if is_empty else shop_of(tables), OPTIONS).collect().to_native()
    assert dict(frame.schema) == {column.name: TYPES[column.kind] for column in INSIGHTS[name].columns}


def test_an_empty_shop_has_no_rows_except_the_one_for_the_whole_shop() -> None:
    rows = {name: frame.collect().rows() for name, frame in compute_insights(shop(), OPTIONS).items()}
    assert {name: found for name, found in rows.items() if found} == {"repeat_purchase": [(0, 0, None, None)]}


def test_frames_written_in_one_pass_equal_frames_computed_one_by_one(tmp_path: Path) -> None:
    tables = made_up_tables(3)
    together = {tmp_path / name: frame for name, frame in compute_insights(shop_of(tables), OPTIONS).items()}
    PolarsEngine().sink(together)
    for folder in together:
        alone: list[Any] = INSIGHTS[folder.name].frame(shop_of(tables), OPTIONS).collect().rows()
        assert pl.read_parquet(folder).rows() == alone
        assert alone
