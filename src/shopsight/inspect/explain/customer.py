"""One customer: the published figures, and every row of the source that made them or was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import narwhals as nw

from shopsight.contract import CUSTOMERS, ORDER_ITEMS, ORDERS, REVIEWS, Table
from shopsight.engine.protocol import Frame
from shopsight.errors import ConfigurationError
from shopsight.inspect.explain.trace import AddedUp, Listing, Trace
from shopsight.inspect.explain.traced_run import TracedRun, raw_values
from shopsight.marts.insights.evidence import average_order_value, counting_items, counting_orders

#: The tables in which a customer has rows.
_TABLES = (CUSTOMERS, ORDERS, ORDER_ITEMS, REVIEWS)


@dataclass(frozen=True)
class CustomerTrace(Trace):
    """The rows behind one customer's figures.

    Attributes:
        customer_id: the customer; not the one that was asked for if that one was merged into another.
        asked_for: the id that was asked for.
        published: the row of ``customer_metrics``; None for a customer who was rejected or is unknown.
        source_rows: the customer's rows as the source has them, those merged into it included.
        orders: its kept orders: whether each counts, why not, what its lines add up to, its customer in the
            source.
        order_items: the lines of these orders.
        reviews: its kept reviews.
        repairs: by table, its changed values: by which rule, from what to what.
        merged: by table, its rows that were folded into another, by which rule.
        rejected: by table, its rejected rows as they were, by which rule, and what they carry.
    """

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


def explain_customer(run: TracedRun, asked_for: int) -> CustomerTrace:
    """Trace a customer's figures back to the source.

    Args:
        run: a kept run.
        asked_for: the customer's id; for a customer who was merged into another, that one is traced.

    Raises:
        ConfigurationError: no row of the source names this customer.
        WorkspaceError: the run's files cannot be read.
    """
    with run.reading():
        rows = _Rows(run, asked_for)
        found = Listing.of(run.shop.customer_metrics.filter(nw.col("customer_id") == rows.customer_id)).rows()
        published = found[0] if found else None
        orders = Listing.of(rows.orders(), "order_date", "order_id")
        items = Listing.of(rows.order_items(), "order_id", "item_id")
        reviews = Listing.of(rows.reviews(), "review_date", "review_id")
        trace = CustomerTrace(
            run.about(),
            _sums(orders, items, reviews, published) if published else [],
            rows.customer_id,
            asked_for,
            published,
            Listing.of(rows.in_source(), "customer_id"),
            orders,
            items,
            reviews,
            {table.name: Listing.of(rows.repairs(table), "key", "rule") for table in _TABLES},
            {table.name: Listing.of(rows.merged(table), "key", "rule") for table in _TABLES},
            {
                table.name: Listing.of(
                    rows.rejected(table).select(*raw_values(table), "rule", "measure"), table.key, "rule"
                )
                for table in _TABLES
            },
        )
    if published is None and not len(trace.source_rows) and not any(map(len, trace.rejected.values())):
        raise ConfigurationError(
            f"No row of run {run.run_id} names customer {asked_for}.",
            remedy="Look for the id in `customer_metrics`, or name another run with --run.",
        )
    return trace


class _Rows:
    """The rows of one customer, under any of the ids that the source has for it."""

    def __init__(self, run: TracedRun, asked_for: int) -> None:
        merged = run.merged("customers").filter(nw.col("into_key") != nw.col("key"))
        into = Listing.of(merged.filter(nw.col("key") == asked_for)).rows()
        self.customer_id = int(into[0]["into_key"]) if into else asked_for
        others = merged.filter(nw.col("into_key") == self.customer_id).select("key").unique()
        self._ids = [self.customer_id, *(row["key"] for row in Listing.of(others).rows())]
        self._is_theirs = nw.col("customer_id") == self.customer_id
        self._run, self._shop = run, run.shop

    def in_source(self) -> Frame:
        rows = self._run.raw("customers").filter(nw.col("customer_id").is_in(self._ids))
        return rows.select(raw_values(CUSTOMERS))

    def orders(self) -> Frame:
        """Kept orders, with what their lines add up to. Grain: one row per order."""
        totals = (
            self._items()
            .group_by("order_id")
            .agg(
                nw.len().cast(nw.Int64).alias("lines"),
                nw.col("quantity").sum().alias("units"),
                nw.col("amount").sum().alias("items_amount"),
            )
        )
        given_to = self._run.repairs("orders").filter(nw.col("column") == "customer_id")
        in_source = given_to.select(order_id=nw.col("key"), customer_in_source=nw.col("old_value"))
        return (
            counting_orders(self._shop)
            .filter(self._is_theirs)
            .join(totals, on="order_id", how="left")
            .join(in_source, on="order_id", how="left")
            .with_columns(
                nw.col("lines").fill_null(0),
                nw.col("units").fill_null(0),
                why_not=nw.when(~nw.col("is_counting")).then(nw.col("why")),
            )
            .drop("customer_id", "is_behind", "why", "amount")
        )

    def order_items(self) -> Frame:
        """The lines of the kept orders. Grain: one row per line."""
        names = self._shop.products.select("product_id", "product_name")
        items = self._items().with_columns(is_counting=nw.col("is_behind"))
        items = items.drop("order_date", "customer_id", "status", "is_behind", "why")
        return items.join(names, on="product_id", how="left")

    def reviews(self) -> Frame:
        """Kept reviews. Grain: one row per review."""
        names = self._shop.products.select("product_id", "product_name")
        reviews = self._shop.reviews.filter(self._is_theirs).drop("customer_id")
        return reviews.join(names, on="product_id", how="left")

    def repairs(self, table: Table) -> Frame:
        return self._of_kept(self._run.repairs(table.name), table)

    def merged(self, table: Table) -> Frame:
        rows = self._run.merged(table.name)
        if table is CUSTOMERS:
            return rows.filter(nw.col("into_key") == self.customer_id).drop("table")
        return self._of_kept(rows, table)

    def rejected(self, table: Table) -> Frame:
        """Rejected rows; a line is the customer's if its order is, kept or rejected."""
        rows = self._run.rejected(table.name)
        if table is not ORDER_ITEMS:
            return rows.filter(nw.col("customer_id").is_in(self._ids))
        kept = self._shop.orders.filter(self._is_theirs).select("order_id")
        orders = nw.concat([kept, self.rejected(ORDERS).select("order_id")]).unique()
        return rows.join(orders, on="order_id", how="semi")

    def _items(self) -> Frame:
        return counting_items(self._shop).filter(self._is_theirs)

    def _of_kept(self, rows: Frame, table: Table) -> Frame:
        """Repairs or merges whose key is one of this customer's kept rows."""
        kept = (
            self._items() if table is ORDER_ITEMS else getattr(self._shop, table.name).filter(self._is_theirs)
        )
        return rows.join(kept.select(key=nw.col(table.key)), on="key", how="semi").drop("table")


def _sums(orders: Listing, items: Listing, reviews: Listing, published: Mapping[str, Any]) -> list[AddedUp]:
    """What the listed rows add up to, by Python's own arithmetic on sums of the listings."""
    counting = orders.frame.filter(nw.col("is_counting"))
    ratings = reviews.frame["rating"]
    units = items.frame.filter(nw.col("is_counting"))["quantity"]
    spent = Decimal("0.00") + Decimal(counting["total_amount"].sum() if len(counting) else 0)
    added_up = {
        "total_amount_spent": spent,
        "total_orders": len(counting),
        "average_order_value": average_order_value({"revenue": spent, "orders": len(counting)}),
        "total_products_ordered": int(units.sum()),
        "average_rating": int(ratings.sum()) / len(ratings) if len(ratings) else None,
    }
    return [AddedUp(name, figure, published[name]) for name, figure in added_up.items()]
