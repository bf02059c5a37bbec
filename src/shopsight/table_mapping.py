"""How the settings say where a shop keeps the contract's tables: ``[tables.<name>]`` in shopsight.toml.

Says what is wanted and opens nothing; :mod:`shopsight.extract.mapping` finds it in a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shopsight.contract import TABLES

#: Tables that a shop may lack.
OPTIONAL_TABLES = ("categories", "reviews")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


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
        is_optional: ``optional``: whether the table counts as empty if the source has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: Text | None = Field(None, alias="from")
    query: Text | None = None
    where: Text | None = None
    columns: dict[str, Text | SqlColumn] = {}
    is_optional: bool = Field(False, alias="optional")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.source is not None and self.query is not None:
            raise ValueError("give `from` or `query`, not both")
        return self

    def as_details(self) -> dict[str, Any]:
        """What it says, as it is written in shopsight.toml."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


#: A table that has the contract's names.
UNMAPPED = TableMapping.model_validate({})


def check_names(tables: Mapping[str, TableMapping]) -> None:
    """Refuse names that the contract does not have.

    Raises:
        ValueError: naming each of them.
    """
    wrong = [
        f"no table is called {name!r} (there are {', '.join(TABLES)})" for name in set(tables) - set(TABLES)
    ]
    for name in TABLES.keys() & tables.keys():
        unknown = tables[name].columns.keys() - set(TABLES[name].column_names)
        known = ", ".join(TABLES[name].column_names)
        wrong += [f"{name} has no column {column!r} (it has {known})" for column in sorted(unknown)]
        if tables[name].is_optional and name not in OPTIONAL_TABLES:
            wrong.append(f"{name} cannot be optional, only {' and '.join(OPTIONAL_TABLES)} can")
    if wrong:
        raise ValueError("; ".join(sorted(wrong)))
