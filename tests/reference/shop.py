"""Cleaning as docs/definitions.md has it, row by row in plain Python.

Nothing here is shared with shopsight: no code, no engine, no list of rules. Rules have the names that the
page gives them. Speed does not matter, so each step is taken in the most direct way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from tests.reference.table import OPTIONAL, RawTable, Row, Table, grouped, read_row
from tests.reference.values import country_name, is_valid_email, tidied

LONGEST_NAME, LONGEST_STATUS = 10_000, 100
TRILLION = Decimal(10) ** 12


@dataclass(frozen=True)
class Policy:
    """What cleaning depends on beside the rows: settings, and the day of the snapshot in the shop."""

    today: date
    time_zone: str
    excluded_order_statuses: frozenset[str]
    negative_amounts: str
    currency: str | None = None
    guests_by_email: bool = False


class CleanShop:
    """The six tables, cleaned. ``counting`` says of each kept order whether it counts."""

    def __init__(self, raw: Mapping[str, RawTable], policy: Policy) -> None:
        self.raw, self.policy = raw, policy
        self.merged_customers: dict[int, int] = {}
        self.categories = Table("categories", self._read("categories"), clean_category)
        self.uncategorised_id = self._uncategorised_id()
        self.products = Table("products", self._read("products"), self._clean_product)
        self.customers = Table("customers", self._read("customers"), clean_customer)
        self._merge_customers()
        self.guests = self._find_guests()
        totals = self._totals_from_items()
        self.orders = Table("orders", self._read("orders"), partial(self._clean_order, totals=totals))
        self.counting = {key: self._counts(order) for key, order in self.orders.kept.items()}
        parents = [self.orders, self.products]
        clean_item = partial(self._clean_item, counting=self.counting, parents=parents)
        self.items = Table("order_items", self._read("order_items"), clean_item)
        self._flag_orders()
        self.reviews = Table("reviews", self._read("reviews"), self._clean_review)
        self._reject_superseded_reviews()

    @property
    def tables(self) -> list[Table]:
        return [self.categories, self.products, self.customers, self.orders, self.items, self.reviews]

    @property
    def category_names(self) -> dict[int, str]:
        """All categories, with the one that was added for products without."""
        names = {key: values["category_name"] for key, values in self.categories.kept.items()}
        if any(product["category_id"] == self.uncategorised_id for product in self.products.kept.values()):
            names.setdefault(self.uncategorised_id, "Uncategorised")
        return dict(sorted(names.items()))

    def clean_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        kept = {table.name: table.kept for table in self.tables} | {"customers": self.all_customers}
        rows = {
            name: [tuple(row[column] for column in row if column not in OPTIONAL) for row in some.values()]
            for name, some in kept.items()
        }
        return rows | {"categories": list(self.category_names.items())}

    @property
    def all_customers(self) -> dict[int, dict[str, Any]]:
        """The kept customers, and the guests."""
        guests = {
            key: {"customer_id": key, "name": f"Unknown customer {key}", "email": email, "country": "Unknown"}
            for email, key in self.guests.items()
        }
        return dict(sorted({**self.customers.kept, **guests}.items()))

    def rules(self) -> tuple[Counter[str], dict[str, Decimal]]:
        """How many rows each rule applied to, and what rejected and merged rows carry."""
        rows, carried = Counter[str](), dict[str, Decimal]()
        for table in self.tables:
            for rule, measure in table.outcomes():
                rows[rule] += 1
                if measure is not None:
                    carried[rule] = carried.get(rule, Decimal(0)) + measure
        if len(self.category_names) > len(self.categories.kept):
            rows["categories.uncategorised_added"] = 1
        for rule in ("guest_added", "name_missing", "country_missing") if self.guests else ():
            rows[f"customers.{rule}"] += len(self.guests)
        return rows, carried

    def _read(self, table: str) -> list[Row]:
        rows = [read_row(table, cells, self.policy.time_zone) for cells in self.raw[table]]
        unread = {"currency": self.policy.currency is None, "customer_email": not self.policy.guests_by_email}
        for row in rows if table == "orders" else ():
            for column in filter(unread.get, OPTIONAL):
                row.cells[column] = row.values[column] = None
        return rows

    def _uncategorised_id(self) -> int:
        """0, or the nearest negative id that is not the key of a category with another name."""
        names = {key: values["category_name"].lower() for key, values in self.categories.kept.items()}
        number = 0
        while names.get(number, "uncategorised") not in ("uncategorised", "uncategorized"):
            number -= 1
        return number

    def _clean_product(self, row: Row) -> Iterable[str]:
        clean_name(row, "product_name", "product")
        category = row.values["category_id"]
        if category is None:
            row.repair("category_missing", "category_id", self.uncategorised_id)
        elif category not in self.categories.kept:
            row.repair("category_unknown", "category_id", self.uncategorised_id)
        return ()

    def _merge_customers(self) -> None:
        """Customers with one valid address become one, under the smallest id."""
        kept = (row for row in self.customers.rows if row.is_kept and row.values["email"] is not None)
        for group in grouped(kept, "email").values():
            first = min(row.values["customer_id"] for row in group)
            for row in group:
                if row.values["customer_id"] != first:
                    row.merged_by = "same_email"
                    self.merged_customers[row.values["customer_id"]] = first

    def _is_known(self, customer: int | None) -> bool:
        return customer in self.customers.kept or customer in self.merged_customers

    def _find_guests(self) -> dict[str, int]:
        """By address, the ids of the customers that are made for the orders that have no other."""
        owned = {customer["email"] for customer in self.customers.kept.values()}
        addresses: dict[int, str] = {}
        for row in self._read("orders"):
            order, email = row.values["order_id"], address(row.values["customer_email"])
            is_guest = (
                email is not None and email not in owned and not self._is_known(row.values["customer_id"])
            )
            if is_guest and order is not None and order > 0:
                addresses[order] = min(email, addresses.get(order, email))
        taken = {row.values["customer_id"] for row in self.customers.rows}
        guests: dict[str, int] = {}
        for order, email in sorted(addresses.items()):
            guests.setdefault(email, -order)
        return {email: key for email, key in guests.items() if key not in taken}

    def _follow_address(self, row: Row) -> None:
        """An order without a known customer goes to the one with its address."""
        email = address(row.values["customer_email"])
        owners = self.guests | {customer["email"]: key for key, customer in self.customers.kept.items()}
        if email is not None and email in owners and not self._is_known(row.values["customer_id"]):
            # Noted even where the order names the guest's id, as that is chance.
            row.repairs.append("customer_from_email")
            row.values["customer_id"] = owners[email]

    def _counts(self, order: Mapping[str, Any]) -> bool:
        return order["status"] not in self.policy.excluded_order_statuses

    def _totals_from_items(self) -> dict[int, Decimal]:
        """By order without a total, the sum of its items that are sound by themselves."""
        counting: dict[int, bool] = {}
        for row in self._read("orders"):
            if row.values["total_amount"] is None and row.values["order_id"] is not None:
                clean_status(row)
                order = row.values["order_id"]
                counting[order] = counting.get(order, False) or self._counts(row.values)
        # Each item once: of several rows with one key, the greatest of those in such orders.
        named = [row for row in self._read("order_items") if row.values["order_id"] in counting]
        clean_item = partial(self._clean_item, counting=counting, parents=[self.products])
        totals = amounts_by_order(Table("order_items", named, clean_item))
        return {order: total for order, total in totals.items() if abs(total) < TRILLION}

    def _clean_order(self, row: Row, totals: Mapping[int, Decimal]) -> Iterator[str]:
        values = row.values
        row.round_to_cents("total_amount", "total_rounded")
        row.measure = values["total_amount"]
        if values["total_amount"] is None:
            row.repair("total_from_items", "total_amount", totals.get(values["order_id"]))
        clean_status(row)
        self._follow_address(row)
        self._follow_merge(row)
        total = values["total_amount"]
        currency = (tidied(values["currency"] or "") or "none").upper()
        if self.policy.currency is not None and currency != self.policy.currency:
            yield "currency_other"
        yield from missing(row, "customer")
        yield from self._date_rules(values["order_date"])
        if total is not None and abs(total) >= TRILLION:
            yield "amount_beyond_limit"
        if total is None:
            yield "total_missing"
        if total is not None and total < 0:
            row.flags.append("negative_kept")
            if self._counts(values) and self.policy.negative_amounts == "reject":
                yield "negative_amount"
        if len(values["status"]) > LONGEST_STATUS:
            yield "status_too_long"
        if "customer_from_email" not in row.repairs:
            yield from unknown(row, self.customers)

    def _flag_orders(self) -> None:
        totals = amounts_by_order(self.items)
        for row in self.orders.rows:
            total = totals.get(row.values["order_id"])
            if total is None:
                row.flags.append("no_items")
            elif total != row.values["total_amount"]:
                row.flags.append("total_differs")

    def _clean_item(self, row: Row, counting: Mapping[int, bool], parents: list[Table]) -> Iterator[str]:
        row.round_to_cents("price", "price_rounded")
        values = row.values
        quantity, price = values["quantity"], values["price"]
        if quantity is not None and price is not None and abs(quantity) < 10**10:
            row.measure = quantity * price
        yield from missing(row, "order", "product")
        if quantity is None:
            yield "quantity_missing"
        if price is None:
            yield "price_missing"
        if quantity is not None and abs(quantity) > 10_000_000:
            yield "quantity_beyond_limit"
        if any(amount is not None and abs(amount) >= TRILLION for amount in (price, row.measure)):
            yield "amount_beyond_limit"
        if any(number is not None and number < 0 for number in (quantity, price)):
            row.flags.append("negative_kept")
            if counting.get(values["order_id"]) and self.policy.negative_amounts == "reject":
                yield "negative_amount"
        if quantity == 0:
            row.flags.append("zero_quantity")
        yield from unknown(row, *parents)

    def _clean_review(self, row: Row) -> Iterator[str]:
        self._follow_merge(row)
        rating = row.values["rating"]
        if rating is not None and abs(rating) < 10**18:
            row.measure = Decimal(rating)
        yield from missing(row, "product", "customer")
        if rating is None:
            yield "rating_missing"
        elif not 1 <= rating <= 5:
            yield "rating_out_of_range"
        yield from self._date_rules(row.values["review_date"])
        yield from unknown(row, self.products, self.customers)

    def _reject_superseded_reviews(self) -> None:
        """Of a customer's reviews of one product on one day, the one with the greatest id stays."""
        for group in grouped(self.reviews.sound, "customer_id", "product_id", "review_date").values():
            last = max(row.values["review_id"] for row in group)
            for row in group:
                if row.values["review_id"] < last:
                    row.rejected_by = "superseded"

    def _follow_merge(self, row: Row) -> None:
        customer = row.values["customer_id"]
        row.repair("customer_repointed", "customer_id", self.merged_customers.get(customer, customer))

    def _date_rules(self, day: date | None) -> Iterator[str]:
        if day is None:
            yield "date_missing"
        elif day < date(1970, 1, 1):
            yield "date_before_1970"
        elif day > self.policy.today:
            yield "date_in_future"


