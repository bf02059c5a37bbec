"""The tables that the seeding creates: the shop's own, constrained; loose ones; and all text."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from shopsight.contract import TABLES, Kind
from shopsight_demo.seed.database import quote


class Types(StrEnum):
    """The types of keys, dates, amounts and counts in the loose tables."""

    NATIVE = "native"
    TEXT = "text"


#: The shop's types; ``samples/sql/schema.sql`` has the same, and a test compares both in PostgreSQL.
_TYPES = {Kind.KEY: "INT", Kind.DATE: "DATE", Kind.MONEY: "DECIMAL(10,2)", Kind.COUNT: "INT"}
_TEXT_LENGTHS = {
    "customers.name": 100,
    "customers.email": 100,
    "customers.country": 50,
    "orders.status": 20,
    "products.product_name": 100,
    "categories.category_name": 100,
}
_NULLABLE = "reviews.rating"


def column_types(table: str, types: Types = Types.NATIVE) -> dict[str, str]:
    """The SQL type of each of a table's columns, without constraints.

    >>> column_types("orders")["total_amount"], column_types("orders", Types.TEXT)["total_amount"]
    ('DECIMAL(10,2)', 'TEXT')
    """
    return {
        column.name: "TEXT"
        if types is Types.TEXT
        else _TYPES.get(column.kind) or f"VARCHAR({_TEXT_LENGTHS[f'{table}.{column.name}']})"
        for column in TABLES[table].columns
    }


def required_columns(table: str) -> list[str]:
    """The columns that the shop's schema declares NOT NULL."""
    return [name for name in TABLES[table].column_names if f"{table}.{name}" != _NULLABLE]


def table_constraints(table: str, quoted: Callable[[str], str]) -> list[str]:
    """The constraints of the shop's schema beside NOT NULL, as SQL that CREATE and ALTER TABLE both take.

    Args:
        table: the table's name.
        quoted: gives a table's name as SQL, quoted and with its schema.
    """
    contract = TABLES[table]
    constraints = [f"PRIMARY KEY ({quote(contract.key)})"]
    if table == "customers":
        constraints.append(f"UNIQUE ({quote('email')})")
    if table == "reviews":
        constraints.append(f"CHECK ({quote('rating')} BETWEEN 1 AND 5)")
    constraints += [
        f"FOREIGN KEY ({quote(column.name)}) REFERENCES {quoted(column.references)}"
        f" ({quote(TABLES[column.references].key)})"
        for column in contract.columns
        if column.references
    ]
    return constraints
