"""Commands that account for what is published: plan, verify, explain."""

from __future__ import annotations

import typer

from shopsight.cli.application import AsJson, Source, SourceSchema, Target, Workdir, app, settings_from
from shopsight.cli.comparison_views import plan_view, verification_view
from shopsight.cli.output import out, print_json, stage_progress
from shopsight.errors import ExitCode
from shopsight.plan import make_plan
from shopsight.verify import verify as verify_served


@app.command(epilog="Examples:\n\n    shopsight plan\n\n    shopsight plan --json | jq .documents")
def plan(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Do everything but publish, and say what publishing would change."""
    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    with stage_progress(quiet=as_json) as progress:
        made = make_plan(settings, on_progress=progress)
    if as_json:
        print_json(made.as_document())
        return
    for part in plan_view(made):
        out.print(part)


@app.command(epilog="Example:\n\n    shopsight verify || page-someone")
def verify(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Ask source and MongoDB again whether what is served is what was proven. Exits with 3 if not.

    A source that has moved on since the snapshot is told of and is no failure.
    """
    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    found = verify_served(settings)
    if as_json:
        print_json(found.as_document())
    else:
        for part in verification_view(found):
            out.print(part)
    if not found.is_intact:
        raise typer.Exit(ExitCode.REFUSED)
