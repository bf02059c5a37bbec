"""Frames and engines as cleaning and marts see them: without an engine's name.

An engine that is added implements :class:`Engine`, and the functions on frames below must know its frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import narwhals as nw

Frame = nw.LazyFrame[Any]

#: Money in every frame: exact, two digits. Sums of it are Decimal(38, 2).
MONEY = nw.Decimal(18, 2)


class Engine(Protocol):
    """Reads and writes folders of Parquet. :class:`shopsight.engine.polars.PolarsEngine` is the default."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of the engine that a run's record names beside the usual ones."""

    def scan(self, folder: Path) -> Frame:
        """All rows of a table's folder, lazily; row order is not defined."""

    def sink(self, frames: Mapping[Path, Frame], part: int = 0) -> None:
        """Write each frame into its folder, in one pass over what the frames share.

        Args:
            frames: by folder.
            part: the number of the part to write, from 0; the folder's other parts stay as they are.

        Raises:
            WorkspaceError: the disk is full or cannot be written.
        """

    def release(self) -> None:
        """Let go of what was cached and materialized; frames made of it are used no more."""


class FrameKeeper(Protocol):
    """An engine that spreads frames over machines, and so keeps them in a way of its own.

    Big tables are not cut into ranges of keys there: each range would be a job of its own, and the engine
    bounds its memory itself.
    """

    def keep(self, frame: Frame) -> Frame:
        """The same rows, computed once."""


#: By the implementation of their frames; all others are of this machine.
_KEEPERS: dict[nw.Implementation, FrameKeeper] = {}


@contextmanager
def keeping(keeper: FrameKeeper, *implementations: nw.Implementation) -> Iterator[None]:
    """Let an engine keep the frames of these implementations, while the context lasts."""
    _KEEPERS.update(dict.fromkeys(implementations, keeper))
    try:
        yield
    finally:
        for implementation in implementations:
            del _KEEPERS[implementation]


def is_distributed(frame: Frame) -> bool:
    """Whether the frame's engine spreads it over machines."""
    return frame.implementation in _KEEPERS


def cache(frame: Frame) -> Frame:
    """The same frame, marked as the common start of several others, so that it is computed once.

    Polars finds common parts by itself, but not inside other common parts, nor after windows and sorts, whose
    helper columns it numbers. An engine without such a mark computes the frame as often as it is used.
    """
    if is_distributed(frame):
        return _KEEPERS[frame.implementation].keep(frame)
    native = frame.to_native()
    return nw.from_native(native.cache()) if hasattr(native, "cache") else frame


def materialize(frame: Frame) -> Frame:
    """The same rows, computed now and kept: for sets that are small and used more than once."""
    if is_distributed(frame):
        return _KEEPERS[frame.implementation].keep(frame)
    return frame.collect().lazy(frame.implementation)


def distinct_rows(frame: Frame) -> Frame:
    """Each different row once.

    On Spark, Narwhals' ``unique`` numbers the copies of each row: all orders of one status pass one task.
    """
    if not is_distributed(frame):
        return frame.unique()
    return frame.group_by(frame.collect_schema().names()).agg(nw.len().alias("copies")).drop("copies")


def is_empty(frame: Frame) -> bool:
    """Whether the frame has no row."""
    return len(frame.head(1).collect()) == 0
