"""Commands about the databases themselves: doctor, rollback."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from shopsight.cli.application import AsJson, Source, SourceSchema, Target, Workdir, app, settings_from
from shopsight.cli.output import out, print_json
from shopsight.errors import ExitCode


@app.command(epilog="Examples:\n\n    shopsight doctor\n\n    shopsight doctor --fresh || page-someone")
def doctor(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Only look whether what is served is young enough.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find out whether a run could succeed from here, and what to do if not. Exits with 1 if not."""
    from shopsight.inspect.doctor import examine, examine_freshness

    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    findings = [examine_freshness(settings)] if fresh else examine(settings)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/]" if finding.is_ok else "[red]✗[/]"
            out.print(f"{mark} {finding.area:<10}{finding.name}: {escape(finding.message)}", soft_wrap=True)
            if finding.remedy and not finding.is_ok:
                out.print(f"  [bold]Remedy:[/] {escape(finding.remedy)}", soft_wrap=True)
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog="Example:\n\n    shopsight rollback --to 41")
def rollback(
    target: Target = None,
    workdir: Workdir = None,
    to: Annotated[
        int | None,
        typer.Option(help="The generation [default: the one before the served].", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an earlier generation again: one flip, nothing is written anew."""
    from shopsight.pipeline.run import roll_back

    settings = settings_from(target=target, workdir=workdir)
    record = roll_back(settings, to)
    if as_json:
        print_json(record.as_document())
    else:
        out.print(f"Generation {record.generation} is served again.")
