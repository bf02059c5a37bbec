"""The Typer application, the options that many commands share, and the settings made of them."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from shopsight import __version__
from shopsight.errors import ShopsightError

if TYPE_CHECKING:
    from shopsight.settings import Settings

#: The panels of ``--help`` and their commands, in the order of use.
PANELS = {
    "Try it": ("demo", "seed", "up", "down"),
    "Set up": ("init", "config", "doctor", "insight"),
    "Run": ("plan", "run", "serve"),
    "Read": ("show", "report", "explain"),
    "Look after": ("runs", "verify", "generations", "rollback", "unpin", "forget", "metrics"),
}

#: How long a command on a terminal waits for a database, unless ``connect_timeout`` is set.
BY_HAND = timedelta(seconds=3)


@dataclass
class State:
    """The options that concern every command, and whether the answer was printed."""

    debug: bool = False
    quiet: bool = False
    as_json: bool = False
    has_answered: bool = False


class PlainFlags(TyperGroup):
    """A group whose help, and that of its commands, shows flags without a type."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The group's own options."""
        return _without_types(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of its commands; None if there is none of this name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _without_types(command.get_params(ctx))
        return command


def _without_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


class _InPanels(PlainFlags):
    """The commands in the order of :data:`PANELS`."""

    def list_commands(self, _ctx: Any) -> list[str]:
        panels = {name: panel for panel, names in PANELS.items() for name in names}
        for name, command in self.commands.items():
            command.rich_help_panel = panels.get(name, "Further")  # type: ignore[attr-defined]
        return [*(name for name in panels if name in self.commands), *(self.commands.keys() - panels.keys())]


state = State()

app = typer.Typer(
    name="shopsight",
    cls=_InPanels,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str | None,
    typer.Option(
        help="The shop's database: postgresql://…, mysql://…, sqlite:///path or `embedded`.",
        show_default=False,
    ),
]
SourceSchema = Annotated[
    str | None, typer.Option(help="The schema that holds the six tables.", show_default=False)
]
Target = Annotated[str | None, typer.Option(help="MongoDB: mongodb://… or `embedded`.", show_default=False)]
Workdir = Annotated[
    Path | None, typer.Option(help="Where runs are kept [default: .shopsight].", show_default=False)
]

Engine = Annotated[
    str | None,
    typer.Option(help="What cleans and computes: polars or spark [default: polars].", show_default=False),
]
SparkUrl = Annotated[
    str | None,
    typer.Option(help="Spark: sc://…, spark://… or local[…] [default: local[*]].", show_default=False),
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress, and log only errors.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks, which may quote the shop's rows, and log everything."),
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """A shop's SQL database, read as one snapshot, cleaned, proven to the cent, published whole to MongoDB.

    Every setting has an environment variable (`SHOPSIGHT_SOURCE_URL`, …) and a line in `shopsight.toml`;
    an option overrides both.
    """
    from shopsight.logs import configure_logging

    state.debug, state.quiet, state.as_json, state.has_answered = debug, quiet, False, False
    configure_logging(level="DEBUG" if debug else "ERROR" if quiet else "INFO" if verbose else None)


def settings_from(
    *,
    source: str | None = None,
    source_schema: str | None = None,
    target: str | None = None,
    workdir: Path | None = None,
    **others: Any,
) -> Settings:
    """The settings. The options override environment and file; on a terminal, databases must answer soon.

    Raises:
        ConfigurationError: an option or setting is wrong.
    """
    from shopsight.settings import load_settings

    settings = load_settings(
        source_url=source, source_schema=source_schema, target_url=target, workdir=workdir, **others
    )
    if is_by_hand() and "connect_timeout" not in settings.model_fields_set:
        settings = settings.model_copy(update={"connect_timeout": BY_HAND})
    return settings


def require_databases(settings: Settings, *, with_source: bool = True, is_patient: bool = False) -> None:
    """Try both databases together, and fail at once if a run would fail, too.

    Args:
        settings: the settings.
        with_source: whether the source is needed.
        is_patient: whether a database may come later: then one that is away is only logged.

    Raises:
        ShopsightError: names everything that is wrong.
    """
    import structlog
    from rich.markup import escape

    from shopsight.cli.output import err, one_line
    from shopsight.inspect.reach import addresses, reach

    shown = addresses(settings)
    try:
        with err.status(f"Waiting for {escape(one_line(' and '.join(shown)))} …"):
            reach(settings, with_source=with_source)
    except ShopsightError as error:
        if not (is_patient and error.is_retryable):
            raise
        structlog.get_logger("shopsight").warning("databases", error=error.message, remedy=error.remedy)


def is_by_hand() -> bool:
    """Whether a person is waiting for the command."""
    return sys.stderr.isatty()
