"""Reading a table's folder of Parquet in bounded batches, without any of the engines.

The ledger and the proof read with this module, so they share no code with the stages they check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, TypeVarTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopsight.audit.exact import exact_sum
from shopsight.audit.lookups import Integers

#: So few that what is computed from a batch stays in the processor's cache: a fifth less time than 131,072.
BATCH_ROWS = 32_768

#: How many files are read at the same time, each a batch at a time.
THREADS = 2

Found = TypeVarTuple("Found")


def parquet_files(folder: Path) -> list[Path]:
    """The folder's Parquet files, in the order of their names."""
    return sorted(folder.glob("*.parquet"))


def count_rows(folder: Path) -> int:
    """How many rows the folder's Parquet files hold, by their footers."""
    return sum(pq.read_metadata(path).num_rows for path in parquet_files(folder))


def read_batches(folder: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """The named columns (None: all) of a table's folder, a bounded batch at a time."""
    for path in parquet_files(folder):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=columns, batch_size=BATCH_ROWS, use_threads=False)
        # The allocator would keep what the file's row groups took: much of the memory of a proof.
        pa.default_memory_pool().release_unused()


def read_column(folder: Path, name: str) -> Integers:
    """A whole column of integers without nulls."""
    values, found = np.empty(count_rows(folder), np.int64), 0
    for batch in read_batches(folder, [name]):
        values[found : found + len(batch)] = batch[name].to_numpy()
        found += len(batch)
    return values


def by_batch(
    folder: Path,
    columns: list[str],
    work: Callable[[pa.RecordBatch], tuple[*Found]],
    add: Callable[[*Found], None],
) -> None:
    """Work on each batch of the folder's files, in threads, and add what is found, one batch at a time."""
    lock = Lock()

    def read(path: Path) -> None:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=columns, batch_size=BATCH_ROWS, use_threads=False):
                if batch.num_rows:
                    found = work(batch)
                    with lock:
                        add(*found)
        pa.default_memory_pool().release_unused()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(read, parquet_files(folder)))


def read_side_by_side(
    one: Path, other: Path, columns: list[str]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """The columns of two folders, two batches of the same rows by position; up to the shorter's end."""
    readers = read_batches(one, columns), read_batches(other, columns)
    batches = [pa.record_batch({}), pa.record_batch({})]
    with suppress(StopIteration):
        while True:
            batches = [
                batch if batch.num_rows else next(reader)
                for batch, reader in zip(batches, readers, strict=True)
            ]
            rows = min(batch.num_rows for batch in batches)
            yield batches[0].slice(0, rows), batches[1].slice(0, rows)
            batches = [batch.slice(rows) for batch in batches]


def sum_column(folder: Path, column: str) -> Any:
    """The exact sum of a column of decimals or integers; nulls count nothing; 0 for no rows."""
    sums = [pc.sum(batch.column(0)).as_py() for batch in read_batches(folder, [column])]
    counted = [total for total in sums if total is not None]
    return exact_sum(counted) if any(isinstance(total, Decimal) for total in counted) else sum(counted)
