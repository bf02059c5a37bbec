"""The SQL for rows as lines of CSV."""

from __future__ import annotations

from collections.abc import Collection

from shopsight.contract import Kind
from shopsight.extract.mysql.catalog import Relation
from shopsight.extract.mysql.columns import Family, SourceColumn, text


def condition(relation: Relation, low: int, high: int) -> str:
    """The condition for a range of keys, both ends included; the relation must have a key for it."""
    return f"{relation.range_key} BETWEEN {low} AND {high}"


def line_query(relation: Relation, as_text: Collection[str], where: str = "") -> str:
    """The query for rows, each as a line without a line end; null for one that is longer than a packet."""
    return f"SELECT {_line(relation, as_text)} FROM {relation.rows(where)}"


def range_query(relation: Relation, as_text: Collection[str], where: str) -> str:
    """The query for how many rows there are, and for their lines as one text, with a line end between two."""
    lines = f"GROUP_CONCAT({_line(relation, as_text)} SEPARATOR '\\n')"
    return f"SELECT COUNT(*), {lines} FROM {relation.rows(where)}"


def _line(relation: Relation, as_text: Collection[str]) -> str:
    columns = zip(relation.contract.columns, relation.columns.values(), strict=True)
    values = [_sent(column, of.kind, is_text=of.name in as_text) for of, column in columns]
    return "CONCAT(" + ", ',', ".join(values) + ")"


def _sent(column: SourceColumn, kind: Kind, *, is_text: bool) -> str:
    value = text(column, kind, is_text=is_text)
    if column.family is not Family.TEXT:
        return f"IFNULL({value}, '')" if column.is_nullable else value
    # Null if it is longer than a packet, which then makes the whole line null.
    quoted = f"""CONCAT('"', REPLACE({value}, '"', '""'), '"')"""
    return f"IF({column.sql} IS NULL, '', {quoted})" if column.is_nullable else quoted
