"""The last run and what is served, in Prometheus' text format, and whether what is served is still fresh.

For node_exporter's textfile collector, or anything else that reads the format. Every name begins with
``shopsight_``; seconds, rows and shares are in those units, moments are Unix time. An unknown value has no
line, so that an alert on ``absent()`` sees it. Source: the exposition format 0.0.4 of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from shopsight.inspect.freshness import freshness
from shopsight.record import RunRecord

#: Each with its labels and its value.
Samples = list[tuple[dict[str, Any], float | int | None]]
#: A family's name, meaning and samples.
Family = tuple[str, str, Samples]


def prometheus_text(record: Mapping[str, Any], served: Mapping[str, Any] | None, now: datetime) -> str:
    """The last run's document and the ``published`` document as one exposition, ending in a line feed.

    Args:
        record: a document of ``pipeline_runs``; empty when there was no run.
        served: the ``published`` document; None when nothing was published.
        now: with a time zone; the age of the data is measured from it.
    """
    run = _run_families(RunRecord.from_document(record)) if record else []
    return "".join(line for family in (*run, *_served_families(served, now)) for line in _lines(*family))


def _run_families(record: RunRecord) -> list[Family]:
    tables, rules = record.ledger.tables, record.ledger.rules
    info = {
        "run_id": record.run_id,
        "status": record.status,
        "version": record.versions.get("shopsight", ""),
    }
    has_succeeded = None if record.status == "running" else int(record.status == "succeeded")
    stages = [
        (
            f"stage_{name}",
            meaning,
            [({"stage": stage.name}, getattr(stage, field)) for stage in record.stages],
        )
        for name, field, meaning in (
            ("duration_seconds", "seconds", "How long each stage took."),
            ("rows_in", "rows_in", "Rows that entered each stage."),
            ("rows_out", "rows_out", "Rows that left each stage."),
        )
    ]
    rows = [
        (
            f"table_rows_{name}",
            f"Rows of each source table: {meaning}.",
            [({"table": table.table}, getattr(table, field)) for table in tables],
        )
        for name, field, meaning in (
            ("read", "rows_in", "read from the database"),
            ("kept", "rows_out", "kept by cleaning"),
            ("rejected", "rejected", "rejected by cleaning"),
            ("merged", "merged", "merged into another row"),
        )
    ]
    applied: Samples = [({"table": r.table, "rule": r.rule, "action": r.action}, r.rows) for r in rules]
    holds: Samples = [({"link": link.name}, int(not link.broken)) for link in record.proof]
    return [
        ("run_info", "The last run: its id, status and shopsight's version; always 1.", [(info, 1)]),
        _single(
            "run_succeeded",
            "1 when the last run published (or kept), 0 when it failed or was refused; absent while it runs.",
            has_succeeded,
        ),
        _single("run_started_timestamp_seconds", "When the last run started.", record.started_at),
        _single("run_ended_timestamp_seconds", "When the last run ended.", record.ended_at),
        _single("run_duration_seconds", "How long the last run took.", record.seconds),
        *stages,
        *rows,
        ("rule_rows", "How many rows each cleaning rule applied to.", applied),
        ("proof_holds", "1 when every equality of a link of the proof holds.", holds),
    ]


def _served_families(served: Mapping[str, Any] | None, now: datetime) -> list[Family]:
    state = freshness(served, now)
    served = served or {}
    age = None if state.age is None else round(state.age.total_seconds(), 3)
    return [
        _single("published_generation", "The generation that readers get.", served.get("generation")),
        _single(
            "published_pinned",
            "1 when that generation is pinned by a rollback, 0 when the next run replaces it.",
            int(served.get("pinned") is not None) if served else None,
        ),
        _single("data_timestamp_seconds", "The moment of the served snapshot.", served.get("as_of")),
        _single("data_age_seconds", "How old the served data are.", age),
        _single(
            "data_valid_until_timestamp_seconds",
            "When a newer generation is due at the latest.",
            served.get("valid_until"),
        ),
        _single(
            "last_success_timestamp_seconds",
            "When the served generation was published.",
            served.get("published_at"),
        ),
        _single(
            "data_fresh", "1 when what is served is as new as promised, 0 when not.", int(state.is_fresh)
        ),
    ]


def _single(name: str, meaning: str, value: datetime | float | None) -> Family:
    if isinstance(value, datetime):
        # MongoDB's driver may leave the time zone out and means UTC.
        value = (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    return name, meaning, [({}, value)]


def _lines(name: str, meaning: str, samples: Samples) -> Iterator[str]:
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    yield f"# HELP shopsight_{name} {meaning}\n"
    yield f"# TYPE shopsight_{name} gauge\n"
    for labels, value in known:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"shopsight_{name}{{{inside}}} {value}\n" if inside else f"shopsight_{name} {value}\n"


def _escaped(value: Any) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
