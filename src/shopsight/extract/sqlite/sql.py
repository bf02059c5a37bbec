"""The SQL that is sent to SQLite: rows as lines of text."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shopsight.contract import Kind, Table
from shopsight.extract.dialect import quote_name


def line(table: Table, columns: Mapping[str, str], as_text: Collection[str]) -> str:
    """The expression for one row as a line of CSV, line end included; never null.

    Args:
        table: the contract.
        columns: the source's columns by the contract's names.
        as_text: the columns that arrive as text. In the others, a value that is not stored as its kind is
            sent as ``?``, which does not fit, so that no text is taken for a number.
    """
    values = []
    for column in table.columns:
        kind = Kind.TEXT if column.name in as_text else column.kind
        values.append(_sent(quote_name(columns[column.name]), kind))
    return " || ',' || ".join(values) + " || char(10)"


def _sent(name: str, kind: Kind) -> str:
    text = f"WHEN 'text' THEN '\"' || replace({name}, '\"', '\"\"') || '\"'"
    real = f"WHEN 'real' THEN {_digits(name)}"
    whole = f"WHEN 'integer' THEN {name}"
    blob = f"WHEN 'blob' THEN '\\x' || lower(hex({name}))"
    # The usual case first.
    stored = {
        Kind.TEXT: (text, whole, real, blob),
        Kind.DATE: (text, whole),
        Kind.MONEY: (real, whole),
    }.get(kind, (whole,))
    return f"CASE typeof({name}) {' '.join(stored)} WHEN 'null' THEN '' ELSE '?' END"


def _digits(name: str) -> str:
    """A real as decimal text, without an exponent for tiny values."""
    return f"CASE WHEN abs({name}) < 0.0001 THEN printf('%.15f', {name}) ELSE printf('%.15g', {name}) END"
