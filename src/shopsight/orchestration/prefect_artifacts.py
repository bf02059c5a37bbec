"""What an operator sees of a run in Prefect's UI: the insights as tables, the ledger, the rules, the proof.

Read from the run's own directory, so a failed run shows what it came to. Failing to show never fails a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import structlog
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from shopsight.marts.insights import INSIGHTS, Insight
from shopsight.pipeline.workspace import Workspace
from shopsight.report import run_rows
from shopsight.report.formatting import format_count, format_moment, format_value
from shopsight.settings import Settings

#: Rows beyond these are left to the report and to MongoDB.
MAX_ROWS = 200

log = structlog.stdlib.get_logger("shopsight.flow")

_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")


@dataclass(frozen=True)
class Artifact:
    """One page of the UI: a table, and what it is, in Markdown. ``key`` names it from run to run."""

    key: str
    description: str
    rows: list[dict[str, str]] = field(default_factory=list)


def publish_artifacts(settings: Settings, run_id: str, record: dict[str, Any]) -> None:
    """Make the artifacts of this flow run from the run's directory; call it within the flow."""
    try:
        if record:
            create_markdown_artifact(overview(record), key="run", description="How the run went.")
        for artifact in [*run_artifacts(record), *insight_artifacts(Workspace(settings.workdir, run_id))]:
            create_table_artifact(artifact.rows, key=artifact.key, description=artifact.description)
    except Exception:
        log.exception("artifacts", run_id=run_id)


def overview(record: dict[str, Any]) -> str:
    """The run in Markdown: how it ended, and its stages."""
    record = _with_figures(record)
    lines = [f"# Run {record['run_id']}: {record['status']}", ""]
    if record.get("error"):
        error = record["error"]
        where = f" in {error['stage']}" if error.get("stage") else ""
        lines += [f"**{error['type']}**{where}: {error['message']}", "", error.get("remedy") or "", ""]
    if record.get("generation") is not None:
        lines += [
            f"Generation {record['generation']} was published{_good_until(record.get('valid_until'))}.",
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


def _good_until(moment: str | None) -> str:
    return f", good until {format_moment(datetime.fromisoformat(moment))}" if moment else ""


def run_artifacts(record: dict[str, Any]) -> Iterator[Artifact]:
    """The ledger, the rules that applied and the proof, as far as the run came."""
    record = _with_figures(record)
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
            "Every equality that must hold before anything is published.",
            [
                {
                    "figure": check.what,
                    "holds": _yes(check.holds),
                    "expected": check.expected,
                    "found": check.found,
                    "link": link.name,
                }
                for link in run_rows.links(record)
                for check in link.checks
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


def _with_figures(record: dict[str, Any]) -> dict[str, Any]:
    """The document of ``run.json`` with its exact figures, which are text there, as Decimals again."""
    figures = {name: _as_figures(record[name]) for name in ("ledger", "proof", "totals") if record.get(name)}
    return {**record, **figures}


def _as_figures(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_figures(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_figures(inner) for inner in value]
    return Decimal(value) if isinstance(value, str) and _NUMBER.match(value) else value
