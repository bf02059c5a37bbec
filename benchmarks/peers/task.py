"""What a measured program is to do: addresses and folders, handed over by the environment."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bson.decimal128 import Decimal128

SOURCE_URL = os.environ.get("BENCH_SOURCE_URL", "")
TARGET_URL = os.environ.get("BENCH_TARGET_URL", "")
TARGET_DATABASE = os.environ.get("BENCH_TARGET_DATABASE", "")
#: Parquet that was prepared for programs that begin in the middle.
INPUT = Path(os.environ.get("BENCH_INPUT", "."))
#: An empty folder for what the program writes.
OUTPUT = Path(os.environ.get("BENCH_OUTPUT", "."))

TABLES = ("categories", "products", "customers", "orders", "order_items", "reviews")

#: The orders that do not count (docs/definitions.md).
NOT_COUNTING = ("cancelled", "refunded", "returned", "failed", "unavailable")

#: What applications look customers up by.
INDEXES = ("total_amount_spent", "country", "email")

_MARK = "measured within: "


@contextmanager
def measured_within(name: str = "seconds") -> Iterator[None]:
    """Tell the benchmark how long a part of this program took, where the whole would be no comparison."""
    started = time.perf_counter()
    yield
    print(_MARK + json.dumps({name: time.perf_counter() - started}), flush=True)


def read_measured_within(said: str) -> dict[str, float]:
    """What :func:`measured_within` told in a program's output."""
    found: dict[str, float] = {}
    for line in said.splitlines():
        if line.startswith(_MARK):
            found |= json.loads(line.removeprefix(_MARK))
    return found


def money(cents: int) -> Decimal128:
    """Whole cents as MongoDB has money."""
    return Decimal128(Decimal(cents).scaleb(-2))


def average_cents(cents: int, count: int) -> int:
    """Cents by a count, half up; for amounts that are not negative."""
    return (2 * cents + count) // (2 * count)


def insight(insight_id: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """An insight's document."""
    return {"_id": insight_id, "rows": rows}
