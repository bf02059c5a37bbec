"""The proof: four links from the source to MongoDB, each a list of equalities of exact figures.

1. source = raw: the control totals that the database gives in the snapshot, against those of the raw files;
2. raw = clean + rejected + merged, with what the recorded repairs changed, by control totals and measure;
3. clean = marts: every customer's figures once more, and what each insight says that it must satisfy;
4. marts = MongoDB: the marts' sums, against the server's own aggregation over the new generation; and a
   digest of the documents as they were encoded, against that of the documents as the server hands them out.

The sums are made here with Arrow alone and share no code with the stages they check.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shopsight.audit.clean_checks import clean_checks
from shopsight.audit.control_totals import compared_totals, from_document
from shopsight.audit.exact import exact_sum
from shopsight.audit.insight_checks import insight_checks
from shopsight.audit.ledger import TableTotals
from shopsight.audit.parquet import count_rows, parquet_files, sum_column
from shopsight.audit.recounts import statuses
from shopsight.audit.shop_files import ShopFiles
from shopsight.errors import ProofBroken
from shopsight.record import Check, Compared, Figure, Ledger, Link, Snapshot

SOURCE_IS_RAW = "1 (source = raw)"
RAW_IS_CLEAN = "2 (raw = clean + rejected + merged)"
CLEAN_IS_MARTS = "3 (clean = marts)"
MARTS_ARE_TARGET = "4 (marts = MongoDB)"

#: What the digest of a collection's documents is called among its figures.
CONTENT = "SHA-256"


def require(link: Link) -> Link:
    """The link itself, if each of its equalities holds.

    Raises:
        ProofBroken: for the first that does not.
    """
    for check in link.broken:
        raise ProofBroken.between(link.name, check.what, check.expected, check.found)
    return link


def prove_extraction(snapshot: Snapshot, totals: Mapping[str, TableTotals]) -> Link:
    """Link 1: every table's control totals as the database gave them, against those of the raw files."""

    def checks() -> Iterable[Check]:
        for name, table in totals.items():
            yield from compared_totals(name, from_document(snapshot.tables[name].totals), table.sent)

    return _timed(SOURCE_IS_RAW, checks)


def prove_cleaning(ledger: Ledger, totals: Mapping[str, TableTotals]) -> Link:
    """Link 2: rows, measure and control totals of what came in, against what was kept, rejected and merged.

    A value that cleaning changed must be found among the recorded repairs.
    """

    def checks() -> Iterable[Check]:
        for table in ledger.tables:
            at = totals[table.table]
            entered, left = Counter(at.raw), Counter(at.clean)
            entered.update(at.repairs)
            left.update(at.rejected)
            left.update(at.merged)
            rows, *values = compared_totals(table.table, entered, left)
            yield rows
            if table.measure is not None:
                came = exact_sum([table.measure_in, table.measure_repaired])
                went = exact_sum([table.measure_out, table.measure_rejected, table.measure_merged])
                yield Check(f"{table.table}: {table.measure}", came, went)
            yield from values

    return _timed(RAW_IS_CLEAN, checks)


def prove_marts(shop: Mapping[str, Figure], files: ShopFiles, customers: Iterable[Check]) -> Link:
    """Link 3: the clean tables hold together, and what they say, against the metrics and the insights.

    Each insight says itself what its rows must satisfy.

    Args:
        shop: what :func:`clean_totals` gives.
        files: the run's files.
        customers: what :func:`shopsight.audit.customer_checks.customer_checks` gives.
    """

    def checks() -> Iterable[Check]:
        of_clean = list(clean_checks(files))
        yield from of_clean
        # All figures are counted by key, so wrong keys would only add noise.
        if not all(check.holds for check in of_clean):
            return
        mart = files.marts / "customer_metrics"
        yield Check("customer_metrics: customers", shop["customers"], count_rows(mart))
        for column, figure in (
            ("total_amount_spent", "revenue"),
            ("total_orders", "counting_orders"),
            ("total_products_ordered", "units"),
        ):
            yield Check(f"customer_metrics: sum({column})", shop[figure], sum_column(mart, column))
        of_customers = list(customers)
        yield from of_customers
        # Insights are recounted from these rows, too, so wrong ones would only add noise.
        if all(check.holds for check in of_customers):
            for insight in files.insights:
                yield from insight_checks(insight, files, shop)

    return _timed(CLEAN_IS_MARTS, checks)


def clean_totals(files: ShopFiles) -> dict[str, Figure]:
    """The shop's figures, added up from the clean files alone.

    Returns:
        customers, orders, amount (of all orders), counting_orders, revenue (of counting orders), units (of
        counting orders), buyers (customers with a counting order), reviews.
    """
    by_status = statuses(files).values()
    counting = [row for row in by_status if row["counting_orders"]]
    return {
        "customers": count_rows(files.clean / "customers"),
        "orders": sum(row["orders"] for row in by_status),
        "amount": exact_sum(row["amount"] for row in by_status),
        "counting_orders": sum(row["orders"] for row in counting),
        "revenue": exact_sum(row["amount"] for row in counting),
        "units": int(files.items.units.sum()),
        "buyers": int((files.orders.number > 0).sum()),
        "reviews": count_rows(files.clean / "reviews"),
    }


def newest_order(files: ShopFiles) -> datetime | None:
    """The day of the newest counting order, as its midnight in UTC; None if there is none."""
    days = files.orders.visits.last
    if not len(days):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(days.max()))


def prove_target(
    expected: Mapping[str, Mapping[str, Compared]],
    read_back: Callable[[], Mapping[str, Mapping[str, Compared]]],
) -> Link:
    """Link 4: what the marts add up to and the documents made of them, against what MongoDB holds.

    Args:
        expected: by mart, the figures of :func:`mart_figures`; by collection, the digest of the documents as
            they were encoded (:func:`with_digests`).
        read_back: gives the same: figures by the server's own aggregation, and digests of the documents as
            the server hands them out.
    """

    def checks() -> Iterable[Check]:
        found = read_back()
        for name, figures in expected.items():
            for what, figure in figures.items():
                yield Check(f"{name}: {what}", figure, found.get(name, {}).get(what))

    return _timed(MARTS_ARE_TARGET, checks)


def with_digests(
    figures: Mapping[str, Mapping[str, Figure]], digests: Mapping[str, str]
) -> dict[str, dict[str, Compared]]:
    """The figures by mart, and beside them the digests by collection."""
    contents = {name: {CONTENT: digest} for name, digest in digests.items()}
    return {name: {**figures.get(name, {}), **contents.get(name, {})} for name in {**figures, **contents}}


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
    link = Link.of(name, checks())
    return replace(link, seconds=round(time.perf_counter() - started, 3))
