"""Any dirty shop, from raw files through cleaning, metrics and insights to the proof and the documents."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.clean.test_conservation import dirty_shops, measure_in, some
from tests.support.cleaning import total
from tests.support.staged import digests, read, staged

from shopsight.contract import TABLES
from shopsight.pipeline.current_run import Run

Shop = dict[str, pl.DataFrame]
negatives = st.sampled_from(["reject", "keep"])


@contextmanager
def run_of(shop: Mapping[str, pl.DataFrame], negative_amounts: str = "reject") -> Iterator[Run]:
    """The shop's run up to the proof, which holds or raises."""
    with tempfile.TemporaryDirectory() as folder:
        yield staged(Path(folder), shop, negative_amounts=negative_amounts)


def with_row(frame: pl.DataFrame, row: tuple[Any, ...], table: str) -> pl.DataFrame:
    """The raw table with one more row, in the types that its columns have."""
    columns = TABLES[table].column_names
    added = pl.DataFrame({name: [value] for name, value in zip(columns, row, strict=True)})
    return pl.concat([frame, added.cast(dict(frame.schema))])


@given(shop=dirty_shops(), negative_amounts=negatives)
@some(6)
def test_rows_and_money_are_conserved_and_the_proof_holds(shop: Shop, negative_amounts: str) -> None:
    with run_of(shop, negative_amounts) as run:
        assert len(run.record.proof) == 3
        assert all(link.equalities and not link.broken for link in run.record.proof)
        for table in run.record.ledger.tables:
            raw, name = shop[table.table], table.table
            assert table.rows_in == raw.height
            assert table.rows_in + table.added == table.rows_out + table.rejected + table.merged
            assert table.rows_out == read(run, f"clean/{name}").height
            if table.measure is not None:
                assert table.measure_in == measure_in(name, raw)
                assert table.measure_rejected == total(read(run, f"rejected/{name}")["measure"])
        by_action = Counter[tuple[str, str]]()
        for rule in run.record.ledger.rules:
            by_action[rule.table, rule.action] += rule.rows
        for table in run.record.ledger.tables:
            assert by_action[table.table, "reject"] == table.rejected
            assert by_action[table.table, "merge"] == table.merged
        counting = read(run, "clean/orders").filter("is_counting")
        metrics = read(run, "marts/customer_metrics")
        assert total(metrics["total_amount_spent"]) == total(counting["total_amount"])
        assert metrics["customer_id"].to_list() == sorted(read(run, "clean/customers")["customer_id"])


@given(shop=dirty_shops(), negative_amounts=negatives)
@some(3)
def test_a_shop_that_is_clean_gives_the_same_and_loses_nothing(shop: Shop, negative_amounts: str) -> None:
    with run_of(shop, negative_amounts) as run:
        clean = {name: read(run, f"clean/{name}").select(t.column_names) for name, t in TABLES.items()}
        with run_of(clean, negative_amounts) as again:
            first, second = digests(run), digests(again)
            assert (second["customer_metrics"], second["insights"]) == (
                first["customer_metrics"],
                first["insights"],
            )
            for table in again.record.ledger.tables:
                assert (table.rejected, table.merged, table.added) == (0, 0, 0)
                assert table.rows_in == table.rows_out
            assert {rule.action for rule in again.record.ledger.rules} <= {"flag"}


@given(shop=dirty_shops(), seed=st.integers(0, 2**16))
@some(4)
def test_the_order_of_rows_changes_no_document(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    shuffled = {
        name: frame[chance.sample(range(frame.height), frame.height)] if frame.height else frame
        for name, frame in shop.items()
    }
    with run_of(shop) as run, run_of(shuffled) as other:
        assert digests(other) == digests(run)
        assert other.record.ledger == run.record.ledger


@given(shop=dirty_shops(), data=st.data())
@some(4)
def test_one_more_order_changes_its_customer_and_no_other(shop: Shop, data: st.DataObject) -> None:
    with run_of(shop) as run:
        before = {row["customer_id"]: row for row in read(run, "marts/customer_metrics").to_dicts()}
    assume(before)
    customer = data.draw(st.sampled_from(sorted(before)))
    order = (1_000, customer, date(2024, 1, 31), Decimal("12.34"), "completed")
    with run_of({**shop, "orders": with_row(shop["orders"], order, "orders")}) as run:
        after = {row["customer_id"]: row for row in read(run, "marts/customer_metrics").to_dicts()}
    old, new = before.pop(customer), after.pop(customer)
    assert after == before
    assert new["total_amount_spent"] == old["total_amount_spent"] + Decimal("12.34")
    assert new["total_orders"] == old["total_orders"] + 1
    unchanged = ("name", "email", "country", "total_products_ordered", "average_rating")
    assert [new[name] for name in unchanged] == [old[name] for name in unchanged]


@given(shop=dirty_shops(with_text=False))
@some(4)
def test_every_review_twice_leaves_every_figure_alone(shop: Shop) -> None:
    # The second of a pair stands in for the first: same customer, product and day.
    again = shop["reviews"].with_columns(pl.col("review_id") + 1_000)
    twice = {**shop, "reviews": pl.concat([shop["reviews"], again])}
    with run_of(shop) as run, run_of(twice) as other:
        first, second = digests(run), digests(other)
        assert (second["customer_metrics"], second["insights"]) == (
            first["customer_metrics"],
            first["insights"],
        )
        assert [t for t in other.record.ledger.tables if t.table != "reviews"] == [
            t for t in run.record.ledger.tables if t.table != "reviews"
        ]
