"""SQLite: one connection, one read transaction."""

from __future__ import annotations

from pathlib import Path

from shopsight.extract.dialect import OnRows, Source, SourceCheck
from shopsight.record import Snapshot


def extract(
    source: Source, folder: Path, *, connections: int, batch_rows: int, on_rows: OnRows | None
) -> Snapshot:
    """See :func:`shopsight.extract.extract`."""
    raise NotImplementedError


def source_figures(source: Source) -> Snapshot:
    """See :func:`shopsight.extract.source_figures`."""
    raise NotImplementedError


def check_source(source: Source) -> list[SourceCheck]:
    """See :func:`shopsight.extract.check_source`."""
    raise NotImplementedError
