"""``customer_metrics`` and the insights as docs/definitions.md has them, from clean rows in plain Python.

A list of rows each, in the order of the page; a row has the page's columns in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import combinations, pairwise
from statistics import median
from typing import Any, NamedTuple

from tests.reference.shop import CleanShop

Rows = list[tuple[Any, ...]]

SEGMENTS = (
    "Champions",
    "Loyal",
    "Potential loyalists",
    "New customers",
    "Promising",
    "Needing attention",
    "About to sleep",
    "At risk",
    "Can't lose",
    "Hibernating",
)
#: By recency, the segments of the values 1 to 5.
GRID = {
    5: ("New customers", "Potential loyalists", "Potential loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential loyalists", "Potential loyalists", "Loyal", "Loyal"),
    3: ("About to sleep", "About to sleep", "Needing attention", "Loyal", "Loyal"),
    2: ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
    1: ("Hibernating", "Hibernating", "At risk", "At risk", "Can't lose"),
}


class Metrics(NamedTuple):
    """One customer's row."""

    customer_id: int
    name: str
    email: str | None
    country: str
    total_amount_spent: Decimal
    total_orders: int
    average_order_value: Decimal | None
    total_products_ordered: int
    average_rating: float | None


def money(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))


def average(amount: Decimal, number: int) -> Decimal | None:
    """Half up to the cent, away from zero; null for a number of 0."""
    if not number:
        return None
    cents, left = divmod(abs(int(amount * 100)), number)
    return Decimal(cents + (2 * left >= number)).scaleb(-2).copy_sign(amount)


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    return float(part) / float(whole) if whole > 0 else None


def mean(ratings: list[int]) -> float | None:
    return sum(ratings) / len(ratings) if ratings else None


def month_of(day: date) -> date:
    return day.replace(day=1)


