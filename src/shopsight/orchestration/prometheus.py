"""The last run and what is served, in Prometheus' text format, and whether what is served is still fresh.

For node_exporter's textfile collector, or anything else that reads the format. Every name begins with
``shopsight_``; seconds, rows and shares are in those units, moments are Unix time. What is not known has no
line, so that an alert on ``absent()`` sees it. Source: the exposition format 0.0.4 of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from shopsight.inspect.freshness import freshness

#: A sample: its labels and its value.
Sample = tuple[dict[str, Any], float | int | None]


def prometheus_text(record: Mapping[str, Any], served: Mapping[str, Any] | None, now: datetime) -> str:
    """The last run's document and the ``published`` document as one exposition, ending in a line feed.

    Args:
        record: a document of ``pipeline_runs``; empty when there was no run.
        served: the ``published`` document; None when nothing was published.
        now: with a time zone; the age of the data is reckoned from it.
    """
    families = [*_run_families(record), *_served_families(served, now)]
    return "".join(line for family in families for line in _lines(*family))


Family = tuple[str, str, list[Sample]]


def _run_families(record: Mapping[str, Any]) -> list[Family]:
    if not record:
        return []
    status = record.get("status")
    ledger = record.get("ledger") or {}
    tables, rules = ledger.get("tables") or [], ledger.get("rules") or []
    stages = record.get("stages") or []
    return [
        (
            "run_info",
            "The last run: its id, status and shopsight's version; always 1.",
            [
                (
                    {
                        "run_id": record.get("run_id"),
                        "status": status,
                        "version": (record.get("versions") or {}).get("shopsight", ""),
                    },
                    1,
                )
            ],
        ),
        (
            "run_succeeded",
            "1 when the last run published, 0 when it failed or was refused; absent while it runs.",
            [({}, None if status == "running" else int(status == "succeeded"))],
        ),
        (
            "run_started_timestamp_seconds",
            "When the last run started.",
            [({}, _unix(record.get("started_at")))],
        ),
        ("run_ended_timestamp_seconds", "When the last run ended.", [({}, _unix(record.get("ended_at")))]),
        ("run_duration_seconds", "How long the last run took.", [({}, record.get("seconds"))]),
        ("stage_duration_seconds", "How long each stage took.", _by_stage(stages, "seconds")),
        ("stage_rows_in", "Rows that entered each stage.", _by_stage(stages, "rows_in")),
        ("stage_rows_out", "Rows that left each stage.", _by_stage(stages, "rows_out")),
        *(
            (f"table_rows_{name}", f"Rows of each source table: {meaning}.", _by_table(tables, field))
            for name, field, meaning in (
                ("read", "rows_in", "read from the database"),
                ("kept", "rows_out", "kept by cleaning"),
                ("rejected", "rejected", "rejected by cleaning"),
                ("merged", "merged", "merged into another row"),
            )
        ),
        (
            "rule_rows",
            "How many rows each cleaning rule applied to.",
            [({"table": r["table"], "rule": r["rule"], "action": r["action"]}, r["rows"]) for r in rules],
        ),
        (
            "proof_holds",
            "1 when every equality of a link of the proof holds.",
            [
                ({"link": link["name"]}, int(all(check["holds"] for check in link["checks"])))
                for link in record.get("proof") or []
            ],
        ),
    ]


def _served_families(served: Mapping[str, Any] | None, now: datetime) -> list[Family]:
    state = freshness(served, now)
    served = served or {}
    return [
        ("published_generation", "The generation that readers get.", [({}, served.get("generation"))]),
        ("data_timestamp_seconds", "The moment of the served snapshot.", [({}, _unix(served.get("as_of")))]),
        (
            "data_age_seconds",
            "How old the served data are.",
            [({}, None if state.age is None else round(state.age.total_seconds(), 3))],
        ),
        (
            "data_valid_until_timestamp_seconds",
            "When a newer generation is due at the latest.",
            [({}, _unix(served.get("valid_until")))],
        ),
        (
            "last_success_timestamp_seconds",
            "When the served generation was published.",
            [({}, _unix(served.get("published_at")))],
        ),
        (
            "data_fresh",
            "1 when what is served is as new as promised, 0 when not.",
            [({}, int(state.is_fresh))],
        ),
    ]


def _by_stage(stages: Iterable[Mapping[str, Any]], field: str) -> list[Sample]:
    return [({"stage": stage["name"]}, stage.get(field)) for stage in stages]


def _by_table(tables: Iterable[Mapping[str, Any]], field: str) -> list[Sample]:
    return [({"table": table["table"]}, table[field]) for table in tables]


def _lines(name: str, meaning: str, samples: list[Sample]) -> Iterable[str]:
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


def _unix(moment: datetime | str | None) -> float | None:
    return None if moment is None else _utc(moment).timestamp()


def _utc(moment: datetime | str) -> datetime:
    """A moment with its time zone. MongoDB's driver may leave it out and means UTC; ``run.json`` has text."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
