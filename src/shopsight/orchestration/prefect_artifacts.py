"""A run's artifacts in Prefect's UI: the insights as tables, the ledger, the rules, the proof.

They are read from the run's own directory, so a failed run shows how far it came. Prefect keeps them for as
long as its database: they hold no customer's name or address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import structlog
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.pipeline.own_insights import insights_in
from shopsight.pipeline.workspace import Workspace
from shopsight.publish.privacy import Privacy
from shopsight.record import RunRecord
from shopsight.report import ReportTable, run_tables
from shopsight.report.formatting import format_count, format_moment
from shopsight.settings import Settings

#: Rows beyond these are left to the report and to MongoDB.
MAX_ROWS = 200

_NAMELESS = Privacy("drop", "drop")

log = structlog.stdlib.get_logger("shopsight.flow")


def publish_artifacts(settings: Settings, record: RunRecord) -> None:
    """Make the artifacts of this flow run; to be called within the flow. A failure is only logged."""
    document = record.as_document()
    try:
        create_markdown_artifact(overview(document), key="run", description="How the run went.")
        insights = insight_tables(
            Workspace(settings.workdir, record.run_id), insights_in(settings, document).values()
        )
        for table in (*run_artifacts(document), *insights):
            create_table_artifact(_rows(table), key=table.id.replace("_", "-"), description=table.description)
    except Exception:
        log.exception("artifacts", run_id=record.run_id)


def overview(record: dict[str, Any]) -> str:
    """The run in Markdown: how it ended, and its stages."""
    lines = [f"# Run {record['run_id']}: {record['status']}", ""]
    if record.get("error"):
        error = record["error"]
        where = f" in {error['stage']}" if error.get("stage") else ""
        lines += [f"**{error['type']}**{where}: {error['message']}", "", error.get("remedy") or "", ""]
    if record.get("generation") is not None:
        pinned = record.get("pinned")
        done = "published" if pinned is None else f"kept, because generation {pinned} is pinned"
        until = f", good until {format_moment(record['valid_until'])}" if record.get("valid_until") else ""
        lines += [f"Generation {record['generation']} was {done}{until}.", ""]
    if record.get("totals"):
        totals = [{"figure": tile.label, "value": tile.value} for tile in run_tables.tiles(record)]
        lines += [*_markdown(totals), ""]
    return "\n".join([*lines, *_markdown(_rows(run_tables.stages(record)))])


def _markdown(rows: list[dict[str, str]]) -> list[str]:
    """Rows as a table in Markdown, the first column to the left and all others to the right."""
    if not rows:
        return []
    lines = [list(rows[0]), ["---"] + ["---:"] * (len(rows[0]) - 1), *(list(row.values()) for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def run_artifacts(record: dict[str, Any]) -> Iterator[ReportTable]:
    """The ledger, the rules that applied and the proof, as far as the run came."""
    if (record.get("ledger") or {}).get("tables"):
        yield from (run_tables.ledger(record), run_tables.amounts(record), run_tables.rules(record))
    if record.get("proof"):
        yield run_tables.compared(*run_tables.links(record))


def insight_tables(
    workspace: Workspace, insights: Iterable[Insight] = INSIGHTS.values()
) -> Iterator[ReportTable]:
    """The insights whose folders are whole, in report order."""
    if workspace.insights.details() is None:
        return
    for insight in insights:
        frame = pl.read_parquet(workspace.folder(f"marts/insights/{insight.id}") / "*.parquet")
        shown = f" The first {MAX_ROWS} of {format_count(frame.height)} rows." * (frame.height > MAX_ROWS)
        table = ReportTable(
            insight.id, insight.title, insight.description, [vars(column) for column in insight.columns]
        )
        rows = [_NAMELESS.protect_row(row) for row in frame.head(MAX_ROWS).to_dicts()]
        description = f"## {insight.title}\n{insight.description}{shown}"
        yield replace(table, description=description, rows=rows)


def _rows(table: ReportTable) -> list[dict[str, str]]:
    """The rows as text, by the columns' labels."""
    columns = [column for column in table.columns if column["kind"] != "bar"]
    return [
        {
            column["label"]: f"{table.text(row, column['name'])} {table.note(row, column)}".rstrip()
            for column in columns
        }
        for row in table.rows
    ]
