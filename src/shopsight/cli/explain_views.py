"""The results of ``explain`` on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from shopsight.clean import RULES
from shopsight.cli.output import one_line
from shopsight.cli.tables import terminal_table
from shopsight.contract import CUSTOMERS, TABLES
from shopsight.inspect.explain import CustomerTrace, InsightTrace
from shopsight.inspect.explain.insight import Tally
from shopsight.inspect.explain.trace import AddedUp, Listing, Trace
from shopsight.report import ReportTable
from shopsight.report.formatting import DASH, format_count, format_moment, format_money
from shopsight.report.report_table import column

Rows = list[dict[str, Any]]

#: The columns that are shown of a trace's rows, in this order; others are not shown.
_COLUMNS = {
    shown["name"]: shown
    for shown in (
        column("order_id", "key", "Order"),
        column("item_id", "key", "Line"),
        column("review_id", "key", "Review"),
        column("customer_id", "key", "Customer"),
        column("customer_in_source", "key", "Was customer"),
        column("order_date", "day", "Date"),
        column("review_date", "day", "Date"),
        column("first_date", "day", "First order", spared=1),
        column("last_date", "day", "Last order"),
        column("name", "text", "Name"),
        column("email", "text", "E-mail", spared=1),
        column("country", "text", "Country"),
        column("product_id", "key", "Product", spared=3),
        column("product_name", "text", "Name"),
        column("rating", "plain", "Rating"),
        column("recency", "plain", "Recency"),
        column("value", "plain", "Value"),
        column("total_orders", "plain", "Orders"),
        column("total_amount_spent", "plain", "Spent"),
        column("lines", "plain", "Lines", spared=2),
        column("units", "plain", "Units"),
        column("quantity", "plain", "Quantity"),
        column("price", "plain", "Price"),
        column("items_amount", "plain", "Its lines", spared=1),
        column("total_amount", "plain", "Amount"),
        column("amount", "plain", "Amount"),
        column("status", "text", "Status"),
        column("is_counting", "flag", "Counts"),
        column("is_behind", "flag", "Takes part"),
    )
}


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
    title = one_line(
        f"Customer {trace.customer_id}" + (f": {published['name']}" if published.get("name") else "")
    )
    yield Text(title, style="bold")
    yield _about(trace.run)
    if trace.asked_for != trace.customer_id:
        yield f"Customer {trace.asked_for} was merged into {trace.customer_id}, who is shown."
    if trace.published is None:
        yield "Not published: the customer was rejected, or only other tables name it."
    else:
        yield _fields(published)
    yield from _listing("In the source", CUSTOMERS.column_names, trace.source_rows, limit)
    orders = ["order_id", "order_date", "status", "lines", "units", "items_amount", "total_amount"]
    if not trace.orders.frame["customer_in_source"].is_null().all():
        orders.insert(1, "customer_in_source")
    yield from _listing("Orders", [*orders, "is_counting"], trace.orders, limit)
    lines = ("order_id", "item_id", "product_id", "product_name", "quantity", "price", "amount")
    yield from _listing("Order lines", lines, trace.order_items, limit)
    reviews = ("review_id", "review_date", "product_id", "product_name", "rating")
    yield from _listing("Reviews", reviews, trace.reviews, limit)
    for table, listing in trace.repairs.items():
        rows = [
            {**row, "rule": row["rule"].partition(".")[2]}
            | {side: None if row[side] is None else f"“{row[side]}”" for side in ("old_value", "new_value")}
            for row in listing.rows(limit)
        ]
        columns = [
            column("key", "key", "Key"),
            column("rule", "text", "Rule"),
            column("column", "text", "Column"),
            column("old_value", "text", "From"),
            column("new_value", "text", "To"),
        ]
        yield from _table(f"Repaired in {table}", columns, rows, len(listing))
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
        # The keys are never spared: --key asks for them.
        columns = [{**vars(shown), "spared": 0} for shown in insight.columns]
        rows = trace.published.rows(limit)
        footnote = _more(len(rows), len(trace.published))
        yield terminal_table(ReportTable("", "Published", "", columns, rows, footnote=footnote))
    else:
        yield Text(one_line(", ".join(f"{name} {value}" for name, value in trace.key.items())), style="bold")
        table = ReportTable("", "", "", [vars(shown) for shown in insight.columns])
        for row in trace.published.rows():
            yield _fields({name: table.text(row, name) for name in table.column_names})
        if not len(trace.published):
            yield "It is not among the published rows; these would be the rows behind it."
    if insight.evidence is None:
        yield "This insight declares no rows behind it."
        return
    yield from _tallies("Rows behind it", trace.behind)
    if trace.left_out:
        yield from _tallies("What was left out, and why", trace.left_out)
    if trace.rows is not None:
        yield from _listing("Rows", _shown_columns(trace, trace.rows), trace.rows, limit)
    if trace.rejected is not None:
        yield from _set_aside("Rejected", insight.evidence.table, trace.rejected, limit)


def _shown_columns(trace: InsightTrace, rows: Listing) -> list[str]:
    """The listing's columns without those that are the same in every row: the key, whether it takes part."""
    hidden = {"is_counting", *(trace.key or {})}
    if {"total_amount", "total_amount_spent", "rating"} & set(rows.frame.columns):
        hidden.add("amount")
    if rows.frame["is_behind"].all():
        hidden.add("is_behind")
    return [name for name in _COLUMNS if name in rows.frame.columns and name not in hidden]


