"""What later figures rely on in the clean tables: no key repeats, and every reference is to a kept row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shopsight.audit.control_totals import numbers_of
from shopsight.audit.lookups import Integers, Lookup, is_new
from shopsight.audit.parquet import count_rows, read_batches
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import TABLES
from shopsight.record import Check

#: How many keys are in memory at once.
KEYS_IN_MEMORY = 4_000_000


def clean_checks(files: ShopFiles) -> Iterator[Check]:
    """For each table its different keys, for each reference the rows whose parent is kept: all rows."""
    for table in TABLES.values():
        folder = files.clean / table.name
        yield Check(
            f"{table.name}: different {table.key}s", count_rows(folder), _different(folder, table.key)
        )
    customers, products = files.customer_of, files.product_of
    for name, column, parents in (
        ("products", "category_id", _all_of(files.clean / "categories", "category_id")),
        ("orders", "customer_id", customers),
        ("order_items", "order_id", files.orders.customer_of),
        ("order_items", "product_id", products),
        ("reviews", "product_id", products),
        ("reviews", "customer_id", customers),
    ):
        folder = files.clean / name
        found = sum(int(parents.has(keys).sum()) for keys in _keys(folder, column))
        yield Check(f"{name}.{column}: rows whose parent is kept", count_rows(folder), found)


def _different(folder: Path, column: str) -> int:
    """The number of different keys, a part of them at a time."""
    parts = count_rows(folder) // KEYS_IN_MEMORY + 1
    different = 0
    for part in range(parts):
        some = [keys[keys % parts == part] if parts > 1 else keys for keys in _keys(folder, column)]
        keys = np.concatenate([np.empty(0, np.int64), *some])
        keys.sort()
        different += int(is_new(keys).sum())
    return different


def _all_of(folder: Path, column: str) -> Lookup:
    found = Lookup(np.concatenate([np.empty(0, np.int64), *_keys(folder, column)]), missing=0)
    for keys in _keys(folder, column):
        found.put(keys, np.ones_like(keys))
    return found


def _keys(folder: Path, column: str) -> Iterator[Integers]:
    for batch in read_batches(folder, [column]):
        yield numbers_of(batch[column])
