"""A source's columns, and how the SQL of MySQL and MariaDB writes their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pymysql.constants import FIELD_TYPE, FLAG

from shopsight.contract import MONEY_SCALE, Kind


class Family(StrEnum):
    """A group of column types that are read alike."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    FLOAT = "float"
    DAY = "day"
    TIME = "time"
    MOMENT = "moment"
    BINARY = "binary"
    TEXT = "text"


# By the driver's number of a type.
_TYPES = {
    FIELD_TYPE.TINY: ("tinyint", Family.INTEGER),
    FIELD_TYPE.SHORT: ("smallint", Family.INTEGER),
    FIELD_TYPE.INT24: ("mediumint", Family.INTEGER),
    FIELD_TYPE.LONG: ("int", Family.INTEGER),
    FIELD_TYPE.LONGLONG: ("bigint", Family.INTEGER),
    FIELD_TYPE.BIT: ("bit", Family.INTEGER),
    FIELD_TYPE.YEAR: ("year", Family.INTEGER),
    FIELD_TYPE.NEWDECIMAL: ("decimal", Family.DECIMAL),
    FIELD_TYPE.DOUBLE: ("double", Family.DOUBLE),
    FIELD_TYPE.FLOAT: ("float", Family.FLOAT),
    FIELD_TYPE.DATE: ("date", Family.DAY),
    FIELD_TYPE.DATETIME: ("datetime", Family.TIME),
    FIELD_TYPE.TIMESTAMP: ("timestamp", Family.TIME),
    FIELD_TYPE.TIME: ("time", Family.TEXT),
    FIELD_TYPE.JSON: ("json", Family.TEXT),
    FIELD_TYPE.NULL: ("null", Family.TEXT),
    FIELD_TYPE.GEOMETRY: ("geometry", Family.BINARY),
}
_BYTES = 63  # the character set of binary columns, by its number
_NUMBERS = (Family.INTEGER, Family.DECIMAL, Family.DOUBLE, Family.FLOAT)
_DAYS = (Family.DAY, Family.TIME)


def quote_name(name: str) -> str:
    """The name as an identifier, whatever sql_mode says of double quotes.

    >>> quote_name("odd`name")
    '`odd``name`'
    """
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class SourceColumn:
    """A column as the database has it.

    Attributes:
        name: its name there.
        declared: its type, e.g. ``bigint unsigned``.
        family: the group of its type; a TEXT is converted to Unicode.
        is_nullable: whether it may hold nulls; false only where the database enforces it.
        scale: the decimals of a DECIMAL.
    """

    name: str
    declared: str
    family: Family
    is_nullable: bool = True
    scale: int = 0

    @property
    def sql(self) -> str:
        """The expression for the column's value, used wherever it is read."""
        # A BIT is bytes unless it is used as a number.
        return f"({quote_name(self.name)} + 0)" if self.declared == "bit" else quote_name(self.name)

    @property
    def is_small(self) -> bool:
        """Whether it is a whole number whose products fit 64 bits."""
        return self.declared in ("tinyint", "smallint", "mediumint", "int")


def described(field: Any, *, shows_days: bool) -> SourceColumn:
    """A column as the driver describes it in a result.

    Args:
        field: the driver's description.
        shows_days: whether the session shows a moment at the shop's time; else in UTC.
    """
    default = ("binary", Family.BINARY) if field.charsetnr == _BYTES else ("text", Family.TEXT)
    name, family = _TYPES.get(field.type_code, default)
    if field.type_code == FIELD_TYPE.TIMESTAMP and not shows_days:
        family = Family.MOMENT
    is_unsigned = bool(field.flags & FLAG.UNSIGNED)
    if family is Family.DECIMAL:
        # The length is that of the longest text, with point and sign.
        precision = field.length - bool(field.scale) - (not is_unsigned)
        name += f"({precision},{field.scale})"
    if is_unsigned and family is Family.INTEGER and name not in ("bit", "year"):
        name += " unsigned"
    return SourceColumn(
        name=field.name,
        declared=name,
        family=family,
        is_nullable=not field.flags & FLAG.NOT_NULL,
        scale=field.scale if family is Family.DECIMAL else 0,
    )


def is_native(column: SourceColumn, kind: Kind) -> bool:
    """Whether the values are numbers or days, which may arrive natively."""
    return column.family in (_DAYS if kind is Kind.DATE else _NUMBERS) and kind is not Kind.TEXT


def text(column: SourceColumn, kind: Kind, *, is_text: bool) -> str:
    """The column's value as it is sent: its own text, or that of its day; never with an exponent if native.

    Args:
        column: the column.
        kind: the contract's kind.
        is_text: whether it arrives as text, digit by digit; else zeros behind the last decimal are left out.
    """
    name = value = column.sql
    match column.family:
        case Family.TEXT:
            value = f"CONVERT({name} USING utf8mb4)"
        case Family.BINARY:
            value = f"CONCAT(CHAR(92 USING utf8mb4), 'x', LOWER(HEX({name})))"
        case Family.TIME if kind is Kind.DATE:
            # Not DATE(), which makes an impossible day null.
            value = f"LEFT({name}, 10)"
        case Family.MOMENT if kind is Kind.DATE:
            # Cleaning knows the shop's time zone.
            value = f"CONCAT({name}, '+00:00')"
        case Family.FLOAT:
            # The server prints six digits. If they lose precision, send the full stored value.
            digits = f"CAST({name} AS CHAR)"
            value = f"IF(CAST({digits} AS FLOAT) = {name}, {digits}, CAST({name} + 0e0 AS CHAR))"
        case Family.DOUBLE:
            tiny = f"{name} <> 0 AND ABS({name}) < 1e-15"
            value = f"IF({tiny}, CAST(CAST({name} AS DECIMAL(65,30)) AS CHAR), CAST({name} AS CHAR))"
        case Family.DECIMAL if not is_text and kind is not Kind.TEXT and column.scale > _scale(kind):
            value = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {name}))"
    return value


def number(column: SourceColumn, kind: Kind) -> str:
    """A native value as an exact number: days since 1970, or the number itself."""
    if kind is Kind.DATE:
        return f"(TO_DAYS({column.sql}) - 719528)"
    if column.is_small or (column.family is Family.DECIMAL and column.scale <= _scale(kind)):
        return column.sql
    digits = (
        column.sql if column.family in (Family.INTEGER, Family.DECIMAL) else text(column, kind, is_text=True)
    )
    return f"CAST({digits} AS DECIMAL(20,{_scale(kind)}))"


def _scale(kind: Kind) -> int:
    return MONEY_SCALE if kind is Kind.MONEY else 0
