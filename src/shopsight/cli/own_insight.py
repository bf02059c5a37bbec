"""The command that begins an insight of the user's own: insight new."""

# ruff: noqa: PLC0415 - why imports stand in functions: shopsight.cli
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shopsight.cli.application import AsJson, PlainFlags, app
from shopsight.cli.output import print_json, say
from shopsight.errors import ConfigurationError

insight = typer.Typer(cls=PlainFlags, no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(
    insight,
    name="insight",
    help="Begin an insight of your own: see docs/your-own-insight.md.",
    epilog="Example:\n\n    shopsight insight new countries_lately",
)


@insight.callback()
def callback() -> None:
    """Keep `new` a command of its own."""


@insight.command(epilog="Example:\n\n    shopsight insight new countries_lately")
def new(
    name: Annotated[str, typer.Argument(help="Its id: small letters, digits and _.")],
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path("my_insights"),
    as_json: AsJson = False,
) -> None:
    """Write a commented insight that works, and its test."""
    from importlib import resources

    from shopsight.pipeline.own_insights import TAKEN, is_id

    if not is_id(name):
        raise ConfigurationError(
            f"{name!r} cannot be an insight's id.",
            remedy=f"Use small letters, digits and _, but not {TAKEN}.",
        )
    templates = resources.files("shopsight.cli").joinpath("templates")
    paths = {folder / f"{name}.py": "insight.py.txt", folder / f"test_{name}.py": "test_insight.py.txt"}
    for path in paths:
        if path.exists():
            raise ConfigurationError(
                f"There is a {path} already, and it is left alone.", remedy="Give another name."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, template in paths.items():
        path.write_text(templates.joinpath(template).read_text("utf-8").replace("NAME", name), "utf-8")
    if as_json:
        print_json({"paths": [str(path) for path in paths]})
        return
    say("\n".join(f"Wrote {path}" for path in paths))
    say(f'Put `files = ["{folder}/"]` under `[insights]` in shopsight.toml; `shopsight doctor` checks it.')
