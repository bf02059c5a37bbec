"""benchmarks/results.json: a table holds the figures of one call alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks import document, results


def _measured(commit: str, *contenders: str) -> dict[str, Any]:
    row = {
        "title": "t",
        "seconds": [1.0],
        "median": 1.0,
        "min": 1.0,
        "max": 1.0,
        "cpu": 1.0,
        "server_cpu": 1.0,
    }
    row |= {"ours_by_this": 1.0, "ours_by_this_cpu": 1.0, "ours_by_this_peak": 1.0, "peak_mb": 1.0}
    return {
        "commit": commit,
        "measured_at": "2026-11-29T00:00:00+00:00",
        "machine": {"cores": 2, "processor": "p", "memory_gb": 1, "system": "s"},
        "versions": {"shopsight": "1"},
        "rounds": 3,
        "load_average": 0.1,
        "rows": {"orders": 5},
        "contenders": {
            name: {**row, "group": name.partition("/")[0], "name": name.partition("/")[2]}
            for name in ("extraction/shopsight", "run/shopsight", *contenders)
        },
    }


def test_a_partial_call_replaces_the_whole_tables_of_its_peers_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "PATH", tmp_path / "results.json")
    results.write_results("1", _measured("first", "run/pandas", "run/duckdb", "extraction/psql"))

    results.write_results("1", _measured("second", "run/duckdb"))

    groups = results.read_results()["1"]
    assert {group: measured["commit"] for group, measured in groups.items()} == {
        "run": "second",
        "extraction": "first",
        "growth": "second",
    }
    assert list(groups["run"]["contenders"]) == ["run/shopsight", "run/duckdb"]
    assert document.tables(groups).count("`second`, 2026-11-29") == 1


def test_the_document_is_what_the_results_say() -> None:
    begin, end = "<!-- measured: begin -->\n", "\n<!-- measured: end -->"

    written = document.PATH.read_text().partition(begin)[2].partition(end)[0]

    assert written == document.generated(results.read_results())
