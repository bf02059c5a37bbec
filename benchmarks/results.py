"""benchmarks/results.json: by scale and group, what one call measured, with versions, machine and commit."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS, PEER_PYTHON, ROOT
from benchmarks.rounds import Taken
from benchmarks.shop import MeasuredShop, Servers
from shopsight.pipeline.run import versions

PATH = ROOT / "benchmarks" / "results.json"
PEER_LIBRARIES = (
    "duckdb",
    "dlt",
    "connectorx",
    "pandas",
    "sqlalchemy",
    "psycopg",
    "pyspark",
    "pyarrow",
    "pymongo",
)

#: What one call measured at one scale.
Measured = dict[str, Any]

#: By group, the newest call that measured a peer of it; and as ``growth`` the newest whole run of our own.
#: Figures of two calls never stand in one table, as their machines had other neighbours.
Groups = dict[str, Measured]


def read_results() -> dict[str, Groups]:
    """By scale, in growing order."""
    if not PATH.exists():
        return {}
    found: dict[str, Groups] = json.loads(PATH.read_text())
    return dict(sorted(found.items(), key=lambda item: float(item[0])))


def write_results(scale: str, measured: Measured) -> None:
    """Keep what was measured at a scale, in place of earlier tables of the same groups."""
    results = read_results()
    PATH.write_text(
        json.dumps({**results, scale: results.get(scale, {}) | by_group(measured)}, indent=1) + "\n"
    )


def by_group(measured: Measured) -> Groups:
    """The groups in which a peer was measured, and the growth."""
    groups: dict[str, dict[str, Any]] = {}
    for contender_id, contender in measured["contenders"].items():
        groups.setdefault(contender["group"], {})[contender_id] = contender
    groups = {group: inside for group, inside in groups.items() if len(inside) > 1}
    groups["growth"] = {f"run/{OURS}": measured["contenders"][f"run/{OURS}"]}
    return {group: {**measured, "contenders": inside} for group, inside in groups.items()}


def describe(servers: Servers, shop: MeasuredShop, taken: Mapping[str, Taken], rounds: int) -> Measured:
    """One scale's results as JSON values."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": {**versions(), **servers.versions(), **peer_versions()},
        "rows": shop.rows,
        "rounds": rounds,
        "load_average": round(os.getloadavg()[2], 1),
        "contenders": {
            contender_id: _described(t, taken[f"{t.group}/{OURS}"]) for contender_id, t in taken.items()
        },
    }


def _described(taken: Taken, ours: Taken) -> dict[str, Any]:
    described: dict[str, Any] = {"title": taken.title, "group": taken.group, "name": taken.name}
    if taken.left_out or not taken.seconds:
        return {**described, "left_out": taken.left_out or "not measured"}
    peak = max(taken.peak_bytes)
    return {
        **described,
        "seconds": [round(seconds, 3) for seconds in taken.seconds],
        "median": round(statistics.median(taken.seconds), 3),
        "min": round(min(taken.seconds), 3),
        "max": round(max(taken.seconds), 3),
        "cpu": round(statistics.median(taken.cpu_seconds), 3),
        "server_cpu": round(statistics.median(taken.server_cpu_seconds), 3),
        "ours_by_this": round(_ratio(ours.seconds, taken.seconds), 3),
        "ours_by_this_cpu": round(_ratio(_all_cpu(ours), _all_cpu(taken)), 3),
        "peak_mb": round(peak / 1e6, 1),
        "peak_anonymous_mb": round(max(taken.peak_anonymous_bytes) / 1e6, 1),
        "ours_by_this_peak": round(max(ours.peak_bytes) / peak, 3),
        **(
            {"parts": {n: round(statistics.median(s), 3) for n, s in taken.parts.items()}}
            if taken.parts
            else {}
        ),
    }


def _all_cpu(taken: Taken) -> list[float]:
    return [own + served for own, served in zip(taken.cpu_seconds, taken.server_cpu_seconds, strict=True)]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of ours by theirs: both of one round had the same neighbours."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def commit() -> str:
    """The commit that was measured; ``+`` when files that count were changed since."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", "src", "benchmarks/*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
    }


def peer_versions() -> dict[str, str]:
    """The versions in the peers' environment; empty without one."""
    if not PEER_PYTHON.exists():
        return {}
    code = (
        "import json, sys; from importlib.metadata import version;"
        " print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    found = subprocess.run(
        [PEER_PYTHON, "-c", code, *PEER_LIBRARIES], capture_output=True, text=True, check=True
    )
    return {f"peers' {name}": number for name, number in json.loads(found.stdout).items()}
