"""The one engine: what it writes where, and that its memory is bounded before it is loaded."""

from __future__ import annotations

import subprocess
import sys
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


def test_the_command_line_sets_the_allocator_before_it_loads_polars() -> None:
    watched = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "polars":
            print(os.environ.get("_RJEM_MALLOC_CONF"), file=sys.stderr)
sys.meta_path.insert(0, Watch())
import shopsight.cli, shopsight.pipeline.stages
"""
    told = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True, env={})
    assert told.stderr.splitlines()[0] == "dirty_decay_ms:500,muzzy_decay_ms:0"
