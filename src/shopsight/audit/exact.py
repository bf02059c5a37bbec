"""Sums that are never rounded: Python's own arithmetic stops at 28 digits, and hostile amounts do not."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation

#: Enough digits for any sum of what a column can hold; what would be rounded all the same is an error.
EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


def exact_sum(amounts: Iterable[Decimal | int | None]) -> Decimal:
    """The sum with at least two decimals; None adds nothing.

    >>> exact_sum([Decimal("9999999999999999999999999999.99"), 1, None])
    Decimal('10000000000000000000000000000.99')
    """
    total = Decimal("0.00")
    for amount in amounts:
        if amount is not None:
            total = EXACT.add(total, Decimal(amount))
    return total
