"""The whole shop, cleaned from folder to folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import narwhals as nw

from shopsight.clean import categories, customers, guests, order_items, orders, products, reviews
from shopsight.clean.duplicates import repeated_keys
from shopsight.clean.parse import read
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.references import Parents, parents
from shopsight.clean.rule import Cleaned, Rule
from shopsight.contract import CATEGORIES, CUSTOMERS, ORDER_ITEMS, ORDERS, PRODUCTS, REVIEWS, Table
from shopsight.engine.key_ranges import KeyRange, key_ranges
from shopsight.engine.protocol import Engine, Frame, is_empty, materialize

#: Every rule of cleaning by id, in the order in which tables and their rules are applied; docs/definitions.md
#: lists them.
RULES: dict[str, Rule] = {
    rule.id: rule
    for table in (categories, products, customers, orders, order_items, reviews)
    for rule in table.RULES
}


def clean_shop(
    engine: Engine,
    raw: Path,
    clean: Path,
    rejected: Path,
    policy: CleaningPolicy,
    *,
    on_table: Callable[[str], None] = lambda _: None,
) -> None:
    """Clean the six tables of ``raw``: kept rows to ``clean``, everything about the others to ``rejected``.

    Tables are cleaned one after the other, parents first; each is written in one pass over its raw rows.

    Args:
        engine: reads and writes the folders.
        raw: one folder a table, as extraction left them.
        clean: the contract's columns and types, no nulls but ``customers.email``, unique keys, references
            that hold, and ``orders.is_counting``. Beside the tables ``order_units``, as
            :func:`shopsight.clean.orders.order_units` says.
        rejected: ``<table>``, ``repairs/<table>``, ``merged/<table>``, ``flags/<table>``, as
            :class:`shopsight.clean.rule.Cleaned` says.
        policy: the shop's.
        on_table: called with a table's name when its rows have been written.

    Raises:
        DataQualityError: counting orders have several currencies, and none of them was chosen.
        WorkspaceError: a folder cannot be written.
    """
    shop = _Shop(engine, raw, clean, rejected, policy)
    for clean_tables, tables in (
        (shop.clean_categories_and_products, (CATEGORIES, PRODUCTS)),
        (shop.clean_customers, (CUSTOMERS,)),
        (shop.clean_orders, (ORDERS,)),
        (shop.clean_order_items, (ORDER_ITEMS,)),
        (shop.total_orders, ()),
        (shop.clean_reviews, (REVIEWS,)),
    ):
        clean_tables()
        engine.release()
        for table in tables:
            on_table(table.name)


@dataclass(frozen=True)
class _Shop:
    """The folders of one run, and a step for each table, in the order in which tables need each other."""

    engine: Engine
    raw: Path
    clean: Path
    rejected: Path
    policy: CleaningPolicy

    def clean_categories_and_products(self) -> None:
        """Products decide whether there must be a category for those without."""
        cleaned = categories.clean_categories(self._raw(CATEGORIES), self.policy)
        fallback, rows = categories.uncategorised_id(cleaned.kept), self._raw(PRODUCTS)
        self._write(PRODUCTS, products.clean_products(rows, cleaned.kept, fallback, self.policy))
        cleaned = categories.with_uncategorised(cleaned, self._kept(PRODUCTS), fallback)
        self._write(CATEGORIES, cleaned)

    def clean_customers(self) -> None:
        """Customers need no other table; guests are found in the orders, if these have addresses."""
        self._write(CUSTOMERS, customers.clean_customers(self._raw(CUSTOMERS), self.policy))
        if self._have_addresses:
            of_customers, addresses = self._parents(CUSTOMERS), guests.owners(self._kept(CUSTOMERS))
            found = guests.find_guests(self._raw(ORDERS), of_customers, addresses)
            self._write(CUSTOMERS, guests.clean_guests(found, self.policy), part=1)

    def clean_orders(self) -> None:
        """Orders by two ranges of their keys at a time: each time, a table is made of all customers."""
        rows, of_customers = self._raw(ORDERS), self._parents(CUSTOMERS)
        statuses = orders.distinct_statuses(rows)
        orders.refuse_several_currencies(rows, statuses, self.policy)
        totals = self._totals_from_items(rows, statuses)
        addresses = guests.owners(self._kept(CUSTOMERS)) if self._have_addresses else None
        starts, ends = self._order_ranges[::2], [*self._order_ranges[1::2], self._order_ranges[-1]]
        for part, (first, last) in enumerate(zip(starts, ends, strict=False)):
            some = replace(first, end=last.end).filter(rows)
            cleaned = orders.clean_orders(
                some, of_customers, statuses, totals, self.policy, addresses=addresses
            )
            self._write(ORDERS, cleaned, part, with_flags=False)

    def clean_order_items(self) -> None:
        """Items by ranges of their orders."""
        rows = self._raw(ORDER_ITEMS)
        of_orders, of_products = self._parents(ORDERS, "is_counting"), self._parents(PRODUCTS)
        repeated = repeated_keys(rows, ORDER_ITEMS.key)
        single = rows if repeated is None else rows.join(repeated, on=ORDER_ITEMS.key, how="anti")
        for part, key_range in enumerate(self._order_ranges):
            some, some_orders = key_range.filter(single), of_orders.within(key_range)
            cleaned = order_items.clean_order_items(some, some_orders, of_products, self.policy)
            self._write(ORDER_ITEMS, cleaned, part)
        if repeated is not None:
            # Rows with one key may name orders of several ranges, and are compared with each other.
            for part, key_range in enumerate(key_ranges(repeated, ORDER_ITEMS.key), len(self._order_ranges)):
                keys = key_range.filter(repeated)
                some = materialize(key_range.filter(rows).join(keys, on=ORDER_ITEMS.key, how="semi"))
                some_orders = of_orders.named_by(some)
                cleaned = order_items.clean_order_items(some, some_orders, of_products, self.policy, keys)
                self._write(ORDER_ITEMS, cleaned, part)

    def total_orders(self) -> None:
        """What needs the sums of an order's kept items: the orders' flags and units."""
        for part, key_range in enumerate(self._order_ranges):
            kept_orders, kept_items = (key_range.filter(self._kept(t)) for t in (ORDERS, ORDER_ITEMS))
            totalled = orders.with_item_totals(kept_orders, kept_items)
            frames = {
                self.rejected / "flags" / ORDERS.name: orders.order_flags(totalled, self.policy),
                self.clean / "order_units": orders.order_units(totalled),
            }
            self.engine.sink(frames, part)

    def clean_reviews(self) -> None:
        """Reviews in one go."""
        of_products, of_customers = self._parents(PRODUCTS), self._parents(CUSTOMERS)
        cleaned = reviews.clean_reviews(self._raw(REVIEWS), of_products, of_customers, self.policy)
        self._write(REVIEWS, cleaned)

    def _totals_from_items(self, rows: Frame, statuses: Frame) -> Frame | None:
        """The sums of the items of orders without a total; None if every order has one.

        An order's total needs its sound items, and an item needs to know whether its order is kept. So the
        items of the few orders without a total are cleaned twice: here as if their order were kept, and later
        with the others. To clean each item once, all of them would have to be written and read once more.
        """
        incomplete = materialize(orders.orders_without_total(rows, statuses, self.policy))
        if is_empty(incomplete):
            return None
        items = materialize(self._raw(ORDER_ITEMS).join(incomplete, on=ORDERS.key, how="semi"))
        kept = Parents(ORDERS.key, incomplete, incomplete.head(0).select(ORDERS.key))
        of_products, repeated = self._parents(PRODUCTS), repeated_keys(items, ORDER_ITEMS.key)
        cleaned = order_items.clean_order_items(items, kept, of_products, self.policy, repeated)
        return materialize(orders.item_totals(cleaned.kept).select("order_id", "items_amount"))

    @cached_property
    def _order_ranges(self) -> list[KeyRange]:
        return key_ranges(self._raw(ORDERS), ORDERS.key)

    @cached_property
    def _have_addresses(self) -> bool:
        return "customer_email" in self._raw(ORDERS).collect_schema().names()

    def _raw(self, table: Table) -> Frame:
        return read(self.engine.scan(self.raw / table.name), table, self.policy.time_zone)

    def _kept(self, table: Table) -> Frame:
        return self.engine.scan(self.clean / table.name)

    def _parents(self, table: Table, *also: str) -> Parents:
        kept, rejected = self._kept(table), self.engine.scan(self.rejected / table.name)
        if table is not CUSTOMERS:
            return parents(table, kept, rejected, *also)
        merged, repairs = (
            self.engine.scan(self.rejected / name / table.name) for name in ("merged", "repairs")
        )
        if self._have_addresses:
            # A row that names a guest's id means somebody else.
            added = repairs.filter(nw.col("rule") == customers.GUEST_ADDED).select("key")
            kept = kept.join(added, left_on=table.key, right_on="key", how="anti")
        return parents(table, kept, rejected, *also, merged=merged)

    def _write(self, table: Table, cleaned: Cleaned, part: int = 0, *, with_flags: bool = True) -> None:
        frames = {
            self.clean / table.name: cleaned.kept,
            self.rejected / table.name: cleaned.rejected,
            self.rejected / "repairs" / table.name: cleaned.repairs,
            self.rejected / "merged" / table.name: cleaned.merged,
        }
        if with_flags:
            frames[self.rejected / "flags" / table.name] = cleaned.flags
        self.engine.sink(frames, part)
