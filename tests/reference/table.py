"""A table's rows as the database hands them out, and what becomes of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.reference.values import read_value, tidied

#: What a database hands out: a value of the column's type, or text.
Cell = int | Decimal | date | str | None
RawTable = Sequence[Sequence[Cell]]

#: By table, the kind of each column; the key is the first.
COLUMNS: dict[str, dict[str, str]] = {
    "categories": {"category_id": "number", "category_name": "text"},
    "products": {"product_id": "number", "product_name": "text", "category_id": "number"},
    "customers": {"customer_id": "number", "name": "text", "email": "text", "country": "text"},
    "orders": {
        "order_id": "number",
        "customer_id": "number",
        "order_date": "date",
        "total_amount": "amount",
        "status": "text",
        "currency": "text",
        "customer_email": "text",
    },
    "order_items": {
        "item_id": "number",
        "order_id": "number",
        "product_id": "number",
        "quantity": "number",
        "price": "amount",
    },
    "reviews": {
        "review_id": "number",
        "product_id": "number",
        "customer_id": "number",
        "rating": "number",
        "review_date": "date",
    },
}

#: Columns of orders that are read only where the settings say so, and are no part of the clean rows.
OPTIONAL = ("currency", "customer_email")

#: Of rows with one key the one is kept whose values are greatest, compared in this order.
COMPARED_BY = {
    "categories": ("category_name",),
    "products": ("category_id", "product_name"),
    "customers": ("email", "name", "country"),
    "orders": ("order_date", "total_amount", "customer_id", "status"),
    "order_items": ("order_id", "product_id", "quantity", "price"),
    "reviews": ("review_date", "rating", "product_id", "customer_id"),
}


@dataclass
class Row:
    """One row of a table.

    Attributes:
        cells: as the database hands them out.
        values: as read, then as cleaned.
        measure: what it carries; None for nothing.
        repairs: the rules that changed it, should it be kept.
        flags: the flags that count it, should it be kept.
        rejected_by: the rule that sets it aside.
        merged_by: the rule that folds it into another.
    """

    cells: dict[str, Cell]
    values: dict[str, Any] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    measure: Decimal | None = None
    repairs: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    rejected_by: str | None = None
    merged_by: str | None = None

    @property
    def is_kept(self) -> bool:
        return self.rejected_by is None and self.merged_by is None

    def repair(self, rule: str, column: str, value: Any) -> None:
        """Give a column another value, and note the rule if it is another."""
        if value != self.values[column]:
            self.repairs.append(rule)
        self.values[column] = value

    def round_to_cents(self, column: str, rule: str) -> None:
        if self.values[column] is not None:
            self.repair(rule, column, self.values[column].quantize(Decimal("0.01"), ROUND_HALF_UP))


def as_text(cell: Cell) -> str | None:
    """The cell as its database writes it."""
    return format(cell.normalize(), "f") if isinstance(cell, Decimal) else None if cell is None else str(cell)


def read_row(table: str, cells: Sequence[Cell], time_zone: str) -> Row:
    row = Row(dict(zip(COLUMNS[table], cells, strict=True)))
    for (column, kind), cell in zip(COLUMNS[table].items(), cells, strict=True):
        row.values[column] = cell
        if kind != "text":
            written = tidied(as_text(cell) or "")
            try:
                row.values[column] = read_value(kind, written, time_zone) if written else None
            except ValueError:
                row.values[column] = None
                row.unreadable.add(column)
    return row


#: Cleans a row's values, and yields the rules that reject it, in the order of the page.
CleanRow = Callable[[Row], Iterable[str]]


class Table:
    """One table's rows, each kept, merged or rejected."""

    def __init__(self, name: str, rows: list[Row], clean_row: CleanRow) -> None:
        self.name = name
        self.key = next(iter(COLUMNS[name]))
        self.rows = rows
        for row in self.rows:
            row.rejected_by = next(self._rejections(row, clean_row), None)
        for group in grouped(self.sound, self.key).values():
            self._keep_the_greatest(group)

    @property
    def sound(self) -> list[Row]:
        return [row for row in self.rows if row.rejected_by is None]

    @property
    def kept(self) -> dict[int, dict[str, Any]]:
        """The clean rows' values by key, in the order of the key."""
        kept = {row.values[self.key]: row.values for row in self.rows if row.is_kept}
        return dict(sorted(kept.items()))

    @property
    def rejected_keys(self) -> set[int | None]:
        return {row.values[self.key] for row in self.rows if row.rejected_by is not None}

    def outcomes(self) -> Iterator[tuple[str, Decimal | None]]:
        """Each rule that applied to a row, and for rejected and merged ones what the row carries."""
        for row in self.rows:
            if rule := row.rejected_by or row.merged_by:
                yield f"{self.name}.{rule}", row.measure
            else:
                yield from ((f"{self.name}.{rule}", None) for rule in (*row.repairs, *row.flags))

    def _rejections(self, row: Row, clean_row: CleanRow) -> Iterator[str]:
        own = list(clean_row(row))
        if re.fullmatch(
            r"[+-]?[0-9]*\.0*[1-9][0-9]*", tidied(as_text(row.cells.get("quantity")) or "") or ""
        ):
            yield "quantity_fractional"
        if row.unreadable:
            yield "unreadable_value"
        if row.values[self.key] is None:
            yield "key_missing"
        yield from own

    def _keep_the_greatest(self, group: list[Row]) -> None:
        """Of rows with one key, keep one; of those that are the same once cleaned, by the text as it came."""

        def content(row: Row) -> list[tuple[bool, Any]]:
            return [present(row.values[column]) for column in COMPARED_BY[self.name]]

        kept = max(group, key=lambda row: (content(row), [present(as_text(c)) for c in row.cells.values()]))
        for row in group:
            if row is not kept and content(row) == content(kept):
                row.merged_by = "identical_row"
            elif row is not kept:
                row.rejected_by = "duplicate_key"


def grouped(rows: Iterable[Row], *columns: str) -> dict[Any, list[Row]]:
    """The rows by their values in these columns."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        key = tuple(row.values[column] for column in columns)
        groups.setdefault(key if len(columns) > 1 else key[0], []).append(row)
    return groups


def present(value: Any) -> tuple[bool, Any]:
    """For comparing: a missing value is the least."""
    return value is not None, value
