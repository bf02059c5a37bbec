"""One customer: the published figures, and every row of the source that made them or was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import narwhals as nw

from shopsight.contract import CUSTOMERS, ORDER_ITEMS, ORDERS, REVIEWS, Table
from shopsight.engine.protocol import Frame
from shopsight.errors import ConfigurationError
from shopsight.inspect.explain.listing import AddedUp, Listing, collected
from shopsight.inspect.explain.traced_run import TracedRun, raw_values

#: The tables in which a customer has rows.
_TABLES = (CUSTOMERS, ORDERS, ORDER_ITEMS, REVIEWS)
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class CustomerTrace:
    """What stands behind one customer's figures.

    Attributes:
        run: which run it is of.
        customer_id: the customer, whom the one that was asked for may have been merged into.
        asked_for: the id that was asked for.
        published: the row of ``customer_metrics``; None for a customer who was rejected or is unknown.
        source_rows: the customer's rows in the source as they are there, those merged into it included.
        orders: its kept orders: whether each counts and why not, what its lines add up to, and whose it was
            in the source.
        order_items: the lines of these orders.
        reviews: its kept reviews.
        repairs: by table, which of its values were changed, by which rule, from what to what.
        merged: by table, which of its rows were folded into another, by which rule.
        rejected: by table, its rejected rows as they were, by which rule, and what they carry.
        sums: what the kept rows add up to, against what was published.
    """

    run: dict[str, Any]
    customer_id: int
    asked_for: int
    published: dict[str, Any] | None
    source_rows: Listing
    orders: Listing
    order_items: Listing
    reviews: Listing
    repairs: dict[str, Listing]
    merged: dict[str, Listing]
    rejected: dict[str, Listing]
    sums: list[AddedUp]

    @property
    def holds(self) -> bool:
        """Whether the rows add up to what was published."""
        return all(figure.holds for figure in self.sums)

    def as_document(self, limit: int | None = None) -> dict[str, Any]:
        """The trace as plain values.

        Args:
            limit: how many rows there are of each listing at most; all by default.
        """

        def rows(listings: Mapping[str, Listing]) -> dict[str, Any]:
            return {table: listing.rows(limit) for table, listing in listings.items() if len(listing)}

        return {
            "run": self.run,
            "customer_id": self.customer_id,
            "asked_for": self.asked_for,
            "published": self.published,
            "source_rows": self.source_rows.rows(limit),
            "orders": self.orders.rows(limit),
            "order_items": self.order_items.rows(limit),
            "reviews": self.reviews.rows(limit),
            "repairs": rows(self.repairs),
            "merged": rows(self.merged),
            "rejected": rows(self.rejected),
            "sums": [figure.as_document() for figure in self.sums],
        }


def explain_customer(run: TracedRun, asked_for: int) -> CustomerTrace:
    """Trace a customer's figures back to the source.

    Args:
        run: a kept run.
        asked_for: the customer's id; of one who was merged into another the other is traced.

    Raises:
        ConfigurationError: no row of the source names this customer.
        WorkspaceError: the run's files cannot be read.
    """
    with run.reading():
        customer_id = _merged_into(run, asked_for)
        published = _first(run.customer_metrics().filter(nw.col("customer_id") == customer_id))
        rows = _Rows(run, [customer_id, *_merged_ids(run, customer_id)])
        trace = CustomerTrace(
            run.about(),
            customer_id,
            asked_for,
            published,
            Listing.of(rows.in_source(), "customer_id"),
            Listing.of(rows.orders(), "order_date", "order_id"),
            Listing.of(rows.order_items(), "order_id", "item_id"),
            Listing.of(rows.reviews(), "review_date", "review_id"),
            {table.name: Listing.of(rows.repairs(table), "key", "rule") for table in _TABLES},
            {table.name: Listing.of(rows.merged(table), "key", "rule") for table in _TABLES},
            {table.name: Listing.of(rows.rejected(table), table.key, "rule") for table in _TABLES},
            [],
        )
    if published is None and not len(trace.source_rows) and not any(map(len, trace.rejected.values())):
        raise ConfigurationError(
            f"No row of run {run.run_id} names customer {asked_for}.",
            remedy="Look for the id in `customer_metrics`, or name another run with --run.",
        )
    if published is not None:
        trace.sums.extend(_sums(trace, published))
    return trace


class _Rows:
    """The rows of one customer, under whichever of its ids the source has them."""

    def __init__(self, run: TracedRun, ids: list[int]) -> None:
        self._run = run
        self._ids = ids
        self._customer_id = ids[0]

    def in_source(self) -> Frame:
        rows = self._run.raw("customers").filter(nw.col("customer_id").is_in(self._ids))
        return rows.select(raw_values(CUSTOMERS))

    def orders(self) -> Frame:
        """Kept orders, with what their lines add up to. Grain: one row per order."""
        orders = self._kept_orders()
        lines = self._kept_items().group_by("order_id")
        totals = lines.agg(
            nw.len().cast(nw.Int64).alias("lines"),
            nw.col("quantity").sum().alias("units"),
            nw.col("amount").sum().alias("items_amount"),
        )
        given_to = self._run.repairs("orders").filter(nw.col("column") == "customer_id")
        in_source = given_to.select(
            nw.col("key").alias("order_id"), nw.col("old_value").alias("customer_in_source")
        )
        why = nw.concat_str(nw.lit("status "), nw.col("status"), nw.lit(" does not count"))
        return (
            orders.join(totals, on="order_id", how="left")
            .join(in_source, on="order_id", how="left")
            .with_columns(
                nw.col("lines").fill_null(0),
                nw.col("units").fill_null(0),
                why_not=nw.when(~nw.col("is_counting")).then(why),
            )
        )

    def order_items(self) -> Frame:
        """The lines of the kept orders. Grain: one row per line."""
        names = self._run.clean("products").select("product_id", "product_name")
        return self._kept_items().join(names, on="product_id", how="left")

    def reviews(self) -> Frame:
        """Kept reviews. Grain: one row per review."""
        names = self._run.clean("products").select("product_id", "product_name")
        reviews = self._run.clean("reviews").filter(nw.col("customer_id") == self._customer_id)
        return reviews.drop("customer_id").join(names, on="product_id", how="left")

    def repairs(self, table: Table) -> Frame:
        return self._of_kept(self._run.repairs(table.name), table).drop("table")

    def merged(self, table: Table) -> Frame:
        rows = self._run.merged(table.name)
        if table is CUSTOMERS:
            return rows.filter(nw.col("into_key") == self._customer_id).drop("table")
        return self._of_kept(rows, table).drop("table")

    def rejected(self, table: Table) -> Frame:
        """Rejected rows as they were. Grain: one row per rejected row."""
        return self._rejected(table).select(*raw_values(table), "rule", "measure")

    def _rejected(self, table: Table) -> Frame:
        rows = self._run.rejected(table.name)
        if table is not ORDER_ITEMS:
            return rows.filter(nw.col("customer_id").is_in(self._ids))
        kept = self._kept_orders().select("order_id")
        orders = nw.concat([kept, self._rejected(ORDERS).select("order_id")]).unique()
        return rows.join(orders, on="order_id", how="semi")

    def _kept_orders(self) -> Frame:
        orders = self._run.clean("orders").filter(nw.col("customer_id") == self._customer_id)
        return orders.drop("customer_id")

    def _kept_items(self) -> Frame:
        counting = self._kept_orders().select("order_id", "is_counting")
        items = self._run.clean("order_items").join(counting, on="order_id", how="inner")
        return items.with_columns(amount=nw.col("quantity") * nw.col("price"))

    def _of_kept(self, rows: Frame, table: Table) -> Frame:
        """Of the rows with a ``key`` those whose key is one of this customer's kept rows."""
        if table is ORDER_ITEMS:
            kept = self._kept_items()
        else:
            kept = self._run.clean(table.name).filter(nw.col("customer_id") == self._customer_id)
        return rows.join(kept.select(nw.col(table.key).alias("key")), on="key", how="semi")


