"""A source's columns, and how PostgreSQL's SQL writes their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shopsight.audit.control_totals import AMOUNT_LIMIT
from shopsight.contract import MONEY_SCALE, Kind
from shopsight.extract.dialect import quote_name
from shopsight.time_zone import UTC_NAME


class Family(StrEnum):
    """A group of column types that are read alike; a domain counts as its base type."""

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
        base: the type's internal name; for a domain, that of its base type.
        modifier: the type's modifier (atttypmod); -1 for none.
        is_nullable: whether the column may hold nulls; false only where the database enforces it.
        time_zone: the shop's, in which a moment becomes a day.
    """

    name: str
    declared: str
    base: str
    modifier: int = -1
    is_nullable: bool = True
    time_zone: str = UTC_NAME

    @property
    def sql(self) -> str:
        """The expression for the column's value, used wherever it is read."""
        return quote_name(self.name)

    @property
    def family(self) -> Family:
        """The group of its type."""
        return _FAMILIES.get(self.base, Family.OTHER)

    @property
    def is_always_amount(self) -> bool:
        """Whether its type admits only amounts below the limit, to the cent (and NaN)."""
        if self.family is not Family.NUMERIC or self.modifier < 0:
            return self.base in ("int2", "int4")
        precision, scale = (self.modifier - 4) >> 16, (self.modifier - 4) & 0x7FF
        return scale <= MONEY_SCALE and 10 ** (precision - scale) <= AMOUNT_LIMIT


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


def as_sent(column: SourceColumn, kind: Kind) -> str:
    """The column's value as it is sent: a number or a day if it is one in both contract and source."""
    return as_number(column, kind) if is_sent_bare(column, kind) else column.sql


def as_number(column: SourceColumn, kind: Kind) -> str:
    """The column's number, never with an exponent, or its day, a moment's in the shop's time zone.

    A float is read by its shortest text, which is what people entered.
    """
    name = column.sql
    match column.family:
        case Family.FLOAT:
            return f"{name}::text::numeric"
        case Family.MONEY:
            return f"{name}::numeric"
        case Family.TIMESTAMP if kind is Kind.DATE:
            return f"({name}::date)"
        case Family.TIMESTAMPTZ if kind is Kind.DATE:
            return f"({name} AT TIME ZONE {quote_text(column.time_zone)})::date"
        case _:
            return name
