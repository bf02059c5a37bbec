"""Python values to BSON values and back, exactly.

Money and other exact figures are :class:`~decimal.Decimal` in Python and Decimal128 in MongoDB; a calendar
day is midnight UTC; every moment is in UTC.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from bson.decimal128 import Decimal128

_LARGEST_INT64 = 2**63 - 1
_DECIMAL128_DIGITS = 34


def to_bson(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    """The value as BSON can hold it; mappings and sequences all the way down.

    Whole numbers beyond 64 bits become Decimal128; a number of more than 34 digits becomes text, for nothing
    is ever rounded on its way to MongoDB.

    >>> to_bson({"revenue": Decimal("12.30"), "rules": ("orders.null_total",)})
    {'revenue': Decimal128('12.30'), 'rules': ['orders.null_total']}
    """
    match value:
        case None | bool() | float() | bytes() | datetime():
            return value
        case enum.Enum():
            return to_bson(value.value)
        case str():
            return str(value)
        case int():
            return value if -_LARGEST_INT64 - 1 <= value <= _LARGEST_INT64 else to_bson(Decimal(value))
        case Decimal():
            fits = len(value.as_tuple().digits) <= _DECIMAL128_DIGITS
            return Decimal128(value) if fits else str(value)
        case date():
            return datetime.combine(value, time.min, UTC)
        case timedelta():
            return value.total_seconds()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): to_bson(item) for key, item in value.items()}
        case list() | tuple():
            return [to_bson(item) for item in value]
        case set() | frozenset():
            return [to_bson(item) for item in sorted(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_bson(dataclasses.asdict(value))
    return value


def plain(value: Any) -> Any:
    """A BSON value as plain Python: Decimal128 as Decimal, moments aware of UTC; all the way down.

    >>> plain({"revenue": Decimal128("12.30")})
    {'revenue': Decimal('12.30')}
    """
    match value:
        case Decimal128():
            return value.to_decimal()
        case datetime():
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
    return value
