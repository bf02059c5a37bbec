"""The proof: four links from the source to MongoDB, each an equality of row counts and exact sums.

1. source = raw: what the database says in the snapshot's transaction, against what the raw files hold;
2. raw = clean + rejected + merged, by the ledger;
3. clean = marts: the clean files' own sums, against the metrics' and the insights';
4. marts = MongoDB: the marts' sums, against the server's own aggregation over the new generation; and a
   digest of the documents as they were encoded, against that of the documents as the server hands them out.

The sums are made here with Arrow alone and share no code with the stages they check.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopsight.audit.control_totals import Totals
from shopsight.audit.exact import exact_sum
from shopsight.audit.ledger import TableTotals
from shopsight.audit.parquet import count_rows, parquet_files, read_batches, sum_column
from shopsight.errors import ProofBroken
from shopsight.record import Check, Figure, Ledger, Link, Snapshot

SOURCE_IS_RAW = "1 (source = raw)"
RAW_IS_CLEAN = "2 (raw = clean + rejected + merged)"
CLEAN_IS_MARTS = "3 (clean = marts)"
MARTS_ARE_TARGET = "4 (marts = MongoDB)"

#: What the digest of a collection's documents is called among its figures.
CONTENT = "SHA-256"


def demand(link: Link) -> Link:
    """The link itself, if each of its equalities holds.

    Raises:
        ProofBroken: for the first that does not.
    """
    for check in link.checks:
        if not check.holds:
            raise ProofBroken.between(link.name, check.what, check.expected, check.found)
    return link


def prove_extraction(snapshot: Snapshot, totals: Mapping[str, TableTotals]) -> Link:
    """Link 1: every table's control totals as the database gave them, against those of the raw files."""

    def checks() -> Iterable[Check]:
        for name, table in totals.items():
            yield from _compared(name, snapshot.tables[name].totals, table.sent)

    return _timed(SOURCE_IS_RAW, checks)


def prove_cleaning(ledger: Ledger, totals: Mapping[str, TableTotals]) -> Link:
    """Link 2: rows, measure and control totals of what came in, against what was kept, rejected and merged.

    A value that cleaning changed must be found among the recorded repairs.
    """

    def checks() -> Iterable[Check]:
        for table in ledger.tables:
            if table.measure is not None:
                entered = exact_sum([table.measure_in, table.measure_repaired])
                left = exact_sum([table.measure_out, table.measure_rejected, table.measure_merged])
                yield Check(f"{table.table}: {table.measure}", entered, left)
            at = totals[table.table]
            entered_as, left_as = Counter(at.raw), Counter(at.clean)
            entered_as.update(at.repairs)
            for part in (at.rejected, at.merged):
                left_as.update(part)
            yield from _compared(table.table, entered_as, left_as)

    return _timed(RAW_IS_CLEAN, checks)


def _compared(table: str, expected: Totals, found: Totals) -> Iterable[Check]:
    """One equality per figure that either side has; a figure that a side lacks is 0 there."""
    for column, figure in sorted({*expected, *found}):
        if figure != "measure":
            what = f"{table}.{column}" if column else table
            yield Check(f"{what}: {figure}", expected[column, figure], found[column, figure])


def prove_marts(shop: Mapping[str, Figure], marts: Path) -> Link:
    """Link 3: the clean tables' figures (:func:`clean_totals`), against what each mart adds up to."""

    def checks() -> Iterable[Check]:
        customers = marts / "customer_metrics"
        yield Check("customer_metrics: customers", shop["customers"], count_rows(customers))
        for column, figure in (
            ("total_amount_spent", "revenue"),
            ("total_orders", "counting_orders"),
            ("total_products_ordered", "units"),
        ):
            yield Check(f"customer_metrics: sum({column})", shop[figure], sum_column(customers, column))
        for insight, column, figure in (
            ("monthly_sales", "revenue", "revenue"),
            ("monthly_sales", "orders", "counting_orders"),
            ("country_sales", "revenue", "revenue"),
            ("country_sales", "orders", "counting_orders"),
            ("rfm_segments", "revenue", "revenue"),
            ("rfm_segments", "customers", "buyers"),
            ("repeat_purchase", "customers", "buyers"),
            ("category_ratings", "reviews", "reviews"),
            ("order_statuses", "orders", "orders"),
            ("order_statuses", "amount", "amount"),
        ):
            found = sum_column(marts / "insights" / insight, column)
            yield Check(f"{insight}: sum({column})", shop[figure], found)

    return _timed(CLEAN_IS_MARTS, checks)


