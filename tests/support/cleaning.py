"""Cleaning literal shops in memory: rows in, what became of each out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from shopsight.clean import CleaningPolicy, clean_shop
from shopsight.contract import TABLES, Kind
from shopsight.engine.protocol import Frame

TODAY = date(2024, 6, 30)
EXCLUDED = frozenset({"cancelled", "refunded", "returned", "failed", "unavailable"})
POLICY = CleaningPolicy(TODAY, EXCLUDED, "reject")
KEEPING_NEGATIVES = CleaningPolicy(TODAY, EXCLUDED, "keep")

#: A shop in which every reference holds and there is nothing to clean.
SHOP: dict[str, list[tuple[Any, ...]]] = {
    "categories": [(1, "Books")],
    "products": [(1, "Atlas", 1)],
    "customers": [(1, "Ann Lee", "ann@example.com", "Germany")],
    "orders": [(1, 1, date(2024, 1, 31), Decimal("19.98"), "completed")],
    "order_items": [(1, 1, 1, 2, Decimal("9.99"))],
    "reviews": [(1, 1, 1, 5, date(2024, 2, 29))],
}

NATIVE: dict[Kind, pl.DataType] = {
    Kind.KEY: pl.Int64(),
    Kind.TEXT: pl.String(),
    Kind.DATE: pl.Date(),
    Kind.MONEY: pl.Decimal(18, 2),
    Kind.COUNT: pl.Int64(),
}

RAW, CLEAN, REJECTED = Path("raw"), Path("clean"), Path("rejected")


class MemoryEngine:
    """An engine whose folders are frames in memory."""

    versions: Mapping[str, str] = {}

    def release(self) -> None:
        pass

    def __init__(self, frames: Mapping[Path, pl.DataFrame]) -> None:
        self.frames = dict(frames)

    def scan(self, folder: Path) -> Frame:
        return nw.from_native(self.frames[folder].lazy())

    def sink(self, frames: Mapping[Path, Frame], part: int = 0) -> None:
        made = pl.collect_all([frame.to_native() for frame in frames.values()], engine="streaming")
        for folder, frame in zip(frames, made, strict=True):
            self.frames[folder] = pl.concat([self.frames[folder], frame]) if part else frame


@dataclass(frozen=True)
class Outcome:
    """What cleaning made of a shop, by table."""

    frames: dict[Path, pl.DataFrame]

    def frame(self, folder: str) -> pl.DataFrame:
        """All rows of a folder, in any order."""
        return self.frames[Path(folder)]

    def kept(self, table: str) -> list[tuple[Any, ...]]:
        """The clean rows, sorted by key."""
        return self.frames[CLEAN / table].sort(TABLES[table].key).rows()

    def rejected(self, table: str) -> list[tuple[Any, str]]:
        """Key (as it came) and rule of each rejected row, sorted as text."""
        frame = self.frames[REJECTED / table].select(TABLES[table].key, "rule")
        return sorted(frame.rows(), key=str)

    def rules(self, table: str) -> list[str]:
        """The rules by which rows were rejected, sorted."""
        return sorted(self.frames[REJECTED / table]["rule"].to_list())

    def repairs(self, table: str) -> list[tuple[Any, ...]]:
        """Key, rule, old and new value of each repair, sorted."""
        frame = self.frames[REJECTED / "repairs" / table].select("key", "rule", "old_value", "new_value")
        return sorted(frame.rows(), key=str)

    def merged(self, table: str) -> list[tuple[Any, ...]]:
        """Key, the key it went into, and rule of each merged row, sorted."""
        return sorted(self.frames[REJECTED / "merged" / table].select("key", "into_key", "rule").rows())

    def flags(self, table: str) -> dict[str, int]:
        """How many rows each flag applies to."""
        counted = self.frames[REJECTED / "flags" / table].group_by("rule").agg(pl.col("rows").sum())
        return dict(counted.iter_rows())

    def measure(self, folder: str, table: str, column: str = "measure") -> Decimal:
        """The sum of a measure column of one of the folders of ``rejected``."""
        return total(self.frames[REJECTED / folder / table][column])


def total(measures: pl.Series) -> Decimal:
    """The sum; 0 of nothing."""
    return sum((measure for measure in measures.to_list() if measure is not None), Decimal(0))


def raw_frame(table: str, rows: Iterable[tuple[Any, ...]], as_text: Iterable[str] = ()) -> pl.DataFrame:
    """A raw table: native columns, and text for those named; optional columns only if they are named."""
    columns = TABLES[table].having(as_text).columns
    schema = {c.name: pl.String() if c.name in as_text else NATIVE[c.kind] for c in columns}
    texts = [
        tuple(
            str(value) if c.name in as_text and value is not None else value
            for c, value in zip(columns, row, strict=True)
        )
        for row in rows
    ]
    return pl.DataFrame(texts, schema=schema, orient="row")


class EnoughCleaned(Exception):
    """The last table that a test looks at has been cleaned."""


def clean_frames(
    raw: Mapping[str, pl.DataFrame], policy: CleaningPolicy = POLICY, last_table: str = "reviews"
) -> Outcome:
    """What cleaning makes of six raw tables; those after ``last_table`` are not cleaned."""
    engine = MemoryEngine({RAW / table: frame for table, frame in raw.items()})

    def stop(table: str) -> None:
        if table == last_table:
            raise EnoughCleaned

    with suppress(EnoughCleaned):
        clean_shop(engine, RAW, CLEAN, REJECTED, policy, on_table=stop)
    return Outcome(engine.frames)


def cleaned(
    policy: CleaningPolicy = POLICY,
    as_text: Iterable[str] = (),
    last_table: str = "reviews",
    **tables: list[tuple[Any, ...]],
) -> Outcome:
    """What cleaning makes of :data:`SHOP` with these tables instead of its own.

    Args:
        policy: the shop's.
        as_text: names of columns that arrive as text, and of optional ones.
        last_table: the last that the test looks at.
        tables: rows by table.
    """
    rows = {**SHOP, **tables}
    raw = {table: raw_frame(table, rows[table], as_text) for table in TABLES}
    return clean_frames(raw, policy, last_table)
