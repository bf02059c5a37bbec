"""The SQL that is sent to SQLite: rows as lines of text, and the figures that the proof starts from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shopsight.audit.measures import MEASURES, Factor
from shopsight.contract import TABLES, Kind


def quote_name(name: str) -> str:
    """The name as an SQL identifier.

    >>> quote_name('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def line(table: str, columns: Mapping[str, str], as_text: Collection[str]) -> str:
    """The expression for one row as a line of CSV, line end included; never null.

    Args:
        table: the contract's table.
        columns: the source's columns by the contract's names.
        as_text: the columns that arrive as text. In the others, a value that is not stored as its kind of
            number is sent as ``?``, which does not fit, so that no text is taken for a number.
    """
    values = []
    for column in TABLES[table].columns:
        kind = Kind.TEXT if column.name in as_text else column.kind
        values.append(_sent(quote_name(columns[column.name]), kind))
    return " || ',' || ".join(values) + " || char(10)"


def _sent(name: str, kind: Kind) -> str:
    text = f"WHEN 'text' THEN '\"' || replace({name}, '\"', '\"\"') || '\"'"
    real = f"WHEN 'real' THEN {_digits(name)}"
    whole = f"WHEN 'integer' THEN {name}"
    blob = f"WHEN 'blob' THEN '\\x' || lower(hex({name}))"
    # The usual one first.
    stored = {
        Kind.TEXT: (text, whole, real, blob),
        Kind.DATE: (text, whole),
        Kind.MONEY: (real, whole),
    }.get(kind, (whole,))
    return f"CASE typeof({name}) {' '.join(stored)} WHEN 'null' THEN '' ELSE '?' END"


def _digits(name: str) -> str:
    """A real as decimal text; what is next to nothing without an exponent, too."""
    return f"CASE WHEN abs({name}) < 0.0001 THEN printf('%.15f', {name}) ELSE printf('%.15g', {name}) END"


def figures(table: str, relation: str, columns: Mapping[str, str]) -> str:
    """The query for a table's rows and its measure: a number, and cents as text.

    ``shopsight_cents`` and ``shopsight_whole`` read a number from a text's bytes, ``shopsight_sum(a, b)``
    adds up products exactly.
    """
    factors = [_factor(quote_name(columns[factor.column]), factor) for factor in MEASURES.get(table, ())]
    if not factors:
        return f"SELECT count(*), NULL FROM {relation}"
    first, second = (*factors, "1")[:2]
    # An aggregate of Python is not even begun for no rows.
    return f"SELECT count(*), coalesce(shopsight_sum({first}, {second}), '0') FROM {relation}"


def _factor(name: str, factor: Factor) -> str:
    """What a row's value adds, in cents or pieces; null where it is no number."""
    is_money = factor.kind is Kind.MONEY
    read = "shopsight_cents" if is_money else "shopsight_whole"
    within = f"{name} > -{factor.limit} AND {name} < {factor.limit}"
    whole = f"CASE WHEN {within} THEN {name}{' * 100' if is_money else ''} END"
    real = f"{read}(CAST({_digits(name)} AS BLOB))"
    if is_money:
        # Where the cent is beyond doubt there is no need to read digits.
        cents = f"round({name} * 100.0)"
        is_plain = f"abs({name}) < 1e12 AND abs({name} * 100.0 - {cents}) < 0.4"
        real = f"CASE WHEN {is_plain} THEN CAST({cents} AS INTEGER) ELSE {real} END"
    text = f"{read}(CAST({name} AS BLOB))"
    number = (
        f"CASE typeof({name}) WHEN 'integer' THEN {whole} WHEN 'real' THEN {real} WHEN 'text' THEN {text} END"
    )
    if is_money:
        return number
    return f"CASE WHEN abs({number}) < {factor.limit} THEN {number} END"
