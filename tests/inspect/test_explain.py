"""Figures traced back to the rows behind them, over the literal shop."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.staged import AS_OF, literal_shop, staged

from shopsight.errors import ConfigurationError, WorkspaceError
from shopsight.inspect.explain import TracedRun, explain_customer, explain_insight
from shopsight.inspect.explain.insight import Tally, parse_key
from shopsight.marts.insights import INSIGHTS
from shopsight.record import RunRecord

D = Decimal


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TracedRun:
    workdir = tmp_path_factory.mktemp("work")
    return TracedRun.open(workdir, staged(workdir, literal_shop()).run_id)


def values(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_customer_s_orders_lines_and_reviews_are_behind_the_figures(run: TracedRun) -> None:
    trace = explain_customer(run, 1)
    assert trace.published == {
        "customer_id": 1,
        "name": "Ann",
        "email": "ann@example.com",
        "country": "Germany",
        "total_amount_spent": D("49.75"),
        "total_orders": 3,
        "average_order_value": D("16.58"),
        "total_products_ordered": 8,
        "average_rating": 4.5,
    }
    orders = (
        "order_id",
        "total_amount",
        "status",
        "is_counting",
        "units",
        "items_amount",
        "customer_in_source",
    )
    assert values(trace.orders.rows(), *orders) == [
        (100, D("30.00"), "completed", True, 3, D("30.00"), None),
        (101, D("12.50"), "completed", True, 5, D("12.50"), None),
        (103, D("7.25"), "shipped", True, 0, None, "4"),
    ]
    assert values(trace.order_items.rows(), "order_id", "item_id", "product_name", "amount") == [
        (100, 1000, "Atlas", D("20.00")),
        (100, 1001, "Chess", D("10.00")),
        (101, 1002, "Dice", D("12.50")),
    ]
    assert values(trace.reviews.rows(), "review_id", "rating", "product_name") == [
        (1, 5, "Atlas"),
        (3, 4, "Chess"),
    ]
    assert values(trace.repairs["orders"].rows(), "key", "rule", "old_value", "new_value") == [
        (101, "orders.status_tidied", "Completed ", "completed"),
        (103, "orders.customer_repointed", "4", "1"),
    ]
    assert [(figure.what, figure.added_up, figure.holds) for figure in trace.sums] == [
        ("total_amount_spent", D("49.75"), True),
        ("total_orders", 3, True),
        ("average_order_value", D("16.58"), True),
        ("total_products_ordered", 8, True),
        ("average_rating", 4.5, True),
    ]


def test_merged_customers_are_shown_with_the_one_they_were_merged_into(run: TracedRun) -> None:
    trace = explain_customer(run, 4)
    assert (trace.asked_for, trace.customer_id) == (4, 1)
    assert values(trace.source_rows.rows(), "customer_id", "email") == [
        (1, "ann@example.com"),
        (4, "ANN@example.com "),
    ]
    assert values(trace.merged["customers"].rows(), "key", "into_key", "rule") == [
        (4, 1, "customers.same_email")
    ]


def test_an_order_that_does_not_count_says_why_and_a_rejected_review_its_rule(run: TracedRun) -> None:
    trace = explain_customer(run, 2)
    assert values(trace.orders.rows(), "order_id", "is_counting", "why_not") == [
        (102, False, "status cancelled does not count"),
        (105, True, None),
    ]
    assert trace.rejected["reviews"].rows() == [
        {
            "review_id": 2,
            "product_id": 11,
            "customer_id": 2,
            "rating": 9,
            "review_date": "2024-03-20",
            "rule": "reviews.rating_out_of_range",
            "measure": D("9.00"),
        }
    ]
    assert values(trace.repairs["orders"].rows(), "rule", "new_value", "measure_change") == [
        ("orders.total_from_items", "8.20", D("8.20"))
    ]
    assert trace.holds


def test_a_customer_without_orders_has_figures_of_nothing(run: TracedRun) -> None:
    trace = explain_customer(run, 3)
    assert (len(trace.orders), len(trace.reviews), trace.holds) == (0, 0, True)
    assert values(trace.repairs["customers"].rows(), "rule", "old_value", "new_value") == [
        ("customers.email_cleared", "XXXXXXXXX", None)
    ]


def test_a_customer_known_by_reference_only_shows_the_rejected_rows(run: TracedRun) -> None:
    trace = explain_customer(run, 9)
    assert (trace.published, len(trace.source_rows), trace.sums) == (None, 0, [])
    assert values(trace.rejected["orders"].rows(), "order_id", "rule", "measure") == [
        (104, "orders.customer_unknown", D("5.00"))
    ]
    assert values(trace.rejected["order_items"].rows(), "item_id", "rule") == [
        (1004, "order_items.parent_rejected")
    ]


def test_a_customer_whom_no_row_names_is_an_error(run: TracedRun) -> None:
    with pytest.raises(ConfigurationError, match="names customer 77"):
        explain_customer(run, 77)


def test_a_trace_as_a_document_has_the_requested_number_of_rows(run: TracedRun) -> None:
    document = explain_customer(run, 1).as_document(2)
    assert [len(document[name]) for name in ("orders", "order_items", "reviews")] == [2, 2, 2]
    assert document["sums"][0] == {
        "what": "total_amount_spent",
        "added_up": D("49.75"),
        "published": D("49.75"),
        "holds": True,
    }
    assert set(document["repairs"]) == {"orders"}


def test_figures_that_do_not_add_up_are_reported(tmp_path: Path) -> None:
    made = staged(tmp_path, literal_shop())
    path = made.workspace.folder("marts/customer_metrics") / "part-00000.parquet"
    mart = pl.read_parquet(path)
    mart.with_columns((pl.col("total_amount_spent") + D("0.01")).cast(pl.Decimal(38, 2))).write_parquet(path)
    run = TracedRun.open(tmp_path, made.run_id)
    trace = explain_customer(run, 1)
    assert not trace.holds
    assert [figure.what for figure in trace.sums if not figure.holds] == ["total_amount_spent"]


def keys_of(insight: str, run: TracedRun) -> list[str]:
    rows = run.insight(insight).collect().rows(named=True)
    return [",".join(str(row[name]) for name in INSIGHTS[insight].key) for row in rows]


@pytest.mark.parametrize("insight", INSIGHTS)
def test_every_row_of_every_insight_adds_up_from_the_rows_behind_it(run: TracedRun, insight: str) -> None:
    whole = explain_insight(run, insight)
    assert whole.holds
    assert len(whole.published) > 0
    if not INSIGHTS[insight].key:
        return
    for key in keys_of(insight, run):
        trace = explain_insight(run, insight, key)
        assert len(trace.published) == 1
        assert trace.sums, "nothing was compared"
        assert trace.holds, f"{key}: {trace.sums}"


@pytest.mark.parametrize(
    ("insight", "sums"),
    [
        ("monthly_sales", {"revenue": D("57.95"), "orders": 4}),
        ("country_sales", {"revenue": D("57.95"), "orders": 4, "customers": 2}),
        ("rfm_segments", {"revenue": D("57.95"), "customers": 2}),
        ("order_statuses", {"orders": 5, "amount": D("157.94")}),
        ("category_ratings", {"reviews": 2}),
        ("repeat_purchase", {"customers": 2}),
    ],
)
def test_a_whole_insight_adds_up_to_its_columns(run: TracedRun, insight: str, sums: dict[str, Any]) -> None:
    found = explain_insight(run, insight).sums
    assert {figure.what: figure.added_up for figure in found} == {f"sum({n})": v for n, v in sums.items()}
    assert all(figure.holds for figure in found)


def test_rows_left_out_of_an_insight_are_listed_by_status_and_by_rule(run: TracedRun) -> None:
    trace = explain_insight(run, "monthly_sales")
    assert trace.behind == [Tally("orders", "kept", 4, D("57.95"))]
    assert trace.left_out == [
        Tally("orders", "status cancelled does not count", 1, D("99.99")),
        Tally("orders", "orders.customer_unknown", 1, D("5.00")),
    ]
    products = explain_insight(run, "top_products")
    assert products.behind == [Tally("order_items", "kept", 4, D("50.70"))]
    assert products.left_out[0] == Tally("order_items", "status cancelled does not count", 1, D("99.99"))
    assert Tally("order_items", "order_items.parent_rejected", 1, D("5.00")) in products.left_out


def test_one_row_shows_its_rows_those_left_out_and_the_rejected(run: TracedRun) -> None:
    trace = explain_insight(run, "top_products", "10")
    assert trace.rows is not None
    assert trace.rejected is not None
    assert values(trace.rows.rows(), "item_id", "amount", "is_behind", "why") == [
        (1000, D("20.00"), True, "status completed does not count"),
        (1003, D("99.99"), False, "status cancelled does not count"),
    ]
    assert trace.behind == [Tally("order_items", "kept", 1, D("20.00"))]
    assert values(trace.rejected.rows(), "item_id", "order_id", "rule") == [
        (1004, 104, "order_items.parent_rejected")
    ]
    assert {figure.what: figure.added_up for figure in trace.sums} == {
        "orders": 1,
        "units": 1,
        "revenue": D("20.00"),
    }


def test_a_month_with_an_order_that_does_not_count(run: TracedRun) -> None:
    trace = explain_insight(run, "monthly_sales", "2024-02")
    assert trace.key == {"month": date(2024, 2, 1)}
    assert {figure.what: figure.added_up for figure in trace.sums} == {
        "revenue": D("12.50"),
        "orders": 1,
        "average_order_value": D("12.50"),
    }
    assert trace.left_out == [Tally("orders", "status cancelled does not count", 1, D("99.99"))]


def test_a_row_that_is_not_in_the_list_is_explained_all_the_same(tmp_path: Path) -> None:
    run = TracedRun.open(tmp_path, staged(tmp_path, literal_shop(), top_n=1).run_id)
    trace = explain_insight(run, "top_products", "12")
    assert (len(trace.published), trace.sums) == (0, [])
    assert trace.behind == [Tally("order_items", "kept", 1, D("12.50"))]


def test_a_key_without_rows_behind_it_is_an_error(run: TracedRun) -> None:
    for insight, key in (("top_products", "99"), ("country_sales", "Utopia"), ("basket_pairs", "11,12")):
        with pytest.raises(ConfigurationError, match="no row behind"):
            explain_insight(run, insight, key)


def test_an_unknown_insight_error_lists_the_known_ones(run: TracedRun) -> None:
    with pytest.raises(ConfigurationError) as caught:
        explain_insight(run, "top_customer")
    assert "top_customers" in caught.value.remedy


@pytest.mark.parametrize(
    ("insight", "text", "key"),
    [
        ("top_products", " 10 ", {"product_id": 10}),
        ("basket_pairs", "10, 11", {"product_a_id": 10, "product_b_id": 11}),
        ("monthly_sales", "2024-02", {"month": date(2024, 2, 1)}),
        ("cohort_retention", "2024-02-01,3", {"cohort_month": date(2024, 2, 1), "months_since": 3}),
        ("country_sales", "Korea, Republic of", {"country": "Korea, Republic of"}),
        ("order_statuses", "$where", {"status": "$where"}),
    ],
)
def test_keys_are_read_as_people_write_them(insight: str, text: str, key: dict[str, Any]) -> None:
    assert parse_key(INSIGHTS[insight], text) == key


@pytest.mark.parametrize(
    ("insight", "text"),
    [
        ("top_products", "ten"),
        ("top_products", "1" * 30),
        ("basket_pairs", "10"),
        ("basket_pairs", "10,11,12"),
        ("monthly_sales", "2024-13"),
        ("monthly_sales", "2024-02-15"),
        ("repeat_purchase", "1"),
    ],
)
def test_text_that_is_no_key_is_refused(insight: str, text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_key(INSIGHTS[insight], text)


def test_a_run_that_is_gone_or_has_no_figures_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="files of the last published run are not under"):
        TracedRun.open(tmp_path)
    with pytest.raises(WorkspaceError, match="No run 20240630T000000Z-aaaaaa"):
        TracedRun.open(tmp_path, "20240630T000000Z-aaaaaa")
    unfinished = staged(tmp_path, literal_shop())
    unfinished.workspace.insights.manifest_path.unlink()
    with pytest.raises(WorkspaceError, match="has no figures to explain"):
        TracedRun.open(tmp_path, unfinished.run_id)
    with pytest.raises(WorkspaceError, match="were not published"):
        TracedRun.open(tmp_path)


def test_damaged_or_removed_files_are_reported(tmp_path: Path) -> None:
    made = staged(tmp_path, literal_shop())
    run = TracedRun.open(tmp_path, made.run_id)
    (path,) = made.workspace.folder("clean/orders").glob("*.parquet")
    for damage in (lambda: path.write_bytes(path.read_bytes()[:-100]), path.unlink):
        damage()
        with pytest.raises(WorkspaceError, match=f"The files of run {made.run_id} .* cannot be read"):
            explain_customer(run, 1)


def test_a_run_that_is_at_work_again_is_explained_from_its_files(tmp_path: Path) -> None:
    made = staged(tmp_path, literal_shop())
    made.workspace.write_record(RunRecord(made.run_id, "run", "running", AS_OF))
    assert explain_customer(TracedRun.open(tmp_path, made.run_id), 1).run["as_of"] == AS_OF


def test_the_newest_published_run_is_explained_by_default(tmp_path: Path) -> None:
    published, failed = staged(tmp_path, literal_shop()), staged(tmp_path, literal_shop())
    for run, status in ((published, "succeeded"), (failed, "refused")):
        run.record.status = status
        run.workspace.write_record(run.record)
    assert TracedRun.open(tmp_path).run_id == published.run_id
