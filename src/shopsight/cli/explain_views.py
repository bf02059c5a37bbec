"""What ``explain`` found, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from shopsight.clean.rules import RULES
from shopsight.cli.run_tables import insight_table
from shopsight.cli.tables import Field, FittingTable, one_line
from shopsight.contract import CUSTOMERS, TABLES
from shopsight.inspect.explain import CustomerTrace, InsightTrace, Listing
from shopsight.inspect.explain.insight import Tally
from shopsight.inspect.explain.listing import AddedUp
from shopsight.report import InsightTable
from shopsight.report.figures import (
    DASH,
    format_count,
    format_exact,
    format_moment,
    format_money,
    format_value,
)

#: Columns that a trace's rows may have, as they are shown, in this order; others are not.
_LABELS = {
    "order_id": "Order",
    "item_id": "Line",
    "review_id": "Review",
    "customer_id": "Customer",
    "customer_in_source": "Was customer",
    "order_date": "Date",
    "review_date": "Date",
    "first_date": "First order",
    "last_date": "Last order",
    "name": "Name",
    "email": "E-mail",
    "country": "Country",
    "product_id": "Product",
    "product_name": "Name",
    "rating": "Rating",
    "recency": "Recency",
    "value": "Value",
    "total_orders": "Orders",
    "total_amount_spent": "Spent",
    "lines": "Lines",
    "units": "Units",
    "quantity": "Quantity",
    "price": "Price",
    "items_amount": "Its lines",
    "total_amount": "Amount",
    "amount": "Amount",
    "status": "Status",
    "why_not": "Counts",
    "why": "Takes part",
}
_SPARED = {"items_amount": 1, "lines": 2, "product_id": 3, "first_date": 1, "email": 1}
_TEXTS = ("name", "email", "country", "product_name", "status")


def customer_view(trace: CustomerTrace, limit: int | None) -> Iterator[RenderableType]:
    """One customer's figures, the rows behind them, what was left out, and whether it all adds up.

    Args:
        trace: the customer.
        limit: how many rows of each listing are shown; None for all.
    """
    published = trace.published or {}
    title = one_line(f"Customer {trace.customer_id}" + (f": {published['name']}" if published else ""))
    yield Text(title, style="bold")
    yield _about(trace.run)
    if trace.asked_for != trace.customer_id:
        yield f"Customer {trace.asked_for} was merged into {trace.customer_id}, who is shown."
    if trace.published is None:
        yield "Not published: the customer was rejected, or the source has rows that name it but not itself."
    else:
        yield _fields_table({name: _cell(name, published) for name in published})
    yield from _listing("In the source", trace.source_rows, CUSTOMERS.column_names, limit)
    yield from _orders(trace.orders, limit)
    lines = ("order_id", "item_id", "product_id", "product_name", "quantity", "price", "amount")
    yield from _listing("Order lines", trace.order_items, lines, limit)
    reviews = ("review_id", "review_date", "product_id", "product_name", "rating")
    yield from _listing("Reviews", trace.reviews, reviews, limit)
    yield from _repairs(trace.repairs, limit)
    yield from _set_aside("Merged", trace.merged, limit)
    yield from _set_aside("Rejected", trace.rejected, limit)
    yield from _sums(trace.sums)


def insight_view(trace: InsightTrace, limit: int | None) -> Iterator[RenderableType]:
    """An insight's definition, what stands behind it, what was left out, and whether it all adds up."""
    yield Text.assemble((trace.insight.title, "bold"), f"  {trace.insight.id}")
    yield Text(trace.insight.description, style="dim")
    yield _about(trace.run)
    if trace.key is not None:
        yield Text(one_line(", ".join(f"{name} {value}" for name, value in trace.key.items())), style="bold")
        row = next(iter(trace.published.rows()), None)
        if row is None:
            yield "It is not among the published rows; this is what would stand behind it."
        else:
            yield _fields_table(
                {c.name: one_line(format_value(row[c.name], c.kind)) for c in trace.insight.columns}
            )
    else:
        yield _published(trace, limit)
    yield _tallies_table("What stands behind it", trace.behind)
    if trace.left_out:
        yield _tallies_table("What was left out, and why", trace.left_out)
    if trace.rows is not None:
        columns = [name for name in _LABELS if name in trace.rows.frame.columns]
        if "total_amount" in columns or "total_amount_spent" in columns or "rating" in columns:
            columns.remove("amount")
        if trace.rows.frame["is_behind"].all():
            columns.remove("why")
        yield from _listing("Rows", trace.rows, columns, limit)
    if trace.rejected is not None and len(trace.rejected):
        table = trace.behind[0].table
        yield from _set_aside("Rejected", {table: trace.rejected}, limit)
    yield from _sums(trace.sums)


def _about(run: Mapping[str, Any]) -> Text:
    generation = f"generation {run['generation']}" if run["generation"] is not None else "not published"
    return Text(f"Run {run['run_id']}, {generation}, as of {format_moment(run['as_of'])}", style="dim")


def _published(trace: InsightTrace, limit: int | None) -> FittingTable:
    """The insight's first rows."""
    rows = trace.published.rows(limit)
    columns = [{"name": c.name, "kind": str(c.kind), "label": c.label} for c in trace.insight.columns]
    table = insight_table(InsightTable(trace.insight.id, "Published", "", columns, rows))
    table.caption = _more(len(rows), len(trace.published)) or table.caption
    # The keys are what --key asks for.
    table.fields = [replace(field, spared=0) for field in table.fields]
    return table


