"""How the settings say where a shop keeps the contract's tables: ``[tables.<name>]`` in shopsight.toml.

Says what is wanted and opens nothing; :mod:`shopsight.extract.mapping` finds it in a database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shopsight.contract import TABLES
from shopsight.errors import did_you_mean

#: Tables that a shop may lack.
OPTIONAL_TABLES = ("categories", "reviews")

_ADDRESS = "customer_email"

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
#: The three letters of a currency.
Currency = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")]


class SqlColumn(BaseModel):
    """A column that is worked out: an SQL expression over the table's or the query's own columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sql: Text


class TableMapping(BaseModel):
    """Where one table of the contract comes from. Whatever is left out has the contract's name.

    Attributes:
        source: ``from``: a table or view, with its schema if need be (``sales.order``).
        query: a SELECT in its place.
        where: a condition on its rows.
        columns: by the contract's name, the name of a column or an expression.
        currency: of orders, the currency of those that are not set aside.
        is_optional: ``optional``: whether the table counts as empty if the source has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: Text | None = Field(None, alias="from")
    query: Text | None = None
    where: Text | None = None
    columns: dict[str, Text | SqlColumn] = {}
    currency: Currency | None = None
    is_optional: bool = Field(False, alias="optional")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.source is not None and self.query is not None:
            raise ValueError("give `from` or `query`, not both")
        if self.currency is not None and "currency" not in self.columns:
            raise ValueError("`currency` needs columns.currency: the column that holds an order's currency")
        return self

    def as_details(self) -> dict[str, Any]:
        """The mapping as shopsight.toml has it."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


#: A table that has the contract's names.
UNMAPPED = TableMapping.model_validate({})


def toml_text(text: str) -> str:
    r"""A text as shopsight.toml has it.

    >>> print(toml_text('Größe "L"'))
    "Größe \"L\""
    """
    return json.dumps(text, ensure_ascii=False)


def check_names(tables: Mapping[str, TableMapping]) -> None:
    """Refuse names that the contract does not have.

    Raises:
        ValueError: naming each of them.
    """
    wrong = [
        f"no table is called {name!r} ({did_you_mean(name, TABLES)} There are {', '.join(TABLES)})"
        for name in set(tables) - set(TABLES)
    ]
    for name in TABLES.keys() & tables.keys():
        known = (*TABLES[name].column_names, *(column.name for column in TABLES[name].optional))
        unknown = tables[name].columns.keys() - set(known)
        listed = ", ".join(known)
        wrong += [f"{name} has no column {column!r} (it has {listed})" for column in sorted(unknown)]
        if tables[name].is_optional and name not in OPTIONAL_TABLES:
            wrong.append(f"{name} cannot be optional, only {' and '.join(OPTIONAL_TABLES)} can")
    if wrong:
        raise ValueError("; ".join(sorted(wrong)))


def with_addresses(tables: Mapping[str, TableMapping]) -> dict[str, TableMapping]:
    """The same mapping, which must have the column for the addresses of orders.

    Raises:
        ValueError: it has none.
    """
    if _ADDRESS not in tables.get("orders", UNMAPPED).columns:
        raise ValueError(
            f'guests = "by_email" needs orders.columns.{_ADDRESS}: the column that holds an address'
        )
    return dict(tables)


def without_addresses(tables: Mapping[str, TableMapping]) -> dict[str, TableMapping]:
    """The mapping without that column, so that addresses that nobody needs are not read."""
    orders = tables.get("orders", UNMAPPED)
    columns = {name: column for name, column in orders.columns.items() if name != _ADDRESS}
    changed = {"orders": orders.model_copy(update={"columns": columns})} if "orders" in tables else {}
    return {**tables, **changed}
