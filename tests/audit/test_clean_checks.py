"""A key that repeats in a clean table is found, and so is a reference to a row that is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from tests.support.clean_tables import Recipe, made_up_tables, write_tables

from shopsight.audit import clean_checks as module
from shopsight.audit.clean_checks import clean_checks
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import TABLES
from shopsight.settings import load_settings

REFERENCES = [
    ("products", "category_id"),
    ("orders", "customer_id"),
    ("order_items", "order_id"),
    ("order_items", "product_id"),
    ("reviews", "product_id"),
    ("reviews", "customer_id"),
]


@pytest.fixture(params=[1, 10**12])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    write_tables(tmp_path, made_up_tables(5, Recipe(first_key=request.param)))
    return tmp_path


def broken(root: Path) -> list[str]:
    files = ShopFiles(root, root, (), load_settings())
    return [check.what for check in clean_checks(files) if not check.holds]


def alter(root: Path, table: str, rows: pl.DataFrame) -> None:
    (path,) = (root / table).glob("*.parquet")
    rows.write_parquet(path)


@pytest.mark.parametrize("in_memory", [1, 7, module.KEYS_IN_MEMORY])
def test_a_sound_shop_holds(root: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(module, "KEYS_IN_MEMORY", in_memory)
    assert broken(root) == []


@pytest.mark.parametrize("in_memory", [7, module.KEYS_IN_MEMORY])
@pytest.mark.parametrize("table", TABLES)
def test_a_key_that_repeats_is_found(
    root: Path, monkeypatch: pytest.MonkeyPatch, table: str, in_memory: int
) -> None:
    monkeypatch.setattr(module, "KEYS_IN_MEMORY", in_memory)
    rows = pl.read_parquet(root / table)
    alter(root, table, pl.concat([rows, rows.head(1)]))
    assert broken(root) == [f"{table}: different {TABLES[table].key}s"]


@pytest.mark.parametrize("keys", [range(5), range(0, 10**6, 10**5), (-(2**62), 2**62, 3)])
@pytest.mark.parametrize("in_memory", [1, module.KEYS_IN_MEMORY])
def test_different_keys_are_counted_whatever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Sequence[int], in_memory: int
) -> None:
    monkeypatch.setattr(module, "KEYS_IN_MEMORY", in_memory)
    twice = [*keys, *keys, None]
    pl.DataFrame({"item_id": twice}, {"item_id": pl.Int64}).write_parquet(tmp_path / "part-00000.parquet")
    assert module._different(tmp_path, "item_id") == len(keys)


@pytest.mark.parametrize(
    ("table", "column"), [("order_items", "item_id"), ("reviews", "review_id"), ("reviews", "customer_id")]
)
def test_a_null_is_neither_a_key_nor_a_reference(root: Path, table: str, column: str) -> None:
    rows = pl.read_parquet(root / table).with_row_index()
    lost = pl.when(pl.col("index") != 1).then(pl.col(column)).alias(column)
    alter(root, table, rows.with_columns(lost).drop("index"))
    assert len(broken(root)) == 1


@pytest.mark.parametrize(("table", "column"), REFERENCES)
def test_a_reference_to_a_row_that_is_not_kept_is_found(root: Path, table: str, column: str) -> None:
    rows = pl.read_parquet(root / table).with_row_index()
    unknown = pl.when(pl.col("index") == 1).then(10**15).otherwise(pl.col(column)).alias(column)
    alter(root, table, rows.with_columns(unknown).drop("index"))
    assert broken(root) == [f"{table}.{column}: rows whose parent is kept"]
