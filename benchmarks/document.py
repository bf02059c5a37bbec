"""docs/performance.md: what stands between its markers is made from results.json, the rest by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import chart
from benchmarks.contenders import OURS, ROOT
from benchmarks.results import Measured, read_results

PATH = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "images" / "growth.svg"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

TITLES = {
    "extraction": "Extraction: six tables out of PostgreSQL",
    "mariadb": "Extraction: six tables out of MariaDB",
    "run": "The whole job: out of PostgreSQL, into MongoDB",
    "middle": "The middle: from clean Parquet to the customers' metrics and four insights",
    "load": "The load: the customers' documents into MongoDB, without indexes",
}


def write() -> None:
    """Put the tables and the chart of results.json into the document."""
    results = read_results()
    CHART.write_text(chart.growth_chart(results))
    text = PATH.read_text() if PATH.exists() else f"# Performance\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PATH.write_text(f"{before}{_BEGIN}\n{generated(results)}\n{_END}{after}")


def generated(results: Mapping[str, Measured]) -> str:
    """Everything between the markers."""
    sections = ["<!-- Written by `make bench`: edit what is around, not this. -->"]
    sections += [goals(results), growth(results)]
    sections += [
        f"## Scale {scale}\n\n{tables(results[scale])}" for scale in sorted(results, key=float, reverse=True)
    ]
    return "\n\n".join(sections)


@dataclass(frozen=True)
class Goal:
    """A figure of ours by a peer's that is to be at most ``limit``, at scale 1."""

    title: str
    contender: str
    limit: float
    figure: str = "ours_by_this"


GOALS = (
    Goal("Extraction, time by psql's COPY to nowhere", "extraction/psql", 1.0),
    Goal("Extraction, time by DuckDB's", "extraction/duckdb", 1.0),
    Goal("Extraction from MariaDB, time by INTO OUTFILE's", "mariadb/outfile", 1.3),
    Goal("Extraction from MariaDB, time by a plain script's", "mariadb/pymysql", 1 / 3),
    Goal("Whole run, time by pandas'", "run/pandas", 1 / 5),
    Goal("Whole run, peak memory by pandas'", "run/pandas", 1 / 8, "ours_by_this_peak"),
    Goal("Whole run, time by DuckDB's by hand", "run/duckdb", 1.0),
    Goal("Load, time by that of encoded BSON", "load/bson", 1.3),
)


