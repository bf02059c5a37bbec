"""When customers ordered, as the proof counts it: their first and last days, waits and active months."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from shopsight.audit.lookups import LOW_BITS, Integers, Small, is_new

#: How many counting orders are sorted at once, if they are not one customer's and no more than a sixteenth.
ORDERS_IN_MEMORY = 2**20

_NONE = np.empty(0, np.int64)


class Visits(NamedTuple):
    """The days on which customers placed counting orders, several orders on one day being one visit.

    Attributes:
        first: the first day of each customer with one, in the order of :attr:`ShopFiles.customer_ids`.
        last: the last day.
        waits: by number of days, how often a customer's next visit was so much later.
        active: by months since 1970 of a customer's first visit and of any of them, the number of customers.
    """

    first: Integers
    last: Integers
    waits: Integers
    active: Integers


def visits_of(customer_of: Small, day_of: Small, number: Integers, newest: int) -> Visits:
    """What the customers and the days of all orders say.

    Args:
        customer_of: by order.
        day_of: by order, in days since 1970; cleaning rejects earlier ones.
        number: by customer, the number of counting orders.
        newest: the newest day of a counting order.
    """
    months = int(_months(np.array([newest]))[0]) + 1
    waits, active = np.zeros(newest + 1, np.int64), np.zeros((months, months), np.int64)
    ends: list[tuple[Integers, Integers]] = [(_NONE, _NONE)]
    # By ranges of customers, each a look at all orders: sorting all takes several times the memory.
    most = max(ORDERS_IN_MEMORY, int(number.sum()) // 16)
    cuts = np.searchsorted(np.cumsum(number), np.arange(0, number.sum(), most), side="right")
    for first, end in pairwise([*cuts, len(number)]):
        is_here = (customer_of >= first) & (customer_of < end)
        visits = (customer_of[is_here].astype(np.int64) << LOW_BITS) | day_of[is_here]
        # np.unique takes ten times as long.
        visits.sort()
        visits = visits[is_new(visits)]
        days, is_first = visits & (2**LOW_BITS - 1), is_new(visits >> LOW_BITS)
        ends.append((days[is_first], days[np.roll(is_first, -1)]))
        waits += np.bincount(np.diff(days)[~is_first[1:]], minlength=len(waits))
        month_of = _months(days)
        is_first_of_month = is_first | is_new(month_of)
        cohorts = month_of[is_first][np.cumsum(is_first) - 1]
        np.add.at(active, (cohorts[is_first_of_month], month_of[is_first_of_month]), 1)
    earliest, latest = map(np.concatenate, zip(*ends, strict=True))
    return Visits(earliest, latest, waits, active)


def _months(days: Integers) -> Integers:
    """The months since 1970 of days since then."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
