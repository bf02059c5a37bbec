"""Hostile data through the whole pipeline, from both kinds of source into MongoDB and back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.published_shop import published_shop
from tests.support.shop_rows import SHOP

from shopsight.contract import TABLES
from shopsight.inspect.explain import TracedRun, explain_customer, explain_insight
from shopsight.inspect.verify import verify
from shopsight.marts.insights import INSIGHTS

D = Decimal

#: What a text is in the source, and what readers see of it; None where nothing is left of it.
TEXTS = {
    'O\'Hara "the" `great`; DROP TABLE orders; --': 'O\'Hara "the" `great`; DROP TABLE orders; --',
    "$where": "$where",
    "$ne.a..b.": "$ne.a..b.",
    '{"$gt": ""}': '{"$gt": ""}',
    "__proto__": "__proto__",
    "👩‍👩‍👧 🛒": "👩‍👩‍👧 🛒",
    "\u202eevil\u202c \u200eleft": "evil left",
    "\u05e9\u05dc\u05d5\u05dd": "\u05e9\u05dc\u05d5\u05dd",
    "[red]bold[/] \x1b[31mred": "[red]bold[/] [31mred",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "%s %(x)s {0} \\ \\n": "%s %(x)s {0} \\ \\n",
    "a\tb\r\nc\u00a0\u3000d": "a b c d",
    " " * 100: None,
    "\u200b\u00ad": None,
    "NULL": "NULL",
    "x" * 100_000: "x" * 100_000,
}
WITH_NUL = {"a\x00b": "ab", "\x00": None}


@pytest.fixture(params=["postgresql", "sqlite"])
def source_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def shortened(text: str | None) -> str | None:
    """A name as cleaning leaves it: 10,000 characters at most."""
    return text if text is None or len(text) <= 10_000 else text[:9_999] + "…"


def test_texts_come_through_as_they_are_and_mean_nothing_to_any_query(
    source_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    texts = TEXTS | (WITH_NUL if source_url.startswith("sqlite") else {})
    numbered = list(enumerate(texts.items(), start=1))
    rows = {
        "categories": [(n, text) for n, (text, _) in numbered],
        "products": [(n, text, n) for n, (text, _) in numbered],
        "customers": [(n, text, text, text) for n, (text, _) in numbered],
        "orders": [(n, n, "2024-01-31", D("1.00"), text) for n, (text, _) in numbered],
        "order_items": [(n, n, n, 1, D("1.00")) for n, _ in numbered],
        "reviews": [(n, n, n, 5, "2024-01-31") for n, _ in numbered],
    }
    rows["orders"].append((1_000, 999, "2024-01-31", D("1.00"), "$where"))
    shop = published_shop(source_url, mongo_url, mongo_database, workdir, rows)
    shop.run()

    customers = {found["_id"]: found for found in shop.served("customer_metrics")}
    for n, (_, seen) in numbered:
        assert customers[n]["name"] == (shortened(seen) or f"Unknown customer {n}")
        assert customers[n]["country"] == (shortened(seen) or "Unknown")
        assert customers[n]["email"] is None
    insights = {found["_id"]: found["rows"] for found in shop.served("insights")}
    assert {row["category_name"] for row in insights["category_ratings"]} == {
        shortened(seen) or f"Unknown category {n}" for n, (_, seen) in numbered
    }
    assert {row["status"] for row in insights["order_statuses"]} == {
        (seen or "unknown").lower() for seen in texts.values() if len(seen or "") <= 100
    }
    too_long = {n for n, (_, seen) in numbered if len(seen or "") > 100}
    by_rule = {
        (found["rule"], found["key"]): found["row"]["status"]
        for found in shop.served("rejected_rows")
        if found["table"] == "orders"
    }
    assert {key for rule, key in by_rule if rule == "orders.status_too_long"} == too_long
    assert by_rule["orders.customer_unknown", 1_000] == "$where"

    found = verify(shop.settings)
    assert (found.is_intact, found.is_current) == (True, True)
    run = TracedRun.open(workdir)
    assert all(explain_customer(run, n).holds for n, _ in numbered)
    for key in ("$where", "$ne.a..b.", '{"$gt": ""}'):
        assert [t.rows for t in explain_insight(run, "order_statuses", key).behind] == [1]


def test_dates_at_both_ends(source_url: str, mongo_url: str, mongo_database: str, workdir: Path) -> None:
    today = datetime.now(UTC).date()
    dates = {
        1: ("1970-01-01", None),
        2: ("1969-12-31", "orders.date_before_1970"),
        3: ("0001-01-01", "orders.date_before_1970"),
        4: ("9999-12-31", "orders.date_in_future"),
        5: (today.isoformat(), None),
        6: ("2024-02-29", None),
    }
    if not source_url.startswith("sqlite"):
        dates |= {
            7: ("infinity", "orders.unreadable_value"),
            8: ("4713-01-01 BC", "orders.unreadable_value"),
            9: ("5874897-12-31", "orders.unreadable_value"),
        }
    rows = {
        **SHOP,
        "orders": [(n, 1, day, D("1.00"), "completed") for n, (day, _) in dates.items()],
        "order_items": [],
    }
    shop = published_shop(source_url, mongo_url, mongo_database, workdir, rows)
    shop.run()
    kept = sum(rule is None for _, rule in dates.values())
    (customer,) = (found for found in shop.served("customer_metrics") if found["_id"] == 1)
    assert customer["total_orders"] == kept
    rejected = {
        found["key"]: found["rule"] for found in shop.served("rejected_rows") if found["table"] == "orders"
    }
    assert {int(key): rule for key, rule in rejected.items()} == {
        n: rule for n, (_, rule) in dates.items() if rule is not None
    }
    months = [
        row["month"]
        for found in shop.served("insights")
        if found["_id"] == "monthly_sales"
        for row in found["rows"]
    ]
    assert (months[0], len(months)) == (
        datetime(1970, 1, 1, tzinfo=UTC),
        (today.year - 1970) * 12 + today.month,
    )


def test_amounts_at_the_edges_of_decimal_10_2(
    source_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    edge = D("99999999.99")
    rows: dict[str, list[tuple[Any, ...]]] = {
        **SHOP,
        "orders": [
            (1, 1, "2024-01-31", edge, "completed"),
            (2, 1, "2024-01-31", edge, "completed"),
            (3, 1, "2024-01-31", D("0.01"), "completed"),
            (4, 2, "2024-01-31", -edge, "refunded"),
            (5, 2, "2024-01-31", -edge, "completed"),
            (6, 2, "2024-01-31", D("0.00"), "completed"),
        ],
        "order_items": [(1, 1, 10, 2**31 - 1, edge), (2, 2, 10, 10_000, edge), (3, 3, 10, 0, D("0.01"))],
    }
    types = {"orders": {"total_amount": "numeric(10,2)"}, "order_items": {"price": "numeric(10,2)"}}
    shop = published_shop(source_url, mongo_url, mongo_database, workdir, rows, types)
    record = shop.run()
    customers = {found["_id"]: found for found in shop.served("customer_metrics")}
    assert customers[1]["total_amount_spent"] == D("199999999.99")
    assert customers[1]["average_order_value"] == D("66666666.66")
    assert customers[1]["total_products_ordered"] == 10_000
    assert (customers[2]["total_amount_spent"], customers[2]["total_orders"]) == (D("0.00"), 1)
    ledger = {table.table: table for table in record.ledger.tables}
    assert ledger["orders"].measure_in == D("0.01")
    assert ledger["orders"].measure_rejected == -edge
    assert ledger["order_items"].measure_in == edge * (2**31 - 1) + edge * 10_000
    assert ledger["order_items"].measure_out == D("999999999900.00")
    rejected = {found["rule"]: found["measure"] for found in shop.served("rejected_rows")}
    assert rejected["order_items.quantity_beyond_limit"] == edge * (2**31 - 1)
    assert verify(shop.settings).is_intact


def test_a_customer_with_very_many_orders_and_a_sum_beyond_64_bits(
    postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    amount, orders = D("999999999999.99"), 200_000
    shop = published_shop(
        postgres_url, mongo_url, mongo_database, workdir, {**SHOP, "orders": [], "order_items": []}
    )
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "INSERT INTO orders SELECT n, 2, DATE '2024-01-01' + n %% 100, %s, 'completed'"
            " FROM generate_series(1, %s) AS n",
            (amount, orders),
        )
    record = shop.run()
    assert amount * orders * 100 > 2**63
    (customer,) = (found for found in shop.served("customer_metrics") if found["_id"] == 2)
    assert customer["total_amount_spent"] == amount * orders
    assert (customer["total_orders"], customer["average_order_value"]) == (orders, amount)
    assert record.totals["revenue"] == amount * orders
    (country,) = (found for found in shop.served("insights") if found["_id"] == "country_sales")
    assert country["rows"][0]["revenue"] == amount * orders
    trace = explain_customer(TracedRun.open(workdir), 2)
    assert (len(trace.orders), len(trace.orders.rows(20)), trace.holds) == (orders, 20, True)
    found = verify(shop.settings)
    assert (found.is_intact, found.is_current) == (True, True)


def test_sums_of_more_digits_than_python_s_own_decimals_have_are_not_rounded(
    postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    quantity, price, lines = 9_999_999_999, D("999999999999999.99"), 300
    rows = {
        **SHOP,
        "order_items": [(n, 100, 10, quantity, price) for n in range(1, lines + 1)]
        + [(999, 100, 10, 1, D("0.01"))],
    }
    shop = published_shop(
        postgres_url, mongo_url, mongo_database, workdir, rows, min_rejected_rows=10 * lines
    )
    record = shop.run()
    carried = lines * quantity * 99_999_999_999_999_999
    assert carried > 10**29
    ledger = {table.table: table for table in record.ledger.tables}["order_items"]
    assert ledger.measure_in == D(f"{carried // 100}.{carried % 100 + 1:02}")
    assert ledger.measure_rejected == D(f"{carried // 100}.{carried % 100:02}")
    assert ledger.measure_out == D("0.01")
    assert verify(shop.settings).is_intact


def test_each_table_may_be_empty(source_url: str, mongo_url: str, mongo_database: str, workdir: Path) -> None:
    # Every other table from each kind of source, and all of them from both.
    some = [*TABLES][source_url.startswith("sqlite") :: 2]
    for empty in [*some, None]:
        rows = {name: [] if name == empty or empty is None else SHOP[name] for name in TABLES}
        shop = published_shop(source_url, mongo_url, mongo_database, workdir, rows, min_rejected_rows=100)
        record = shop.run(allow_shrink=True)
        assert shop.served_generation() == record.generation
        ledger = {table.table: table for table in record.ledger.tables}
        for name in TABLES:
            assert ledger[name].rows_in == len(rows[name])
        assert len(shop.served("customer_metrics")) == ledger["customers"].rows_out
        assert len(shop.served("insights")) == len(INSIGHTS)
        assert verify(shop.settings).is_intact
    assert shop.served("rejected_rows") == []
