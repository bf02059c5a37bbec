"""Clean shops for tests: literal rows, or made up at random; as Parquet folders or as a Shop in memory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from shopsight.clean.orders import order_units, with_item_totals
from shopsight.contract import TABLES, Kind
from shopsight.engine.protocol import Frame
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.insights import Shop

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]

DTYPES = {
    Kind.KEY: pl.Int64,
    Kind.TEXT: pl.String,
    Kind.DATE: pl.Date,
    Kind.MONEY: pl.Decimal(18, 2),
    Kind.COUNT: pl.Int64,
}
SCHEMAS = {
    name: {column.name: DTYPES[column.kind] for column in table.columns}
    | ({"is_counting": pl.Boolean} if name == "orders" else {})
    for name, table in TABLES.items()
}


def clean_tables(**given: Iterable[Row]) -> Tables:
    """All six tables from the rows that matter; what these refer to and is not given is made up.

    Orders are ``(order_id, customer_id, order_date, total_amount, status, is_counting)``, the others as in
    the contract. A made-up customer is ``(id, "Customer <id>", None, "Nowhere")``, a product in category 1.
    """
    tables: Tables = {name: list(given.get(name, [])) for name in TABLES}
    assert not given.keys() - TABLES.keys()
    if "customers" not in given:
        ids = {row[1] for row in tables["orders"]} | {row[2] for row in tables["reviews"]}
        tables["customers"] = [(i, f"Customer {i}", None, "Nowhere") for i in sorted(ids)]
    if "products" not in given:
        ids = {row[2] for row in tables["order_items"]} | {row[1] for row in tables["reviews"]}
        tables["products"] = [(i, f"Product {i}", 1) for i in sorted(ids)]
    if "categories" not in given:
        tables["categories"] = [(i, f"Category {i}") for i in sorted({row[2] for row in tables["products"]})]
    return tables


def table_frame(name: str, rows: Iterable[Row]) -> pl.DataFrame:
    """One table with the clean types; money may be given as text."""
    money = [index for index, dtype in enumerate(SCHEMAS[name].values()) if dtype == pl.Decimal(18, 2)]
    exact = [tuple(Decimal(v) if i in money else v for i, v in enumerate(row)) for row in rows]
    return pl.DataFrame(exact, schema=SCHEMAS[name], orient="row")


def write_tables(folder: Path, tables: Mapping[str, list[Row]]) -> None:
    """The tables as a run's ``clean`` folder has them."""
    for name, rows in tables.items():
        (folder / name).mkdir(parents=True)
        table_frame(name, rows).write_parquet(folder / name / "part-00000.parquet")


def shop_of(tables: Mapping[str, list[Row]]) -> Shop:
    """The shop in memory, its customer metrics worked out."""
    frames: dict[str, Frame] = {
        name: nw.from_native(table_frame(name, rows).lazy()) for name, rows in tables.items()
    }
    frames["order_units"] = order_units(with_item_totals(frames["orders"], frames["order_items"]))
    metrics = customer_metrics(*(frames[name] for name in ("customers", "orders", "order_units", "reviews")))
    return Shop(**frames, customer_metrics=metrics)


def shop(**given: Iterable[Row]) -> Shop:
    """The shop of :func:`clean_tables`."""
    return shop_of(clean_tables(**given))


@dataclass(frozen=True)
class Recipe:
    """How a shop is made up. Small ranges make ties, wide ones make outliers.

    Attributes:
        cents: the least and greatest amount of an order and price of an item.
        first_key: keys count up from here, in a shuffled order.
        silent_months: months of the year in which nobody orders.
        counting_share: which part of the orders counts.
    """

    customers: int = 60
    orders: int = 400
    items: int = 900
    products: int = 25
    categories: int = 5
    reviews: int = 250
    first_day: date = date(2022, 11, 20)
    days: int = 800
    cents: tuple[int, int] = (0, 50_000)
    quantities: tuple[int, int] = (1, 4)
    countries: int = 6
    first_key: int = 1
    silent_months: frozenset[int] = frozenset({2, 3})
    counting_share: float = 0.8


def made_up_tables(seed: int, recipe: Recipe = Recipe()) -> Tables:
    """Six clean tables, the same for the same seed and recipe; popularity falls off by rank."""
    rng = random.Random(seed)
    customers, products, categories = (
        _keys(rng, recipe.first_key, count)
        for count in (recipe.customers, recipe.products, recipe.categories)
    )
    orders = _keys(rng, recipe.first_key, recipe.orders if customers else 0)
    days = [recipe.first_day + timedelta(days=n) for n in range(recipe.days)]
    days = [day for day in days if day.month not in recipe.silent_months]
    sold = orders and products
    rated = customers and products
    return {
        "categories": [(key, f"Category {key}") for key in categories],
        "products": [(key, f"Product {key}", rng.choice(categories)) for key in products],
        "customers": [
            (
                key,
                f"Name {key}",
                rng.choice([None, f"{key}@example.org"]),
                f"Lånd {rng.randrange(recipe.countries)}",
            )
            for key in customers
        ],
        "orders": [_order(rng, key, _popular(rng, customers), rng.choice(days), recipe) for key in orders],
        "order_items": [
            (
                key,
                rng.choice(orders),
                _popular(rng, products),
                rng.randint(*recipe.quantities),
                _amount(rng, recipe),
            )
            for key in _keys(rng, recipe.first_key, recipe.items if sold else 0)
        ],
        "reviews": [
            (key, _popular(rng, products), rng.choice(customers), rng.randint(1, 5), rng.choice(days))
            for key in _keys(rng, recipe.first_key, recipe.reviews if rated else 0)
        ],
    }


def _keys(rng: random.Random, first: int, count: int) -> list[int]:
    keys = list(range(first, first + count))
    rng.shuffle(keys)
    return keys


def _popular(rng: random.Random, keys: list[int]) -> int:
    return keys[
        min(int(rng.paretovariate(0.7)) - 1, len(keys) - 1)
        if rng.random() < 0.7
        else rng.randrange(len(keys))
    ]


def _amount(rng: random.Random, recipe: Recipe) -> Decimal:
    return Decimal(rng.randint(*recipe.cents)).scaleb(-2)


def _order(rng: random.Random, key: int, customer: int, day: date, recipe: Recipe) -> Row:
    counts = rng.random() < recipe.counting_share
    status = rng.choice(["paid", "shipped", "Ünterwegs"] if counts else ["cancelled", "refunded"])
    return (key, customer, day, _amount(rng, recipe), status, counts)
