"""The results of ``explain`` on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from shopsight.clean import RULES
from shopsight.cli.run_tables import insight_table
from shopsight.cli.tables import Field, FittingTable, one_line
from shopsight.contract import CUSTOMERS, TABLES
from shopsight.inspect.explain import CustomerTrace, InsightTrace
from shopsight.inspect.explain.insight import Tally
from shopsight.inspect.explain.trace import AddedUp, Listing, Trace
from shopsight.report import InsightTable
from shopsight.report.formatting import (
    DASH,
    format_count,
    format_exact,
    format_moment,
    format_money,
    format_value,
)

#: Headings of the columns that are shown of a trace's rows, in this order; other columns are not shown.
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


#: A table's row: its cells.
Cells = Sequence[str | Text]


def trace_view(trace: Trace, limit: int | None) -> Iterator[RenderableType]:
    """The figures, the rows behind them, what was left out, and whether it all adds up.

    Args:
        trace: of a customer or of an insight.
        limit: how many rows of each listing are shown; None for all.
    """
    if isinstance(trace, CustomerTrace):
        yield from _customer(trace, limit)
    elif isinstance(trace, InsightTrace):
        yield from _insight(trace, limit)
    yield from _sums(trace.sums)


def _customer(trace: CustomerTrace, limit: int | None) -> Iterator[RenderableType]:
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
    yield from _rows("In the source", trace.source_rows, CUSTOMERS.column_names, limit)
    orders = ["order_id", "order_date", "status", "lines", "units", "items_amount", "total_amount", "why_not"]
    if not trace.orders.frame["customer_in_source"].is_null().all():
        orders.insert(1, "customer_in_source")
    yield from _rows("Orders", trace.orders, orders, limit)
    lines = ("order_id", "item_id", "product_id", "product_name", "quantity", "price", "amount")
    yield from _rows("Order lines", trace.order_items, lines, limit)
    reviews = ("review_id", "review_date", "product_id", "product_name", "rating")
    yield from _rows("Reviews", trace.reviews, reviews, limit)
    for table, listing in trace.repairs.items():
        fields = [Field("Key", is_figure=True), Field("Rule"), Field("Column"), Field("From"), Field("To")]
        yield from _listing(f"Repaired in {table}", fields, listing, limit, _repair)
    for table, listing in trace.merged.items():
        yield from _set_aside("Merged", table, listing, limit)
    for table, listing in trace.rejected.items():
        yield from _set_aside("Rejected", table, listing, limit)


def _insight(trace: InsightTrace, limit: int | None) -> Iterator[RenderableType]:
    insight = trace.insight
    yield Text.assemble((insight.title, "bold"), f"  {insight.id}")
    yield Text(insight.description, style="dim")
    yield _about(trace.run)
    if trace.key is None:
        yield _published(trace, limit)
    else:
        yield Text(one_line(", ".join(f"{name} {value}" for name, value in trace.key.items())), style="bold")
        for row in trace.published.rows():
            fields = {c.name: one_line(format_value(row[c.name], c.kind)) for c in insight.columns}
            yield _fields_table(fields)
        if not len(trace.published):
            yield "It is not among the published rows; these would be the rows behind it."
    if insight.evidence is None:
        yield "This insight declares no rows behind it."
        return
    yield _tallies_table("What stands behind it", trace.behind)
    if trace.left_out:
        yield _tallies_table("What was left out, and why", trace.left_out)
    if trace.rows is not None:
        yield from _rows("Rows", trace.rows, _shown_columns(trace, trace.rows), limit)
    if trace.rejected is not None:
        yield from _set_aside("Rejected", insight.evidence.table, trace.rejected, limit)


def _shown_columns(trace: InsightTrace, rows: Listing) -> list[str]:
    """The listing without columns that are the same in every row: the key, and whether the row takes part."""
    columns = [name for name in _LABELS if name in rows.frame.columns and name not in (trace.key or {})]
    if {"total_amount", "total_amount_spent", "rating"} & set(columns):
        columns.remove("amount")
    if rows.frame["is_behind"].all():
        columns.remove("why")
    return columns


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


def _listing(
    title: str,
    fields: list[Field],
    listing: Listing,
    limit: int | None,
    cells: Callable[[dict[str, Any]], Cells],
) -> Iterator[RenderableType]:
    """A table of the first rows of a listing; nothing for an empty one."""
    if len(listing):
        rows = listing.rows(limit)
        table = FittingTable(title, fields, caption=_more(len(rows), len(listing)))
        for row in rows:
            table.add(*cells(row))
        yield table


def _rows(
    title: str, listing: Listing, columns: Sequence[str], limit: int | None
) -> Iterator[RenderableType]:
    fields = [
        Field(
            _LABELS[name],
            is_figure=name not in (*_TEXTS, "why", "why_not"),
            is_whole=name in ("why", "why_not"),
            spared=_SPARED.get(name, 0),
        )
        for name in columns
    ]
    return _listing(title, fields, listing, limit, lambda row: [_cell(name, row) for name in columns])


def _cell(name: str, row: Mapping[str, Any]) -> str | Text:
    if name in ("why_not", "why"):
        is_counting = row["is_counting"] if name == "why_not" else row["is_behind"]
        return Text("yes", style="green") if is_counting else Text("no", style="yellow")
    if name.endswith("_id") and row[name] is not None:
        return one_line(str(row[name]))
    return _shown(row[name])


def _more(shown: int, total: int) -> str:
    return f"{shown:,} of {total:,}; --rows 0 shows all" if shown < total else ""


def _repair(row: Mapping[str, Any]) -> Cells:
    values = [row["old_value"], row["new_value"]]
    quoted = [DASH if value is None else f"“{one_line(value)}”" for value in values]
    return [str(row["key"]), row["rule"].partition(".")[2], row["column"], *quoted]


def _set_aside(what: str, table: str, listing: Listing, limit: int | None) -> Iterator[RenderableType]:
    """Rejected or merged rows, each with its rule, what it carries and what it says."""

    def cells(row: Mapping[str, Any]) -> Cells:
        entry = Text(one_line(_row_text(table, row)))
        rule = RULES.get(row["rule"])  # None for one that another version of shopsight had
        entry.append(f"\n{row['rule']}: {rule.sentence if rule else '–'}", style="dim")
        return [entry, _amount(table, row["measure"])]

    return _listing(
        f"{what} in {table}", [Field("Row"), Field("Carries", is_figure=True)], listing, limit, cells
    )


def _row_text(table: str, row: Mapping[str, Any]) -> str:
    if "into_key" in row:
        into = row["into_key"]
        return f"{row['key']}, the same row" if into == row["key"] else f"{row['key']} into {into}"
    return ", ".join("–" if row[name] is None else str(row[name]) for name in TABLES[table].column_names)


def _tallies_table(title: str, tallies: Sequence[Tally]) -> FittingTable:
    figures = [Field("Rows", is_figure=True), Field("Carry", is_figure=True)]
    table = FittingTable(title, [Field("Table"), Field("Which rows"), *figures])
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
    figures = [Field("Rows add up to", is_figure=True), Field("Published", is_figure=True)]
    table = FittingTable("Do the rows add up to what was published?", [Field("Figure"), *figures, Field("")])
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
