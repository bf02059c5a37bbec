"""The SQL that is sent to PostgreSQL: rows as lines of text, and the figures that the proof starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shopsight.measures import (
    AMOUNT_LIMIT,
    AMOUNT_PATTERN,
    INVISIBLE,
    MEASURES,
    OUTER,
    PLAIN_AMOUNT_PATTERN,
    PLAIN_WHOLE_PATTERN,
    WHOLE_PATTERN,
    Factor,
)
from shopsight.tables import MONEY_SCALE, TABLES, Kind


class Family(StrEnum):
    """What a column's type is like; domains are what they are made of."""

    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    MONEY = "money"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    OTHER = "other"


_FAMILIES = {
    "int2": Family.INTEGER,
    "int4": Family.INTEGER,
    "int8": Family.INTEGER,
    "numeric": Family.NUMERIC,
    "float4": Family.FLOAT,
    "float8": Family.FLOAT,
    "money": Family.MONEY,
    "date": Family.DATE,
    "timestamp": Family.TIMESTAMP,
    "timestamptz": Family.TIMESTAMPTZ,
}
_NUMBERS = (Family.INTEGER, Family.NUMERIC, Family.FLOAT, Family.MONEY)
_DAYS = (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ)


@dataclass(frozen=True)
class SourceColumn:
    """A column as the database has it.

    Attributes:
        name: its name there.
        declared: its type as the database names it, e.g. ``numeric(10,2)``.
        base: the type's internal name; of a domain, that of the type it is made of.
        modifier: the type's modifier (atttypmod); -1 for none.
    """

    name: str
    declared: str
    base: str
    modifier: int = -1

    @property
    def family(self) -> Family:
        """What the column's type is like."""
        return _FAMILIES.get(self.base, Family.OTHER)

    @property
    def is_always_amount(self) -> bool:
        """Whether its type admits only amounts below the limit, to the cent (and NaN)."""
        if self.family is not Family.NUMERIC or self.modifier < 0:
            return self.base in ("int2", "int4")
        precision, scale = (self.modifier - 4) >> 16, (self.modifier - 4) & 0x7FF
        return scale <= MONEY_SCALE and 10 ** (precision - scale) <= AMOUNT_LIMIT


def quote_name(name: str) -> str:
    """The name as an SQL identifier.

    >>> quote_name('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """The text as an SQL literal, for statements that take no parameters.

    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def is_sent_bare(column: SourceColumn, kind: Kind) -> bool:
    """Whether the values are sent as numbers or days, which may arrive natively; else as quoted text."""
    if kind is Kind.DATE:
        return column.family in _DAYS
    return kind is not Kind.TEXT and column.family in _NUMBERS


def line(table: str, columns: Sequence[SourceColumn]) -> str:
    """The expression for one row as a line of CSV, without a line end; never null.

    Args:
        table: the contract's table.
        columns: the source's columns in the contract's order.
    """
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
            return _as_numeric(column)
        case Family.TIMESTAMP:
            return f"({name}::date)"
        case Family.TIMESTAMPTZ:
            return f"({name} AT TIME ZONE 'UTC')::date"
        case _:
            return name


def _as_numeric(column: SourceColumn) -> str:
    """A float by its shortest text, which is what people entered, and never with an exponent."""
    name = quote_name(column.name)
    match column.family:
        case Family.FLOAT:
            return f"{name}::text::numeric"
        case Family.MONEY:
            return f"{name}::numeric"
        case _:
            return name


def figures(
    table: str, relation: str, columns: dict[str, SourceColumn], *, is_utf8: bool, is_guarded: bool
) -> str:
    """The query for a table's rows and its measure (:mod:`shopsight.measures`), both as text.

    Args:
        table: the contract's table.
        relation: the source's table, quoted.
        columns: the source's columns by the contract's names.
        is_utf8: whether the database's encoding is UTF-8.
        is_guarded: whether values that may not be numbers are left out even where a type makes that rare; the
            measure is NaN if there are some and they were not.
    """
    factors = MEASURES.get(table, ())
    terms = [_factor(columns[factor.column], factor, is_utf8, is_guarded) for factor in factors]
    measure = f"coalesce(sum({' * '.join(terms)}), 0)::text" if terms else "NULL::text"
    return f"SELECT count(*)::text, {measure} FROM {relation}"


def _factor(column: SourceColumn, factor: Factor, is_utf8: bool, is_guarded: bool) -> str:
    """The SQL for what a row's value adds; null where it is no number."""
    is_money = factor.kind is Kind.MONEY
    if not is_sent_bare(column, factor.kind):
        return _limited(_read(f"{quote_name(column.name)}::text", is_money, is_utf8), factor)
    number = _as_numeric(column)
    if is_money:
        number = f"{number}::numeric" if column.family is Family.INTEGER else number
        if column.is_always_amount and not is_guarded:
            return number
        return f"(CASE WHEN abs({number}) < {factor.limit} THEN round({number}, 2) END)"
    if column.base in ("int2", "int4"):
        return number
    if column.family is Family.INTEGER:
        return f"(CASE WHEN {number} BETWEEN {1 - factor.limit} AND {factor.limit - 1} THEN {number} END)"
    return _limited(f"CASE WHEN {number} = trunc({number}) THEN {number} END", factor)


def _limited(number: str, factor: Factor) -> str:
    """The number if it is a count within its limit; an amount has been looked at already."""
    if factor.kind is Kind.MONEY:
        return f"({number})"
    return f"(CASE WHEN abs({number}) < {factor.limit} THEN {number} END)"


def _read(text: str, is_money: bool, is_utf8: bool) -> str:
    """The number that stands in a text."""
    plain, pattern = (
        (PLAIN_AMOUNT_PATTERN, AMOUNT_PATTERN) if is_money else (PLAIN_WHOLE_PATTERN, WHOLE_PATTERN)
    )
    seen = _visible(text, is_utf8)
    return (
        f"CASE WHEN {text} ~ {quote_text(plain)} THEN {text}::numeric"
        f" WHEN {seen} ~ {quote_text(pattern)} THEN round({seen}::numeric, 2) END"
    )


def _visible(text: str, is_utf8: bool) -> str:
    """The text without what does not count in a number; other encodings know only the blanks of ASCII."""
    if not is_utf8:
        return f"btrim({text}, E' \\t\\n\\x0b\\f\\r')"
    # No text in PostgreSQL holds NUL, and its expressions do not take one.
    invisible = quote_text(f"[{INVISIBLE}]".replace(r"\u0000", r"\u0001"))
    seen = f"regexp_replace({text}, {invisible}, '', 'g')"
    return f"regexp_replace({seen}, {quote_text(f'^[{OUTER}]+|[{OUTER}]+$')}, '', 'g')"
