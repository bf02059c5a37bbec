"""Commands that explain and check what is published: plan, verify, explain."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shopsight.cli.application import (
    AsJson,
    PlainFlags,
    Source,
    SourceSchema,
    Target,
    Workdir,
    app,
    require_databases,
    settings_from,
)
from shopsight.cli.output import out, print_json, stage_progress
from shopsight.cli.reading import complete_insight
from shopsight.errors import ExitCode

if TYPE_CHECKING:
    from shopsight.inspect.explain.trace import Trace
    from shopsight.settings import Settings


@app.command(epilog="Examples:\n\n    shopsight plan\n\n    shopsight plan --json | jq .documents")
def plan(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit with 4 if publishing would change something, with 3 if it is withheld."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Do everything but publish, and say what publishing would change."""
    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    require_databases(settings)
    from shopsight.cli.comparison_views import print_plan
    from shopsight.inspect.plan import make_plan

    with stage_progress(quiet=as_json) as progress:
        made = make_plan(settings, on_progress=progress)
    if as_json:
        print_json(made.as_document())
    else:
        print_plan(made)
    if exit_code and (made.shrink or made.changes_something):
        raise typer.Exit(ExitCode.REFUSED if made.shrink else ExitCode.CHANGES)


@app.command(epilog="Example:\n\n    shopsight verify || page-someone")
def verify(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Check in MongoDB and the source whether the served data are what was proven. Exits with 3 if not.

    A source that has moved on since the snapshot is reported and is no failure.
    """
    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    require_databases(settings)
    from shopsight.cli.comparison_views import print_verification
    from shopsight.inspect.verify import verify as verify_served

    found = verify_served(settings)
    if as_json:
        print_json(found.as_document())
    else:
        print_verification(found)
    if not found.is_intact:
        raise typer.Exit(ExitCode.REFUSED)


explain = typer.Typer(cls=PlainFlags, no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(
    explain,
    name="explain",
    help="Show which rows are behind a figure, and which were left out.",
    epilog="Examples:\n\n    shopsight explain customer 42\n\n    shopsight explain insight monthly_sales",
)

ROWS_ON_SCREEN = 20

RunId = Annotated[
    str | None, typer.Option("--run", help="The run [default: the newest published].", show_default=False)
]
Rows = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Rows shown of each listing, 0 for all [default: 20, with --json all].",
        show_default=False,
    ),
]


@explain.command(epilog="Example:\n\n    shopsight explain customer 42")
def customer(
    customer_id: Annotated[int, typer.Argument(help="The customer's id; put `--` before a negative one.")],
    workdir: Workdir = None,
    run: RunId = None,
    rows: Rows = None,
    as_json: AsJson = False,
) -> None:
    """Show one customer: orders, lines, reviews, what was repaired, merged and rejected, and the sums."""
    from shopsight.inspect.explain import TracedRun, explain_customer

    settings = settings_from(workdir=workdir)
    trace = explain_customer(TracedRun.open(settings.workdir, run), customer_id)
    _show(trace, settings, rows, as_json=as_json)


@explain.command(
    epilog="Examples:\n\n    shopsight explain insight monthly_sales\n\n"
    "    shopsight explain insight monthly_sales --key 2026-11"
)
def insight(
    name: Annotated[str, typer.Argument(help="The insight's id.", autocompletion=complete_insight)],
    key: Annotated[
        str | None,
        typer.Option(
            help="One row of it: a product's id, a month, a country …; several values separated by commas.",
            show_default=False,
        ),
    ] = None,
    workdir: Workdir = None,
    run: RunId = None,
    rows: Rows = None,
    as_json: AsJson = False,
) -> None:
    """Show the rows behind an insight or one row of it, and those left out by status and by rule."""
    from shopsight.inspect.explain import TracedRun, explain_insight
    from shopsight.pipeline.own_insights import insights_in

    settings = settings_from(workdir=workdir)
    traced = TracedRun.open(settings.workdir, run)
    trace = explain_insight(traced, name, key, insights_in(settings, traced.record))
    _show(trace, settings, rows, as_json=as_json)


def _show(trace: Trace, settings: Settings, rows: int | None, *, as_json: bool) -> None:
    """Print a trace, names and addresses protected; exit with 3 if the rows do not add up to a figure."""
    from shopsight.cli.explain_views import trace_view
    from shopsight.publish.privacy import Privacy

    trace = trace.protected(Privacy.of(settings))
    if as_json:
        print_json(trace.as_document(rows or None))
    else:
        for part in trace_view(trace, (ROWS_ON_SCREEN if rows is None else rows) or None):
            out.print(part)
    if not trace.holds:
        raise typer.Exit(ExitCode.REFUSED)