def _about(run: Mapping[str, Any]) -> Text:
    generation = f"generation {run['generation']}" if run["generation"] is not None else "not published"
    return Text(f"Run {run['run_id']}, {generation}, as of {format_moment(run['as_of'])}", style="dim")


def _table(
    title: str, columns: list[dict[str, Any]], rows: Rows, total: int | None = None
) -> Iterator[RenderableType]:
    """A table of these rows, the first of ``total``; nothing if there are none."""
    if rows:
        footnote = _more(len(rows), len(rows) if total is None else total)
        yield terminal_table(ReportTable("", title, "", columns, rows, footnote=footnote))


def _more(shown: int, total: int) -> str:
    return f"{shown:,} of {total:,}; --rows 0 shows all" if shown < total else ""


def _fields(row: Mapping[str, Any]) -> RenderableType:
    """One row's fields below one another."""
    columns = [column("figure", "id", "Figure"), column("value", "plain", "Value")]
    rows = [
        {"figure": name, "value": f"{value}" if name.endswith("_id") and value is not None else value}
        for name, value in row.items()
    ]
    return terminal_table(ReportTable("", "Published", "", columns, rows))


def _listing(
    title: str, names: Sequence[str], listing: Listing, limit: int | None
) -> Iterator[RenderableType]:
    return _table(title, [_COLUMNS[name] for name in names], listing.rows(limit), len(listing))


def _set_aside(what: str, table: str, listing: Listing, limit: int | None) -> Iterator[RenderableType]:
    """Rejected or merged rows, each with its amount, its rule and the rule's sentence."""
    rows = []
    for row in listing.rows(limit):
        rule = RULES.get(row["rule"])  # None for one that another version of shopsight had
        why = f"\n{row['rule']}: {rule.sentence if rule else DASH}"
        rows.append({"row": _row_text(table, row), "why": why, "amount": _amount(table, row["measure"])})
    columns = [column("row", "text", "Row", note="why"), column("amount", "figure", "Carries")]
    return _table(f"{what} in {table}", columns, rows, len(listing))


def _row_text(table: str, row: Mapping[str, Any]) -> str:
    if "into_key" in row:
        into = row["into_key"]
        return f"{row['key']}, the same row" if into == row["key"] else f"{row['key']} into {into}"
    return ", ".join(DASH if row[name] is None else str(row[name]) for name in TABLES[table].column_names)


def _tallies(title: str, tallies: Sequence[Tally]) -> Iterator[RenderableType]:
    rows = []
    for tally in tallies:
        rule = RULES.get(tally.what)
        what = tally.what.partition(".")[2] if rule else tally.what
        action = f"({rule.action})" if rule else ""
        amount = _amount(tally.table, tally.amount)
        rows.append(
            {"table": tally.table, "what": what, "action": action, "rows": tally.rows, "amount": amount}
        )
    columns = [
        column("table", "text", "Table"),
        column("what", "text", "Which rows", note="action"),
        column("rows", "count", "Rows"),
        column("amount", "figure", "Carry"),
    ]
    return _table(title, columns, rows)


def _amount(table: str, amount: Decimal | int | None) -> str:
    if amount is None or table in ("categories", "products"):
        return DASH
    return format_count(amount) if table == "reviews" else format_money(amount)


def _sums(sums: Sequence[AddedUp]) -> Iterator[RenderableType]:
    if not sums:
        return
    columns = [
        column("what", "text", "Figure"),
        column("added_up", "plain", "Rows add up to"),
        column("published", "plain", "Published"),
        column("holds", "tick", "Holds"),
    ]
    rows = [{**vars(figure), "holds": figure.holds} for figure in sums]
    yield from _table("Do the rows add up to what was published?", columns, rows)
    yield ""
    if all(figure.holds for figure in sums):
        yield Text.assemble(("✓ ", "green"), "They do, to the cent.")
    else:
        yield Text.assemble(
            ("✗ ", "bold red"), "They do not: the run's files were changed after it was published."
        )
