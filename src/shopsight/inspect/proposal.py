"""A first shopsight.toml for a database: of known software by its preset, else by the nearest names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError
from shopsight.errors.redaction import redact
from shopsight.extract import source_tables
from shopsight.extract.nearest import Guess, nearest_columns, nearest_table
from shopsight.pipeline.databases import open_source
from shopsight.settings import Settings
from shopsight.settings.presets import Preset, load_preset, recognise
from shopsight.settings.table_mapping import OPTIONAL_TABLES, toml_text

_UNSURE = "  # unsure: please check"


@dataclass(frozen=True)
class Proposal:
    """The text of a shopsight.toml, what was found, in a sentence or two, and how many lines need a look."""

    text: str
    finding: str
    unsure: int


def propose(settings: Settings, preset: str | None) -> Proposal:
    """Look at the source's tables, and write settings that may fit them. Reads no rows, and writes no file.

    Args:
        settings: with the source.
        preset: the software, where it is known; else it is recognised.

    Raises:
        ConfigurationError: there is no such preset, or the source is wrong.
        SourceError: the source cannot be asked.
    """
    with open_source(settings) as source:
        found = source_tables(source)
    try:
        known = load_preset(preset) if preset else recognise(found)
    except ValueError as error:
        raise ConfigurationError(f"--preset: {error}.", remedy="Leave --preset out.") from None
    lines = _connection(settings)
    if known is not None:
        return _of_preset(known, lines)
    unsure = 0
    lines.append(
        "\n# Left: the names that shopsight needs. Right: yours. What is not listed has the same name."
    )
    for table in TABLES:
        mapped, doubts = _table(table, found)
        lines += mapped
        unsure += doubts
    text = "\n".join(lines) + "\n"
    finding = f"{len(found)} tables; the shop software was not recognised. The nearest names are proposed"
    return Proposal(text, f"{finding}. Lines to check: {unsure}." if unsure else f"{finding}.", unsure)


def _connection(settings: Settings) -> list[str]:
    url = settings.source_url.get_secret_value()
    lines = ["# Settings of shopsight; docs/settings.md has all of them."]
    if url == redact(url):
        lines.append(f"source_url = {toml_text(url)}")
    else:
        lines.append("# The source's address holds a login: give it as SHOPSIGHT_SOURCE_URL.")
    if settings.source_schema is not None:
        lines.append(f"source_schema = {toml_text(settings.source_schema)}")
    lines.append('# time_zone = "Europe/Berlin"  # the shop\'s; UTC if it is not set')
    return lines


def _of_preset(preset: Preset, lines: list[str]) -> Proposal:
    lines += [
        f"\n# {preset.title}. What you write beside it overrides it, table by table and column by column.",
        f'preset = "{preset.name}"',
        *([f'table_prefix = "{preset.prefix}"'] if preset.prefix else []),
        "# [tables.orders]",
        '# where = "…"',
    ]
    return Proposal("\n".join(lines) + "\n", f"{preset.title}: its preset is proposed.", 0)


def _table(table: str, found: Mapping[str, Collection[str]]) -> tuple[list[str], int]:
    """The lines for one table, and how many of them are unsure."""
    names = {name.lower(): name for name in found}
    guess = Guess(names[table], is_sure=True) if table in names else nearest_table(table, found)
    if guess is None:
        if table in OPTIONAL_TABLES:
            return [f"\n[tables.{table}]", f"optional = true  # there seem to be no {table}"], 0
        return [f"\n[tables.{table}]", f'# from = "…"{_UNSURE}: no table looks like {table}'], 1
    columns = {name.lower() for name in found[guess.name]}
    lacking = [name for name in TABLES[table].column_names if name not in columns]
    lines = [] if guess.name == table else [_line("from", guess)]
    nearest = nearest_columns(table, lacking, found[guess.name])
    lines += [_line(f"columns.{name}", guess) for name, guess in nearest.items()]
    return ([f"\n[tables.{table}]", *lines] if lines else []), sum(_UNSURE in line for line in lines)


def _line(key: str, guess: Guess | None) -> str:
    if guess is None:
        return f'# {key} = "…"{_UNSURE}: nothing looks like it; {{ sql = "…" }} works it out'
    return f"{key} = {toml_text(guess.name)}" + ("" if guess.is_sure else _UNSURE)
