"""The shop owner's choices for cleaning, and the limits that are the same for every shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from shopsight.time_zone import UTC_NAME

#: Earlier dates are rejected.
FIRST_DATE = date(1970, 1, 1)

#: Amounts of this size are rejected. Small enough that no sum of amounts leaves Decimal(38, 2).
PLAUSIBLE_AMOUNT_LIMIT = Decimal(10) ** 12

#: An order line of more units is rejected.
PLAUSIBLE_QUANTITY_LIMIT = 10_000_000

#: Amounts of this size are unreadable in text. DECIMAL(18, 2) holds one digit more, as rounding may add one.
READABLE_AMOUNT_DIGITS = 15
READABLE_AMOUNT_LIMIT = 10**READABLE_AMOUNT_DIGITS

#: Ratings and quantities of this size add nothing to their table's measure: no sum or product of smaller ones
#: leaves Decimal(38, 2).
MEASURED_RATING_LIMIT = 10**18
MEASURED_QUANTITY_LIMIT = 10**10

#: The most characters of a name or a country; longer ones are cut. A document in MongoDB must hold them.
NAME_LENGTH_LIMIT = 10_000

#: The most characters of a status; orders with a longer one are rejected.
STATUS_LENGTH_LIMIT = 100


@dataclass(frozen=True)
class CleaningPolicy:
    """The inputs of cleaning beside the rows.

    Attributes:
        today: the shop's day at the snapshot; later dates are in the future.
        excluded_order_statuses: orders with these statuses do not count. Written as cleaning writes statuses:
            trimmed, lower case, ``cancelled``.
        negative_amounts: whether negative amounts and quantities on orders that count are rejected.
        currency: that of the orders that are not set aside; None if none was chosen.
        time_zone: the shop's, in which the day of a moment is taken.
    """

    today: date
    excluded_order_statuses: frozenset[str]
    negative_amounts: Literal["reject", "keep"]
    time_zone: str = UTC_NAME
    currency: str | None = None
