"""The proof's arithmetic: figures against figures, and the first that differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.clean_tables import clean_tables, write_tables

from shopsight.audit.control_totals import Totals, as_document
from shopsight.audit.identities import SumsTo
from shopsight.audit.ledger import TableTotals
from shopsight.audit.proof import (
    clean_totals,
    mart_figures,
    prove_cleaning,
    prove_extraction,
    prove_marts,
    prove_target,
    rejected_figures,
    require,
    with_digests,
)
from shopsight.audit.shop_files import ShopFiles
from shopsight.contract import TABLES
from shopsight.errors import ProofBroken
from shopsight.marts.insights import INSIGHTS
from shopsight.record import Check, Figure, Ledger, Link, RuleLedger, Snapshot, SourceTable, TableLedger
from shopsight.settings import load_settings

D = Decimal
DAY = date(2024, 1, 31)
ORDERS = TableLedger(
    "orders",
    rows_in=10,
    rows_out=7,
    rejected=2,
    merged=2,
    added=1,
    measure="sum(total_amount)",
    measure_in=D("100.00"),
    measure_out=D("80.00"),
    measure_rejected=D("12.50"),
    measure_merged=D("10.00"),
    measure_repaired=D("2.50"),
)


def totals_of(clean: Path, excluded_statuses: set[str]) -> dict[str, Figure]:
    settings = load_settings(excluded_order_statuses=frozenset(excluded_statuses))
    return clean_totals(ShopFiles(clean, clean, (), settings))


def broken(link: Link) -> list[tuple[str, object, object]]:
    return [(check.what, check.expected, check.found) for check in link.broken]


def test_require_raises_for_the_first_equality_that_does_not_hold() -> None:
    holding = Link.of("2", [Check("a", 1, 1), Check("b", D("1.0"), D("1.00"))])
    assert require(holding) is holding
    link = Link.of("2", [Check("a", 1, 1), Check("b", D("5.00"), D("4.99")), Check("c", 1, 9)])
    with pytest.raises(ProofBroken, match=r"b should be 5.00 and is 4.99; the difference is -0.01") as caught:
        require(link)
    assert (caught.value.link, caught.value.what) == ("2", "b")
    assert (caught.value.expected, caught.value.found) == (D("5.00"), D("4.99"))


SENT = Counter({("", "rows"): 10, ("customer_id", "values"): 9, ("customer_id", "keyed"): 2**90})


def of_orders(**stations: Totals) -> dict[str, TableTotals]:
    """The totals of orders, those that are not given empty."""
    names = ("sent", "raw", "clean", "rejected", "merged", "repairs")
    return {"orders": TableTotals(*(stations.get(name, Counter()) for name in names))}


def test_the_database_s_totals_are_compared_with_the_raw_files() -> None:
    told = SourceTable(10, as_document(SENT), {}, {})
    snapshot = Snapshot(
        "1", datetime(2024, 1, 1, tzinfo=UTC), "db", "postgresql", "18", None, {"orders": told}
    )
    assert broken(prove_extraction(snapshot, of_orders(sent=SENT))) == []
    other = SENT - Counter({("customer_id", "keyed"): 1})
    assert broken(prove_extraction(snapshot, of_orders(sent=other))) == [
        ("orders.customer_id: keyed", 2**90, 2**90 - 1)
    ]
    more = SENT + Counter({("status", "values"): 3})
    assert broken(prove_extraction(snapshot, of_orders(sent=more))) == [("orders.status: values", 0, 3)]


def test_rows_in_plus_repairs_equal_kept_rejected_and_merged_rows() -> None:
    what = ("total_amount", "keyed")
    stations = {"raw": 100, "repairs": -5, "clean": 80, "rejected": 10, "merged": 5}
    ledger = Ledger([TableLedger("orders", 0, 0, 0, 0)])

    def link(changed: dict[str, int]) -> Link:
        numbers = {**stations, **changed}
        return prove_cleaning(ledger, of_orders(**{name: Counter({what: n}) for name, n in numbers.items()}))

    assert broken(link({})) == []
    for station, difference in (
        ("raw", (96, 95)),
        ("repairs", (96, 95)),
        ("clean", (95, 96)),
        ("rejected", (95, 96)),
        ("merged", (95, 96)),
    ):
        expected = [("orders.total_amount: keyed", *difference)]
        assert broken(link({station: stations[station] + 1})) == expected


def test_the_measure_is_conserved_to_the_cent() -> None:
    nothing = of_orders()
    assert broken(prove_cleaning(Ledger([ORDERS]), nothing)) == []
    for change, difference in (
        ({"measure_in": D("100.01")}, (D("102.51"), D("102.50"))),
        ({"measure_out": D("79.99")}, (D("102.50"), D("102.49"))),
        ({"measure_rejected": D("12.49")}, (D("102.50"), D("102.49"))),
        ({"measure_merged": D("0.00")}, (D("102.50"), D("92.50"))),
        ({"measure_repaired": D("2.49")}, (D("102.49"), D("102.50"))),
    ):
        found = broken(prove_cleaning(Ledger([replace(ORDERS, **change)]), nothing))
        assert found == [("orders: sum(total_amount)", *difference)]


def test_clean_totals_are_the_shop_s_figures(tmp_path: Path) -> None:
    write_tables(
        tmp_path,
        clean_tables(
            customers=[(n, f"Customer {n}", None, "Nowhere") for n in (1, 2, 3)],
            orders=[
                (1, 1, DAY, "10.00", "completed", True),
                (2, 1, DAY, "2.50", "shipped", True),
                (3, 2, DAY, "99.00", "cancelled", False),
                (9, 2, DAY, "0.01", "completed", True),
            ],
            order_items=[
                (1, 1, 1, 2, "5.00"),
                (2, 2, 1, 1, "2.50"),
                (3, 3, 1, 7, "1.00"),
                (4, 3, 1, 1, "1.00"),
            ],
            reviews=[(1, 1, 3, 5, DAY)],
        ),
    )
    assert totals_of(tmp_path, {"cancelled"}) == {
        "customers": 3,
        "orders": 4,
        "amount": D("111.51"),
        "counting_orders": 3,
        "revenue": D("12.51"),
        "units": 3,
        "buyers": 2,
        "reviews": 1,
    }


def test_whether_an_order_counts_is_decided_from_its_status_alone(tmp_path: Path) -> None:
    # As if cleaning had marked both wrongly.
    orders = [(1, 1, DAY, "10.00", "completed", False), (2, 1, DAY, "2.50", "cancelled", True)]
    write_tables(tmp_path, clean_tables(orders=orders))
    assert totals_of(tmp_path, {"cancelled"})["revenue"] == D("10.00")
    assert totals_of(tmp_path, set())["revenue"] == D("12.50")


def test_sums_of_an_empty_shop_are_zero(tmp_path: Path) -> None:
    write_tables(tmp_path, clean_tables())
    totals = totals_of(tmp_path, {"cancelled"})
    assert set(totals.values()) == {0}
    assert str(totals["revenue"]) == "0.00"


#: What each mart must add up to, by the shop's figure.
MARTS = {
    "customer_metrics": {
        "total_amount_spent": "revenue",
        "total_orders": "counting_orders",
        "total_products_ordered": "units",
    },
    "insights/monthly_sales": {"revenue": "revenue", "orders": "counting_orders"},
    "insights/country_sales": {"revenue": "revenue", "orders": "counting_orders"},
    "insights/rfm_segments": {"revenue": "revenue", "customers": "buyers"},
    "insights/repeat_purchase": {"customers": "buyers"},
    "insights/category_ratings": {"reviews": "reviews"},
    "insights/order_statuses": {
        "orders": "orders",
        "amount": "amount",
        "counting_orders": "counting_orders",
    },
}
TOTALS = {
    "customers": 2,
    "orders": 9,
    "amount": D("90.00"),
    "counting_orders": 8,
    "revenue": D("80.00"),
    "units": 20,
    "buyers": 5,
    "reviews": 6,
}


#: The insights, with no other identities than sums over all rows, and a row's number for a key.
SUMS = [
    replace(
        insight,
        key=("row",),
        identities=tuple(i for i in insight.identities if isinstance(i, SumsTo) and i.where is None),
    )
    for insight in INSIGHTS.values()
]


def proven(totals: dict[str, Any], marts: Path) -> Link:
    return prove_marts(totals, ShopFiles(marts, marts, SUMS, load_settings()), ())


def write_marts(root: Path) -> None:
    """Marts of two rows each that add up: the whole figure and nothing."""
    for mart, columns in MARTS.items():
        rows = {column: [TOTALS[figure], TOTALS[figure] * 0] for column, figure in columns.items()}
        (root / mart).mkdir(parents=True)
        pl.DataFrame({"row": [1, 2], **rows}).write_parquet(root / mart / "part-00000.parquet")


def test_marts_that_add_up_hold(tmp_path: Path) -> None:
    write_marts(tmp_path)
    link = proven(TOTALS, tmp_path)
    assert broken(link) == []
    keys_and_references = len(TABLES) + 6
    assert link.equalities == keys_and_references + 1 + sum(map(len, MARTS.values())) + len(SUMS)


def test_two_rows_of_an_insight_with_one_key_are_found(tmp_path: Path) -> None:
    write_marts(tmp_path)
    path = tmp_path / "insights" / "order_statuses" / "part-00000.parquet"
    pl.read_parquet(path).with_columns(row=1).write_parquet(path)
    assert broken(proven(TOTALS, tmp_path)) == [("order_statuses: rows with a key of their own", 2, 1)]


@pytest.mark.parametrize(
    ("mart", "column"), [(mart, column) for mart, columns in MARTS.items() for column in columns]
)
def test_each_column_of_a_mart_is_compared_with_its_figure(tmp_path: Path, mart: str, column: str) -> None:
    write_marts(tmp_path)
    path = tmp_path / mart / "part-00000.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns((pl.col(column) * 2).cast(frame[column].dtype)).write_parquet(path)
    total = TOTALS[MARTS[mart][column]]
    assert broken(proven(TOTALS, tmp_path)) == [(f"{Path(mart).name}: sum({column})", total, 2 * total)]


def test_one_extra_customer_is_found(tmp_path: Path) -> None:
    write_marts(tmp_path)
    assert broken(proven({**TOTALS, "customers": 3}, tmp_path)) == [("customer_metrics: customers", 3, 2)]


def test_a_mart_s_figures_are_its_rows_and_exact_sums_without_keys(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "product_id": [1, 2, 3],
            "name": ["a", "b", None],
            "units": [2**62, 2**62 - 1, None],
            "revenue": [D("99999999.99"), D("0.01"), None],
            "share": [0.1, 0.2, 0.3],
        },
        schema_overrides={"revenue": pl.Decimal(38, 2)},
    )
    frame.write_parquet(tmp_path / "part-00000.parquet")
    assert mart_figures(tmp_path) == {
        "rows": 3,
        "sum(units)": 2**63 - 1,
        "sum(revenue)": D("100000000.00"),
    }


def test_rejected_figures_are_those_of_the_rejecting_rules() -> None:
    rules = [
        RuleLedger("orders.date_missing", "orders", "reject", "", 2, D("12.50")),
        RuleLedger("products.key_missing", "products", "reject", "", 1, None),
        RuleLedger("orders.identical_row", "orders", "merge", "", 2, D("10.00")),
        RuleLedger("orders.no_items", "orders", "flag", "", 5, D("1.00")),
    ]
    assert rejected_figures(Ledger([ORDERS, TableLedger("products", 3, 2, 1, 0)], rules)) == {
        "rows": 3,
        "rows(orders.date_missing)": 2,
        "sum(measure, orders.date_missing)": D("12.50"),
        "rows(products.key_missing)": 1,
        "sum(measure, products.key_missing)": 0,
    }


def test_a_figure_missing_in_the_target_breaks_link_4() -> None:
    expected = {"customer_metrics": {"rows": 2}, "top_products": {"rows": 5, "sum(units)": 7}}
    found = {"customer_metrics": {"rows": 2}, "top_products": {"rows": 5}}
    encoded = with_digests(expected, {"insights": "aa", "rejected_rows": "bb"})
    link = prove_target(encoded, lambda: with_digests(found, {"insights": "aa"}))
    assert broken(link) == [("top_products: sum(units)", 7, None), ("rejected_rows: SHA-256", "bb", None)]
    assert link.compared == {"customer_metrics": 1, "top_products": 2, "insights": 1, "rejected_rows": 1}
