"""Two folders with the same rows are read side by side, however they are cut into files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from shopsight.audit import parquet
from shopsight.audit.parquet import read_side_by_side


def write(folder: Path, values: Sequence[int], cuts: Sequence[int]) -> None:
    folder.mkdir()
    for part, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(values)], strict=True)):
        frame = pl.DataFrame({"value": values[start:end]}, {"value": pl.Int64})
        frame.write_parquet(folder / f"part-{part:05}.parquet")


@pytest.mark.parametrize("seed", range(20))
def test_rows_of_two_folders_meet_by_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chosen = random.Random(seed)
    monkeypatch.setattr(parquet, "BATCH_ROWS", chosen.choice([1, 3, 100]))
    lengths = [chosen.randrange(30) for _ in range(2)]
    for name, length in zip(("one", "other"), lengths, strict=True):
        cuts = sorted(chosen.randrange(length + 1) for _ in range(chosen.randrange(4)))
        write(tmp_path / name, range(length), cuts)
    met = [
        (one, other)
        for batches in read_side_by_side(tmp_path / "one", tmp_path / "other", ["value"])
        for one, other in zip(*(batch["value"].to_pylist() for batch in batches), strict=True)
    ]
    assert met == [(place, place) for place in range(min(lengths))]
