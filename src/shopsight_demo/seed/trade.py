"""The made-up shop's orders, items and reviews as plain numbers, sound so far, block by block of orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from math import gcd
from typing import Self

import numpy as np
import numpy.typing as npt

from shopsight_demo.seed.catalogue import Catalogue
from shopsight_demo.seed.dirt import Numbers, Spread
from shopsight_demo.seed.pools import STATUSES, YOUNG_STATUSES
from shopsight_demo.seed.size import BLOCK_ROWS, Recipe

#: The sound statuses; orders hold places in this list.
STATUS_NAMES = (*(status for status, _ in STATUSES), *YOUNG_STATUSES)

_MOST_LINES = 40
_YOUNG_DAYS = 10
_LATEST_REVIEW_DAYS = 60
_STATUS_BY_PERCENT = np.repeat(np.arange(len(STATUSES)), [percent for _, percent in STATUSES])
_YOUNG = np.arange(len(STATUSES), len(STATUS_NAMES))
_REVIEWED = np.array([STATUS_NAMES.index(status) for status in ("completed", "delivered", "shipped")])
_REVIEWED_SHARE = float(np.isin(_STATUS_BY_PERCENT, _REVIEWED).mean())
_QUANTITIES = np.repeat([1, 2, 3, 4, 5, 10], [70, 18, 7, 2, 2, 1])
_DAYS = 3 * 365
_GROWTH = 1.4  # of the logarithm, over all days: the last day sells four times the first
_BY_MONTH = (0.85, 0.88, 0.95, 1.0, 1.02, 0.98, 0.86, 0.84, 1.0, 1.05, 1.35, 1.6)
_BY_WEEKDAY = (1.1, 1.0, 0.98, 1.0, 1.05, 0.85, 0.95)
# Enough for the calendar's days.
_DAY_BITS = 11
_SHIPPING_CENTS, _FREE_SHIPPING_CENTS = 499, 15_000


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


@dataclass(frozen=True)
class _Block:
    def of(self, chosen: npt.NDArray[np.bool_] | Numbers) -> Self:
        """The chosen rows alone."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Orders(_Block):
    """One array a column, one place an order; ``status`` is a place in :data:`STATUS_NAMES`."""

    order_id: Numbers
    customer_id: Numbers
    day: Numbers
    cents: Numbers
    status: Numbers


@dataclass(frozen=True)
class Lines(_Block):
    """One place an order line; ``order`` is the place of its order in the block's :class:`Orders`."""

    order: Numbers
    product_id: Numbers
    quantity: Numbers
    cents: Numbers


@dataclass(frozen=True)
class Reviews(_Block):
    """One place a review."""

    product_id: Numbers
    customer_id: Numbers
    rating: Numbers
    day: Numbers


