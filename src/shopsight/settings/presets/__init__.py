"""Settings for known shop software: one TOML file each.

To add one, add a file, and its name to the description of the setting ``preset``. A file holds settings as
shopsight.toml does, and beside them ``title`` and ``recognised_by``, tables that a database of this software
has. ``{prefix}`` stands for the setting ``table_prefix``. What the user writes overrides it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Preset:
    """The settings for one shop software.

    Attributes:
        title: the software and its versions.
        recognised_by: tables that a database of it has, without their prefix.
        prefix: what all tables' names begin with.
    """

    name: str
    title: str
    recognised_by: tuple[str, ...]
    prefix: str
    settings: Mapping[str, Any]


def preset_names() -> list[str]:
    """The names that the setting ``preset`` may have."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_preset(name: str, prefix: str | None = None) -> Preset:
    """The preset of a name, for tables whose names begin with a prefix; by default the usual one.

    Raises:
        ValueError: there is no such preset, or the prefix cannot be a part of a name.
    """
    if name not in preset_names():
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(preset_names())}")
    if prefix and not (isinstance(prefix, str) and re.fullmatch(r"\w+", prefix)):
        raise ValueError(f"a prefix {prefix!r} is not made of letters, digits and _ alone")
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text("utf-8")
    usual = tomllib.loads(text).get("table_prefix", "")
    prefix = usual if prefix is None else prefix
    settings = tomllib.loads(text.replace("{prefix}", prefix))
    settings.pop("table_prefix", None)
    return Preset(name, settings.pop("title"), tuple(settings.pop("recognised_by")), prefix, settings)


def recognise(tables: Collection[str]) -> Preset | None:
    """The preset of the software that these tables belong to, with their prefix; None if it is not known."""
    for name in preset_names():
        first, *others = load_preset(name).recognised_by
        for prefix in [table.removesuffix(first) for table in tables if table.endswith(first)]:
            if all(f"{prefix}{other}" in tables for other in others) and re.fullmatch(r"\w*", prefix):
                return load_preset(name, prefix)
    return None


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings completed by those of their preset, table by table and column by column.

    A table that is given with ``from`` or ``query`` is the user's alone. Values of a wrong form are left as
    they are, for the settings to refuse.

    Raises:
        ValueError: there is no such preset.
    """
    if not given.get("preset"):
        return dict(given)
    preset = load_preset(given["preset"], given.get("table_prefix")).settings
    own = given.get("tables", {})
    if not isinstance(own, dict):
        return {**preset, **given}
    tables = {**preset["tables"], **own}
    for name in preset["tables"].keys() & own.keys():
        columns = own[name].get("columns", {}) if isinstance(own[name], dict) else None
        if isinstance(columns, dict) and not {"from", "source", "query"} & own[name].keys():
            columns = {**preset["tables"][name].get("columns", {}), **columns}
            tables[name] = {**preset["tables"][name], **own[name], "columns": columns}
    return {**preset, **given, "tables": tables}
