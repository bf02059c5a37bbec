"""Settings handed to child processes: by environment, because command lines are public and files remain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shopsight.settings import Settings


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as ``SHOPSIGHT_*`` variables, from which ``load_settings()`` makes the same settings.

    A value of None is left out, because no source of settings gave it. Paths become absolute, so that a child
    may be started elsewhere.

    >>> settings_environment(Settings(top_n=7))["SHOPSIGHT_TOP_N"]
    '7'
    """
    return {
        f"SHOPSIGHT_{name.upper()}": _as_text(name, value, settings)
        for name, value in settings.model_dump().items()
        if value is not None
    }


def _as_text(name: str, value: Any, settings: Settings) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value.absolute())
    plain = settings.model_dump(mode="json", include={name})[name]
    return plain if isinstance(plain, str) else json.dumps(plain)
