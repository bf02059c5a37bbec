"""The whole shop: files, types, empty tables, hostile text."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.cleaning import NATIVE, POLICY, SHOP, MemoryEngine, clean_frames, cleaned, raw_frame

from shopsight.clean import RULES, clean_shop
from shopsight.clean.rule import Action
from shopsight.contract import TABLES
from shopsight.engine.polars import PolarsEngine

MEASURE = pl.Decimal(38, 2)
LEDGERS: dict[str, dict[str, pl.DataType]] = {
    "repairs": {
        "table": pl.String(),
        "key": pl.Int64(),
        "rule": pl.String(),
        "column": pl.String(),
        "old_value": pl.String(),
        "new_value": pl.String(),
        "measure_change": MEASURE,
    },
    "merged": {
        "table": pl.String(),
        "key": pl.Int64(),
        "into_key": pl.Int64(),
        "rule": pl.String(),
        "measure": MEASURE,
    },
    "flags": {"table": pl.String(), "rule": pl.String(), "rows": pl.Int64(), "measure": MEASURE},
}
#: One value that text can hold and no type can; see hostile_shop.
HOSTILE = [
    "$where",
    "a.b.c",
    "'; DROP TABLE orders; --",
    '"',
    "\\",
    "🛒👩\u200d👧",
    "\u202eevil\u202c",
    " " * 100,
]


def write_raw(folder: Path, frames: dict[str, pl.DataFrame]) -> None:
    for table, frame in frames.items():
        (folder / table).mkdir(parents=True)
        for part in range(2):
            frame[part::2].write_parquet(folder / table / f"part-{part}.parquet")


def schema_of(folder: Path) -> dict[str, pl.DataType]:
    return dict(pl.scan_parquet(folder / "*.parquet").collect_schema())


@pytest.mark.parametrize("is_empty", [False, True])
@pytest.mark.parametrize("is_text", [False, True])
def test_every_folder_is_written_with_the_contracts_types(
    tmp_path: Path, is_empty: bool, is_text: bool
) -> None:
    as_text = [c.name for table in TABLES.values() for c in table.columns] if is_text else []
    frames = {table: raw_frame(table, [] if is_empty else SHOP[table], as_text) for table in TABLES}
    write_raw(tmp_path / "raw", frames)
    clean_shop(PolarsEngine(), tmp_path / "raw", tmp_path / "clean", tmp_path / "rejected", POLICY)
    for name, table in TABLES.items():
        expected = {c.name: NATIVE[c.kind] for c in table.columns}
        counting = {"is_counting": pl.Boolean()} if name == "orders" else {}
        assert schema_of(tmp_path / "clean" / name) == {**expected, **counting}
        raw = {c: pl.String() for c in expected} if is_text else expected
        assert schema_of(tmp_path / "rejected" / name) == {**raw, "rule": pl.String(), "measure": MEASURE}
        for kind, columns in LEDGERS.items():
            as_read = raw if kind == "merged" else {}
            assert schema_of(tmp_path / "rejected" / kind / name) == {**columns, **as_read}
        kept = pl.read_parquet(tmp_path / "clean" / name / "*.parquet").drop(*counting)
        assert kept.rows() == ([] if is_empty else SHOP[name])


def test_each_table_is_reported_once_after_it_was_written() -> None:
    told: list[str] = []
    engine_frames = {Path("raw") / table: raw_frame(table, SHOP[table]) for table in TABLES}
    clean_shop(
        MemoryEngine(engine_frames),
        Path("raw"),
        Path("clean"),
        Path("rejected"),
        POLICY,
        on_table=told.append,
    )
    assert told == list(TABLES)


def test_a_sound_shop_is_left_alone() -> None:
    outcome = cleaned()
    for table in TABLES:
        assert outcome.rejected(table) == []
        assert outcome.repairs(table) == []
        assert outcome.merged(table) == []
        assert outcome.flags(table) == {}


def test_hostile_text_is_only_text() -> None:
    names = [text.strip() or None for text in HOSTILE]
    shop: dict[str, list[tuple[Any, ...]]] = {
        "categories": [(i, name) for i, name in enumerate(HOSTILE, 1)],
        "products": [(i, name, i) for i, name in enumerate(HOSTILE, 1)],
        "customers": [(i, name, name, name) for i, name in enumerate(HOSTILE, 1)],
        "orders": [(i, i, date(2024, 1, 1), Decimal("1.00"), name) for i, name in enumerate(HOSTILE, 1)],
        "order_items": [(i, i, i, 1, Decimal("1.00")) for i in range(1, len(HOSTILE) + 1)],
        "reviews": [(i, i, i, 5, date(2024, 1, 1)) for i in range(1, len(HOSTILE) + 1)],
    }
    outcome = cleaned(**shop)
    seen = ["Unknown {} 8" if name is None else name.strip("\u202e\u202c") for name in names]
    assert [row[1] for row in outcome.kept("categories")] == [text.format("category") for text in seen]
    assert [row[1] for row in outcome.kept("products")] == [text.format("product") for text in seen]
    assert [row[1] for row in outcome.kept("customers")] == [text.format("customer") for text in seen]
    assert [row[2] for row in outcome.kept("customers")] == [None] * len(HOSTILE)
    assert [row[3] for row in outcome.kept("customers")] == [
        "Unknown" if "{}" in text else text for text in seen
    ]
    assert [row[4] for row in outcome.kept("orders")] == ["unknown" if "{}" in t else t.lower() for t in seen]
    assert {table: outcome.rules(table) for table in TABLES} == {table: [] for table in TABLES}


def test_sums_beyond_2_to_the_53_stay_exact() -> None:
    amount = Decimal("900719925474.93")
    rows = 20_000
    shop = {table: raw_frame(table, SHOP[table]) for table in TABLES}
    shop["orders"] = raw_frame("orders", [(1, 1, date(2024, 1, 1), None, "done")])
    shop["order_items"] = raw_frame("order_items", [(i, i % 2, 1, 1, amount) for i in range(rows)])
    outcome = clean_frames(shop)
    # Half of the items belong to no order; the others add up beyond what a total may be.
    assert outcome.measure("", "order_items") == amount * rows
    assert outcome.rules("orders") == ["orders.total_missing"]


def test_a_customer_may_have_very_many_orders() -> None:
    days = [(i, 1, date(2024, 1, 1), Decimal("0.01"), "done") for i in range(200_000)]
    shop = {table: raw_frame(table, SHOP[table]) for table in TABLES}
    outcome = clean_frames({**shop, "orders": raw_frame("orders", days)}, last_table="orders")
    assert outcome.frame("clean/orders")["total_amount"].sum() == Decimal("2000.00")


def test_a_table_loaded_twice_is_the_table_and_its_repetition_is_merged() -> None:
    outcome = cleaned(**{table: rows * 2 for table, rows in SHOP.items()})
    for table, rows in SHOP.items():
        assert [row[: len(rows[0])] for row in outcome.kept(table)] == rows
        assert [rule for _, _, rule in outcome.merged(table)] == [f"{table}.identical_row"]
        assert outcome.rejected(table) == []


def test_rules_stand_under_their_own_ids_and_repairs_name_a_column_of_their_table() -> None:
    for rule_id, rule in RULES.items():
        assert rule_id == rule.id
        assert rule_id.startswith(f"{rule.table}.")
        assert (rule.column is not None) == (rule.action is Action.REPAIR)
        assert rule.column is None or rule.column in TABLES[rule.table].column_names
        assert rule.sentence.endswith(".")
    assert {rule.table for rule in RULES.values()} == set(TABLES)
