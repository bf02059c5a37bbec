"""Commands that do something: run, demo, serve, seed."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from shopsight.cli.application import (
    AsJson,
    Source,
    SourceSchema,
    Target,
    Workdir,
    app,
    settings_from,
    state,
)
from shopsight.cli.output import err, out, print_json, stage_progress
from shopsight.errors import ConfigurationError, ShopsightError

if TYPE_CHECKING:
    from shopsight.record import RunRecord
    from shopsight.settings import Settings
    from shopsight_demo.seed import ShopSize

RUN_EXAMPLES = """
Examples:

    shopsight run

    shopsight run --source postgresql://reader@db/shop --target mongodb://publisher@mongo/

    shopsight run --resume

    shopsight run --json | jq .ledger
"""


@app.command(epilog=RUN_EXAMPLES)
def run(
    source: Source = None,
    target: Target = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest run, or with the one --run-id names.")
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option(help="The run to resume; without --resume, the new run's id.", show_default=False),
    ] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Let the shrink guard pass this once.")
    ] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Publish even if a younger snapshot is served.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline once: extract, clean, metrics, insights, prove, publish."""
    settings = settings_from(source=source, target=target, source_schema=source_schema, workdir=workdir)
    record = _run(
        settings,
        resume=resume,
        run_id=run_id,
        allow_shrink=allow_shrink,
        allow_older=allow_older,
        as_json=as_json,
    )
    if as_json:
        print_json(record.as_document())
    else:
        print_run(record)


def _run(
    settings: Settings,
    *,
    resume: bool = False,
    run_id: str | None = None,
    allow_shrink: bool = False,
    allow_older: bool = False,
    as_json: bool = False,
) -> RunRecord:
    """The run with its progress on the screen; with ``--json`` a failed run's document is printed too."""
    from shopsight.pipeline import run as pipeline
    from shopsight.pipeline.workspace import Workspace

    try:
        with stage_progress(quiet=as_json) as progress:
            return pipeline.run(
                settings,
                run_id=run_id,
                resume=resume,
                allow_shrink=allow_shrink,
                allow_older=allow_older,
                on_progress=progress,
            )
    except ShopsightError as error:
        if as_json:
            kept = Workspace(settings.workdir, error.run_id).read_record() if error.run_id else {}
            if kept:
                print_json(kept)
        raise


def print_run(record: RunRecord) -> None:
    """What a run did: stages, ledger, rules, proof, and what is served now."""
    from shopsight.report.terminal import ledger_table, proof_table, rules_table, stages_table

    document = record.as_document()
    out.print(stages_table(document))
    out.print(ledger_table(document))
    out.print(rules_table(document))
    out.print(proof_table(document))
    if record.snapshot is not None:
        out.print(
            f"Generation {record.generation} is served, as of {record.snapshot.as_of:%Y-%m-%d %H:%M:%S} UTC."
        )


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
            raise ConfigurationError(f"{name!r} is no stage.", remedy=f"The stages are {', '.join(STAGES)}.")
        report = run_single_stage(settings_from(), run_id, name, allow_shrink=allow_shrink)
    except ShopsightError as error:
        print_json({"error": error.as_document()})
        raise typer.Exit(error.exit_code) from None
    print_json(vars(report))


@app.command(epilog="Example:\n\n    shopsight demo --orders 100000")
def demo(
    workdir: Workdir = None,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the sample shop.")] = 2_000,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the sample shop.")] = 20_000,
    dirt: Annotated[float, typer.Option(min=0, max=1, help="The share of dirty rows.")] = 0.03,
) -> None:
    """Show the whole thing: a dirty sample shop on real, embedded databases, through the pipeline.

    The shop is made once; a second demo runs again over the same data and ends in the same content.
    """
    from shopsight.cli.published import print_insights, read_published
    from shopsight.pipeline.databases import source_address, target_address
    from shopsight.settings import EMBEDDED
    from shopsight_demo.seed import ShopSize

    settings = settings_from(source=EMBEDDED, target=EMBEDDED, workdir=workdir)
    with (
        source_address(settings) as source,
        target_address(settings),
    ):
        _seed_once(source, ShopSize(customers=customers, orders=orders), dirt)
        record = _run(settings)
        print_run(record)
        published = read_published(settings)
        print_insights(published, ["top_customers", "top_products", "category_ratings", "monthly_sales"])
        path = settings.workdir / "report.html"
        published.write_report(path)
    for line in _what_next(settings, path):
        out.print(line, soft_wrap=True)


