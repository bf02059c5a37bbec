"""Polars, the engine behind the Narwhals expressions.

clean and marts are written once, on Narwhals lazy frames (:mod:`shopsight.engine.protocol`). Only this module
names an engine. Polars runs them lazily and streaming, so that no big table is ever whole in memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import narwhals as nw
import polars as pl

from shopsight.engine.protocol import Frame
from shopsight.errors import disk_error, translated_disk_errors

# The number of row groups of a Parquet file that are read ahead. The default of 128 reads whole tables.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "4")
# The number of rows that Polars looks at to choose which side of a join to hold in memory. The default of ten
# million took nearly half of the insights' memory at fifteen million order items, for no better choice.
os.environ.setdefault("POLARS_JOIN_SAMPLE_LIMIT", "1000000")
pl.Config.reload_env_vars()


class PolarsEngine:
    """Polars on this machine, streaming."""

    #: A run's record has Polars' version in any case.
    versions: Mapping[str, str] = {}

    def scan(self, folder: Path) -> Frame:
        """All rows of a table's folder of Parquet files, lazily; row order is not defined."""
        return nw.from_native(pl.scan_parquet(folder / "*.parquet"))

    def sink(self, frames: Mapping[Path, Frame], part: int = 0) -> None:
        """Write each frame to one Parquet file in its folder, all in one pass over what they share.

        Raises:
            WorkspaceError: the disk is full or cannot be written.
        """
        writes = []
        for folder, frame in frames.items():
            with translated_disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            native: pl.LazyFrame = frame.to_native()
            writes.append(
                native.sink_parquet(folder / f"part-{part:05}.parquet", compression="lz4", lazy=True)
            )
        try:
            pl.collect_all(writes, engine="streaming")
        except OSError as error:
            raise disk_error(next(iter(frames)), error) from error
        except pl.exceptions.ComputeError as error:
            # Polars passes some operating system errors on as text only.
            if "No space left" in str(error):
                raise disk_error(next(iter(frames)), OSError(28, "No space left on device")) from error
            raise

    def release(self) -> None:
        """Nothing: Polars' frames go when nobody refers to them."""
