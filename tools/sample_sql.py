"""The sample shop: small enough to be checked by hand, as SQL that psql and sqlite3 both load.

``tools/sample_rows.json`` has the dirty rows. A test compares the file with this.

    .venv/bin/python tools/sample_sql.py > samples/sql/shop.sql
"""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from shopsight.contract import TABLES
from shopsight_demo.seed.generate import MadeShop
from shopsight_demo.seed.schemas import column_types
from shopsight_demo.seed.size import Recipe, ShopSize

Row = tuple[Any, ...]

_RECIPE = Recipe(
    ShopSize(customers=14, orders=92, items_per_order=1.7, reviews_per_order=0.4, products=14, categories=6),
    dirt=0,
    seed=11,
    end_date=date(2025, 6, 30),
)
#: Columns of text, so that values which cannot be read are among the rows.
_TEXT_COLUMNS = {
    "order_items": {"price": "TEXT"},
    "reviews": dict.fromkeys(TABLES["reviews"].column_names, "TEXT"),
}

#: By table: what is wrong with a row (or worth seeing), and the row. Generated rows have smaller keys.
DIRTY_ROWS: dict[str, list[tuple[str, Row]]] = {
    table: [(wrong, tuple(row)) for wrong, row in rows]
    for table, rows in json.loads(Path(__file__).with_name("sample_rows.json").read_text("utf-8")).items()
}
_HEADER = """\
-- A small dirty shop, for an empty database:
--     psql --set ON_ERROR_STOP=1 --file shop.sql postgresql://user@host/database
--     sqlite3 -bail shop.db < shop.sql
-- Written by `python tools/sample_sql.py`; change it there.
--
-- The tables have the shop's columns (schema.sql) but none of its constraints, and reviews and
-- order_items.price are text, as after a careless import: so every kind of dirt can be in them, except NUL in
-- text, which no SQL file can hold. Sound rows come first. What is wrong, by table and key:
"""


def sample_types() -> dict[str, dict[str, str]]:
    """By table and column, the SQL types of the sample's tables."""
    return {table: column_types(table) | _TEXT_COLUMNS.get(table, {}) for table in TABLES}


def sample_rows() -> dict[str, list[tuple[str | None, Row]]]:
    """By table, all rows of the sample, each with what is wrong with it (None: nothing, it was generated).

    Dates are ISO text, amounts Decimals, or text in columns of text.
    """
    rows: dict[str, list[tuple[str | None, Row]]] = {table: [] for table in TABLES}
    for table, batch in MadeShop(_RECIPE).batches():
        rows[table] += [(None, row) for row in zip(*batch.to_pydict().values(), strict=True)]
    for table, dirty in DIRTY_ROWS.items():
        rows[table] += dirty
    return {
        table: [(wrong, tuple(map(_value, row, types.values()))) for wrong, row in rows[table]]
        for table, types in sample_types().items()
    }


def sample_sql() -> str:
    """The content of ``samples/sql/shop.sql``."""
    listed = [
        f"--     {table} {'(null)' if row[0] is None else row[0]}: {wrong}"
        for table, dirty in DIRTY_ROWS.items()
        for wrong, row in dirty
        if not wrong.startswith("sound")
    ]
    parts = [_HEADER + "\n".join(dict.fromkeys(listed)), "BEGIN;"]
    for table, types in sample_types().items():
        columns = ",\n".join(f"    {name} {kind}" for name, kind in types.items())
        parts.append(f"CREATE TABLE {table} (\n{columns}\n);")
    for table, rows in sample_rows().items():
        comments = [f"    -- {wrong}\n" if wrong else "" for wrong, _ in rows]
        literals = [f"    ({', '.join(map(_literal, row))})" for _, row in rows]
        lines = map("".join, zip(comments, literals, strict=True))
        names = ", ".join(TABLES[table].column_names)
        parts.append(f"INSERT INTO {table} ({names}) VALUES\n" + ",\n".join(lines) + ";")
    return "\n\n".join([*parts, "COMMIT;"]) + "\n"


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    return Decimal(value) if kind.startswith("DECIMAL") else value if kind == "INT" else str(value)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(sample_sql())
