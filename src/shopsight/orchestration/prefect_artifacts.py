"""A run's artifacts in Prefect's UI: the insights as tables, the ledger, the rules, the proof.

They are read from the run's own directory, so a failed run shows how far it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
import structlog
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.report import run_rows
from shopsight.report.formatting import format_count, format_moment, format_value
from shopsight.settings import Settings

#: Rows beyond these are left to the report and to MongoDB.
MAX_ROWS = 200

log = structlog.stdlib.get_logger("shopsight.flow")


@dataclass(frozen=True)
class Artifact:
    """One page of the UI: a table and its description, in Markdown. ``key`` names it from run to run."""

    key: str
    description: str
    rows: list[dict[str, str]] = field(default_factory=list)


def publish_artifacts(settings: Settings, record: RunRecord) -> None:
    """Make the artifacts of this flow run; to be called within the flow. A failure is only logged."""
    document = record.as_document()
    try:
        create_markdown_artifact(overview(document), key="run", description="How the run went.")
        insights = insight_artifacts(Workspace(settings.workdir, record.run_id))
        for artifact in (*run_artifacts(document), *insights):
            create_table_artifact(artifact.rows, key=artifact.key, description=artifact.description)
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
        lines += [
            f"Generation {record['generation']} was {done}{_good_until(record.get('valid_until'))}.",
            "",
        ]
    if record.get("totals"):
        lines += [
            "| figure | value |",
            "| --- | ---: |",
            *(f"| {tile.label} | {tile.value} |" for tile in run_rows.tiles(record)),
            "",
        ]
    lines += [
        "| stage | outcome | rows in | rows out | rejected | time |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {s.name} | {s.outcome} | {s.rows_in} | {s.rows_out} | {s.rejected} | {s.seconds} |"
        for s in run_rows.stage_rows(record)
    ]
    return "\n".join(lines)


def _good_until(moment: datetime | None) -> str:
    return f", good until {format_moment(moment)}" if moment else ""


def run_artifacts(record: dict[str, Any]) -> Iterator[Artifact]:
    """The ledger, the rules that applied and the proof, as far as the run came."""
    if (record.get("ledger") or {}).get("tables"):
        yield Artifact(
            "ledger",
            "What became of every row: in + added = kept + merged + rejected.",
            [
                {
                    "table": row.table,
                    "balances": _yes(row.balances),
                    "in": row.rows_in,
                    "added": row.added,
                    "kept": row.rows_out,
                    "merged": row.merged,
                    "rejected": row.rejected,
                }
                for row in run_rows.ledger_rows(record)
            ],
        )
        yield Artifact(
            "ledger-amounts",
            "What became of every cent: in + repaired = kept + merged + rejected.",
            [
                {
                    "table": row.table,
                    "balances": _yes(row.balances),
                    "what": row.measure,
                    "in": row.measure_in,
                    "repaired": row.repaired,
                    "kept": row.measure_out,
                    "merged": row.merged,
                    "rejected": row.rejected,
                }
                for row in run_rows.measure_rows(record)
            ],
        )
        yield Artifact(
            "rules",
            "The cleaning rules that applied.",
            [
                {
                    "rule": rule.rule,
                    "action": rule.action,
                    "rows": rule.rows,
                    "amount": rule.measure,
                    "what it says": rule.sentence,
                }
                for rules in run_rows.rules_by_table(record).values()
                for rule in rules
            ],
        )
    if record.get("proof"):
        yield Artifact(
            "proof",
            "The equalities that must hold before anything is published, and those that do not.",
            [
                {"link": link.name, "compared": what, "equalities": str(count), "broken": str(broken)}
                for link in run_rows.links(record)
                for what, count, broken in link.subjects
            ],
        )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "NO"


def insight_artifacts(workspace: Workspace) -> Iterator[Artifact]:
    """The insights whose folders are whole, in report order."""
    if workspace.insights.details() is None:
        return
    for insight in INSIGHTS.values():
        frame = pl.read_parquet(workspace.folder(f"marts/insights/{insight.id}") / "*.parquet")
        yield Artifact(_key(insight.id), _description(insight, frame.height), _rows(insight, frame))


def _rows(insight: Insight, frame: pl.DataFrame) -> list[dict[str, str]]:
    return [
        {column.label: format_value(row[column.name], column.kind) for column in insight.columns}
        for row in frame.head(MAX_ROWS).to_dicts()
    ]


def _description(insight: Insight, rows: int) -> str:
    shown = f" The first {MAX_ROWS} of {format_count(rows)} rows." if rows > MAX_ROWS else ""
    return f"## {insight.title}\n{insight.description}{shown}"


def _key(insight_id: str) -> str:
    return insight_id.replace("_", "-")
