"""The days on which a shop sells: it grows, has seasons, and a weekly rhythm."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from shopsight_demo.seed.dirt import Numbers

_DAYS = 3 * 365
_GROWTH = 1.4  # of the logarithm, over all days: the last day sells four times the first
_BY_MONTH = (0.85, 0.88, 0.95, 1.0, 1.02, 0.98, 0.86, 0.84, 1.0, 1.05, 1.35, 1.6)
_BY_WEEKDAY = (1.1, 1.0, 0.98, 1.0, 1.05, 0.85, 0.95)


class SalesCalendar:
    """Three years of days that end with ``end_date``, each with its share of the orders.

    Attributes:
        first_day: the first of them, and
        last_day: the last, both as days since 1970-01-01.
    """

    def __init__(self, end_date: date) -> None:
        epoch = date(1970, 1, 1)
        self.last_day = (end_date - epoch).days
        self.first_day = self.last_day - _DAYS + 1
        days = [end_date - timedelta(days=before) for before in range(_DAYS - 1, -1, -1)]
        weights = np.exp(np.linspace(0, _GROWTH, _DAYS))
        weights *= [_BY_MONTH[day.month - 1] * _BY_WEEKDAY[day.weekday()] for day in days]
        self._passed = np.cumsum(weights) / weights.sum()

    def day_at(self, share: npt.NDArray[np.float64]) -> Numbers:
        """The day on which this share of all orders had been placed, as days since 1970-01-01."""
        return self.first_day + np.minimum(np.searchsorted(self._passed, share, side="right"), _DAYS - 1)

    def years_since_opening(self, days: Numbers) -> Numbers:
        """Whole years between the first day and these."""
        return (days - self.first_day) // 365