def months_through(first: date, last: date) -> list[date]:
    """Each month from the first to the last."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


class Figures:
    """What is worked out of a clean shop."""

    def __init__(self, shop: CleanShop, top_n: int, basket_pairs_n: int) -> None:
        self.top_n, self.basket_pairs_n = top_n, basket_pairs_n
        self.customers = shop.all_customers
        self.products = shop.products.kept
        self.categories = shop.category_names
        self.reviews = shop.reviews.kept.values()
        self.all_orders = shop.orders.kept.values()
        self.orders = [order for order in self.all_orders if shop.counting[order["order_id"]]]
        self.items = [item for item in shop.items.kept.values() if shop.counting[item["order_id"]]]
        self.metrics = [self._metrics_of(customer) for customer in self.customers]
        self.buyers = {row.customer_id: row for row in self.metrics if row.total_orders}
        self.days = {buyer: self._days_of(buyer) for buyer in self.buyers}

    def insights(self) -> dict[str, Rows]:
        return {
            "top_customers": self.top_customers(),
            "top_products": self.top_products(),
            "category_ratings": self.category_ratings(),
            "monthly_sales": self.monthly_sales(),
            "rfm_segments": self.rfm_segments(),
            "cohort_retention": self.cohort_retention(),
            "country_sales": self.country_sales(),
            "repeat_purchase": self.repeat_purchase(),
            "basket_pairs": self.basket_pairs(),
            "order_statuses": self.order_statuses(),
        }

    def _metrics_of(self, customer: int) -> Metrics:
        orders = {o["order_id"]: o["total_amount"] for o in self.orders if o["customer_id"] == customer}
        spent = money(orders.values())
        units = sum(item["quantity"] for item in self.items if item["order_id"] in orders)
        ratings = [review["rating"] for review in self.reviews if review["customer_id"] == customer]
        person = self.customers[customer]
        return Metrics(
            **person,
            total_amount_spent=spent,
            total_orders=len(orders),
            average_order_value=average(spent, len(orders)),
            total_products_ordered=units,
            average_rating=mean(ratings),
        )

    def _days_of(self, customer: int) -> list[date]:
        return sorted({order["order_date"] for order in self.orders if order["customer_id"] == customer})

    def top_customers(self) -> Rows:
        best = sorted(self.buyers.values(), key=lambda row: (-row.total_amount_spent, row.customer_id))
        return [
            (row.customer_id, row.name, row.country, row.total_amount_spent, row.total_orders)
            for row in best[: self.top_n]
        ]

    def top_products(self) -> Rows:
        rows = []
        for product, values in self.products.items():
            lines = [item for item in self.items if item["product_id"] == product]
            orders, units = {item["order_id"] for item in lines}, sum(item["quantity"] for item in lines)
            revenue = money(item["quantity"] * item["price"] for item in lines)
            rows.append((product, values["product_name"], len(orders), units, revenue))
        return sorted((row for row in rows if row[2]), key=lambda row: (-row[2], row[0]))[: self.top_n]

    def category_ratings(self) -> Rows:
        rows = []
        for category, name in self.categories.items():
            products = {key for key, values in self.products.items() if values["category_id"] == category}
            ratings = [review["rating"] for review in self.reviews if review["product_id"] in products]
            rows.append((category, name, mean(ratings), len(ratings)))
        return sorted(rows, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))

    def monthly_sales(self) -> Rows:
        rows: Rows = []
        before = None
        for month in self._months():
            amounts = [
                order["total_amount"] for order in self.orders if month_of(order["order_date"]) == month
            ]
            revenue = money(amounts)
            growth = None if before is None else share(revenue - before, before)
            rows.append((month, revenue, len(amounts), average(revenue, len(amounts)), growth))
            before = revenue
        return rows

    def _months(self) -> list[date]:
        days = [order["order_date"] for order in self.orders]
        return months_through(min(days), max(days)) if days else []

    def rfm_segments(self) -> Rows:
        recency = self._scores({buyer: days[-1] for buyer, days in self.days.items()})
        frequency = self._scores({buyer: row.total_orders for buyer, row in self.buyers.items()})
        monetary = self._scores({buyer: row.total_amount_spent for buyer, row in self.buyers.items()})
        revenues: dict[str, list[Decimal]] = {}
        for buyer, row in self.buyers.items():
            value = (frequency[buyer] + monetary[buyer] + 1) // 2
            revenues.setdefault(GRID[recency[buyer]][value - 1], []).append(row.total_amount_spent)
        total = money(row.total_amount_spent for row in self.buyers.values())
        rows = []
        for segment in (segment for segment in SEGMENTS if segment in revenues):
            customers, revenue = len(revenues[segment]), money(revenues[segment])
            shares = share(customers, len(self.buyers)), share(revenue, total)
            rows.append((segment, customers, revenue, *shares))
        return rows

    @staticmethod
    def _scores(values: dict[int, Any]) -> dict[int, int]:
        return {
            buyer: 1 + 5 * sum(other < value for other in values.values()) // len(values)
            for buyer, value in values.items()
        }

    def cohort_retention(self) -> Rows:
        rows: Rows = []
        for cohort in sorted({month_of(days[0]) for days in self.days.values()}):
            members = [days for days in self.days.values() if month_of(days[0]) == cohort]
            for months_since, month in enumerate(months_through(cohort, self._months()[-1])):
                active = sum(month in map(month_of, days) for days in members)
                rows.append((cohort, months_since, active, share(active, len(members))))
        return rows

    def country_sales(self) -> Rows:
        rows = []
        for country in {customer["country"] for customer in self.customers.values()}:
            people = [row for row in self.metrics if row.country == country]
            revenue = money(row.total_amount_spent for row in people)
            orders = sum(row.total_orders for row in people)
            buyers = sum(row.total_orders > 0 for row in people)
            rows.append((country, revenue, orders, buyers, average(revenue, orders)))
        return sorted(rows, key=lambda row: (-row[1], row[0]))

    def repeat_purchase(self) -> Rows:
        repeat = sum(row.total_orders > 1 for row in self.buyers.values())
        gaps = [(later - day).days for days in self.days.values() for day, later in pairwise(days)]
        wait = float(median(gaps)) if gaps else None
        return [(len(self.buyers), repeat, share(repeat, len(self.buyers)), wait)]

    def basket_pairs(self) -> Rows:
        baskets: dict[int, set[int]] = {}
        for item in self.items:
            baskets.setdefault(item["order_id"], set()).add(item["product_id"])
        alone = Counter(product for basket in baskets.values() for product in basket)
        together = Counter(pair for basket in baskets.values() for pair in combinations(sorted(basket), 2))
        rows = []
        for (a, b), orders in sorted(together.items(), key=lambda pair: (-pair[1], pair[0])):
            names = self.products[a]["product_name"], self.products[b]["product_name"]
            lift = share(orders * len(baskets), alone[a] * alone[b])
            shares = share(orders, len(baskets)), share(orders, alone[a]), lift
            rows.append((a, names[0], b, names[1], orders, *shares))
        return rows[: self.basket_pairs_n]

    def order_statuses(self) -> Rows:
        rows = []
        for status in {order["status"] for order in self.all_orders}:
            amounts = [order["total_amount"] for order in self.all_orders if order["status"] == status]
            counting = sum(order["status"] == status for order in self.orders)
            of_all = share(len(amounts), len(self.all_orders))
            rows.append((status, len(amounts), money(amounts), of_all, counting))
        return sorted(rows, key=lambda row: (-row[1], row[0]))
