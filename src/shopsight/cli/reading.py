"""Commands that read what is published: show, runs, report, generations, metrics."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shopsight import embedded
from shopsight.cli.application import AsJson, Target, Workdir, app, settings_from
from shopsight.cli.output import err, out, print_json
from shopsight.errors import ConfigurationError
from shopsight.insights import INSIGHTS
from shopsight.monitoring import prometheus_text
from shopsight.publish import Target as OpenTarget
from shopsight.publish import connect, find_run, latest_run, list_generations, list_runs, plain
from shopsight.reader import open_generation
from shopsight.report import InsightTable, render_report, write_report
from shopsight.report.terminal import insight_table, runs_table
from shopsight.settings import Settings


@dataclass(frozen=True)
class Published:
    """The served generation: its insights in report order and the run that made it."""

    generation: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    insights: dict[str, InsightTable]
    record: dict[str, Any]

    def write_report(self, path: Path) -> None:
        """Write the HTML page."""
        write_report(render_report(self.record, self.insights), path)


@contextmanager
def opened_target(settings: Settings) -> Iterator[OpenTarget]:
    """The target of these settings; an embedded one is started for as long."""
    with (
        embedded.resolve(settings.target_url, "target", settings.workdir) as url,
        connect(url, settings.target_database, settings.connect_timeout) as target,
    ):
        yield target


def read_published(settings: Settings) -> Published:
    """The served generation, all of it of one and the same run.

    Raises:
        ConfigurationError: nothing is published yet.
    """
    with opened_target(settings) as target:
        return read_served(target)


def read_served(target: OpenTarget) -> Published:
    """See :func:`read_published`."""
    generation = open_generation(target.db)
    documents = {document["_id"]: plain(document) for document in generation.insights.find()}
    ranks = {name: rank for rank, name in enumerate(INSIGHTS)}
    in_order = sorted(documents, key=lambda name: ranks.get(name, len(ranks)))
    tables = {name: InsightTable.from_document(documents[name]) for name in in_order}
    return Published(
        generation=generation.number,
        run_id=generation.run_id,
        as_of=generation.as_of,
        valid_until=generation.valid_until,
        insights=tables,
        record=find_run(target, generation.run_id) or {},
    )


def print_insights(published: Published, names: list[str]) -> None:
    """The named insights as tables."""
    for name in names:
        out.print(insight_table(published.insights[name]))


@app.command(epilog="Examples:\n\n    shopsight show\n\n    shopsight show top_customers --json")
def show(
    insight: Annotated[
        str | None, typer.Argument(help="An insight's id; all of them by default.", show_default=False)
    ] = None,
    target: Target = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Show the published insights."""
    published = read_published(settings_from(target=target, workdir=workdir))
    names = [insight] if insight else list(published.insights)
    unknown = set(names) - set(published.insights)
    if unknown:
        raise ConfigurationError(
            f"There is no insight {insight!r}.", remedy=f"Name one of {', '.join(published.insights)}."
        )
    if as_json:
        tables = {name: published.insights[name] for name in names}
        print_json(
            {
                "generation": published.generation,
                "run_id": published.run_id,
                "as_of": published.as_of,
                "insights": {name: {"columns": t.columns, "rows": t.rows} for name, t in tables.items()},
            }
        )
        return
    print_insights(published, names)
    out.print(f"Generation {published.generation}, as of {published.as_of:%Y-%m-%d %H:%M} UTC.", style="dim")


@app.command(epilog="Example:\n\n    shopsight runs --last 20")
def runs(
    target: Target = None,
    workdir: Workdir = None,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """List the latest runs: when, how long, how many rows, how they ended."""
    with opened_target(settings_from(target=target, workdir=workdir)) as opened:
        records = list_runs(opened, limit=last)
    if as_json:
        print_json(records)
    else:
        out.print(runs_table(records))


@app.command(epilog="Example:\n\n    shopsight report -o shop.html --open")
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("report.html"),
    target: Target = None,
    workdir: Workdir = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the served generation as one HTML page that needs no network."""
    read_published(settings_from(target=target, workdir=workdir)).write_report(output)
    err.print(f"Wrote {output}")
    if open_it:
        webbrowser.open(output.resolve().as_uri())


@app.command(epilog="Example:\n\n    shopsight generations")
def generations(target: Target = None, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """List the generations that are kept, the served one marked."""
    with opened_target(settings_from(target=target, workdir=workdir)) as opened:
        kept = list_generations(opened)
    if as_json:
        print_json([generation.as_document() for generation in kept])
        return
    for generation in kept:
        mark = "served" if generation.is_served else ""
        out.print(
            f"{generation.number:>6}  {generation.as_of:%Y-%m-%d %H:%M:%S}  {generation.run_id}"
            f"  {generation.customers:>11,} customers  [green]{mark}[/]",
            soft_wrap=True,
        )


@app.command(epilog="Example:\n\n    shopsight metrics > /var/lib/node_exporter/shopsight.prom")
def metrics(target: Target = None, workdir: Workdir = None) -> None:
    """Print the last run's figures in Prometheus' text format."""
    with opened_target(settings_from(target=target, workdir=workdir)) as opened:
        record = latest_run(opened)
        served = opened.db["published"].find_one({"_id": "current"})
    typer.echo(prometheus_text(record or {}, served, datetime.now(UTC)), nl=False)
