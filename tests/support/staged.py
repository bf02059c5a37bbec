"""A shop through the stages without any database: raw tables in, marts, ledger and proof out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from tests.support.cleaning import raw_frame
from tests.support.shop_rows import SHOP

from shopsight.audit.control_totals import as_document, totals_as_sent
from shopsight.contract import TABLES
from shopsight.marts.insights import INSIGHTS
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run
from shopsight.pipeline.workspace import Workspace, new_run_id
from shopsight.publish.digest import ContentDigest
from shopsight.publish.documents import run_documents
from shopsight.publish.privacy import Privacy
from shopsight.record import RunRecord, Snapshot, SourceTable
from shopsight.settings import Settings, load_settings

AS_OF = datetime(2024, 6, 30, 12, tzinfo=UTC)
BEFORE_PUBLISHING = ("clean", "metrics", "insights", "prove")


def literal_shop() -> dict[str, pl.DataFrame]:
    """The raw tables of the shop of a few literal rows."""
    dates = ("order_date", "review_date")
    return {
        name: raw_frame(name, SHOP[name], [column for column in dates if column in table.column_names])
        for name, table in TABLES.items()
    }


def extracted(
    workdir: Path,
    raw: Mapping[str, pl.DataFrame],
    **settings: Any,
) -> Run:
    """A run whose extraction is done.

    Args:
        workdir: where its directory is made.
        raw: the six tables.
        settings: other than the defaults.
    """
    settings = {"min_rejected_rows": 10**9, **settings}
    made: Settings = load_settings(workdir=workdir, **settings)
    workspace = Workspace.create(workdir, new_run_id())
    workspace.raw.begin()
    tables = {}
    for name in TABLES:
        folder = workspace.folder("raw") / name
        folder.mkdir()
        raw[name].write_parquet(folder / "part-00000.parquet")
        totals = as_document(totals_as_sent(folder, TABLES[name]))
        tables[name] = SourceTable(raw[name].height, totals, {}, {})
    snapshot = Snapshot("1", AS_OF, "test", "test", "1", None, tables)
    workspace.raw.close({"snapshot": snapshot.as_details()})
    record = RunRecord(workspace.run_id, "run", "running", AS_OF, snapshot=snapshot)
    return Run(made, workspace, record)


def staged(workdir: Path, raw: Mapping[str, pl.DataFrame], **others: Any) -> Run:
    """A run that is proven and not published; see :func:`extracted`."""
    run = extracted(workdir, raw, **others)
    for name in BEFORE_PUBLISHING:
        stages.STAGES[name](run)
    run.workspace.write_record(run.record)
    return run


def read(run: Run, folder: str) -> pl.DataFrame:
    """All rows of a folder of the run, in the order of the files."""
    return pl.read_parquet(run.workspace.folder(folder) / "*.parquet")


def digests(run: Run) -> dict[str, str]:
    """By collection, the digest of the documents that the run would publish, whichever run it is."""
    documents = run_documents(
        run.workspace.folder("marts"),
        run.workspace.folder("rejected"),
        INSIGHTS.values(),
        run_id="any",
        as_of=AS_OF,
        privacy=Privacy(),
    )
    found = {}
    for view, batches in documents.items():
        digest = ContentDigest()
        for batch in batches:
            digest.add(batch)
        found[view] = digest.hexdigest()
    return found
