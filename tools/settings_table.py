"""docs/settings.md, written from the settings' own descriptions.

.venv/bin/python tools/settings_table.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from shopsight.settings import Settings
from shopsight.settings.shown import shown_value

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

[shop]                 # the same as shop_name and shop_currency
name = "Fjord & Finch"
currency = "EUR"

[privacy]              # the same as privacy_email = "hmac" and privacy_name = "drop"
email = "hmac"
name = "drop"
```

## Tables under other names

What is not mapped has the contract's name ([samples/sql/schema.sql](../samples/sql/schema.sql)). `from` names
a table or view, with its schema if need be. `where` is a condition on its rows. `columns` gives, for a column
of the contract, the name of yours or an SQL expression. A `query` in place of `from` is any SELECT. `reviews`
and `categories` may be `optional`: if there is no such table, it counts as empty.

```toml
[tables.orders]
from = "sales_order"
where = "state <> 'new'"
columns.order_id = "entity_id"
columns.order_date = "created_at"
columns.total_amount = { sql = "subtotal + shipping" }

[tables.customers]
query = "SELECT id AS customer_id, first || ' ' || last AS name, email, country FROM client"

[tables.reviews]
optional = true
```

In the environment: `SHOPSIGHT_TABLES__ORDERS__FROM=sales_order`,
`SHOPSIGHT_TABLES__ORDERS__COLUMNS='{"order_id": "entity_id"}'`. Names are quoted. SQL is the database's own
and runs read-only in the snapshot; it must give the same rows each time there, so nothing random and nothing
of the current second. A table that is only renamed is read as fast as before. Conditions, expressions and
queries are read by one connection.

## All settings

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
