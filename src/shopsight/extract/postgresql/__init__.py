"""PostgreSQL: several connections on one exported snapshot, each reading ranges of pages.

The modules, in the order in which they build on each other: ``errors``, ``session`` (a connection),
``columns`` and ``catalog`` (what there is), ``snapshot`` (one state for all connections), ``pages``,
``packed``, ``lines`` and ``figures`` (what is asked), ``tasks`` and ``reading`` (all connections at work),
``checks`` (for the doctor).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shopsight.contract import TABLES
from shopsight.errors import translated_disk_errors
from shopsight.extract.dialect import OnRows, Source
from shopsight.extract.postgresql.checks import check_source
from shopsight.extract.postgresql.errors import translated
from shopsight.extract.postgresql.figures import Figures, ask_figures
from shopsight.extract.postgresql.reading import Reading
from shopsight.extract.postgresql.snapshot import SharedSnapshot, shared_snapshot
from shopsight.extract.rows import NATIVE, TEXT
from shopsight.record import Snapshot, SourceTable

__all__ = ["DIALECT", "check_source", "extract", "source_figures"]

DIALECT = "postgresql"


def extract(
    source: Source, folder: Path, *, connections: int, batch_rows: int, on_rows: OnRows | None
) -> Snapshot:
    """See :func:`shopsight.extract.extract`."""
    with shared_snapshot(source, connections) as snapshot:
        for name in TABLES:
            with translated_disk_errors(folder):
                (folder / name).mkdir(parents=True, exist_ok=True)
        reading = Reading(source, snapshot, folder, batch_rows, on_rows)
        reading.run()
        physical = {
            name: {
                column: TEXT if column in reading.as_text[name] else NATIVE for column in table.column_names
            }
            for name, table in TABLES.items()
        }
        return _described(source, snapshot, reading.figures, physical)


def source_figures(source: Source) -> Snapshot:
    """See :func:`shopsight.extract.source_figures`."""
    figures = {}
    with shared_snapshot(source, 1) as snapshot:
        for name, relation in snapshot.relations.items():
            with translated(source, f"counting {relation.shown}"):
                figures[name] = ask_figures(snapshot.sessions[0], relation, is_utf8=snapshot.is_utf8)
        return _described(source, snapshot, figures, {name: {} for name in TABLES})


def _described(
    source: Source,
    snapshot: SharedSnapshot,
    figures: Mapping[str, Figures],
    physical: Mapping[str, dict[str, str]],
) -> Snapshot:
    return Snapshot(
        snapshot_id=snapshot.id,
        as_of=snapshot.as_of,
        source=source.shown,
        dialect=DIALECT,
        server_version=snapshot.server_version,
        schema=source.schema,
        tables={
            name: SourceTable(
                rows=figures[name].rows,
                measure=figures[name].measure,
                column_types={
                    column: found.declared for column, found in snapshot.relations[name].columns.items()
                },
                physical=physical[name],
            )
            for name in TABLES
        },
    )
