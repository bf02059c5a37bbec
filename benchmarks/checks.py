"""Whether a peer made what shopsight made: one that computes something else is no peer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from bson.decimal128 import Decimal128
from pymongo import MongoClient
from pymongo.database import Database

from shopsight.contract import TABLES, Kind

#: What a contender left: its folder and its database.
Left = tuple[Path, Database[dict[str, Any]]]

#: Given what shopsight left and what a peer left: raises an AssertionError where they differ.
Check = Callable[[Left, Left], None]

_TYPES = {
    Kind.KEY: pl.Int64(),
    Kind.COUNT: pl.Int64(),
    Kind.DATE: pl.Date(),
    Kind.MONEY: pl.Decimal(18, 2),
    Kind.TEXT: pl.String(),
}
FOUR_INSIGHTS = ("top_customers", "top_products", "category_ratings", "monthly_sales")


def compare(mongo_url: str, check: Check, ours: tuple[Path, str], theirs: tuple[Path, str]) -> None:
    """Call a check; folders and names of databases.

    Raises:
        AssertionError: the peer made something else.
    """
    with MongoClient[dict[str, Any]](mongo_url) as client:
        check((ours[0], client[ours[1]]), (theirs[0], client[theirs[1]]))


def same_extraction(ours: Left, theirs: Left) -> None:
    """The same rows in the same tables, in any order."""
    for table in TABLES:
        assert _fingerprint(ours[0], table) == _fingerprint(theirs[0], table), f"{table} differs"


def _fingerprint(folder: Path, table: str) -> tuple[int, int]:
    """Rows, and the sum of all rows' hashes."""
    columns = [pl.col(column.name).cast(_TYPES[column.kind]) for column in TABLES[table].columns]
    files = sorted(folder.glob(f"**/{table}/*.parquet"))
    assert files, f"there is no {table}"
    row = pl.scan_parquet(files).select(pl.struct(columns).hash().alias("hash"))
    found = row.select(pl.len(), pl.col("hash").sum().alias("sum")).collect(engine="streaming").row(0)
    return int(found[0]), int(found[1])


def same_target(ours: Left, theirs: Left) -> None:
    """Every customer's document, and every row of each insight that the peer has."""
    fields = {"_id": 1, "customer_id": 1, "name": 1, "email": 1, "country": 1, "total_amount_spent": 1}
    fields |= {"total_orders": 1, "average_order_value": 1, "total_products_ordered": 1, "average_rating": 1}
    customers = (side[1]["customer_metrics"].find({}, fields).sort("_id", 1) for side in (ours, theirs))
    for our, their in zip(*customers, strict=True):
        assert _is_same(our, their), f"customers differ: {our} {their}"
    insights = list(theirs[1]["insights"].find())
    assert {insight["_id"] for insight in insights} >= set(FOUR_INSIGHTS), "insights are missing"
    for insight in insights:
        expected = ours[1]["insights"].find_one({"_id": insight["_id"]}) or {}
        assert _is_same(expected.get("rows"), insight["rows"]), (
            f"{insight['_id']} differs: {expected.get('rows')} {insight['rows']}"
        )


def _is_same(ours: Any, theirs: Any) -> bool:
    """Equal values; quotients may differ in the last digits, exact numbers may not."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(_is_same(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))
    ours, theirs = _plain(ours), _plain(theirs)
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-12)
    return bool(ours == theirs)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as MongoDB gives it
    return value


def same_marts(ours: Left, theirs: Left) -> None:
    """The same customers' metrics and the same four insights, as Parquet."""
    for mart in ("customer_metrics", *FOUR_INSIGHTS):
        our, their = (pl.read_parquet(side[0] / mart / "*.parquet") for side in (ours, theirs))
        if mart == "customer_metrics":
            our, their = our.sort("customer_id"), their.sort("customer_id")
        their = their.select(pl.col(name).cast(kind) for name, kind in our.schema.items())
        for our_row, their_row in zip(our.iter_rows(named=True), their.iter_rows(named=True), strict=True):
            assert _is_same(our_row, their_row), f"{mart} differs: {our_row} {their_row}"


def same_load(ours: Left, theirs: Left) -> None:
    """As many customers with as much money."""
    assert _loaded(ours[1]) == _loaded(theirs[1]), "the loads differ"


def _loaded(database: Database[dict[str, Any]]) -> tuple[int, Decimal]:
    total = {"_id": None, "rows": {"$sum": 1}, "spent": {"$sum": "$total_amount_spent"}}
    found = next(iter(database["customer_metrics"].aggregate([{"$group": total}])))
    return found["rows"], found["spent"].to_decimal()
