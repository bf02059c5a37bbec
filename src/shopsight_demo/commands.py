"""The commands demo, seed, up and down; the command line loads them as an entry point."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from shopsight.cli.application import AsJson, Source, SourceSchema, Workdir, app, settings_from
from shopsight.cli.output import err, out, print_json, stage_progress

if TYPE_CHECKING:
    from shopsight.settings import Settings
    from shopsight_demo.seed import ShopSize


class DemoSource(StrEnum):
    """The kinds of databases that the demo's shop can be in."""

    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"


@app.command(epilog="Example:\n\n    shopsight demo --orders 100000\n\n    shopsight demo --source mariadb")
def demo(
    workdir: Workdir = None,
    source: Annotated[
        DemoSource, typer.Option(help="The shop's database; MariaDB has to be installed.")
    ] = DemoSource.POSTGRESQL,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the sample shop.")] = 2_000,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the sample shop.")] = 20_000,
    dirt: Annotated[float, typer.Option(min=0, max=1, help="The share of dirty rows.")] = 0.03,
) -> None:
    """Show the whole pipeline on a dirty sample shop in real databases, which it starts and stops.

    The shop is made once. A second demo runs over the same data and publishes the same content.
    """
    from shopsight.cli.published import print_insights, read_published
    from shopsight.cli.running import print_run
    from shopsight.marts.insights import INSIGHTS
    from shopsight.pipeline.databases import target_address
    from shopsight.pipeline.run import run
    from shopsight.settings import EMBEDDED
    from shopsight_demo import servers
    from shopsight_demo.seed import ShopSize

    settings = settings_from(source=EMBEDDED, target=EMBEDDED, workdir=workdir)
    one = servers.server("source", settings.workdir)
    if source is DemoSource.MARIADB:
        one = servers.MariaDBServer(settings.workdir / "mariadb")
    with one, target_address(settings):
        if source is DemoSource.MARIADB:
            settings = settings_from(source=one.url, target=EMBEDDED, workdir=workdir)
        _seed_once(one.url, ShopSize(customers=customers, orders=orders), dirt)
        with stage_progress(quiet=False) as progress:
            record = run(settings, on_progress=progress)
        print_run(record)
        published = read_published(settings)
        print_insights(published, list(INSIGHTS)[:4])
        path = settings.workdir / "report.html"
        published.write_report(path)
    for line in _what_next(settings, path):
        out.print(line, soft_wrap=True)


def _seed_once(source: str, size: ShopSize, dirt: float) -> None:
    """Fill the demo's source, unless an earlier demo did."""
    from shopsight_demo.seed import TablesExist
    from shopsight_demo.seed import seed as seed_source

    try:
        with stage_progress(quiet=False) as progress:
            seed_source(source, size, dirt=dirt, seed=42, on_progress=progress)
    except TablesExist:
        err.print("The sample shop exists already. This demo runs again over the same data.")


def _what_next(settings: Settings, report: Path) -> list[str]:
    from shopsight_demo import servers

    command = escape(shlex.quote(sys.argv[0]))
    return [
        "",
        f"[bold]The report[/] is {escape(str(report))}",
        "",
        "[bold]The databases[/] are stopped. To look into them:",
        f"  {command} up       # starts them and leaves them running",
        *(f"  {escape(line)}" for line in servers.connection_help(settings.workdir)),
        f"  {command} down     # stops them",
        "",
        "[bold]More[/]",
        f"  {command} show top_customers",
        f"  {command} explain customer 42",
        f"  {command} verify",
    ]


@app.command(
    epilog="Examples:\n\n    shopsight seed --customers 100000 --orders 1000000\n\n"
    "    shopsight seed --source sqlite:///shop.db --dirt 0.05 --seed 7"
)
def seed(
    source: Source = None,
    source_schema: SourceSchema = None,
    workdir: Workdir = None,
    customers: Annotated[int, typer.Option(min=1, help="Number of customers.")] = 10_000,
    orders: Annotated[
        int, typer.Option(min=1, help="Number of orders, of about three items each.")
    ] = 100_000,
    dirt: Annotated[float, typer.Option(min=0, max=1, help="The share of dirty rows.")] = 0.02,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop.")] = 42,
    constraints: Annotated[
        bool, typer.Option(help="Create keys, references and checks, and only dirt that they allow.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop the six tables first if they exist.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill a database with a sample shop: deterministic, of any size and any share of dirt."""
    from shopsight.pipeline.databases import source_address
    from shopsight_demo.seed import ShopSize
    from shopsight_demo.seed import seed as seed_source

    settings = settings_from(source=source, source_schema=source_schema, workdir=workdir)
    with source_address(settings) as url, stage_progress(quiet=as_json) as progress:
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


@app.command(epilog="Example:\n\n    shopsight up")
def up(workdir: Workdir = None) -> None:
    """Start the demo's databases, leave them running, and say how to connect."""
    from shopsight_demo import servers

    settings = settings_from(workdir=workdir)
    for one in servers.servers_in(settings.workdir, keep_running=True):
        one.start()
    for line in servers.connection_help(settings.workdir):
        typer.echo(line)


@app.command(epilog="Examples:\n\n    shopsight down\n\n    shopsight down --remove")
def down(
    workdir: Workdir = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the databases as well.")] = False,
) -> None:
    """Stop the demo's databases, even if another process uses them."""
    from shopsight_demo import servers

    folder = settings_from(workdir=workdir).workdir
    found = servers.servers_in(folder)
    ended = [one.title for one in found if one.end()]
    if remove:
        for one in found:
            one.remove()
    out.print(f"Stopped: {', '.join(ended)}." if ended else "Nothing was running.")
