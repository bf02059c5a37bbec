"""The last run and what is served, in Prometheus' text format, and whether what is served is still fresh.

For node_exporter's textfile collector, or anything else that reads the format. Every name begins with
``shopsight_``; seconds, rows and shares are in those units, moments are Unix time. An unknown value has no
line, so that an alert on ``absent()`` sees it. Source: the exposition format 0.0.4 of Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shopsight.inspect.freshness import freshness
from shopsight.record import RunRecord
from shopsight.time_zone import in_utc

_STAGE_FIGURES = (
    ("duration_seconds", "seconds", "How long each stage took."),
    ("rows_in", "rows_in", "Rows that entered each stage."),
    ("rows_out", "rows_out", "Rows that left each stage."),
)
_TABLE_FIGURES = (
    ("read", "rows_in", "read from the database"),
    ("kept", "rows_out", "kept by cleaning"),
    ("rejected", "rejected", "rejected by cleaning"),
    ("merged", "merged", "merged into another row"),
)


class _Gauges:
    """Gauges in the order of their first value; each with its lines together, as the format wants."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, name: str, meaning: str, value: datetime | float | None, **labels: str) -> None:
        """Add a value; None adds nothing."""
        if value is None:
            return
        if isinstance(value, datetime):
            value = in_utc(value).timestamp()
        name = f"shopsight_{name}"
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        head = [f"# HELP {name} {meaning}\n", f"# TYPE {name} gauge\n"]
        self._lines.setdefault(name, head).append(
            f"{name}{{{inside}}} {value}\n" if inside else f"{name} {value}\n"
        )

    def __str__(self) -> str:
        return "".join(line for lines in self._lines.values() for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def prometheus_text(record: Mapping[str, Any], served: Mapping[str, Any] | None, now: datetime) -> str:
    """The last run's document and the ``published`` document as one exposition, ending in a line feed.

    Args:
        record: a document of ``pipeline_runs``; empty when there was no run.
        served: the ``published`` document; None when nothing was published.
        now: with a time zone; the age of the data is measured from it.
    """
    gauges = _Gauges()
    if record:
        _add_run(gauges, RunRecord.from_document(record))
    _add_served(gauges, served, now)
    return str(gauges)


def _add_run(gauges: _Gauges, run: RunRecord) -> None:
    gauges.add(
        "run_info",
        "The last run: its id, status and shopsight's version; always 1.",
        1,
        run_id=run.run_id,
        status=run.status,
        version=run.versions.get("shopsight", ""),
    )
    gauges.add(
        "run_succeeded",
        "1 when the last run published (or kept), 0 when it failed or was refused; absent while it runs.",
        None if run.status == "running" else int(run.status == "succeeded"),
    )
    gauges.add("run_started_timestamp_seconds", "When the last run started.", run.started_at)
    gauges.add("run_ended_timestamp_seconds", "When the last run ended.", run.ended_at)
    gauges.add("run_duration_seconds", "How long the last run took.", run.seconds)
    for stage in run.stages:
        for name, field, meaning in _STAGE_FIGURES:
            gauges.add(f"stage_{name}", meaning, getattr(stage, field), stage=stage.name)
    for table in run.ledger.tables:
        for name, field, meaning in _TABLE_FIGURES:
            told = f"Rows of each source table: {meaning}."
            gauges.add(f"table_rows_{name}", told, getattr(table, field), table=table.table)
    for rule in run.ledger.rules:
        labels = {"table": rule.table, "rule": rule.rule, "action": rule.action}
        gauges.add("rule_rows", "How many rows each cleaning rule applied to.", rule.rows, **labels)
    for watched in run.watched:
        value = None if watched.value is None else float(watched.value)
        gauges.add("watch_value", "The figures that [[watch]] names.", value, rule=watched.rule)
        told = "1 when a watched figure is beyond its limit."
        gauges.add("watch_alarm", told, int(bool(watched.alarm)), rule=watched.rule)
    for link in run.proof:
        told = "1 when every equality of a link of the proof holds."
        gauges.add("proof_holds", told, int(not link.broken), link=link.name)


def _add_served(gauges: _Gauges, served: Mapping[str, Any] | None, now: datetime) -> None:
    state = freshness(served, now)
    if served:
        gauges.add("published_generation", "The generation that readers get.", served["generation"])
        gauges.add(
            "published_pinned",
            "1 when that generation is pinned by a rollback, 0 when the next run replaces it.",
            int(served.get("pinned") is not None),
        )
        gauges.add("data_timestamp_seconds", "The moment of the served snapshot.", served["as_of"])
        if state.age is not None:
            age = round(state.age.total_seconds(), 3)
            gauges.add("data_age_seconds", "How old the served data are.", age)
        due = "When a newer generation is due at the latest."
        gauges.add("data_valid_until_timestamp_seconds", due, served["valid_until"])
        gauges.add(
            "last_success_timestamp_seconds",
            "When the served generation was published.",
            served.get("published_at"),
        )
    gauges.add("data_fresh", "1 when what is served is as new as promised, 0 when not.", int(state.is_fresh))