def _fields_table(row: Mapping[str, str | Text]) -> FittingTable:
    table = FittingTable("Published", [Field("Figure", is_whole=True), Field("Value", is_figure=True)])
    for name, value in row.items():
        table.add(name, value)
    return table


def _orders(orders: Listing, limit: int | None) -> Iterator[RenderableType]:
    columns = [
        "order_id",
        "order_date",
        "status",
        "lines",
        "units",
        "items_amount",
        "total_amount",
        "why_not",
    ]
    if orders.frame["customer_in_source"].is_null().all() is False:
        columns.insert(1, "customer_in_source")
    yield from _listing("Orders", orders, columns, limit)


def _listing(
    title: str, listing: Listing, columns: Sequence[str], limit: int | None
) -> Iterator[RenderableType]:
    """The first rows of a listing; nothing for an empty one."""
    if not len(listing):
        return
    rows = listing.rows(limit)
    table = FittingTable(title, [_field(name) for name in columns], caption=_more(len(rows), len(listing)))
    for row in rows:
        cells = [_cell(name, row) for name in columns]
        table.add(*cells)
    yield table


def _field(name: str) -> Field:
    return Field(
        _LABELS[name],
        is_figure=name not in (*_TEXTS, "why", "why_not"),
        is_whole=name in ("why", "why_not"),
        spared=_SPARED.get(name, 0),
    )


def _cell(name: str, row: Mapping[str, Any]) -> str | Text:
    if name in ("why_not", "why"):
        is_counting = row["is_counting"] if name == "why_not" else row["is_behind"]
        return Text("yes", style="green") if is_counting else Text("no", style="yellow")
    if name.endswith("_id") and row[name] is not None:
        return one_line(str(row[name]))
    return _shown(row[name])


def _more(shown: int, total: int) -> str:
    return f"{shown:,} of {total:,}; --rows 0 shows all" if shown < total else ""


def _repairs(repairs: Mapping[str, Listing], limit: int | None) -> Iterator[RenderableType]:
    for name, listing in repairs.items():
        if not len(listing):
            continue
        rows = listing.rows(limit)
        fields = [Field("Key", is_figure=True), Field("Rule"), Field("Column"), Field("From"), Field("To")]
        table = FittingTable(f"Repaired in {name}", fields, caption=_more(len(rows), len(listing)))
        for row in rows:
            values = (_quoted(row[side]) for side in ("old_value", "new_value"))
            table.add(str(row["key"]), row["rule"].partition(".")[2], row["column"], *values)
        yield table


def _set_aside(what: str, listings: Mapping[str, Listing], limit: int | None) -> Iterator[RenderableType]:
    """Rejected and merged rows, each with its rule, what it carries and what it says."""
    for name, listing in listings.items():
        if not len(listing):
            continue
        rows = listing.rows(limit)
        table = FittingTable(
            f"{what} in {name}",
            [Field("Row"), Field("Carries", is_figure=True)],
            caption=_more(len(rows), len(listing)),
        )
        for row in rows:
            entry = Text(one_line(_row_text(name, row)))
            rule = RULES.get(row["rule"])  # None for one that another version of shopsight had
            entry.append(f"\n{row['rule']}: {rule.sentence if rule else '–'}", style="dim")
            table.add(entry, _amount(name, row["measure"]))
        yield table


def _row_text(table: str, row: Mapping[str, Any]) -> str:
    if "into_key" in row:
        into = row["into_key"]
        return f"{row['key']}, the same row" if into == row["key"] else f"{row['key']} into {into}"
    return ", ".join("–" if row[name] is None else str(row[name]) for name in TABLES[table].column_names)


def _tallies_table(title: str, tallies: Iterable[Tally]) -> FittingTable:
    table = FittingTable(
        title,
        [Field("Table"), Field("Which rows"), Field("Rows", is_figure=True), Field("Carry", is_figure=True)],
    )
    for tally in tallies:
        rule = RULES.get(tally.what)
        what = Text(one_line(tally.what.partition(".")[2] if rule else tally.what))
        if rule:
            what.append(f" ({rule.action})", style="dim")
        table.add(tally.table, what, format_count(tally.rows), _amount(tally.table, tally.amount))
    return table


def _sums(sums: Sequence[AddedUp]) -> Iterator[RenderableType]:
    if not sums:
        return
    table = FittingTable(
        "Do the rows add up to what was published?",
        [
            Field("Figure"),
            Field("Rows add up to", is_figure=True),
            Field("Published", is_figure=True),
            Field(""),
        ],
    )
    for figure in sums:
        mark = Text("✓", style="green") if figure.holds else Text("✗", style="bold red")
        table.add(figure.what, _shown(figure.added_up), _shown(figure.published), mark)
    yield table
    yield ""
    if all(figure.holds for figure in sums):
        yield Text.assemble(("✓ ", "green"), "They do, to the cent.")
    else:
        yield Text.assemble(
            ("✗ ", "bold red"), "They do not: the run's files were changed after it was published."
        )


def _amount(table: str, amount: Decimal | int | None) -> str:
    if amount is None or table in ("categories", "products"):
        return DASH
    return format_count(amount) if table == "reviews" else format_money(amount)


def _quoted(value: str | None) -> str:
    return DASH if value is None else f"“{one_line(value)}”"


def _shown(value: Any) -> str:
    match value:
        case None:
            return DASH
        case Decimal():
            return format_money(value)
        case bool() | float():
            return str(value)
        case int():
            return format_exact(value)
        case date():
            return value.isoformat()
    return one_line(str(value))
