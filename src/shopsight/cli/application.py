"""The Typer application, the options that many commands share, and the settings made of them."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shopsight import __version__

if TYPE_CHECKING:
    from shopsight.settings import Settings


@dataclass
class State:
    """What the options say that concerns every command, and whether the answer was given."""

    debug: bool = False
    as_json: bool = False
    has_answered: bool = False


state = State()

app = typer.Typer(
    name="shopsight",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str | None,
    typer.Option(
        help="The shop's database: postgresql://…, sqlite:///path or `embedded`.", show_default=False
    ),
]
SourceSchema = Annotated[
    str | None, typer.Option(help="The schema that holds the six tables.", show_default=False)
]
Target = Annotated[str | None, typer.Option(help="MongoDB: mongodb://… or `embedded`.", show_default=False)]
Workdir = Annotated[
    Path | None, typer.Option(help="Where runs are kept [default: .shopsight].", show_default=False)
]


def _note_json(is_asked: bool) -> bool:
    state.as_json = is_asked
    return is_asked


AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document and nothing else on stdout.", callback=_note_json),
]


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"shopsight {__version__}")
        raise typer.Exit


@app.callback()
def callback(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log everything.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A shop's SQL database, read as one snapshot, cleaned, proven to the cent, published whole to MongoDB.

    Every setting has an environment variable (`SHOPSIGHT_SOURCE_URL`, …) and a line in `shopsight.toml`;
    an option goes before both.
    """
    from shopsight.logs import configure_logging

    state.debug, state.as_json, state.has_answered = debug, False, False
    configure_logging(level="DEBUG" if debug else None)


def settings_from(
    *,
    source: str | None = None,
    source_schema: str | None = None,
    target: str | None = None,
    workdir: Path | None = None,
    **others: Any,
) -> Settings:
    """The settings, with the shared options going before environment and file.

    Raises:
        ConfigurationError: an option or setting is wrong.
    """
    from shopsight.settings import load_settings

    return load_settings(
        source_url=source, source_schema=source_schema, target_url=target, workdir=workdir, **others
    )
