"""Values of settings as people see them, without credentials."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from shopsight.errors.redaction import redact
from shopsight.settings.duration import spoken
from shopsight.settings.table_mapping import TableMapping
from shopsight.settings.watch_rule import WatchRule


def shown_value(value: Any, *, hide: bool = False) -> str:
    """A value as one writes it in the file or the environment, without credentials."""
    match value:
        case None:
            return ""
        case SecretStr():
            return "***" if hide else redact(value.get_secret_value())
        case timedelta():
            return spoken(value)
        case frozenset():
            return ", ".join(sorted(value))
        case list() | dict():
            return redact(json.dumps(_details(value))) if value else ""
    return str(value)


def _details(value: Any) -> Any:
    match value:
        case TableMapping():
            return value.as_details()
        case WatchRule():
            return value.model_dump(exclude_defaults=True)
        case dict():
            return {name: _details(part) for name, part in sorted(value.items())}
        case list():
            return [_details(part) for part in value]
    return value
