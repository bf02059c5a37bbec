"""A whole shop, as batches of rows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from shopsight.contract import TABLES
from shopsight_demo.seed.catalogue import make_catalogue
from shopsight_demo.seed.dirt import DirtPlan
from shopsight_demo.seed.people import People
from shopsight_demo.seed.size import Recipe
from shopsight_demo.seed.trade import Trade
from shopsight_demo.seed.trade_rows import TradeRows


class MadeShop:
    """A shop that is made while it is read.

    Attributes:
        recipe: what every row depends on.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._plans: dict[str, DirtPlan] = {}

    @property
    def dirt(self) -> dict[str, dict[str, int]]:
        """By table and kind, how many rows were made dirty so far."""
        return {table: dict(self._plans[table].counts) if self._plans else {} for table in TABLES}

    def batches(self, batch_rows: int | None = None) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The rows: table name and batch, each table's columns and order being the contract's.

        Categories, products and customers come first; then, in turn, blocks of orders and their items and
        reviews, so that no more than a block is ever in memory. Keys and counts are int32, dates date32,
        amounts decimal128(10, 2), or all text. Equal recipes give equal rows in equal order.

        Args:
            batch_rows: split batches that are longer.
        """
        for table, batch in self._blocks():
            step = batch_rows or max(1, batch.num_rows)
            for start in range(0, batch.num_rows, step):
                yield table, batch.slice(start, step)

    def _blocks(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        recipe = self.recipe
        plans = {table: DirtPlan(table, recipe.dirt, recipe.seed, recipe.allowed) for table in TABLES}
        self._plans = plans
        catalogue = make_catalogue(recipe, plans)
        yield "categories", catalogue.categories
        yield "products", catalogue.products
        people = People(recipe, plans["customers"])
        for batch in people.blocks():
            yield "customers", batch
        rows = TradeRows(recipe, plans)
        for orders, lines, reviews in Trade(recipe, catalogue, people.email_pairs).blocks():
            batch, hits = rows.orders(orders)
            yield "orders", batch
            yield "order_items", rows.items(orders, lines, hits)
            yield "reviews", rows.reviews(reviews)
