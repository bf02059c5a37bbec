"""The engines behind the Narwhals expressions.

clean and marts are written once, on Narwhals lazy frames (:mod:`shopsight.engine.protocol`). Only here is an
engine named. Polars runs them lazily and streaming, so that no big table is ever whole in memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Polars' allocator reads this once, when it is loaded. By itself it marks memory that was freed half a second
# ago as free, and leaves it with the process until the machine runs short; so it is handed back.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0")

import narwhals as nw
import polars as pl

from shopsight.engine.protocol import Frame
from shopsight.errors import disk_error, translated_disk_errors

# Of a Parquet file, so many row groups are read ahead. Its own 128 are whole tables.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "4")
# Before Polars chooses which side of a join to hold in memory, it looks at so many rows of both. Its own ten
# million were nearly half of the memory that the insights took at fifteen million order items, for no better
# choice.
os.environ.setdefault("POLARS_JOIN_SAMPLE_LIMIT", "1000000")
pl.Config.reload_env_vars()


class PolarsEngine:
    """Polars on this machine, streaming."""

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
            # Polars hands some operating system errors on as text only.
            if "No space left" in str(error):
                raise disk_error(next(iter(frames)), OSError(28, "No space left on device")) from error
            raise