def clean_category(row: Row) -> Iterable[str]:
    clean_name(row, "category_name", "category")
    return ()


def clean_customer(row: Row) -> Iterable[str]:
    clean_name(row, "name", "customer")
    email = address(row.values["email"])
    if tidied(row.values["email"] or "") is None:
        row.flags.append("email_missing")
        row.repair("email_tidied", "email", None)
    elif email is not None:
        row.repair("email_tidied", "email", email)
    else:
        row.flags.append("email_invalid")
        row.repair("email_cleared", "email", None)
    country = tidied(row.values["country"] or "")
    if country is None:
        row.repair("country_missing", "country", "Unknown")
    else:
        name = country_name(country)
        if name is None:
            row.flags.append("country_unrecognised")
        rule = "country_shortened" if len(country) > LONGEST_NAME else "country_unified"
        row.repair(rule, "country", name or shortened(country))
    return ()


def address(written: str | None) -> str | None:
    """An address as customers have it; None for one that is not valid."""
    email = tidied((written or "").lower())
    return email if email is not None and is_valid_email(email) else None


def amounts_by_order(items: Table) -> dict[int, Decimal]:
    amounts: dict[int, Decimal] = {}
    for item in items.kept.values():
        amount = item["quantity"] * item["price"]
        amounts[item["order_id"]] = amounts.get(item["order_id"], Decimal(0)) + amount
    return amounts


def clean_name(row: Row, column: str, entity: str) -> None:
    name = tidied(row.values[column] or "")
    if name is None:
        row.repair("name_missing", column, f"Unknown {entity} {row.values[f'{entity}_id']}")
    else:
        rule = "name_shortened" if len(name) > LONGEST_NAME else "name_tidied"
        row.repair(rule, column, shortened(name))


def clean_status(row: Row) -> None:
    status = tidied(row.values["status"] or "")
    if status is None:
        row.repair("status_missing", "status", "unknown")
    else:
        status = status.lower()
        row.repair("status_tidied", "status", "cancelled" if status == "canceled" else status)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def missing(row: Row, *parents: str) -> Iterator[str]:
    """The rules about references that name nothing."""
    for parent in parents:
        if row.values[f"{parent}_id"] is None:
            yield f"{parent}_missing"


def unknown(row: Row, *parents: Table) -> Iterator[str]:
    """The rules about references to rows that are not kept."""
    absent = [parent for parent in parents if row.values[parent.key] not in parent.kept]
    for parent in absent:
        if row.values[parent.key] in parent.rejected_keys:
            yield "parent_rejected"
    for parent in absent:
        yield f"{parent.key.removesuffix('_id')}_unknown"
