"""What became of every row and every cent, read from the files that cleaning left."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tests.support.cleaning import raw_frame
from tests.support.staged import extracted, read, staged

from shopsight.audit.ledger import build_ledger, read_totals
from shopsight.clean import RULES
from shopsight.contract import TABLES
from shopsight.pipeline import stages
from shopsight.record import Ledger, RuleLedger, TableLedger

D = Decimal
SENTENCES = {rule.id: (str(rule.action), rule.sentence) for rule in RULES.values()}
DAY = date(2024, 1, 31)

#: Something of each sort: repaired, flagged, merged, rejected, added.
DIRTY = {
    "categories": [(1, "Books")],
    "products": [(1, "Atlas", 1), (2, "Dice", None)],
    "customers": [
        (1, "Ann", "ann@example.com", "Germany"),
        (2, "Ann", "ANN@example.com", "Germany"),
        (3, " Bo ", None, "Germany"),
    ],
    "orders": [
        (1, 1, DAY, D("10.00"), "completed"),
        (1, 1, DAY, D("10.00"), "completed"),
        (2, 2, DAY, None, "completed"),
        (3, 9, DAY, D("5.25"), "completed"),
        (4, 3, DAY, D("-2.00"), "completed"),
        (5, 3, DAY, None, "completed"),
    ],
    "order_items": [(1, 1, 1, 1, D("10.00")), (2, 2, 2, 3, D("2.50")), (3, 3, 1, 1, D("5.25"))],
    "reviews": [(1, 1, 1, 5, DAY), (2, 1, 1, 3, DAY), (3, 1, 2, 6, DAY)],
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    raw = {name: raw_frame(name, DIRTY[name]) for name in TABLES}
    return staged(tmp_path_factory.mktemp("work"), raw).record.ledger


def test_each_table_says_what_became_of_its_rows_and_its_money(ledger: Ledger) -> None:
    assert [(t.table, t.rows_in, t.added, t.rows_out, t.merged, t.rejected) for t in ledger.tables] == [
        ("categories", 1, 1, 2, 0, 0),
        ("products", 2, 0, 2, 0, 0),
        ("customers", 3, 0, 2, 1, 0),
        ("orders", 6, 0, 2, 1, 3),
        ("order_items", 3, 0, 2, 0, 1),
        ("reviews", 3, 0, 1, 0, 2),
    ]
    assert ledger.tables[3] == TableLedger(
        "orders",
        6,
        2,
        rejected=3,
        merged=1,
        measure="sum(total_amount)",
        measure_in=D("23.25"),
        measure_out=D("17.50"),
        measure_rejected=D("3.25"),
        measure_merged=D("10.00"),
        measure_repaired=D("7.50"),
    )
    assert [t.measure for t in ledger.tables[:3]] == [None, None, None]


def test_each_rule_says_how_many_rows_and_how_much(ledger: Ledger) -> None:
    found = {rule.rule: (rule.rows, rule.measure) for rule in ledger.rules}
    assert found == {
        "categories.uncategorised_added": (1, None),
        "products.category_missing": (1, None),
        "customers.same_email": (1, None),
        "customers.name_tidied": (1, None),
        "customers.email_missing": (1, None),
        "orders.identical_row": (1, D("10.00")),
        "orders.total_from_items": (1, D("7.50")),
        "orders.customer_repointed": (1, None),
        "orders.customer_unknown": (1, D("5.25")),
        "orders.negative_amount": (1, D("-2.00")),
        "orders.total_missing": (1, None),
        "order_items.parent_rejected": (1, D("5.25")),
        "reviews.superseded": (1, D(5)),
        "reviews.rating_out_of_range": (1, D(6)),
    }
    assert ledger.rules[0] == RuleLedger(
        "categories.uncategorised_added",
        "categories",
        "repair",
        RULES["categories.uncategorised_added"].sentence,
        1,
        None,
    )


def test_rules_come_table_by_table_and_then_by_name(ledger: Ledger) -> None:
    order = [(list(TABLES).index(rule.table), rule.rule) for rule in ledger.rules]
    assert order == sorted(order)


def test_the_ledger_counts_the_files_not_what_cleaning_says(tmp_path: Path) -> None:
    raw = {name: raw_frame(name, DIRTY[name]) for name in TABLES}
    run = extracted(tmp_path, raw)
    stages.STAGES["clean"](run)
    for folder in ("clean/orders", "rejected/orders", "rejected/merged/orders", "rejected/repairs/orders"):
        (path,) = run.workspace.folder(folder).glob("*.parquet")
        rows = pl.read_parquet(path)
        rows[1:].write_parquet(path)
    orders = build_ledger(run.workspace.root, SENTENCES, read_totals(run.workspace.root)).tables[3]
    assert (orders.rows_in, orders.rows_out, orders.rejected, orders.merged) == (6, 1, 2, 0)
    assert orders.measure_merged == D("0.00")


def test_a_table_in_several_files_is_one_table(tmp_path: Path) -> None:
    raw = {name: raw_frame(name, DIRTY[name]) for name in TABLES}
    run = staged(tmp_path, raw)
    before = run.record.ledger
    folder = run.workspace.folder("rejected/orders")
    rows = read(run, "rejected/orders")
    rows[:1].write_parquet(folder / "part-00000.parquet")
    rows[1:].write_parquet(folder / "part-00001.parquet")
    assert build_ledger(run.workspace.root, SENTENCES, read_totals(run.workspace.root)) == before


def test_an_empty_shop_has_a_ledger_of_zeros(tmp_path: Path) -> None:
    run = staged(tmp_path, {name: raw_frame(name, []) for name in TABLES})
    assert run.record.ledger.rules == []
    for table in run.record.ledger.tables:
        assert (table.rows_in, table.rows_out, table.rejected, table.merged, table.added) == (0, 0, 0, 0, 0)
        if table.measure is not None:
            assert (table.measure_in, table.measure_out, table.measure_rejected) == (0, 0, 0)
