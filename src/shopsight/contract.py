"""The six tables' contracts: columns, types, keys, references and grain.

The one place that names the source's columns. Extraction asks the database for exactly these, cleaning
makes their types true, and every later stage may rely on them.

Types in clean Parquet:

=========  =========================  ==========================================================
kind       Parquet / Arrow            meaning
=========  =========================  ==========================================================
``KEY``    INT64                      an identifier; the same type everywhere
``TEXT``   STRING                     UTF-8, trimmed, without control characters
``DATE``   DATE                       a calendar day
``MONEY``  DECIMAL(18, 2)             an amount in the shop's currency, exact
``COUNT``  INT64                      a whole number
=========  =========================  ==========================================================

In raw Parquet a column has the type above or, where the source has another one or holds values that do not
fit it, STRING: the source's own text, which cleaning reads or rejects.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

MONEY_PRECISION = 18
MONEY_SCALE = 2

#: Spellings of a status, in lower case, and the status that they are read as.
STATUS_SPELLINGS = {"canceled": "cancelled"}


class Kind(StrEnum):
    """The kind of a column's values; see the module's table."""

    KEY = "key"
    TEXT = "text"
    DATE = "date"
    MONEY = "money"
    COUNT = "count"


@dataclass(frozen=True)
class Column:
    """One column of a source table. ``references`` names the table whose key it holds."""

    name: str
    kind: Kind
    references: str | None = None


@dataclass(frozen=True)
class Table:
    """One source table.

    Attributes:
        measure: says in words which sum cleaning must conserve beside the rows.
        optional: columns that are read only where the settings map them; cleaning carries them along as they
            were read.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    measure: str | None = None
    optional: tuple[Column, ...] = ()

    @property
    def key(self) -> str:
        """The key column's name: always the first column."""
        return self.columns[0].name

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names in the contract's order."""
        return tuple(column.name for column in self.columns)

    def having(self, names: Collection[str]) -> Table:
        """The table with those of its optional columns that are among the names."""
        chosen = tuple(column for column in self.optional if column.name in names)
        return replace(self, columns=self.columns + chosen, optional=())

    def column(self, name: str) -> Column:
        """The column of this name, an optional one included.

        Raises:
            KeyError: the contract has no such column.
        """
        for column in self.columns + self.optional:
            if column.name == name:
                return column
        raise KeyError(name)


CATEGORIES = Table(
    "categories",
    "one row per category",
    (Column("category_id", Kind.KEY), Column("category_name", Kind.TEXT)),
)
PRODUCTS = Table(
    "products",
    "one row per product",
    (
        Column("product_id", Kind.KEY),
        Column("product_name", Kind.TEXT),
        Column("category_id", Kind.KEY, references="categories"),
    ),
)
CUSTOMERS = Table(
    "customers",
    "one row per customer",
    (
        Column("customer_id", Kind.KEY),
        Column("name", Kind.TEXT),
        Column("email", Kind.TEXT),
        Column("country", Kind.TEXT),
    ),
)
ORDERS = Table(
    "orders",
    "one row per order",
    (
        Column("order_id", Kind.KEY),
        Column("customer_id", Kind.KEY, references="customers"),
        Column("order_date", Kind.DATE),
        Column("total_amount", Kind.MONEY),
        Column("status", Kind.TEXT),
    ),
    "sum(total_amount)",
    optional=(Column("currency", Kind.TEXT), Column("customer_email", Kind.TEXT)),
)
ORDER_ITEMS = Table(
    "order_items",
    "one row per order line",
    (
        Column("item_id", Kind.KEY),
        Column("order_id", Kind.KEY, references="orders"),
        Column("product_id", Kind.KEY, references="products"),
        Column("quantity", Kind.COUNT),
        Column("price", Kind.MONEY),
    ),
    "sum(quantity * price)",
)
REVIEWS = Table(
    "reviews",
    "one row per review",
    (
        Column("review_id", Kind.KEY),
        Column("product_id", Kind.KEY, references="products"),
        Column("customer_id", Kind.KEY, references="customers"),
        Column("rating", Kind.COUNT),
        Column("review_date", Kind.DATE),
    ),
    "sum(rating)",
)

#: In an order in which every table comes after the tables that it references.
TABLES: dict[str, Table] = {
    table.name: table for table in (CATEGORIES, PRODUCTS, CUSTOMERS, ORDERS, ORDER_ITEMS, REVIEWS)
}
