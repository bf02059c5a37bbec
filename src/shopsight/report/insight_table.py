"""One published insight as readers get it: a title, columns with a kind and a label, and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: Kinds whose values are figures: set to the right, with digits of one width.
FIGURE_KINDS = frozenset({"key", "money", "count", "share", "number"})


@dataclass(frozen=True)
class InsightTable:
    """An insight to be shown.

    Attributes:
        id: the insight's id, e.g. ``top_customers``.
        columns: one dict a column: ``name``, ``kind`` and ``label``. Kinds: key, text, date, money, count,
            share (of 1) and number.
        rows: one dict a row, by column name, in the insight's own order. Money is Decimal.
    """

    id: str
    title: str
    description: str
    columns: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The table of a document of the ``insights`` collection, its Decimal128 already made Decimal."""
        return cls(
            id=document["_id"],
            title=document["title"],
            description=document["description"],
            columns=[dict(column) for column in document["columns"]],
            rows=[dict(row) for row in document["rows"]],
        )

    @property
    def column_names(self) -> list[str]:
        """The columns' names in order."""
        return [column["name"] for column in self.columns]
