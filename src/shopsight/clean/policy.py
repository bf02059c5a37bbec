"""What a shop's owner may decide about cleaning, and the limits that nobody may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

#: Dates before this one are not a shop's.
FIRST_DATE = date(1970, 1, 1)

#: Amounts of this size and beyond are no prices. Small enough that no sum of them leaves Decimal(38, 2).
AMOUNT_LIMIT = Decimal(10) ** 12

#: Units beyond which an order line is a slip.
QUANTITY_LIMIT = 10_000_000

#: Quantities of this size and beyond add nothing to a measure: their products could leave Decimal(38, 2).
MEASURED_QUANTITY_LIMIT = 10_000_000_000

#: The greatest whole number that is read from text; one digit less than INT64 holds.
WHOLE_DIGITS = 18

#: Digits before the point that are read; one less than DECIMAL(18, 2) holds, as rounding may add one.
AMOUNT_DIGITS = 15


@dataclass(frozen=True)
class CleaningPolicy:
    """What cleaning depends on beside the rows.

    Attributes:
        today: the day of the snapshot; later dates are in the future.
        excluded_order_statuses: orders with these statuses do not count; as cleaning leaves them, so trimmed,
            lower case and with ``cancelled``.
        negative_amounts: what becomes of negative amounts and quantities on orders that count.
    """

    today: date
    excluded_order_statuses: frozenset[str]
    negative_amounts: Literal["reject", "keep"]