def _seed_once(source: str, size: ShopSize, dirt: float) -> None:
    """Fill the embedded PostgreSQL, unless an earlier demo did."""
    from shopsight_demo.seed import TablesExist
    from shopsight_demo.seed import seed as seed_source

    try:
        with stage_progress(quiet=False) as progress:
            seed_source(source, size, dirt=dirt, seed=42, constraints=False, on_progress=progress)
    except TablesExist:
        err.print("The sample shop is there already; this demo runs again over the same data.")


def _what_next(settings: Settings, report: Path) -> list[str]:
    from shopsight_demo import servers

    command = escape(shlex.quote(sys.argv[0]))
    return [
        "",
        f"[bold]The report[/] lies in {escape(str(report))}",
        "",
        "[bold]The databases[/] are stopped again. To look into them:",
        f"  {command} up       # starts both and leaves them running",
        *(f"  {escape(line)}" for line in servers.connection_help(settings.workdir)),
        f"  {command} down     # stops them",
        "",
        "[bold]More[/]",
        f"  {command} show top_customers",
        f"  {command} explain customer 42",
        f"  {command} verify",
    ]


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
    """Run the pipeline by itself, every three hours, until it is stopped (Prefect)."""
    settings = settings_from(
        source=source,
        target=target,
        source_schema=source_schema,
        workdir=workdir,
        every=every,
        cron=cron,
    )
    try:
        from shopsight.orchestration.serve import serve as serve_flow
    except ModuleNotFoundError as error:
        raise missing_extra("prefect", error) from error
    serve_flow(settings)


def missing_extra(extra: str, error: ModuleNotFoundError) -> ShopsightError:
    """The error for a part of shopsight whose extra is not installed."""
    return ConfigurationError(
        f"This needs {error.name}, which is not installed.", remedy=f"pip install 'shopsight[{extra}]'"
    )


@app.command(
    epilog="Examples:\n\n    shopsight seed --customers 100000 --orders 1000000\n\n"
    "    shopsight seed --source sqlite:///shop.db --dirt 0.05 --seed 7"
)
def seed(
    source: Source = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    customers: Annotated[int, typer.Option(min=1, help="How many customers.")] = 10_000,
    orders: Annotated[int, typer.Option(min=1, help="How many orders (about three items each).")] = 100_000,
    dirt: Annotated[float, typer.Option(min=0, max=1, help="The share of dirty rows.")] = 0.02,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop.")] = 42,
    constraints: Annotated[
        bool, typer.Option(help="Create keys, references and checks, and only dirt that they let in.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop the six tables first if they are there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill a database with a sample shop: deterministic, as large and as dirty as you like."""
    from shopsight.pipeline.databases import source_address
    from shopsight_demo.seed import ShopSize
    from shopsight_demo.seed import seed as seed_source

    settings = settings_from(source=source, source_schema=source_schema, workdir=workdir)
    with (
        source_address(settings) as url,
        stage_progress(quiet=as_json) as progress,
    ):
        made = seed_source(
            url,
            ShopSize(customers=customers, orders=orders),
            dirt=dirt,
            seed=seed,
            constraints=constraints,
            schema=settings.source_schema,
            replace=replace,
            on_progress=progress,
        )
    if as_json:
        print_json({"rows": made.rows, "dirt": made.dirt, "seconds": round(made.seconds, 3)})
    else:
        for table, count in made.rows.items():
            out.print(f"{table:<12}{count:>13,} rows, {sum(made.dirt[table].values()):>11,} made dirty")
