"""The whole shop, cleaned from folder to folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import narwhals as nw

from shopsight.clean.categories import clean_categories, uncategorised_id, with_uncategorised
from shopsight.clean.customers import clean_customers
from shopsight.clean.duplicates import repeated_keys
from shopsight.clean.order_items import clean_order_items
from shopsight.clean.orders import (
    clean_orders,
    item_totals,
    order_flags,
    orders_without_total,
    tidy_statuses,
)
from shopsight.clean.parents import Parents, parents
from shopsight.clean.parse import read
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.products import clean_products
from shopsight.clean.reviews import clean_reviews
from shopsight.clean.rule import Cleaned
from shopsight.contract import CATEGORIES, CUSTOMERS, ORDER_ITEMS, ORDERS, PRODUCTS, REVIEWS, Table
from shopsight.engine.key_ranges import key_ranges
from shopsight.engine.protocol import Engine, Frame, is_empty, materialize


def clean_shop(
    engine: Engine,
    raw: Path,
    clean: Path,
    rejected: Path,
    policy: CleaningPolicy,
    *,
    on_table: Callable[[str], None] | None = None,
) -> None:
    """Clean the six tables of ``raw``: what is kept to ``clean``, what became of the rest to ``rejected``.

    Tables are cleaned one after the other, parents first; each is written in one pass over its raw rows.

    Args:
        engine: reads and writes the folders.
        raw: one folder a table, as extraction left them.
        clean: the contract's columns and types, no nulls but ``customers.email``, unique keys, references
            that hold, and ``orders.is_counting``.
        rejected: ``<table>``, ``repairs/<table>``, ``merged/<table>``, ``flags/<table>``, as
            :class:`shopsight.clean.rule.Cleaned` says.
        policy: the shop's.
        on_table: called with a table's name when it has been written.

    Raises:
        WorkspaceError: a folder cannot be written.
    """
    shop = _Shop(engine, raw, clean, rejected, policy)
    for table, work in (
        (PRODUCTS, shop.categories_and_products),
        (CUSTOMERS, shop.customers),
        (ORDERS, shop.orders),
        (ORDER_ITEMS, shop.order_items),
        (REVIEWS, shop.reviews),
    ):
        work()
        if on_table is not None:
            if table is PRODUCTS:
                on_table(CATEGORIES.name)
            on_table(table.name)


class _Shop:
    """The folders of one run, and the tables in the order in which they hang on each other."""

    def __init__(
        self, engine: Engine, raw: Path, clean: Path, rejected: Path, policy: CleaningPolicy
    ) -> None:
        self._engine = engine
        self._raw = raw
        self._clean = clean
        self._rejected = rejected
        self._policy = policy

    def categories_and_products(self) -> None:
        """Products decide whether there must be a category for those without."""
        rows = self._rows(CATEGORIES)
        categories = clean_categories(rows, self._policy, repeated_keys(rows, CATEGORIES.key))
        fallback = uncategorised_id(categories.kept)
        rows = self._rows(PRODUCTS)
        repeated = repeated_keys(rows, PRODUCTS.key)
        self._write(PRODUCTS, clean_products(rows, categories.kept, fallback, self._policy, repeated))
        products = self._engine.scan(self._clean / PRODUCTS.name)
        self._write(CATEGORIES, with_uncategorised(categories, products, fallback))

    def customers(self) -> None:
        """Customers hang on nothing."""
        rows = self._rows(CUSTOMERS)
        self._write(CUSTOMERS, clean_customers(rows, self._policy, repeated_keys(rows, CUSTOMERS.key)))

    def orders(self) -> None:
        """Orders hang on customers; their flags are written with the items."""
        rows = self._rows(ORDERS)
        totals, statuses = self._totals_from_items(rows), tidy_statuses(rows)
        repeated = repeated_keys(rows, ORDERS.key)
        customers = self._parents(CUSTOMERS, "customer")
        for part, keys in enumerate(key_ranges(rows, ORDERS.key)):
            some, same = keys.of(rows), None if repeated is None else keys.of(repeated)
            cleaned = clean_orders(some, customers, self._policy, same, totals, statuses=statuses)
            self._write(ORDERS, cleaned, part, flags=False)

    def order_items(self) -> None:
        """Items hang on orders and products. They are cleaned, and orders flagged, by ranges of orders."""
        rows = self._rows(ORDER_ITEMS)
        orders = self._parents(ORDERS, "order", "is_counting")
        products = self._parents(PRODUCTS, "product")
        ranges = key_ranges(orders.kept, ORDERS.key)
        repeated = repeated_keys(rows, ORDER_ITEMS.key)
        alone = rows if repeated is None else rows.join(repeated, on=ORDER_ITEMS.key, how="anti")
        for part, keys in enumerate(ranges):
            cleaned = clean_order_items(keys.of(alone), orders.within(keys), products, self._policy)
            self._write(ORDER_ITEMS, cleaned, part)
        if repeated is not None:
            # Rows with one key may name orders of several ranges, and are compared with each other.
            rivals = materialize(rows.join(repeated, on=ORDER_ITEMS.key, how="semi"))
            cleaned = clean_order_items(rivals, orders.of(rivals), products, self._policy, repeated)
            self._write(ORDER_ITEMS, cleaned, len(ranges))
        kept_orders, kept_items = (self._engine.scan(self._clean / t.name) for t in (ORDERS, ORDER_ITEMS))
        for part, keys in enumerate(ranges):
            flags = order_flags(keys.of(kept_orders), keys.of(kept_items), self._policy)
            self._engine.sink({self._rejected / "flags" / ORDERS.name: flags}, part)

    def reviews(self) -> None:
        """Reviews hang on products and customers."""
        rows = self._rows(REVIEWS)
        products, customers = self._parents(PRODUCTS, "product"), self._parents(CUSTOMERS, "customer")
        repeated = repeated_keys(rows, REVIEWS.key)
        self._write(REVIEWS, clean_reviews(rows, products, customers, self._policy, repeated))

    def _totals_from_items(self, orders: Frame) -> Frame | None:
        """What the items of the orders without a total add up to; None if every order has one."""
        lacking = materialize(orders_without_total(orders, self._policy))
        if is_empty(lacking):
            return None
        items = materialize(self._rows(ORDER_ITEMS).join(lacking, on=ORDERS.key, how="semi"))
        none = lacking.head(0).select(ORDERS.key).with_columns(order_was_rejected=nw.lit(True))
        # Sound by themselves: whether their order stays is what is being found out.
        their_orders = Parents(ORDERS, lacking, none)
        products = self._parents(PRODUCTS, "product")
        repeated = repeated_keys(items, ORDER_ITEMS.key)
        cleaned = clean_order_items(items, their_orders, products, self._policy, repeated)
        return materialize(item_totals(cleaned.kept))

    def _rows(self, table: Table) -> Frame:
        return read(self._engine.scan(self._raw / table.name), table)

    def _parents(self, table: Table, name: str, *also: str) -> Parents:
        merged = self._engine.scan(self._rejected / "merged" / table.name) if table is CUSTOMERS else None
        clean, rejected = (self._engine.scan(folder / table.name) for folder in (self._clean, self._rejected))
        return parents(table, name, clean, rejected, *also, merged=merged)

    def _write(self, table: Table, cleaned: Cleaned, part: int = 0, *, flags: bool = True) -> None:
        frames = {
            self._clean / table.name: cleaned.kept,
            self._rejected / table.name: cleaned.rejected,
            self._rejected / "repairs" / table.name: cleaned.repairs,
            self._rejected / "merged" / table.name: cleaned.merged,
        }
        if flags:
            frames[self._rejected / "flags" / table.name] = cleaned.flags
        self._engine.sink(frames, part)
