"""Polars, the engine of one machine: what it writes where."""

from __future__ import annotations

from pathlib import Path

import narwhals as nw
import polars as pl

from shopsight.engine.polars import PolarsEngine


def test_a_part_is_written_beside_the_others(tmp_path: Path) -> None:
    engine = PolarsEngine()
    for part, number in ((0, 1), (2, 3), (1, 2), (2, 4)):
        engine.sink({tmp_path / "orders": nw.from_native(pl.LazyFrame({"order_id": [number]}))}, part)
    assert [path.name for path in sorted((tmp_path / "orders").iterdir())] == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    assert sorted(engine.scan(tmp_path / "orders").collect()["order_id"].to_list()) == [1, 2, 4]
