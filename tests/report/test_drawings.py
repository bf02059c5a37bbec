"""What is drawn of an insight: by its chart and the kinds of its columns, whatever its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from tests.support.report_sample import insight, sample_insights

from shopsight.marts.insights import INSIGHTS
from shopsight.marts.insights.insight import Chart
from shopsight.report.drawings import MOST_BARS, Drawing, draw, fits
from shopsight.report.report_table import ReportTable
from shopsight.report.tables import csv_link, table_of

SALES = "month:date:Month,revenue:money:Revenue,orders:count:Orders,growth:share:Growth"
SALES_CHART = Chart(
    "line", label="month", figures=("revenue", "orders"), detail=("growth",), compares=("growth",)
)
COHORTS = "first:date:First,since:count:Months since,customers:count:Customers,back:share:Share"
COHORTS_CHART = Chart(
    "heat", label="first", figures=("back",), across="since", size="customers", detail=("customers",)
)


def table_with(chart: Chart | None, columns: str, rows: list[tuple[Any, ...]]) -> ReportTable:
    return replace(insight("mine", "Mine", "My own.", columns, rows), chart=chart)


def sales(rows: list[tuple[date, str, int]], as_of: date | None) -> Drawing:
    table = table_with(SALES_CHART, SALES, [(day, Decimal(amount), n, None) for day, amount, n in rows])
    return draw(table.annotated(as_of))


@pytest.mark.parametrize("id_", INSIGHTS)
def test_chart_of_every_insight_fits_its_columns(id_: str) -> None:
    published = INSIGHTS[id_]
    columns = [{"name": c.name, "kind": c.kind, "label": c.label} for c in published.columns]
    assert fits(ReportTable(id_, "", "", columns), published.chart)
    sample = {column["name"]: column["kind"] for column in sample_insights()[id_].columns}
    assert sample == {column.name: column.kind for column in published.columns}


@pytest.mark.parametrize(
    "chart",
    [
        None,
        Chart(),
        Chart("bars", label="gone", figures=("amount",)),
        Chart("bars", label="who", figures=("who",)),
        Chart("bars", label="who"),
        Chart("bars", figures=("amount",)),
        Chart("bars", label="who", figures=("amount",), detail=("gone",)),
        Chart("line", label="who", figures=("amount",)),
        Chart("heat", label="who", figures=("amount",)),
        Chart("heat", label="who", figures=("amount",), across="gone"),
        Chart("figures", figures=("gone",)),
    ],
)
def test_insight_without_a_fitting_chart_is_a_table_of_all_columns(chart: Chart | None) -> None:
    columns = "who:text:Who,amount:money:Amount,rank:stars:Rank"
    drawing = draw(table_with(chart, columns, [("Ann", Decimal("1.5"), "high")]))
    assert drawing.kind == "table"
    assert [column["label"] for column in drawing.data.columns] == ["Who", "Amount", "Rank"]
    assert drawing.data.rows == [[("Ann", "", None), ("1.50", "", None), ("high", "", None)]]


@pytest.mark.parametrize("kind", ["line", "bars", "figures", "table", "heat"])
def test_insight_without_rows_or_values_is_a_sentence(kind: Any) -> None:
    chart = Chart(kind, label="day", figures=("amount",), across="amount")
    columns = "day:date:Day,amount:money:Amount"
    empty = draw(table_with(chart, columns, []))
    assert (empty.kind, empty.data) == ("note", "Nothing to show yet: there are no rows.")
    null = draw(table_with(chart, columns, [(date(2026, 1, 1), None)]))
    assert (null.kind, null.data) == ("note", "Nothing to show yet: there are rows, but no values.")


@pytest.mark.parametrize("kind", ["line", "bars", "figures", "table", "heat"])
def test_value_that_is_not_finite_is_drawn_as_null(kind: Any) -> None:
    chart = Chart(kind, label="day", figures=("part",), across="n")
    rows = [
        (date(2026, 1, 1), 1, float("nan")),
        (date(2026, 1, 2), 2, float("inf")),
        (date(2026, 1, 3), 3, 0.5),
    ]
    drawing = draw(table_with(chart, "day:date:Day,n:count:N,part:share:Part", rows))
    assert drawing.kind == kind
    assert not [word for word in ("nan", "inf") if word in str(drawing).lower()]


def test_bars_have_a_label_a_figure_and_details_by_kind() -> None:
    chart = Chart("bars", label="who", figures=("spent",), detail=("country", "orders", "id", "part"))
    columns = "id:key:Customer,who:text:Name,country:text:Country,spent:money:Spent,orders:count:Orders"
    rows = [(7, "Ann", "Spain", Decimal("8"), 2, 0.8), (9, None, "Iraq", Decimal("2"), 1, 0.2)]
    drawing = draw(table_with(chart, f"{columns},part:share:Share", rows))
    assert drawing.data["heading"] == ("Name", "Spent")
    assert drawing.data["bars"] == [
        {
            "label": "Ann",
            "note": "",
            "value": "8.00",
            "detail": ["Spain", "2 orders", "customer 7", "share 80.0%"],
            "length": "100%",
        },
        {
            "label": "–",
            "note": "",
            "value": "2.00",
            "detail": ["Iraq", "1 order", "customer 9", "share 20.0%"],
            "length": "25%",
        },
    ]


def test_bars_of_a_scale_say_where_they_begin() -> None:
    chart = Chart("bars", label="who", figures=("rating",), scale=(1, 5))
    rows = [("a", 5.0), ("b", 3.0), ("c", 1.0), ("d", None)]
    drawing = draw(table_with(chart, "who:text:Name,rating:number:Rating", rows))
    assert [(bar["value"], bar["length"]) for bar in drawing.data["bars"]] == [
        ("5.00", "100%"),
        ("3.00", "50%"),
        ("1.00", "0%"),
        ("–", "0%"),
    ]
    assert drawing.footnote == "Bars run from 1 to 5."


def test_table_has_the_columns_of_its_chart_and_bars_on_one_scale() -> None:
    chart = Chart("table", label="who", figures=("a", "b"))
    columns = "id:key:Id,who:text:Name,a:share:A,b:share:B"
    table = draw(table_with(chart, columns, [(1, "Ann", 0.5, 1.0), (2, "Bob", 0.25, None)])).data
    assert [(column["label"], column["style"], column["barred"]) for column in table.columns] == [
        ("Name", "words", False),
        ("A", "figure", True),
        ("B", "figure", True),
    ]
    assert table.rows == [
        [("Ann", "", None), ("50.0%", "", "50%"), ("100.0%", "", "100%")],
        [("Bob", "", None), ("25.0%", "", "25%"), ("–", "", "0%")],
    ]


def test_bars_of_a_table_may_have_a_scale_too() -> None:
    chart = Chart("table", label="who", figures=("rating",), scale=(1, 5))
    drawing = draw(table_with(chart, "who:text:Name,rating:number:Rating", [("a", 5.0), ("b", 2.0)]))
    assert [row[1] for row in drawing.data.rows] == [("5.00", "", "100%"), ("2.00", "", "25%")]
    assert drawing.footnote == "Bars run from 1 to 5."


def test_figures_are_the_first_row_and_a_share_has_a_bar() -> None:
    chart = Chart("figures", figures=("part", "wait"), detail=("customers",))
    columns = "customers:count:Customers,part:share:Share,wait:number:Days"
    drawing = draw(table_with(chart, columns, [(1_200, 0.25, None)]))
    assert drawing.data == [("Share", "25.0%", "25%"), ("Days", "–", None), ("Customers", "1,200", None)]


def test_months_are_on_the_line_at_their_figure() -> None:
    drawing = sales(
        [(date(2026, 1, 1), "100.00", 1), (date(2026, 2, 1), "0.00", 0), (date(2026, 3, 1), "50.00", 2)],
        as_of=date(2026, 4, 2),
    )
    revenue, orders = drawing.data["panels"]
    assert (revenue["label"], orders["label"]) == ("Revenue", "Orders")
    assert revenue["line"] == "M16.6667,0L50,100L83.3333,50"
    assert revenue["unfinished"] == ""
    assert [top for _, top in orders["points"]] == [50, 100, 0]
    assert drawing.footnote == ""
    assert drawing.data["periods"][0]["told"] == [("Revenue", "100.00"), ("Orders", "1"), ("Growth", "–")]


def test_line_is_in_the_order_of_its_dates_and_leaves_out_what_is_null() -> None:
    rows = [(date(2026, 3, 1), "50.00", 2), (date(2026, 1, 1), "100.00", 1)]
    table = table_with(SALES_CHART, SALES, [(day, Decimal(amount), n, None) for day, amount, n in rows])
    table.rows.append({"month": date(2026, 2, 1), "revenue": None, "orders": 1, "growth": None})
    table.rows.append({"month": None, "revenue": Decimal(1), "orders": 1, "growth": None})
    drawing = draw(table)
    assert [period["name"] for period in drawing.data["periods"]] == ["Jan 2026", "Feb 2026", "Mar 2026"]
    assert drawing.data["panels"][0]["line"] == "M16.6667,0L83.3333,50"


def test_month_of_the_snapshot_is_unfinished_and_no_best_month() -> None:
    drawing = sales([(date(2026, 1, 1), "100.00", 1), (date(2026, 2, 1), "900.00", 9)], date(2026, 2, 9))
    revenue = drawing.data["panels"][0]
    assert revenue["line"].count("L") == 0
    assert revenue["unfinished"].count("L") == 1
    assert drawing.footnote == "Feb 2026 is not over: it holds the days up to the snapshot."
    assert drawing.facts == [("Revenue, Jan 2026", "100.00"), ("Orders, Jan 2026", "1")]


def test_growth_of_a_month_that_is_not_over_is_left_out_and_the_month_is_marked() -> None:
    rows = [(date(2026, 1, 1), Decimal(9), 1, 0.5), (date(2026, 2, 1), Decimal(3), 1, -0.7)]
    table = table_with(SALES_CHART, SALES, rows).annotated(date(2026, 2, 9))
    january, february = draw(table).data["periods"]
    assert (january["note"], january["told"][-1]) == ("", ("Growth", "50.0%"))
    assert (february["note"], february["told"][-1]) == ("not over", ("Growth", "–"))
    assert [row[0][:2] for row in table_of(table).rows] == [("Jan 2026", ""), ("Feb 2026", "not over")]
    assert "Feb 2026,not over" not in unquote(csv_link(table))


def test_name_that_is_not_recognised_is_marked_where_it_is_drawn_and_named_where_it_is_not() -> None:
    chart = Chart("bars", label="who", figures=("n",), recognises=lambda row: row["who"] != "?")
    rows = [("?", 9), *((f"name {n}", 5) for n in range(MOST_BARS)), ("?", 1)]
    drawing = draw(table_with(chart, "who:text:Who,n:count:N", rows).annotated(None))
    assert [bar["note"] for bar in drawing.data["bars"]] == ["not recognised", *[""] * (MOST_BARS - 1)]
    assert drawing.footnote.endswith("Of the rest, not recognised: ?.")


@pytest.mark.parametrize(
    ("insight", "row", "is_known"),
    [
        ("order_statuses", {"status": "partially shipped", "counting_orders": 2}, True),
        ("order_statuses", {"status": "42", "counting_orders": 2}, False),
        ("order_statuses", {"status": "42", "counting_orders": 0}, True),
        ("country_sales", {"country": "United States", "orders": 1}, True),
        ("country_sales", {"country": "Atlantis", "orders": 1}, False),
        ("country_sales", {"country": "Atlantis", "orders": 0}, True),
        ("country_sales", {"country": None, "orders": 1}, False),
    ],
)
def test_what_counts_under_an_unknown_status_or_country_is_not_recognised(
    insight: str, row: dict[str, Any], is_known: bool
) -> None:
    recognises = INSIGHTS[insight].chart.recognises
    assert recognises is not None
    assert recognises(row) is is_known


def test_greatest_period_is_named() -> None:
    rows = [(date(2026, 1, 1), "300.00", 1), (date(2026, 2, 1), "200.00", 9)]
    assert sales(rows, None).facts == [
        ("Revenue, Feb 2026", "200.00"),
        ("Orders, Feb 2026", "9"),
        ("Revenue, Jan 2026, the most", "300.00"),
    ]


def test_shop_that_opened_this_month_has_no_whole_month() -> None:
    drawing = sales([(date(2026, 2, 1), "900.00", 9)], as_of=date(2026, 2, 9))
    assert drawing.facts == []
    assert drawing.data["panels"][0]["line"] == ""
    assert drawing.data["periods"][0]["told"][0] == ("Revenue", "900.00")


@pytest.mark.parametrize("count", [1, 2, 11, 35, 61, 240])
def test_time_axis_is_named_but_never_crowded(count: int) -> None:
    months = [(date(2001 + index // 12, index % 12 + 1, 1), "1.00", 1) for index in range(5, 5 + count)]
    named = [period for period in sales(months, None).data["periods"] if period["axis_name"]]
    assert 1 <= len(named) <= 14
    assert len([period for period in named if period["is_on_narrow_axis"]]) <= 5


def test_days_are_drawn_by_day_and_the_day_of_the_snapshot_is_unfinished() -> None:
    days = [(date(2026, 1, 1 + index), "1.00", 1) for index in range(31)]
    drawing = sales(days, as_of=date(2026, 1, 31))
    assert drawing.data["span"] == "2026-01-01 to 2026-01-31"
    assert drawing.footnote.startswith("2026-01-31 is not over")
    assert 1 <= len([period for period in drawing.data["periods"] if period["axis_name"]]) <= 14


def test_cells_are_tinted_against_the_greatest_and_months_to_come_are_blank() -> None:
    rows = [
        (date(2026, 1, 1), 0, 10, 1.0),
        (date(2026, 1, 1), 1, 4, 0.4),
        (date(2026, 1, 1), 2, 2, 0.2),
        (date(2026, 2, 1), 0, 20, 1.0),
        (date(2026, 2, 1), 1, 0, 0.0),
    ]
    drawing = draw(table_with(COHORTS_CHART, COHORTS, rows))
    january, february = drawing.data["rows"]
    assert (january["label"], january["size"]) == ("Jan 2026", "10")
    assert [(cell["text"], cell["tint"]) for cell in january["cells"]] == [("40", "1.00"), ("20", "0.50")]
    assert [cell and cell["text"] for cell in february["cells"]] == ["0", None]
    assert january["cells"][0]["tip"] == "Jan 2026, months since 1: 40.0%, 4 customers"
    assert drawing.footnote == "Across: months since. Cells are per cent; the darkest is 40.0%."


def test_only_the_latest_rows_of_a_matrix_are_drawn_and_that_is_said() -> None:
    rows = [(date(2020 + index // 12, index % 12 + 1, 1), 0, 5, 1.0) for index in range(40)]
    drawing = draw(table_with(COHORTS_CHART, COHORTS, rows))
    assert len(drawing.data["rows"]) == 24
    assert drawing.data["rows"][-1]["label"] == "Apr 2023"
    assert "The latest 24 of 40 rows." in drawing.footnote


def test_matrix_of_texts_and_amounts_needs_neither_dates_nor_sizes() -> None:
    chart = Chart("heat", label="country", figures=("revenue",), across="weekday")
    rows = [("Spain", "Mon", Decimal("12500.00")), ("Spain", "Tue", None), ("Iraq", None, Decimal("-1.00"))]
    columns = "country:text:Country,weekday:text:Weekday,revenue:money:Revenue"
    drawing = draw(table_with(chart, columns, rows))
    assert drawing.data["heading"]["columns"] == ["Mon", "Tue", "–"]
    spain, iraq = drawing.data["rows"]
    assert [cell and (cell["text"], cell["tint"]) for cell in spain["cells"]] == [
        ("12.5k", "1.00"),
        ("–", "0.00"),
        None,
    ]
    assert [cell and (cell["text"], cell["tint"]) for cell in iraq["cells"]] == [None, None, ("-1", "0.00")]