class Trade:
    """Makes the blocks.

    Args:
        recipe: what the rows depend on.
        catalogue: the products.
        email_pairs: pairs of customers; each customer gets at least one order.
    """

    def __init__(self, recipe: Recipe, catalogue: Catalogue, email_pairs: list[tuple[int, int]]) -> None:
        self._recipe = recipe
        self._catalogue = catalogue
        self._calendar = SalesCalendar(recipe.end_date)
        self._email_pairs = np.array(email_pairs, np.int64).reshape(-1)
        self._pair_orders = Spread(
            min(0.5, len(self._email_pairs) / max(1, recipe.size.orders)), [recipe.seed, 4]
        )
        self._recent_reviews = np.empty(0, np.int64)

    def blocks(self) -> Iterator[tuple[Orders, Lines, Reviews]]:
        """All orders by id, which is also by date, with their lines and reviews.

        Totals are items plus shipping less discount, where there is one; every order has a line; a customer
        reviews a product once a day at most, after having ordered it.
        """
        count = self._recipe.size.orders
        for start in range(0, count, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, count)
            rng = np.random.default_rng([self._recipe.seed, 3, start])
            passed = (np.arange(start, stop) + rng.random(stop - start)) / count
            day = self._calendar.day_at(passed)
            lines = self._lines(rng, day)
            orders = Orders(
                order_id=np.arange(start + 1, stop + 1),
                customer_id=self._customers(rng, passed, start),
                day=day,
                cents=_totals(rng, lines),
                status=self._statuses(rng, day),
            )
            yield orders, lines, self._reviews(rng, orders, lines)

    def _customers(self, rng: np.random.Generator, passed: npt.NDArray[np.float64], start: int) -> Numbers:
        """Few customers order much and most little; they join over the years, and new ones are keen."""
        count = self._recipe.size.customers
        joined = np.ceil(count * (0.08 + 0.92 * passed)).astype(np.int64)
        customer = _popular(rng, count, len(passed), 1.5, self._recipe.seed)
        customer = np.where(customer < joined, customer, customer * joined // count)
        newest = joined - 1 - (joined * 0.08 * rng.random(len(passed))).astype(np.int64)
        customer = np.where(rng.random(len(passed)) < 0.25, newest, customer)
        # Some never order, and some hardly ever.
        customer -= (customer % 9 == 4) | ((customer % 5 == 2) & (rng.random(len(passed)) < 0.9))
        turns, rows = self._pair_orders.block(start, start + len(passed))
        if rows.size:
            customer[rows] = self._email_pairs[turns % len(self._email_pairs)] - 1
        return customer + 1

    def _statuses(self, rng: np.random.Generator, day: Numbers) -> Numbers:
        status = _STATUS_BY_PERCENT[rng.integers(0, len(_STATUS_BY_PERCENT), len(day))]
        is_young = (day > self._calendar.last_day - _YOUNG_DAYS) & (rng.random(len(day)) < 0.5)
        return np.where(is_young, _YOUNG[rng.integers(0, len(_YOUNG), len(day))], status)

    def _lines(self, rng: np.random.Generator, day: Numbers) -> Lines:
        size = self._recipe.size
        counts = np.minimum(rng.geometric(1 / size.items_per_order, len(day)), _MOST_LINES)
        order = np.repeat(np.arange(len(day)), counts)
        product = _popular(rng, size.products, len(order), 2.0, self._recipe.seed)
        # The product before suggests the next one: some pairs of products go together.
        follows = (np.diff(order, prepend=-1) == 0) & (rng.random(len(order)) < 0.2)
        product = np.where(follows, (np.roll(product, 1) * 7 + 3) % size.products, product)
        years = self._calendar.years_since_opening(day)[order]
        cents = self._catalogue.cents[product] * (100 + 4 * years) // 100
        cents = np.where(rng.random(len(order)) < 0.1, cents * 80 // 100, cents)
        return Lines(order, product + 1, _QUANTITIES[rng.integers(0, len(_QUANTITIES), len(order))], cents)

    def _reviews(self, rng: np.random.Generator, orders: Orders, lines: Lines) -> Reviews:
        size = self._recipe.size
        chance = min(1.0, size.reviews_per_order / size.items_per_order / _REVIEWED_SHARE)
        chosen = (rng.random(len(lines.order)) < chance) & np.isin(orders.status, _REVIEWED)[lines.order]
        lines = lines.of(chosen)
        count = len(lines.order)
        liking = 0.25 + 0.65 * self._catalogue.quality[lines.product_id - 1] + rng.normal(0, 0.25, count)
        later = 1 + np.minimum(rng.exponential(9, count), _LATEST_REVIEW_DAYS - 1).astype(np.int64)
        reviews = Reviews(
            product_id=lines.product_id,
            customer_id=orders.customer_id[lines.order],
            rating=np.clip(np.ceil(5 * liking), 1, 5).astype(np.int64),
            day=orders.day[lines.order] + later,
        )
        reviews = reviews.of(reviews.day <= self._calendar.last_day)
        return reviews.of(self._unheard(reviews, orders.day[0]))

    def _unheard(self, reviews: Reviews, earliest_day: np.int64) -> Numbers:
        """The reviews, without any that repeats a customer, product and day.

        Later blocks are of later days: only the reviews that may still be repeated are remembered.
        """
        pair = reviews.customer_id * (self._recipe.size.products + 1) + reviews.product_id
        marks = pair << _DAY_BITS | (reviews.day - self._calendar.first_day)
        _, first = np.unique(marks, return_index=True)
        first = np.sort(first)
        first = first[~np.isin(marks[first], self._recent_reviews)]
        recent = np.concatenate([self._recent_reviews, marks[first]])
        since = int(earliest_day) - self._calendar.first_day
        self._recent_reviews = recent[recent & (1 << _DAY_BITS) - 1 > since]
        return first


def _popular(rng: np.random.Generator, count: int, draws: int, exponent: float, seed: int) -> Numbers:
    """Numbers below ``count``; a few are frequent: the one of rank r comes about r^(1/exponent - 1) times.

    The ranks are dealt out over the numbers, so that popular ones are not neighbours.
    """
    step = next(step for step in range(max(1, int(0.618 * count)), 0, -1) if gcd(step, count) == 1)
    rank = (count * rng.random(draws) ** exponent).astype(np.int64)
    return (rank * step + seed) % count


def _totals(rng: np.random.Generator, lines: Lines) -> Numbers:
    """The total of each order: its lines, plus shipping for some, less a discount for some."""
    starts = np.flatnonzero(np.diff(lines.order, prepend=-1))
    total: Numbers = np.add.reduceat(lines.quantity * lines.cents, starts)
    ships = (total < _FREE_SHIPPING_CENTS) & (rng.random(len(total)) < 0.3)
    discount = np.where(rng.random(len(total)) < 0.08, total * rng.choice([5, 10, 20], len(total)) // 100, 0)
    return total + _SHIPPING_CENTS * ships - discount