def clean_totals(clean: Path, excluded_statuses: Iterable[str]) -> dict[str, Figure]:
    """The shop's figures, added up from the clean files alone.

    Whether an order counts is decided anew here, from its status.

    Returns:
        customers, orders, amount (of all orders), counting_orders, revenue (of counting orders), units (of
        counting orders), buyers (customers with a counting order), reviews.
    """
    excluded = pa.array(sorted(excluded_statuses), pa.string())
    orders = counting = 0
    amount = revenue = Decimal("0.00")
    idle: list[pa.Array] = []  # orders that do not count: their items' units do not either
    buyers: list[pa.Array] = []
    columns = ["order_id", "customer_id", "total_amount", "status"]
    for batch in read_batches(clean / "orders", columns):
        left_out = pc.is_in(batch["status"].cast(pa.string()), value_set=excluded)
        counts = pc.invert(left_out)
        orders += batch.num_rows
        counting += pc.sum(counts).as_py() or 0
        amount += pc.sum(batch["total_amount"]).as_py() or 0
        revenue += pc.sum(batch["total_amount"].filter(counts)).as_py() or 0
        idle.append(batch["order_id"].filter(left_out))
        buyers.append(pc.unique(batch["customer_id"].filter(counts)))
    return {
        "customers": count_rows(clean / "customers"),
        "orders": orders,
        "amount": amount,
        "counting_orders": counting,
        "revenue": revenue,
        "units": _units(clean / "order_items", pa.chunked_array(idle, pa.int64())),
        "buyers": len(pc.unique(pa.chunked_array(buyers, pa.int64()))),
        "reviews": count_rows(clean / "reviews"),
    }


def _units(order_items: Path, idle_orders: pa.ChunkedArray) -> int:
    """The sum of quantity over all lines but those of the idle orders.

    The ids are sorted once and searched: a hash table of them for each batch costs six times as much.
    """
    idle = np.sort(idle_orders.to_numpy())
    units = 0
    for batch in read_batches(order_items, ["order_id", "quantity"]):
        order_ids, quantities = batch["order_id"].to_numpy(), batch["quantity"].to_numpy()
        places = np.searchsorted(idle, order_ids)
        is_idle = idle[np.minimum(places, len(idle) - 1)] == order_ids if len(idle) else np.False_
        units += int(np.sum(quantities, where=np.logical_not(is_idle)))
    return units


def prove_target(
    expected: Mapping[str, Mapping[str, Figure]],
    read_back: Callable[[], Mapping[str, Mapping[str, Figure]]],
    encoded: Mapping[str, str],
    read_digests: Callable[[], Mapping[str, str]],
) -> Link:
    """Link 4: what the marts add up to and the documents made of them, against what MongoDB holds.

    Args:
        expected: by mart, the figures of :func:`mart_figures`.
        read_back: gives the same figures by the server's own aggregation.
        encoded: by collection, the digest of the documents as they were encoded.
        read_digests: gives the same of the documents as the server hands them out.
    """

    def checks() -> Iterable[Check]:
        found = read_back()
        for mart, figures in expected.items():
            for what, figure in figures.items():
                yield Check(f"{mart}: {what}", figure, found.get(mart, {}).get(what))
        digests = read_digests()
        for collection, digest in encoded.items():
            yield Check(f"{collection}: {CONTENT}", digest, digests.get(collection))

    return _timed(MARTS_ARE_TARGET, checks)


def mart_figures(folder: Path) -> dict[str, Figure]:
    """A mart's rows and the exact sum of each of its money and integer columns, keys left out.

    Returns:
        ``rows`` and, for each such column, ``sum(<column>)``; nulls count nothing.
    """
    figures: dict[str, Figure] = {"rows": count_rows(folder)}
    schema = pq.read_schema(parquet_files(folder)[0])
    for field in schema:
        if _is_summable(field):
            figures[f"sum({field.name})"] = sum_column(folder, field.name)
    return figures


def rejected_figures(ledger: Ledger) -> dict[str, Figure]:
    """The rejected rows that must be found in MongoDB, by rule.

    Returns:
        ``rows`` in all, and for each rule ``rows(<rule>)`` and ``sum(measure, <rule>)``.
    """
    figures: dict[str, Figure] = {"rows": sum(table.rejected for table in ledger.tables)}
    for rule in ledger.rules:
        if rule.action == "reject":
            figures[f"rows({rule.rule})"] = rule.rows
            figures[f"sum(measure, {rule.rule})"] = rule.measure or 0
    return figures


def _is_summable(field: Any) -> bool:
    is_number = pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)
    return bool(is_number) and not field.name.endswith("_id")


def _timed(name: str, checks: Callable[[], Iterable[Check]]) -> Link:
    started = time.perf_counter()
    made = list(checks())
    return Link(name, made, round(time.perf_counter() - started, 3))
