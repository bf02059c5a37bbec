"""An insight is one file: a made-up one is computed, typed, proven and explained, touching nothing else."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from rich.text import Text
from tests.support.staged import literal_shop, read, staged

from shopsight.cli.explain_views import trace_view
from shopsight.errors import ConfigurationError, ProofBroken
from shopsight.inspect.explain import TracedRun, explain_insight
from shopsight.marts.insights import INSIGHTS, load_insights

SALES_BY_YEAR = '''
"""What was sold in each year."""

import narwhals as nw

from shopsight.audit.identities import SumsTo
from shopsight.marts.insights import Insight, InsightColumn
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, counting_orders


def year() -> nw.Expr:
    return nw.col("order_date").dt.year()


def sales_by_year(shop, _options):
    """Grain: one row per year."""
    orders = shop.counting_orders.with_columns(year=year())
    revenue, number = nw.col("total_amount").sum().alias("revenue"), nw.len().alias("orders")
    return orders.group_by("year").agg(revenue, number).sort("year")


INSIGHT = Insight(
    id="sales_by_year",
    title="Sales by year",
    description="Revenue and counting orders by year.",
    columns=(
        InsightColumn("year", "count", "Year"),
        InsightColumn("revenue", "money", "Revenue"),
        InsightColumn("orders", "count", "Orders"),
    ),
    key=("year",),
    compute=sales_by_year,
    identities=(SumsTo("revenue", "revenue"), SumsTo("orders", "counting_orders")),
    evidence=Evidence(
        "orders",
        reads=("orders",),
        rows=lambda shop: counting_orders(shop).with_columns(year=year()),
        sums={"revenue": AMOUNT, "orders": ROWS},
        rejected=lambda _, rows: rows.with_columns(year=year()),
        is_partition=True,
    ),
)
'''


def add_insight(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    (folder / "sales_by_year.py").write_text(source)
    monkeypatch.setitem(INSIGHTS, "sales_by_year", load_insights(folder)["sales_by_year"])


def test_an_added_file_is_an_insight_after_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "sales_by_year.py").write_text(SALES_BY_YEAR)
    (tmp_path / "no_insight.py").write_text("SOMETHING_ELSE = 1\n")
    assert list(load_insights(tmp_path)) == [*INSIGHTS, "sales_by_year"]


def test_two_insights_of_one_id_are_refused(tmp_path: Path) -> None:
    source = SALES_BY_YEAR.replace('id="sales_by_year"', 'id="monthly_sales"')
    (tmp_path / "sales_by_year.py").write_text(source)
    with pytest.raises(ConfigurationError, match="Two insights have the id 'monthly_sales'"):
        load_insights(tmp_path)


def test_an_added_insight_is_computed_proven_and_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_insight(tmp_path, monkeypatch, SALES_BY_YEAR)
    made = staged(tmp_path, literal_shop())
    rows = read(made, "marts/insights/sales_by_year")
    assert rows.schema == {"year": pl.Int64, "revenue": pl.Decimal(38, 2), "orders": pl.Int64}
    assert made.record.proof[2].compared["sales_by_year"] == 2
    run = TracedRun.open(tmp_path, made.run_id)
    for key in (None, "2024"):
        trace = explain_insight(run, "sales_by_year", key)
        assert trace.holds
        assert [figure.added_up for figure in trace.sums] == [rows[0, "revenue"], rows[0, "orders"]]


def test_an_added_insight_that_breaks_its_identity_breaks_the_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SALES_BY_YEAR.replace('SumsTo("orders", "counting_orders")', 'SumsTo("orders", "orders")')
    add_insight(tmp_path, monkeypatch, wrong)
    with pytest.raises(ProofBroken, match=r"sales_by_year: sum\(orders\) should be 5 and is 4"):
        staged(tmp_path, literal_shop())


def test_an_insight_without_evidence_says_that_it_declares_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, end = SALES_BY_YEAR.index("    evidence="), SALES_BY_YEAR.rindex(")")
    add_insight(tmp_path, monkeypatch, SALES_BY_YEAR[:start] + SALES_BY_YEAR[end:])
    run = TracedRun.open(tmp_path, staged(tmp_path, literal_shop()).run_id)
    for key in (None, "2024"):
        trace = explain_insight(run, "sales_by_year", key)
        assert (trace.behind, trace.sums, trace.rows, len(trace.published)) == ([], [], None, 1)
        shown = [str(part) for part in trace_view(trace, None) if isinstance(part, str | Text)]
        assert "This insight declares no rows behind it." in shown
