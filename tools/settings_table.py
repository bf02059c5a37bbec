"""docs/settings.md, written from the settings' own descriptions.

.venv/bin/python tools/settings_table.py
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from shopsight.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = """\
# Settings

Each setting can be given in `shopsight.toml` in the working directory, as an environment variable, or, where
the command has it, as an option; the later goes before the earlier. Durations are written as in `3h`, `90m`
or `1h30m`; lists in the environment with commas (`SHOPSIGHT_EXCLUDED_ORDER_STATUSES=cancelled,failed`). URLs
may hold credentials: they are never printed, logged or stored.

```toml
# shopsight.toml
source_url = "postgresql://shopsight_reader@db.example/shop"
target_url = "mongodb://mongo.example/"
excluded_order_statuses = ["cancelled", "failed"]
every = "3h"
```

| setting | environment | default | meaning |
| --- | --- | --- | --- |
"""


def settings_page() -> str:
    """The page: one row per setting, in the order of the class."""
    rows = (
        f"| `{name}` | `SHOPSIGHT_{name.upper()}` | {_shown(field.default)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    )
    return HEAD + "".join(rows)


def _shown(default: Any) -> str:
    """A default as one writes it."""
    if default is None or default is PydanticUndefined:
        return "none"
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, timedelta):
        hours, rest = divmod(int(default.total_seconds()), 3600)
        default = f"{hours}h" if not rest else f"{int(default.total_seconds())}s"
    if isinstance(default, frozenset):
        default = ", ".join(sorted(default))
    return f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(settings_page())
