"""docs/performance.md: what stands between its markers is made from results.json, the rest by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import chart
from benchmarks.contenders import OURS, ROOT
from benchmarks.results import Groups, Measured, read_results

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


def generated(results: Mapping[str, Groups]) -> str:
    """Everything between the markers."""
    sections = ["<!-- Written by `make bench`: edit what is around, not this. -->"]
    sections += [goals(results), growth(results)]
    sections += [
        f"## Scale {scale}\n\n{tables(results[scale])}" for scale in sorted(results, key=float, reverse=True)
    ]
    return "\n\n".join(sections)


@dataclass(frozen=True)
class Goal:
    """A figure that is to be at most ``limit``: ours by a peer's, unless it is said otherwise.

    Attributes:
        title: for people.
        contender: whose row holds the figure; our own whole run is taken from the growth table.
        limit: the most that it may be.
        figure: the row's entry, or several that are added up.
        scale: the size of the shop.
    """

    title: str
    contender: str
    limit: float
    figure: tuple[str, ...] = ("ours_by_this",)
    scale: str = "1"


GOALS = (
    Goal("Whole run, time by the strongest DuckDB job's", "run/duckdb-best", 1.0),
    Goal("Whole run, time by the plain DuckDB script's", "run/duckdb", 0.6),
    Goal("Whole run, time by the plain DuckDB script's", "run/duckdb", 1.0, scale="0.1"),
    Goal("Whole run, time by pandas'", "run/pandas", 0.2),
    Goal("Whole run, peak memory by pandas'", "run/pandas", 1 / 8, ("ours_by_this_peak",)),
    Goal("Whole run, CPU in seconds, servers included", f"growth/{OURS}", 33, ("cpu", "server_cpu")),
    Goal("Whole run, peak memory in MB", f"growth/{OURS}", 500, ("peak_mb",)),
    Goal("Whole run, peak memory in MB", f"growth/{OURS}", 600, ("peak_mb",), scale="3"),
    Goal("Extraction, time by psql's COPY to nowhere", "extraction/psql", 1.0),
    Goal("Extraction, time by DuckDB's", "extraction/duckdb", 1.0),
    Goal("Extraction from MariaDB, time by INTO OUTFILE's", "mariadb/outfile", 1.3, scale="0.2"),
    Goal("Extraction from MariaDB, time by a plain script's", "mariadb/pymysql", 1 / 3, scale="0.2"),
    Goal("Load, time by that of encoded BSON", "load/bson", 1.3),
)


def goals(results: Mapping[str, Groups]) -> str:
    """Each goal, its figure where it was measured, and whether it is reached."""
    lines = [
        "## Goals",
        "",
        "| goal | scale | at most | measured | by CPU, servers included | | at commit |",
        "| --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for goal in GOALS:
        head = f"| {goal.title} | {goal.scale} | {goal.limit:.3g} |"
        measured = results.get(goal.scale, {}).get(goal.contender.partition("/")[0], {})
        contender = goal.contender.replace("growth", "run")
        peer = measured.get("contenders", {}).get(contender, {})
        if "seconds" not in peer:
            lines.append(f"{head} | | not measured | |")
            continue
        found = sum(peer[entry] for entry in goal.figure)
        by_cpu = format(peer["ours_by_this_cpu"], ".2f") if goal.figure == ("ours_by_this",) else ""
        verdict = "reached" if found <= goal.limit else "**missed**"
        shown = f"{found:,.0f}" if found >= 100 else f"{found:.3g}"
        lines.append(f"{head} {shown} | {by_cpu} | {verdict} | {_when(measured)} |")
    lines += _growth_goals(results)
    return "\n".join(lines)


def _growth_goals(results: Mapping[str, Groups]) -> list[str]:
    if not {"0.1", "1"} <= results.keys():
        return []
    small, large = (results[scale]["growth"]["contenders"][f"run/{OURS}"] for scale in ("0.1", "1"))
    when = _when(results["1"]["growth"])
    memory, seconds = large["peak_mb"] / small["peak_mb"], large["median"] / small["median"]
    cpu = (large["cpu"] + large["server_cpu"]) / (small["cpu"] + small["server_cpu"])
    return [
        f"| {title}, 5 M orders by 0.5 M | 1 | {limit} | {found:.2f} | {by_cpu}"
        f" | {'reached' if found <= limit else '**missed**'} | {when} |"
        for title, limit, found, by_cpu in (
            ("Peak memory", 1.3, memory, ""),
            ("Time", 10, seconds, f"{cpu:.2f}"),
        )
    ]


def _when(measured: Measured) -> str:
    return f"`{measured['commit']}`, {measured['measured_at'][:10]}"


def growth(results: Mapping[str, Groups]) -> str:
    """The whole run at each scale, with its stages' seconds."""
    lines = [
        "## Growth",
        "",
        "![Time and peak memory of a whole run against the rows of the source](images/growth.svg)",
        "",
        "| scale | rows | whole run | rows a second | peak memory | of it not files |"
        " extract | clean | metrics | insights | prove | publish | at commit |",
        "| ---: " * 12 + "| --- |",
    ]
    for scale, groups in results.items():
        measured = groups["growth"]
        run = measured["contenders"][f"run/{OURS}"]
        rows, parts = sum(measured["rows"].values()), run["parts"]
        stages = " | ".join(
            f"{parts[name]:.1f} s" for name in ("extract", "clean", "metrics", "insights", "prove", "publish")
        )
        lines.append(
            f"| {scale} | {rows:,} | {run['median']:.1f} s | {rows / run['median']:,.0f}"
            f" | {run['peak_mb']:,.0f} MB | {run['peak_anonymous_mb']:,.0f} MB | {stages}"
            f" | {_when(measured)} |"
        )
    return "\n".join(lines)


def tables(groups: Groups) -> str:
    """One scale's tables; each says from which call it is."""
    rows = groups["growth"]["rows"]
    sections = [", ".join(f"{number:,} {table}" for table, number in rows.items()) + "."]
    for group, title in TITLES.items():
        if group in groups:
            measured = groups[group]
            inside = list(measured["contenders"].values())
            sections.append(f"### {title}\n\n{_told(measured)}\n\n{_table(inside)}")
    if "prove" in groups["growth"]["contenders"][f"run/{OURS}"].get("parts", {}):
        sections.append(f"### What ledger and proof cost\n\n{_proof_cost(groups['growth'])}")
    return "\n\n".join(sections)


def _told(measured: Measured) -> str:
    """When, where and of which version; every library's version is in benchmarks/results.json."""
    machine = measured["machine"]
    return (
        f"shopsight {measured['versions']['shopsight']}, {measured['rounds']} rounds, {_when(measured)}, on"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GiB,"
        f" {machine['system']}; the machine's load over the last quarter of an hour was"
        f" {measured['load_average']}."
    )


def _table(contenders: list[dict[str, Any]]) -> str:
    lines = [
        "| | median | min | max | ours by this | CPU, own + servers | ours by this"
        " | peak memory | ours by this |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    # Ours, then the strongest peer first.
    for contender in sorted(contenders, key=lambda one: (one["name"] != OURS, one.get("median", math.inf))):
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
