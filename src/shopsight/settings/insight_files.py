"""The setting ``insights``: the files of the user's own insights, and each one's options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: The values that an insight's option may have: those that TOML, JSON and a stage's manifest share.
OPTION_KINDS = "text, numbers, true or false, or a list of these"


def is_option(value: Any) -> bool:
    """Whether a value is of :data:`OPTION_KINDS`."""
    return all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value]))


def read_insights(value: Any) -> dict[str, Any]:
    """The table ``[insights]`` with absolute paths; it may be given as JSON, or as the list of files alone.

    >>> read_insights("/mine/, /yours/a.py")
    {'files': ['/mine', '/yours/a.py']}

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith(("{", "[")) else value.split(",")
    table = {"files": value} if isinstance(value, list) else value
    if not isinstance(table, dict):
        raise ValueError(f"it is neither a list of files nor a table: {type(value).__name__}")  # noqa: TRY004
    for name, part in table.items():
        if not isinstance(part, list if name == "files" else dict):
            raise ValueError("`files` is a list, and the options of each insight are a table")  # noqa: TRY004
        if isinstance(part, dict) and not all(map(is_option, part.values())):
            raise ValueError(f"the options of {name} are {OPTION_KINDS}")
    files = [str(file).strip() for file in table.get("files", ())]
    return {**table, "files": [str(Path(file).absolute()) for file in files if file]} if table else {}
