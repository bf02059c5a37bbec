"""docs/settings.md, written from the settings' own descriptions.

.venv/bin/python tools/settings_table.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from shopsight.settings import Settings, shown_value

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = """\
# Settings

Give a setting in `shopsight.toml` in the working directory, as an environment variable, or, where the command
has it, as an option. An option overrides the environment, the environment overrides the file.
`shopsight config` shows every value and where it comes from. Write durations as `3h`, `90m` or `1h30m`, and
lists in the environment with commas (`SHOPSIGHT_EXCLUDED_ORDER_STATUSES=cancelled,failed`). URLs may hold
credentials, which are never printed, logged or stored. On a terminal, `connect_timeout` is 3 s unless you set
it, and `retries` is 0 unless you give `--retries`.

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
    shown = "" if default is PydanticUndefined else shown_value(default)
    return f"`{shown}`" if shown else "none"


if __name__ == "__main__":
    PAGE.write_text(settings_page())
