"""The commands demo, seed, up and down; the command line loads them as an entry point."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopsight.cli.application import AsJson, Source, SourceSchema, Workdir, app, settings_from
from shopsight.cli.output import err, out, print_json, say, stage_progress

if TYPE_CHECKING:
    from shopsight.inspect.published import Published
    from shopsight.record import RunRecord
    from shopsight.settings import Settings
    from shopsight_demo.seed import ShopSize


#: The insights that the demo prints; the report has all.
_SHOWN = ("top_customers", "top_products", "category_ratings", "monthly_sales")


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
    as_json: AsJson = False,
) -> None:
    """Show the whole pipeline on a dirty sample shop in real databases, which it starts and stops.

    The shop is made once. A second demo runs over the same data and publishes the same content.
    """
    from shopsight.inspect.published import read_published
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
        _seed_once(one.url, ShopSize(customers=customers, orders=orders), dirt, quiet=as_json)
        with stage_progress(quiet=as_json) as progress:
            record = run(settings, on_progress=progress)
        published = read_published(settings)
        path = settings.workdir / "report.html"
        published.write_report(path)
    if as_json:
        print_json(record.as_document())
    else:
        _print_demo(settings, record, published, path)


def _print_demo(settings: Settings, record: RunRecord, published: Published, report: Path) -> None:
    """Four insights, what cleaning and the proof did in a line each, and what to do next."""
    from shopsight.cli.tables import glimpse
    from shopsight_demo import servers

    for name in _SHOWN:
        out.print(glimpse(published.insights[name]))
    tables, equalities = record.ledger.tables, sum(link.equalities for link in record.proof)
    rows, rejected, merged = (
        sum(getattr(t, name) for t in tables) for name in ("rows_in", "rejected", "merged")
    )
    say("")
    say(
        ("Cleaned  ", "bold"),
        f"{rows:,} rows: {rejected:,} rejected, {merged:,} merged; the report has the rules.",
    )
    say(("Proven   ", "bold"), f"{equalities:,} equalities hold between source, stages and MongoDB.")
    say(("Report   ", "bold"), str(report))
    say(("More", "bold"))
    command = shlex.quote(sys.argv[0])
    also = ["show", "explain customer 42", "up         # starts the databases, and leaves them running for:"]
    for line in (*(f"{command} {more}" for more in also), *servers.connection_help(settings.workdir)):
        typer.echo(f"  {line}")  # neither wrapped nor cut, so that it can be pasted


def _seed_once(source: str, size: ShopSize, dirt: float, *, quiet: bool) -> None:
    """Fill the demo's source, unless an earlier demo did."""
    from shopsight_demo.seed import TablesExist
    from shopsight_demo.seed import seed as seed_source

    try:
        with stage_progress(quiet=quiet) as progress:
            seed_source(source, size, dirt=dirt, seed=42, on_progress=progress)
    except TablesExist:
        err.print("The sample shop exists already. This demo runs again over the same data.")


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


@app.command(epilog="Examples:\n\n    shopsight up\n\n    shopsight up --json | jq -r .mongodb")
def up(workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Start the demo's databases, leave them running, and say how to connect.

    With `--json`, their whole addresses, which hold the passwords.
    """
    from shopsight_demo import servers

    settings = settings_from(workdir=workdir)
    found = servers.servers_in(settings.workdir, keep_running=True)
    for one in found:
        one.start()
    if as_json:
        print_json({one.title.lower(): one.url for one in found})
        return
    for line in servers.connection_help(settings.workdir):
        typer.echo(line)


@app.command(epilog="Examples:\n\n    shopsight down\n\n    shopsight down --remove")
def down(
    workdir: Workdir = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the databases as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the demo's databases, even if another process uses them."""
    from shopsight_demo import servers

    folder = settings_from(workdir=workdir).workdir
    found = servers.servers_in(folder)
    ended = [one.title for one in found if one.end()]
    if remove:
        for one in found:
            one.remove()
    if as_json:
        print_json({"stopped": ended})
        return
    out.print(f"Stopped: {', '.join(ended)}." if ended else "Nothing was running.")
