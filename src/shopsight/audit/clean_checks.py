"""What later figures rely on in the clean tables: no key repeats, and every reference is to a kept row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from shopsight.audit.control_totals import numbers_of
from shopsight.audit.lookups import Integers, Lookup, is_new, places_of
from shopsight.audit.parquet import THREADS, count_rows, read_batches, read_column
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import TABLES, Table
from shopsight.record import Check

#: How many sparse keys are in memory at once.
KEYS_IN_MEMORY = 4_000_000

#: 2^64 by the golden ratio, as a signed number: Knuth's multiplicative hashing spreads keys that have gaps.
_MIXER = np.int64(-7046029254386353131)


def clean_checks(files: ShopFiles) -> Iterator[Check]:
    """Every table has as many different keys as rows, and every reference names a kept row, nulls never."""
    customers, products = files.customer_of, files.product_of
    references = (
        ("products", "category_id", places_of(read_column(files.clean / "categories", "category_id"))),
        ("orders", "customer_id", customers),
        ("order_items", "order_id", files.orders.customer_of),
        ("order_items", "product_id", products),
        ("reviews", "product_id", products),
        ("reviews", "customer_id", customers),
    )

    def keys_of(table: Table) -> Check:
        folder = files.clean / table.name
        return Check(
            f"{table.name}: different {table.key}s", count_rows(folder), _different(folder, table.key)
        )

    def references_of(name: str, column: str, parents: Lookup) -> Check:
        folder = files.clean / name
        found = sum(int(parents.has(keys).sum()) for keys in _keys(folder, column))
        return Check(f"{name}.{column}: rows whose parent is kept", count_rows(folder), found)

    with ThreadPoolExecutor(THREADS) as threads:
        yield from threads.map(keys_of, TABLES.values())
        yield from threads.map(references_of, *zip(*references, strict=True))


def _different(folder: Path, column: str) -> int:
    """The number of different keys: flags where keys are dense, or else sorted, a part of them at a time."""
    rows = count_rows(folder)
    extents = [(int(keys.min()), int(keys.max())) for keys in _keys(folder, column)]
    least, greatest = (
        min((low for low, _ in extents), default=0),
        max((high for _, high in extents), default=-1),
    )
    if greatest - least < 8 * rows:
        is_there = np.zeros(greatest - least + 1, np.bool_)
        for keys in _keys(folder, column):
            is_there[keys - least] = True
        return int(np.count_nonzero(is_there))
    parts, different = rows // KEYS_IN_MEMORY + 1, 0
    for part in range(parts):
        some = [keys[(keys * _MIXER >> 32) % parts == part] for keys in _keys(folder, column)]
        keys = np.concatenate([np.empty(0, np.int64), *some])
        keys.sort()
        different += int(is_new(keys).sum())
    return different


def _keys(folder: Path, column: str) -> Iterator[Integers]:
    for batch in read_batches(folder, [column]):
        if len(found := pc.drop_null(batch[column])):
            yield numbers_of(found)