def _merged_into(run: TracedRun, customer_id: int) -> int:
    merged = run.merged("customers").filter(nw.col("key") == customer_id, nw.col("into_key") != customer_id)
    row = _first(merged.select("into_key"))
    return customer_id if row is None else int(row["into_key"])


def _merged_ids(run: TracedRun, customer_id: int) -> list[int]:
    merged = run.merged("customers").filter(nw.col("into_key") == customer_id, nw.col("key") != customer_id)
    return sorted(collected(merged.select("key").unique())["key"].to_list())


def _first(frame: Frame) -> dict[str, Any] | None:
    return next(iter(collected(frame.head(1)).rows(named=True)), None)


def _sums(trace: CustomerTrace, published: Mapping[str, Any]) -> list[AddedUp]:
    """What the listed rows add up to, by Python's own arithmetic on sums of the listings."""
    counting = trace.orders.frame.filter(nw.col("is_counting"))
    ratings = trace.reviews.frame["rating"]
    units = trace.order_items.frame.filter(nw.col("is_counting"))["quantity"]
    spent: Any = Decimal("0.00") + Decimal(counting["total_amount"].sum() if len(counting) else 0)
    average = _EXACT.quantize(_EXACT.divide(spent, len(counting)), Decimal("0.01")) if len(counting) else None
    added_up = {
        "total_amount_spent": spent,
        "total_orders": len(counting),
        "average_order_value": average,
        "total_products_ordered": int(units.sum()),
        "average_rating": int(ratings.sum()) / len(ratings) if len(ratings) else None,
    }
    return [AddedUp(name, figure, published[name]) for name, figure in added_up.items()]
