"""Blocks of orders, items and reviews as rows of their tables, with the planned dirt."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from shopsight_demo.seed.columns import Draft, dates, gather, money, numbers
from shopsight_demo.seed.dirt import DirtPlan, Hits, Numbers
from shopsight_demo.seed.messy_text import add_blanks, add_control_character, add_fraction, mix_case
from shopsight_demo.seed.pools import TEXT, UNKNOWN_STATUSES
from shopsight_demo.seed.schemas import Types
from shopsight_demo.seed.size import Recipe
from shopsight_demo.seed.trade import STATUS_NAMES, Lines, Orders, Reviews

_EPOCH = date(1970, 1, 1)
_FUTURE = tuple((day - _EPOCH).days for day in (date(2999, 12, 31), date(9999, 12, 31), date(2099, 1, 1)))
_ANCIENT = tuple((day - _EPOCH).days for day in (date(1969, 12, 31), date(1900, 1, 1), date(1, 1, 1)))
#: The form of what cannot be read, or is huge, in the columns that are no keys.
_FORMS = {"date": "dates", "total": "amounts", "price": "amounts", "quantity": "counts", "rating": "counts"}
#: Far beyond every real key, so that it stays unknown.
_NOWHERE = 1_000_000_000


class TradeRows:
    """Turns blocks into rows; keeps count of the rows so far, which number items and reviews."""

    def __init__(self, recipe: Recipe, plans: dict[str, DirtPlan]) -> None:
        self._is_text = recipe.types is Types.TEXT
        self._plans = plans
        self._items = self._reviews = self._review_ids = 0

    def orders(self, orders: Orders) -> tuple[pa.RecordBatch, Hits]:
        """The orders' rows, and which of them are dirty (counted from the block's first)."""
        hits = self._plans["orders"].block(int(orders.order_id[0]) - 1, int(orders.order_id[-1]))
        cents = orders.cents.copy()
        rows = hits["total_differs"]
        cents[rows] += 1 + rows % 4000
        cents[hits.of("total_negative", "return")] *= -1
        draft = Draft(
            {
                "order_id": numbers(orders.order_id),
                "customer_id": numbers(orders.customer_id),
                "order_date": dates(_dirty_days(orders.day, hits)),
                "total_amount": money(cents),
                "status": gather(STATUS_NAMES, orders.status),
            }
        )
        _dirty_statuses(draft, hits)
        _dirty_references(draft, hits, "customer")
        draft.blank("order_date", hits["date_missing"])
        draft.blank("total_amount", hits.of("total_missing", "total_missing_without_items"))
        draft.blank("order_id", hits["key_missing"])
        draft.repeat(hits["key_identical"])
        rows = hits["key_conflicting"]
        draft.repeat(rows, total_amount=money(cents[rows] + 100), status=["completed"] * len(rows))
        return self._finished(
            draft, hits, key="order_id", customer="customer_id", date="order_date", total="total_amount"
        ), hits

    def items(self, orders: Orders, lines: Lines, orders_hits: Hits) -> pa.RecordBatch:
        """The lines' rows; an order that is to have none has none, and a return has negative quantities."""
        sign = np.ones(len(orders.order_id), np.int64)
        sign[orders_hits["return"]] = -1
        sign[orders_hits.of("without_items", "total_missing_without_items")] = 0
        lines = lines.of(sign[lines.order] != 0)
        count = len(lines.order)
        ids = np.arange(self._items + 1, self._items + count + 1)
        hits = self._plans["order_items"].block(self._items, self._items + count)
        self._items += count
        quantity = lines.quantity * sign[lines.order]
        quantity[hits["quantity_negative"]] *= -1
        quantity[hits["quantity_zero"]] = 0
        cents = lines.cents.copy()
        cents[hits["price_negative"]] *= -1
        draft = Draft(
            {
                "item_id": numbers(ids),
                "order_id": numbers(orders.order_id[lines.order]),
                "product_id": numbers(lines.product_id),
                "quantity": numbers(quantity),
                "price": money(cents),
            }
        )
        _dirty_references(draft, hits, "order", "product")
        draft.blank("quantity", hits["quantity_missing"])
        draft.blank("price", hits["price_missing"])
        draft.blank("item_id", hits["key_missing"])
        draft.repeat(hits["key_identical"])
        rows = hits["key_conflicting"]
        draft.repeat(rows, quantity=numbers(quantity[rows] + 1), price=money(cents[rows] + 1))
        return self._finished(
            draft,
            hits,
            key="item_id",
            order="order_id",
            product="product_id",
            quantity="quantity",
            price="price",
        )

    def reviews(self, reviews: Reviews) -> pa.RecordBatch:
        """The reviews' rows; those that come a second time on a day have the greatest ids of their block."""
        count = len(reviews.day)
        ids = np.arange(self._review_ids + 1, self._review_ids + count + 1)
        hits = self._plans["reviews"].block(self._reviews, self._reviews + count)
        again = hits["same_day"]
        self._reviews += count
        self._review_ids += count + len(again)
        rating = reviews.rating.copy()
        for value in (0, 6, 99):
            rating[hits[f"rating_{value}"]] = value
        draft = Draft(
            {
                "review_id": numbers(ids),
                "product_id": numbers(reviews.product_id),
                "customer_id": numbers(reviews.customer_id),
                "rating": numbers(rating),
                "review_date": dates(_dirty_days(reviews.day, hits)),
            }
        )
        _dirty_references(draft, hits, "product", "customer")
        draft.blank("rating", hits["rating_missing"])
        draft.blank("review_date", hits["date_missing"])
        draft.blank("review_id", hits["key_missing"])
        draft.repeat(
            again,
            review_id=numbers(self._review_ids - len(again) + 1 + np.arange(len(again))),
            rating=numbers(_other_rating(rating[again])),
        )
        draft.repeat(hits["key_identical"])
        rows = hits["key_conflicting"]
        draft.repeat(rows, rating=numbers(_other_rating(rating[rows])))
        return self._finished(
            draft,
            hits,
            key="review_id",
            product="product_id",
            customer="customer_id",
            rating="rating",
            date="review_date",
        )

    def _finished(self, draft: Draft, hits: Hits, **columns: str) -> pa.RecordBatch:
        if self._is_text:
            draft.as_text()
            for kind, column in columns.items():
                form = _FORMS.get(kind, "keys")
                draft.cycle(column, hits[f"{kind}_unreadable"], TEXT[f"unreadable_{form}"])
                draft.change(column, hits[f"{kind}_fraction"], add_fraction)
                if huge := TEXT.get(f"huge_{form}"):
                    draft.cycle(column, hits[f"{kind}_huge"], huge)
        return draft.rows()


def _dirty_references(draft: Draft, hits: Hits, *kinds: str) -> None:
    for kind in kinds:
        draft.blank(f"{kind}_id", hits[f"{kind}_missing"])
        rows = hits[f"{kind}_unknown"]
        draft.put(f"{kind}_id", rows, numbers(_NOWHERE + rows))


def _dirty_days(day: Numbers, hits: Hits) -> Numbers:
    day = day.copy()
    for kind, days in (("date_future", _FUTURE), ("date_ancient", _ANCIENT)):
        day[hits[kind]] = np.resize(days, len(hits[kind]))
    return day


def _dirty_statuses(draft: Draft, hits: Hits) -> None:
    messes = {"status_blanks": add_blanks, "status_case": mix_case, "status_control": add_control_character}
    for kind, mess in messes.items():
        draft.change("status", hits[kind], mess)
    draft.cycle("status", hits["status_unknown"], UNKNOWN_STATUSES)
    draft.cycle("status", hits["status_canceled"], ("canceled", "Canceled"))
    draft.blank("status", hits["status_missing"])


def _other_rating(rating: Numbers) -> Numbers:
    return rating % 5 + 1
