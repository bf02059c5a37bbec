"""Commands that do something: run, serve."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shopsight.cli.application import (
    AsJson,
    Engine,
    Source,
    SourceSchema,
    SparkUrl,
    Target,
    Workdir,
    app,
    is_by_hand,
    require_databases,
    settings_from,
    state,
)
from shopsight.cli.output import out, print_json, say, stage_progress
from shopsight.errors import ConfigurationError, ShopsightError

if TYPE_CHECKING:
    from shopsight.record import RunRecord
    from shopsight.settings import Settings

RUN_EXAMPLES = """
Examples:

    shopsight run

    shopsight run --source postgresql://reader@db/shop --target mongodb://publisher@mongo/

    shopsight run --engine spark --spark-url sc://spark.example:15002

    shopsight run --resume

    shopsight run --json | jq .ledger
"""


@app.command(epilog=RUN_EXAMPLES)
def run(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    engine: Engine = None,
    spark_url: SparkUrl = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the newest run, or the one that --run-id names.")
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option(help="The run to resume; without --resume, the new run's id.", show_default=False),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How often to retry an error that may pass [default: 0 on a terminal, else the setting].",
            show_default=False,
        ),
    ] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish this once even if the shrink guard objects.")
    ] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Publish even if a younger snapshot is served.")
    ] = False,
    unpin: Annotated[
        bool, typer.Option("--unpin", help="Serve the new generation even if another one is pinned.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline once: extract, clean, metrics, insights, prove, publish."""
    settings = settings_from(
        source=source,
        target=target,
        source_schema=source_schema,
        workdir=workdir,
        engine=engine,
        spark_url=spark_url,
        retries=0 if retries is None and is_by_hand() else retries,
    )
    require_databases(settings, with_source=not resume, is_patient=settings.retries > 0)
    from shopsight.inspect.published import renew_report
    from shopsight.pipeline import run as pipeline

    try:
        with stage_progress(quiet=as_json) as progress:
            record = pipeline.run(
                settings,
                run_id=run_id,
                resume=resume,
                allow_shrink=allow_shrink,
                allow_older=allow_older,
                unpin=unpin,
                on_progress=progress,
            )
    except ShopsightError as error:
        if as_json:
            _print_failed(settings, error)
        raise
    renew_report(settings)
    if as_json:
        print_json(record.as_document())
    else:
        print_run(record)


def _print_failed(settings: Settings, error: ShopsightError) -> None:
    """Print a failed run's document, if it is kept."""
    from shopsight.pipeline.workspace import Workspace

    kept = Workspace(settings.workdir, error.run_id).read_record() if error.run_id else {}
    if kept:
        # A full disk keeps the record from saying why the run failed.
        print_json({**kept, "error": error.as_document()})


def print_run(record: RunRecord) -> None:
    """Print a finished run: stages, ledger, rules, proof, and the served generation."""
    from shopsight.cli.tables import run_views
    from shopsight.report.formatting import format_moment

    for view in run_views(record.as_document()):
        out.print(view)
    for watched in record.watched:
        say(("✗ ", "yellow") if watched.alarm else ("✓ ", "green"), watched.sentence)
    for own in record.own_insights:
        say((f"{own.id}: ", "bold"), own.proved)
    if record.pinned is not None:
        say(
            f"Generation {record.generation} is proven and kept, and not served, because generation"
            f" {record.pinned} is pinned. `shopsight unpin` serves the newest."
        )
    elif record.snapshot is not None:
        say(f"Generation {record.generation} is served, as of {format_moment(record.snapshot.as_of)}.")


@app.command(hidden=True)
def stage(
    name: Annotated[str, typer.Argument(help="extract, clean, metrics, insights, prove or publish.")],
    run_id: Annotated[str, typer.Option(help="The run, which may be new.")],
    allow_shrink: Annotated[bool, typer.Option("--allow-shrink")] = False,
) -> None:
    """Do one stage of a run, for an orchestrator; prints its report, or its error, as JSON."""
    import signal

    from shopsight.pipeline.run import STAGES, run_single_stage

    state.as_json = True
    if name == "publish":
        # A publication ends by itself; an orchestrator that cannot wait for that kills it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    try:
        if name not in STAGES:
            raise ConfigurationError.unknown("stage", name, STAGES)
        report = run_single_stage(settings_from(), run_id, name, allow_shrink=allow_shrink)
    except ShopsightError as error:
        print_json({"error": error.as_document()})
        raise typer.Exit(error.exit_code) from None
    print_json(vars(report))


@app.command(epilog="Example:\n\n    shopsight serve --every 3h")
def serve(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    every: Annotated[
        str | None, typer.Option(help="The interval, as in 3h or 30m [default: 3h].", show_default=False)
    ] = None,
    cron: Annotated[
        str | None, typer.Option(help='A cron line instead, as in "0 */3 * * *".', show_default=False)
    ] = None,
) -> None:
    """Run the pipeline on a schedule, every three hours, until it is stopped (Prefect)."""
    settings = settings_from(
        source=source, target=target, source_schema=source_schema, workdir=workdir, every=every, cron=cron
    )
    try:
        from shopsight.orchestration.serve import serve as serve_flow
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"This needs {error.name}, which is not installed.", remedy="pip install 'shopsight[prefect]'"
        ) from error
    serve_flow(settings)
