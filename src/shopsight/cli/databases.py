"""Commands about the settings and the databases: config, doctor, rollback, unpin, forget."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from typing import Annotated

import typer

from shopsight.cli.application import AsJson, Source, SourceSchema, Target, Workdir, app, settings_from
from shopsight.cli.output import out, print_json, say
from shopsight.errors import ConfigurationError, ExitCode


@app.command(epilog="Examples:\n\n    shopsight config\n\n    shopsight config --json | jq .source_url")
def config(workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Show every setting and where its value comes from. Credentials are hidden."""
    from shopsight.cli.tables import terminal_table
    from shopsight.report import ReportTable
    from shopsight.report.report_table import column
    from shopsight.settings import load_settings, setting_origins

    settings = load_settings(workdir=workdir)
    origins = setting_origins(settings)
    if workdir is not None:
        origins["workdir"] = "--workdir"
    shown = {name: {"value": settings.shown(name), "origin": origin} for name, origin in origins.items()}
    if as_json:
        print_json(shown)
        return
    columns = [
        column("name", "id", "Setting"),
        column("value", "text", "Value"),
        column("origin", "id", "From"),
    ]
    rows = [{"name": name, **setting} for name, setting in shown.items()]
    out.print(terminal_table(ReportTable("config", "", "", columns, rows)))


@app.command(epilog="Examples:\n\n    shopsight doctor\n\n    shopsight doctor --fresh || page-someone")
def doctor(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Only check whether what is served is fresh enough.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check whether a run could succeed from here, and say what to do if not. Exits with 1 if not."""
    from shopsight.inspect.doctor import examine, examine_freshness

    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    findings = [examine_freshness(settings)] if fresh else examine(settings)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark = ("✓", "green") if finding.is_ok else ("✗", "red")
            say(mark, f" {finding.area:<10}{finding.name}: {finding.message}")
            if finding.remedy and not finding.is_ok:
                say(("  Remedy: ", "bold"), finding.remedy)
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
    """Serve an earlier generation again and pin it: one flip; no data are rewritten.

    Later runs write, prove and keep their generations. `shopsight unpin` serves the newest of those.
    """
    from shopsight.pipeline.run import roll_back

    record = roll_back(settings_from(target=target, workdir=workdir), to)
    if as_json:
        print_json(record.as_document())
    else:
        say(f"Generation {record.generation} is served again, and pinned until `shopsight unpin`.")


@app.command(epilog="Example:\n\n    shopsight unpin")
def unpin(target: Target = None, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """End a rollback: serve the newest generation that waits, and later ones as they come."""
    from shopsight.pipeline.run import unpin as unpin_served

    record = unpin_served(settings_from(target=target, workdir=workdir))
    if as_json:
        print_json(record.as_document())
    else:
        say(f"Generation {record.generation} is served, and nothing is pinned.")


@app.command(
    epilog="Examples:\n\n    shopsight forget 42\n\n    shopsight forget --email ann@example.com --json"
)
def forget(
    customer_id: Annotated[
        int | None,
        typer.Argument(help="The customer's id; put `--` before a negative one.", show_default=False),
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="The customer's address, in place of the id.", show_default=False)
    ] = None,
    target: Target = None,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Remove one person from all kept generations, and all run directories. Totals stay.

    Remove the person from the source first: the next run reads what is there.
    """
    from shopsight.pipeline.run import forget as forget_person

    if (customer_id is None) == (email is None):
        raise ConfigurationError("Whom to forget?", remedy="Give a customer's id, or --email.")
    record, runs = forget_person(settings_from(target=target, workdir=workdir), customer_id, email)
    if as_json:
        print_json({**record.as_document(), "removed_runs": runs})
        return
    for entry in record.forgotten:
        say(f"Generation {entry.generation}, {entry.view}: {entry.documents} documents blanked.")
    if not record.forgotten:
        say("No kept generation names this person. Where addresses are not published, give the id.")
    say(f"Run directories: {len(runs)} removed. `explain` works again after the next run.")
    say("The next run reads the source again: remove the person there as well.")


@app.command(epilog="Example:\n\n    shopsight init --source postgresql://reader@db.example/shop")
def init(
    source: Source = None,
    source_schema: SourceSchema = None,
    preset: Annotated[
        str | None, typer.Option(help="The shop software [default: recognised].", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at the shop's database and write a first shopsight.toml for it."""
    from pathlib import Path

    from shopsight.inspect.proposal import propose

    path = Path("shopsight.toml")
    if path.exists():
        raise ConfigurationError(
            "There is a shopsight.toml here already, and it is left alone.",
            remedy="Move it away, or start in another folder.",
        )
    proposal = propose(settings_from(source=source, source_schema=source_schema), preset)
    with path.open("x", encoding="utf-8") as file:
        file.write(proposal.text)
    if as_json:
        print_json({"path": str(path), "finding": proposal.finding})
        return
    say(proposal.finding)
    say(f"Written to {path}. Read it, then see with `shopsight doctor` whether it fits.")
