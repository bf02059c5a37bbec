"""Commands that read what is published: show, runs, report, generations, metrics."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shopsight.cli.application import AsJson, Target, Workdir, app, settings_from
from shopsight.cli.output import err, out, paged, print_json, say
from shopsight.errors import ConfigurationError, ShopsightError


def complete_insight(incomplete: str) -> list[str]:
    """The insights' ids with this beginning, for the shell's completion; the built-in ones if others fail."""
    from shopsight.marts.insights import INSIGHTS
    from shopsight.pipeline.own_insights import insights_of, own_insights
    from shopsight.settings import load_settings

    try:
        known = insights_of(own_insights(load_settings()))
    except ShopsightError:
        known = INSIGHTS
    return [name for name in known if name.startswith(incomplete)]


@app.command(epilog="Examples:\n\n    shopsight show\n\n    shopsight show top_customers --json")
def show(
    insight: Annotated[
        str | None,
        typer.Argument(
            help="An insight's id; all of them by default.",
            show_default=False,
            autocompletion=complete_insight,
        ),
    ] = None,
    target: Target = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Show the published insights."""
    from shopsight.cli.tables import insight_table
    from shopsight.inspect.published import read_published
    from shopsight.report.formatting import format_moment

    published = read_published(settings_from(target=target, workdir=workdir))
    if insight and insight not in published.insights:
        raise ConfigurationError.unknown("insight", insight, published.insights)
    tables = {insight: published.insights[insight]} if insight else published.insights
    if as_json:
        print_json(
            {
                "generation": published.generation,
                "run_id": published.run_id,
                "as_of": published.as_of,
                "insights": {name: {"columns": t.columns, "rows": t.rows} for name, t in tables.items()},
            }
        )
        return
    with paged():
        for table in tables.values():
            out.print(insight_table(table))
        say((f"Generation {published.generation}, as of {format_moment(published.as_of)}.", "dim"))


@app.command(epilog="Example:\n\n    shopsight runs --last 20")
def runs(
    target: Target = None,
    workdir: Workdir = None,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """List the latest runs: start, duration, orders and outcome."""
    from shopsight.pipeline.databases import open_target
    from shopsight.publish import list_runs, pin_note

    with open_target(settings_from(target=target, workdir=workdir)) as opened:
        records, pin = list_runs(opened, limit=last), pin_note(opened)
    if as_json:
        print_json(records)
        return
    from shopsight.cli.tables import terminal_table
    from shopsight.report.run_tables import runs as runs_table

    out.print(terminal_table(runs_table(records)))
    if pin:
        say(pin)


@app.command(epilog="Example:\n\n    shopsight report -o shop.html --open")
def report(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The file to write [default: report_path, or report.html].",
            show_default=False,
        ),
    ] = None,
    target: Target = None,
    workdir: Workdir = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the served generation as one HTML page that needs no network."""
    from shopsight.inspect.published import read_published

    settings = settings_from(target=target, workdir=workdir)
    output = output or settings.report_path or Path("report.html")
    published = read_published(settings)
    published.write_report(output)
    if as_json:
        print_json({"path": str(output), "generation": published.generation})
    else:
        say(f"Wrote {output}", console=err)
    if open_it:
        webbrowser.open(output.resolve().as_uri())


@app.command(epilog="Example:\n\n    shopsight generations")
def generations(target: Target = None, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """List the generations that are kept, and mark the served one and the one that waits behind a pin."""
    from shopsight.pipeline.databases import open_target
    from shopsight.publish import list_generations

    with open_target(settings_from(target=target, workdir=workdir)) as opened:
        kept = list_generations(opened)
    if as_json:
        print_json([generation.as_document() for generation in kept])
        return
    for generation in kept:
        figures = f"{generation.run_id}  {generation.customers:>11,} customers"
        states = {
            "served": generation.is_served,
            "pinned": generation.is_pinned,
            "waits": generation.is_waiting,
        }
        mark = ("  " + ", ".join(name for name, holds in states.items() if holds), "green")
        say(f"{generation.number:>6}  {generation.as_of:%Y-%m-%d %H:%M:%S}  {figures}", mark)


@app.command(epilog="Example:\n\n    shopsight metrics > /var/lib/node_exporter/shopsight.prom")
def metrics(target: Target = None, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Print the last run's figures in Prometheus' text format."""
    from shopsight.orchestration.prometheus import prometheus_text
    from shopsight.pipeline.databases import open_target
    from shopsight.publish import latest_run

    with open_target(settings_from(target=target, workdir=workdir)) as opened:
        record = latest_run(opened)
        served = opened.db["published"].find_one({"_id": "current"})
    text = prometheus_text(record or {}, served, datetime.now(UTC))
    if as_json:
        samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        print_json({name: float(value) for name, _, value in samples if name})
    else:
        typer.echo(text, nl=False)
