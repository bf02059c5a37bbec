"""Arrow to parts of raw Parquet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopsight.contract import ORDER_ITEMS, ORDERS
from shopsight.errors import WorkspaceError
from shopsight.extract.csv_lines import read_lines
from shopsight.extract.raw_parquet import PartWriter, ValuesDoNotFit, arrow_schema


def order(order_id: str = "1", day: str = "2024-01-31", amount: str = "9.50") -> str:
    return f'{order_id},7,{day},{amount},"paid"\n'


def orders(*rows: str) -> pa.Table:
    return read_lines(pa.py_buffer("".join(rows).encode()), ORDERS, ())


def test_a_part_keeps_money_as_cents_numbers_as_differences_and_the_extent_of_keys(tmp_path: Path) -> None:
    told: list[int] = []
    with PartWriter(tmp_path / "part.parquet", ORDERS, (), told.append) as part:
        part.write(partial(orders, *(order(str(number)) for number in range(1000))))
        part.write(partial(orders, *(order(str(number)) for number in range(10))))
        part.write(orders)
    assert told == [1000, 10]
    assert part.rows == 1010
    file = pq.ParquetFile(tmp_path / "part.parquet")
    chunks = {c.path_in_schema: c for c in (file.metadata.row_group(0).column(i) for i in range(5))}
    assert [file.metadata.row_group(number).num_rows for number in range(2)] == [1000, 10]
    assert chunks["total_amount"].physical_type == "INT64"
    assert {name for name, chunk in chunks.items() if chunk.is_stats_set} == {"order_id", "customer_id"}
    assert {chunk.compression for chunk in chunks.values()} == {"LZ4"}
    assert {name for name, chunk in chunks.items() if chunk.has_dictionary_page} == {"status"}
    assert {name for name, chunk in chunks.items() if "DELTA_BINARY_PACKED" in chunk.encodings} == {
        "order_id",
        "customer_id",
        "order_date",
        "total_amount",
    }
    assert pl.read_parquet(tmp_path / "part.parquet").schema == {
        "order_id": pl.Int64,
        "customer_id": pl.Int64,
        "order_date": pl.Date,
        "total_amount": pl.Decimal(18, 2),
        "status": pl.String,
    }


def test_a_part_without_rows_still_has_the_schema(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "part.parquet", ORDER_ITEMS, {"quantity"}):
        pass
    assert pq.read_table(tmp_path / "part.parquet").schema == arrow_schema(ORDER_ITEMS, {"quantity"})


def test_a_full_disk_says_so() -> None:
    batch = [order(str(number)) for number in range(1000)]
    with pytest.raises(WorkspaceError, match="is full"), PartWriter(Path("/dev/full"), ORDERS, ()) as part:
        part.write(partial(orders, *batch))


def test_a_failed_batch_is_reported_by_the_next_batch_or_at_the_end(tmp_path: Path) -> None:
    bad = partial(orders, order(amount="NaN"))
    with PartWriter(tmp_path / "next.parquet", ORDERS, ()) as part:
        part.write(bad)
        with pytest.raises(ValuesDoNotFit, match="orders: total_amount"):
            part.write(partial(orders, order()))
    with pytest.raises(ValuesDoNotFit), PartWriter(tmp_path / "end.parquet", ORDERS, ()) as part:
        part.write(bad)


def test_a_path_that_is_no_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"raw cannot be used: .*Not a directory"):
        PartWriter(tmp_path / "raw" / "part.parquet", ORDERS, ())
