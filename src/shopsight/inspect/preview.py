"""A look at a source: each table's mapping, three rows, and what cleaning would reject."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from shopsight.clean import RULES, clean_shop
from shopsight.contract import TABLES
from shopsight.engine.polars import PolarsEngine
from shopsight.extract import Source, extract
from shopsight.pipeline.stages import cleaning_policy
from shopsight.publish.privacy import Privacy
from shopsight.settings import Settings
from shopsight.settings.table_mapping import UNMAPPED, SqlColumn

FIRST_ROWS = 1000
_SHOWN = 3
_LONGEST = 40
# The rows that these rules look for may be among those that were not read.
_OF_OTHER_ROWS = ("_unknown", ".parent_rejected", ".total_missing")


@dataclass(frozen=True)
class Preview:
    """A table's first rows in words, and whether a run could use the table."""

    table: str
    is_usable: bool
    text: str


def previews(settings: Settings, source: Source) -> Iterator[Preview]:
    """Each table's first rows, read and cleaned in a folder of their own, which is removed.

    Raises:
        SourceError: a table cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="shopsight-") as scratch:
        raw, clean, rejected = (Path(scratch) / name for name in ("raw", "clean", "rejected"))
        raw.mkdir()
        first = replace(source, first_rows=FIRST_ROWS)
        snapshot = extract(first, raw, connections=1, batch_rows=FIRST_ROWS)
        clean_shop(PolarsEngine(), raw, clean, rejected, cleaning_policy(settings, snapshot))
        for table in TABLES:
            yield _preview(settings, table, pl.read_parquet(raw / table), pl.read_parquet(rejected / table))


def _preview(settings: Settings, table: str, raw: pl.DataFrame, rejected: pl.DataFrame) -> Preview:
    found = [
        (rule, rows)
        for rule, rows in rejected["rule"].value_counts(sort=True).rows()
        if not rule.endswith(_OF_OTHER_ROWS)
    ]
    count = sum(rows for _, rows in found)
    of = f"the first {raw.height:,} rows" if raw.height == FIRST_ROWS else f"{raw.height:,} rows"
    reasons = [f"  {rows:,} by {rule}: {RULES[rule].sentence}" for rule, rows in found]
    rows = [f"  {_row(settings, row)}" for row in raw.head(_SHOWN).iter_rows(named=True)]
    lines = [_mapping(settings, table), *rows, f"  of {of}, {count:,} would be rejected", *reasons]
    is_usable = count <= settings.min_rejected_rows or count <= settings.max_rejected_share * raw.height
    return Preview(table, is_usable, "\n".join(lines))


def _mapping(settings: Settings, table: str) -> str:
    """Where the table's columns come from."""
    mapping = settings.tables.get(table, UNMAPPED)
    place = "a query" if mapping.query else mapping.source or table
    columns = (
        f"{name} = {' '.join(column.sql.split()) if isinstance(column, SqlColumn) else column}"
        for name, column in mapping.columns.items()
    )
    return f"{place}{f' where {mapping.where}' if mapping.where else ''}: {', '.join(columns) or 'own names'}"


def _row(settings: Settings, row: dict[str, Any]) -> str:
    shown = Privacy.of(settings).protect_row(row)
    return " | ".join(
        "–" if value is None else "***" if shown[name] != value else str(value)[:_LONGEST]
        for name, value in row.items()
    )