def goals(results: Mapping[str, Measured]) -> str:
    """Each goal, its figure at the largest scale at which it was measured, and whether it is reached."""
    lines = [
        "## Goals",
        "",
        "All are meant at scale 1, by wall time.",
        "",
        "| goal | at most | scale | measured | by CPU, servers included | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for goal in GOALS:
        scale, peer = _largest(results, goal.contender)
        if peer is None:
            lines.append(f"| {goal.title} | {goal.limit:.3g} | | | | not measured |")
            continue
        found = peer[goal.figure]
        by_cpu = format(peer["ours_by_this_cpu"], ".2f") if goal.figure == "ours_by_this" else ""
        lines.append(
            f"| {goal.title} | {goal.limit:.3g} | {scale} | {found:.2f} | {by_cpu}"
            f" | {_verdict(found, goal.limit, scale)} |"
        )
    lines += _growth_goals(results)
    return "\n".join(lines)


def _growth_goals(results: Mapping[str, Measured]) -> list[str]:
    small, large = (results.get(scale, {}).get("contenders", {}).get(f"run/{OURS}") for scale in ("0.1", "1"))
    if small is None or large is None:
        return []
    memory, seconds = large["peak_mb"] / small["peak_mb"], large["median"] / small["median"]
    cpu = (large["cpu"] + large["server_cpu"]) / (small["cpu"] + small["server_cpu"])
    return [
        f"| Peak memory, 5 M orders by 0.5 M | 1.3 | 1 | {memory:.2f} | | {_verdict(memory, 1.3, '1')} |",
        f"| Time, 5 M orders by 0.5 M | 10 | 1 | {seconds:.2f} | {cpu:.2f} | {_verdict(seconds, 10, '1')} |",
    ]


def _largest(results: Mapping[str, Measured], contender: str) -> tuple[str, dict[str, Any] | None]:
    for scale in sorted((s for s in results if float(s) <= 1), key=float, reverse=True):
        found = results[scale]["contenders"].get(contender, {})
        if "seconds" in found:
            return scale, found
    return "", None


def _verdict(found: float, limit: float, scale: str) -> str:
    said = "reached" if found <= limit else "**missed**"
    return said if scale == "1" else f"{said} there; not measured at 1"


def growth(results: Mapping[str, Measured]) -> str:
    """The whole run at each scale, with its stages' seconds."""
    lines = [
        "## Growth",
        "",
        "![Time and peak memory of a whole run against the rows of the source](images/growth.svg)",
        "",
        "| scale | rows | whole run | rows a second | peak memory | of it not files |"
        " extract | clean | metrics | insights | prove | publish |",
        "| ---: " * 12 + "|",
    ]
    for scale, measured in results.items():
        run = measured["contenders"][f"run/{OURS}"]
        rows, parts = sum(measured["rows"].values()), run["parts"]
        stages = " | ".join(
            f"{parts[name]:.1f} s" for name in ("extract", "clean", "metrics", "insights", "prove", "publish")
        )
        lines.append(
            f"| {scale} | {rows:,} | {run['median']:.1f} s | {rows / run['median']:,.0f}"
            f" | {run['peak_mb']:,.0f} MB | {run['peak_anonymous_mb']:,.0f} MB | {stages} |"
        )
    return "\n".join(lines)


def tables(measured: Measured) -> str:
    """One scale's tables."""
    machine, rows = measured["machine"], measured["rows"]
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    counted = ", ".join(f"{number:,} {table}" for table, number in rows.items())
    sections = [
        f"{counted}. {measured['rounds']} rounds; measured {measured['measured_at'][:10]} at commit"
        f" `{measured['commit']}` on {machine['cores']} cores ({machine['processor']}),"
        f" {machine['memory_gb']} GiB, {machine['system']}; the machine's load over the last quarter of an"
        f" hour was {measured['load_average']}.",
        f"Versions: {versions}.",
    ]
    for group, title in TITLES.items():
        inside = [c for c in measured["contenders"].values() if c["group"] == group]
        if inside:
            sections.append(f"### {title}\n\n{_table(inside)}")
    parts = measured["contenders"].get(f"run/{OURS}", {}).get("parts", {})
    if "prove" in parts:
        sections.append(f"### What ledger and proof cost\n\n{_proof_cost(measured)}")
    return "\n\n".join(sections)


def _table(contenders: list[dict[str, Any]]) -> str:
    lines = [
        "| | median | min | max | ours by this | CPU, own + servers | ours by this"
        " | peak memory | ours by this |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for contender in contenders:
        if "seconds" not in contender:
            lines.append(
                f"| {contender['title']} | {' '.join(contender['left_out'].split())[:200]} | | | | | | |"
            )
            continue
        is_ours = contender["name"] == OURS
        title = f"**{contender['title']}**" if is_ours else contender["title"]
        lines.append(
            f"| {title} | {contender['median']:.2f} s | {contender['min']:.2f} s | {contender['max']:.2f} s"
            f" | {'' if is_ours else format(contender['ours_by_this'], '.2f')}"
            f" | {contender['cpu']:.1f} + {contender['server_cpu']:.1f} s"
            f" | {'' if is_ours else format(contender['ours_by_this_cpu'], '.2f')}"
            f" | {contender['peak_mb']:,.0f} MB"
            f" | {'' if is_ours else format(contender['ours_by_this_peak'], '.2f')} |"
        )
    return "\n".join(lines)


def _proof_cost(measured: Measured) -> str:
    run = measured["contenders"][f"run/{OURS}"]
    parts, whole = run["parts"], run["median"]
    cost = parts["prove"] + parts["source_totals"] + parts["read_back"]
    return (
        f"Ledger and links 1 to 3 (the stage `prove`) {parts['prove']:.2f} s; link 1's figures asked of"
        f" PostgreSQL, alone and by one connection, {parts['source_totals']:.2f} s; link 4's sums and"
        f" digests asked of MongoDB {parts['read_back']:.2f} s: together {cost:.2f} s,"
        f" {cost / whole:.0%} of a whole run of {whole:.1f} s."
    )
