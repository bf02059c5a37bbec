"""The general way to read: each row as a line of CSV, for relations that cannot be read by their pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shopsight.contract import Kind, Table
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import Family, SourceColumn, as_sent, is_sent_bare, quote_text
from shopsight.extract.postgresql.packed import Pages

_LINE_END = quote_text("\n")


def line_query(relation: Relation, pages: Pages | None, as_text: Collection[str]) -> str:
    """The query for the rows of a range of pages, or of a whole table, each as a line of CSV."""
    condition = f" WHERE {pages.condition()}" if pages else ""
    columns = list(relation.columns.values())
    return (
        f"SELECT {line(relation.contract, columns, as_text)} || {_LINE_END} FROM {relation.base}{condition}"
    )


def line(table: Table, columns: Sequence[SourceColumn], as_text: Collection[str] = ()) -> str:
    """The expression for one row as a line of CSV, without a line end; never null."""
    values = [
        _sent(column, of.kind, is_text=of.name in as_text)
        for column, of in zip(columns, table.columns, strict=True)
    ]
    # concat_ws is the fastest way, but skips nulls together with their commas; coalesce is slow.
    whole = " AND ".join(f"{column.sql} IS NOT NULL" for column in columns)
    with_nulls = ", ".join(f"coalesce({value}::text, '')" for value in values)
    return f"CASE WHEN {whole} THEN concat_ws(',', {', '.join(values)}) ELSE concat_ws(',', {with_nulls}) END"


def _sent(column: SourceColumn, kind: Kind, *, is_text: bool) -> str:
    sent = as_sent(column, kind)
    if not is_sent_bare(column, kind):
        # Quotes as CSV does, and leaves plain lower-case words bare.
        return f"quote_ident({sent}::text)"
    is_trimmed = not is_text and column.family is Family.NUMERIC and not column.is_always_amount
    if kind is Kind.MONEY and is_trimmed:
        # A quotient has sixteen decimals, most of them zeros, which Arrow would refuse.
        return f"trim_scale({sent})"
    return sent
