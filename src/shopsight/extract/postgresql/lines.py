"""The queries for a table's rows, as lines of CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import (
    Family,
    SourceColumn,
    as_numeric,
    is_sent_bare,
    quote_name,
    quote_text,
)
from shopsight.tables import TABLES, Kind

#: So many pages' lines make a text of about 300 kB, which the processor's cache holds. With a megabyte or
#: more the server needs a third longer; with much less, the driver.
PAGES_PER_TEXT = 64

_LINE_END = quote_text("\n")
# No table has so many.
_BEYOND_ALL_PAGES = 4_294_967_295


@dataclass(frozen=True)
class Pages:
    """A range of a table's pages. The last one is open: ``end`` is only where it was seen to end."""

    start: int
    end: int
    is_last: bool


def line_query(relation: Relation, pages: Pages | None = None) -> str:
    """The query for the rows of a range of pages, or of a whole table: each a line of CSV."""
    query = f"SELECT {_line(relation)} || {_LINE_END} FROM {relation.quoted}"
    if pages is None:
        return query
    end = _BEYOND_ALL_PAGES if pages.is_last else pages.end
    return f"{query} WHERE ctid >= '({pages.start},0)' AND ctid < '({end},0)'"


def text_query(relation: Relation, pages: Pages) -> str:
    """The query for the same rows, with the lines of :data:`PAGES_PER_TEXT` pages together as one text.

    A row of a result costs the driver many times what a line of text costs Arrow.
    """
    start, end = "from_page.number", f"from_page.number + {PAGES_PER_TEXT}"
    if pages.is_last:
        end = f"CASE WHEN {end} < {pages.end} THEN {end} ELSE {_BEYOND_ALL_PAGES} END"
    else:
        end = f"least({end}, {pages.end})"
    lines = f"string_agg({_line(relation)}, {_LINE_END}) || {_LINE_END} AS lines"
    return (
        f"SELECT text.lines FROM generate_series({pages.start}::bigint, {max(pages.start, pages.end - 1)},"
        f" {PAGES_PER_TEXT}) AS from_page(number), LATERAL (SELECT {lines} FROM {relation.quoted}"
        f" WHERE ctid >= {_place(start)} AND ctid < {_place(end)}) AS text WHERE text.lines IS NOT NULL"
    )


def _place(page: str) -> str:
    return f"('(' || {page} || ',0)')::tid"


def _line(relation: Relation) -> str:
    return line(relation.table, list(relation.columns.values()))


def line(table: str, columns: Sequence[SourceColumn]) -> str:
    """The expression for one row as a line of CSV, without a line end; never null."""
    values = [_sent(column, of.kind) for column, of in zip(columns, TABLES[table].columns, strict=True)]
    # concat_ws is the fastest way there is, but leaves nulls out, commas included; coalesce is slow.
    whole = " AND ".join(f"{quote_name(column.name)} IS NOT NULL" for column in columns)
    with_nulls = ", ".join(f"coalesce({value}::text, '')" for value in values)
    return f"CASE WHEN {whole} THEN concat_ws(',', {', '.join(values)}) ELSE concat_ws(',', {with_nulls}) END"


def _sent(column: SourceColumn, kind: Kind) -> str:
    name = quote_name(column.name)
    if not is_sent_bare(column, kind):
        # Quotes as CSV does, and leaves plain lower-case words bare.
        return f"quote_ident({name}::text)"
    match column.family:
        case Family.MONEY | Family.FLOAT:
            return as_numeric(column)
        case Family.TIMESTAMP:
            return f"({name}::date)"
        case Family.TIMESTAMPTZ:
            return f"({name} AT TIME ZONE 'UTC')::date"
        case _:
            return name
