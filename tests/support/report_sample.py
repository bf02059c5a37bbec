"""A shop and its run, invented but coherent, for the tests of the report and of the terminal's tables."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopsight.marts.insights import INSIGHTS
from shopsight.record import (
    Check,
    Ledger,
    Link,
    RuleLedger,
    RunRecord,
    Snapshot,
    SourceTable,
    StageReport,
    TableLedger,
)
from shopsight.report import ReportTable

AS_OF = datetime(2026, 11, 22, 18, 0, 4, tzinfo=UTC)

TABLE_LEDGERS = [
    TableLedger("categories", 12, 13, 0, 0, added=1),
    TableLedger("products", 840, 838, 2, 0),
    TableLedger("customers", 20_000, 19_204, 61, 735),
    TableLedger(
        "orders",
        160_000,
        157_312,
        2_412,
        276,
        measure="sum(total_amount)",
        measure_in=Decimal("14883604.17"),
        measure_out=Decimal("14609127.40"),
        measure_rejected=Decimal("260071.92"),
        measure_merged=Decimal("24918.33"),
        measure_repaired=Decimal("10513.48"),
    ),
    TableLedger(
        "order_items",
        402_118,
        394_870,
        6_907,
        341,
        measure="sum(quantity * price)",
        measure_in=Decimal("14702311.05"),
        measure_out=Decimal("14431002.64"),
        measure_rejected=Decimal("259310.41"),
        measure_merged=Decimal("11998.00"),
        measure_repaired=Decimal("0.00"),
    ),
    TableLedger(
        "reviews",
        61_000,
        58_903,
        1_910,
        187,
        measure="sum(rating)",
        measure_in=Decimal("241380"),
        measure_out=Decimal("232119"),
        measure_rejected=Decimal("8519"),
        measure_merged=Decimal("742"),
        measure_repaired=Decimal("0"),
    ),
]

RULES = [
    RuleLedger(
        "products.name_missing", "products", "repair", "A product without a name is named by its id.", 9
    ),
    RuleLedger(
        "products.category_missing",
        "products",
        "repair",
        "A product without a category is Uncategorised.",
        14,
    ),
    RuleLedger(
        "products.key_conflict", "products", "reject", "Of several rows with one key, one is kept.", 2
    ),
    RuleLedger(
        "customers.email_invalid", "customers", "flag", "The e-mail address is masked or malformed.", 1_204
    ),
    RuleLedger(
        "customers.same_email",
        "customers",
        "merge",
        "Customers with one valid e-mail address are one customer: the smallest customer_id.",
        735,
    ),
    RuleLedger("customers.key_missing", "customers", "reject", "The customer has no key.", 61),
    RuleLedger(
        "orders.total_from_items",
        "orders",
        "repair",
        "A null total is the sum of the items.",
        118,
        Decimal("10513.48"),
    ),
    RuleLedger(
        "orders.total_differs",
        "orders",
        "flag",
        "The total differs from the items: shipping or a discount.",
        31_877,
        Decimal("3021884.10"),
    ),
    RuleLedger(
        "orders.duplicate", "orders", "merge", "Identical rows are one row.", 276, Decimal("24918.33")
    ),
    RuleLedger(
        "orders.customer_unknown",
        "orders",
        "reject",
        "The customer is null or is not among the customers.",
        1_608,
        Decimal("171402.77"),
    ),
    RuleLedger(
        "orders.negative_total",
        "orders",
        "reject",
        "A counting order's total is negative.",
        402,
        Decimal("-9822.10"),
    ),
    RuleLedger(
        "orders.date_out_of_range",
        "orders",
        "reject",
        "The date is before 1970 or after the run.",
        402,
        Decimal("98491.25"),
    ),
    RuleLedger(
        "order_items.parent_rejected",
        "order_items",
        "reject",
        "What the row belongs to was rejected.",
        6_907,
        Decimal("259310.41"),
    ),
    RuleLedger(
        "reviews.rating_out_of_range",
        "reviews",
        "reject",
        "The rating is null or not 1 to 5.",
        1_910,
        Decimal("8519"),
    ),
    RuleLedger(
        "reviews.same_day",
        "reviews",
        "merge",
        "One customer, product and day: the last review stays.",
        187,
        Decimal("742"),
    ),
]


def broken_sum() -> dict[str, Any]:
    """An equality that does not hold, as a run's document has it."""
    return {
        "what": "customer_metrics: sum(total_amount_spent)",
        "expected": Decimal("13120448.05"),
        "found": Decimal("13120448.04"),
    }


def sample_record() -> RunRecord:
    """A run that succeeded, with every part filled."""
    tables = {
        t.table: SourceTable(t.rows_in, {"table": {"rows": t.rows_in}}, {"id": "integer"}, {"id": "native"})
        for t in TABLE_LEDGERS
    }
    source_checks = [Check(f"{t.table}: rows", t.rows_in, t.rows_in) for t in TABLE_LEDGERS]
    source_checks += [
        Check(f"{t.table}: measure", t.measure_in, t.measure_in) for t in TABLE_LEDGERS if t.measure
    ]
    clean_checks = [
        Check(f"{t.table}: rows", t.rows_in + t.added, t.rows_out + t.rejected + t.merged)
        for t in TABLE_LEDGERS
    ]
    revenue = Decimal("13120448.05")
    marts = [
        Check("customer_metrics: customers", 19_204, 19_204),
        Check("customer_metrics: sum(total_amount_spent)", revenue, revenue),
        Check("monthly_sales: sum(revenue)", revenue, revenue),
        Check("order_statuses: sum(orders)", 157_312, 157_312),
    ]
    started = AS_OF - timedelta(seconds=4)
    seconds = {
        "extract": 1.31,
        "clean": 0.94,
        "metrics": 0.22,
        "insights": 0.61,
        "prove": 0.18,
        "publish": 0.87,
    }
    rows = {
        "extract": (None, 643_970, None),
        "clean": (643_970, 631_140, 11_292),
        "metrics": (631_140, 19_204, None),
        "insights": (631_140, 214, None),
        "prove": (None, None, None),
        "publish": (30_710, 30_710, None),
    }
    stages, at = [], started
    for name, took in seconds.items():
        rows_in, rows_out, rejected = rows[name]
        stages.append(StageReport(name, "done", at, took, rows_in, rows_out, rejected, 412_000_000))
        at += timedelta(seconds=took)
    return RunRecord(
        run_id="20261122T180000Z-1f3a9c",
        kind="run",
        status="succeeded",
        started_at=started,
        ended_at=at,
        seconds=4.13,
        snapshot=Snapshot(
            "00000004-0000001B-1",
            AS_OF,
            "postgresql://***@db.example.com:5432/shop",
            "postgresql",
            "18.4",
            None,
            tables,
        ),
        generation=7,
        valid_until=AS_OF + timedelta(hours=6),
        stages=stages,
        ledger=Ledger(TABLE_LEDGERS, RULES),
        proof=[
            Link.of("1 (source = raw)", source_checks, 0.021),
            Link.of("2 (raw = clean + rejected + merged)", clean_checks, 0.001),
            Link.of("3 (clean = marts)", marts, 0.164),
            Link.of("4 (marts = MongoDB)", marts, 0.048),
        ],
        totals={
            "customers": 19_204,
            "orders": 157_312,
            "counting_orders": 141_207,
            "revenue": revenue,
            "units": 705_311,
            "buyers": 17_961,
            "reviews": 58_903,
        },
        versions={
            "shopsight": "0.1.0",
            "python": "3.11.2",
            "polars": "2.1.0",
            "narwhals": "2.29.0",
            "mongodb": "6.0.5",
        },
    )


def sample_insights() -> dict[str, ReportTable]:
    """All ten insights, in report order."""
    rng = random.Random(7)
    tables = [
        _top_customers(),
        _top_products(),
        _category_ratings(),
        _monthly_sales(rng),
        _rfm_segments(),
        _cohort_retention(rng),
        _country_sales(),
        _repeat_purchase(),
        _basket_pairs(),
        _order_statuses(),
    ]
    documents = {table.id: {**vars(table), "_id": table.id} for table in tables}
    return {id_: ReportTable.from_document(documents[id_], insight) for id_, insight in INSIGHTS.items()}


def insight(id_: str, title: str, description: str, columns: str, rows: list[tuple[Any, ...]]) -> ReportTable:
    """A table from ``name:kind:label`` triples separated by commas, and tuples."""
    parts = [column.split(":") for column in columns.split(",")]
    names = [part[0] for part in parts]
    return ReportTable(
        id_,
        title,
        description,
        [{"name": name, "kind": kind, "label": label} for name, kind, label in parts],
        [dict(zip(names, row, strict=True)) for row in rows],
    )


def _top_customers() -> ReportTable:
    return insight(
        "top_customers",
        "Top customers",
        "The customers who spent most on counting orders.",
        "customer_id:key:Customer,name:text:Name,country:text:Country,"
        "total_amount_spent:money:Total spent,total_orders:count:Orders",
        [
            (4711, "Ada Lovelace", "United Kingdom", Decimal("48210.75"), 212),
            (88, "María José Fernández de la Vega y Castellanos", "Spain", Decimal("41077.10"), 187),
            (19021, "Grete Hermann", "Germany", Decimal("38999.99"), 164),
            (3, "محمد بن موسى", "Iraq", Decimal("22140.00"), 98),
            (512, "高木貞治", "Japan", Decimal("19875.40"), 77),
        ],
    )


def _top_products() -> ReportTable:
    return insight(
        "top_products",
        "Top products",
        "The products in the most counting orders, whatever the quantity.",
        "product_id:key:Product,product_name:text:Name,orders:count:Orders,units:count:Units,revenue:money:Revenue",
        [
            (17, "Filter coffee, 1 kg", 6_204, 9_871, Decimal("148065.00")),
            (230, "Oat drink", 5_911, 21_004, Decimal("46208.80")),
            (4, "Notebook A5, dotted", 4_870, 7_303, Decimal("58424.00")),
            (91, "Linen tea towel", 3_122, 4_019, Decimal("40190.00")),
            (660, "Unknown product 660", 2_987, 3_001, Decimal("29980.99")),
        ],
    )


def _category_ratings() -> ReportTable:
    rows = [
        (3, "Books", 4.62, 9_120),
        (1, "Coffee & tea", 4.4871, 12_077),
        (7, "Garden", 4.21, 3_309),
        (2, "Home & living", 4.05, 8_144),
        (5, "Stationery", 3.98, 10_020),
        (9, "Toys", 3.74, 4_410),
        (4, "Electronics", 3.3333333333, 9_871),
        (0, "Uncategorised", 2.91, 1_952),
        (11, "Gift cards", None, 0),
    ]
    return insight(
        "category_ratings",
        "Category ratings",
        "The mean of all kept reviews of a category's products.",
        "category_id:key:Category,category_name:text:Name,average_rating:number:Average rating,"
        "reviews:count:Reviews",
        rows,
    )


def _monthly_sales(rng: random.Random) -> ReportTable:
    rows: list[tuple[Any, ...]] = []
    before: Decimal | None = None
    for index in range(35):
        month = date(2024 + index // 12, index % 12 + 1, 1)
        season = {11: 1.45, 12: 1.7, 1: 0.8, 7: 0.85}.get(month.month, 1.0)
        part = 0.71 if index == 34 else 1.0
        orders = int((2600 + index * 85) * season * part * rng.uniform(0.93, 1.07))
        revenue = (Decimal(orders) * Decimal(str(round(rng.uniform(88, 97), 2)))).quantize(Decimal("0.01"))
        growth = None if before is None else float(revenue / before) - 1
        rows.append((month, revenue, orders, (revenue / orders).quantize(Decimal("0.01")), growth))
        before = revenue
    return insight(
        "monthly_sales",
        "Monthly sales",
        "Revenue and counting orders by calendar month.",
        "month:date:Month,revenue:money:Revenue,orders:count:Orders,"
        "average_order_value:money:Average order value,growth_share:share:Growth",
        rows,
    )


def _rfm_segments() -> ReportTable:
    rows = [
        ("Champions", 1_612, Decimal("5201884.20")),
        ("Loyal", 2_940, Decimal("3544120.02")),
        ("Potential loyalists", 3_307, Decimal("1540337.55")),
        ("New customers", 2_011, Decimal("420881.00")),
        ("Promising", 1_290, Decimal("301277.61")),
        ("Needing attention", 1_904, Decimal("803114.17")),
        ("About to sleep", 1_377, Decimal("260145.00")),
        ("At risk", 1_820, Decimal("880412.90")),
        ("Hibernating", 1_700, Decimal("168275.60")),
    ]
    customers, revenue = sum(row[1] for row in rows), sum((row[2] for row in rows), Decimal(0))
    return insight(
        "rfm_segments",
        "Customer segments",
        "Recency, frequency and amount in fifths, and the usual names for them.",
        "segment:text:Segment,customers:count:Customers,revenue:money:Revenue,"
        "customers_share:share:Share of customers,revenue_share:share:Share of revenue",
        [(name, count, money, count / customers, float(money / revenue)) for name, count, money in rows],
    )


def _cohort_retention(rng: random.Random) -> ReportTable:
    rows: list[tuple[Any, ...]] = []
    for index in range(18):
        number = 2025 * 12 + 5 + index
        size = int(520 + 30 * index * rng.uniform(0.8, 1.2))
        for since in range(18 - index):
            share = 1.0 if since == 0 else rng.uniform(0.85, 1.1) * (0.09 + 0.22 / since**0.7)
            back = round(size * share)
            rows.append((date(number // 12, number % 12 + 1, 1), since, back, back / size))
    return insight(
        "cohort_retention",
        "Cohort retention",
        "Of the customers who first ordered in a month, those who ordered again so many months later.",
        "cohort_month:date:First order,months_since:count:Months since,customers:count:Customers,"
        "retained_share:share:Share",
        rows,
    )


def _country_sales() -> ReportTable:
    rows = [
        ("Germany", Decimal("4120337.10"), 44_120, 5_870),
        ("United Kingdom", Decimal("2877120.44"), 30_455, 4_102),
        ("France", Decimal("1904551.00"), 20_988, 2_960),
        ("United States", Decimal("1710200.35"), 16_400, 2_377),
        ("Spain", Decimal("1101774.80"), 12_870, 1_733),
        ("Japan", Decimal("807340.16"), 9_102, 1_120),
        ("Iraq", Decimal("402881.20"), 5_002, 611),
        ("Atlantis", Decimal("196243.00"), 2_270, 431),
    ]
    return insight(
        "country_sales",
        "Sales by country",
        "Revenue of counting orders by the customer's country.",
        "country:text:Country,revenue:money:Revenue,orders:count:Orders,customers:count:Customers,"
        "average_order_value:money:Average order value",
        [(*row, (row[1] / row[2]).quantize(Decimal("0.01"))) for row in rows],
    )


def _repeat_purchase() -> ReportTable:
    return insight(
        "repeat_purchase",
        "Repeat purchase",
        "Of the customers with a counting order, those with two or more.",
        "customers:count:Customers,repeat_customers:count:Repeat customers,repeat_share:share:Share,"
        "median_days_between_orders:number:Median days between orders",
        [(17_961, 12_118, 12_118 / 17_961, 23.5)],
    )


def _basket_pairs() -> ReportTable:
    names = [
        "Filter coffee, 1 kg",
        "Paper filters no. 4",
        "Oat drink",
        "Notebook A5, dotted",
        "Fountain pen, fine",
    ]
    names += ["Linen tea towel", "Hand-thrown stoneware mug with a speckled glaze, 330 ml", "Honey"]
    pairs = [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))][:20]
    rows = [
        (
            a + 1,
            names[a],
            b + 1,
            names[b],
            1_400 // (index + 1),
            round(0.0104 / (index + 1), 6),
            round(0.41 / (1 + index / 6), 4),
            round(6.2 / (1 + index / 4), 4),
        )
        for index, (a, b) in enumerate(pairs)
    ]
    return insight(
        "basket_pairs",
        "Bought together",
        "The pairs of products that most counting orders hold.",
        "product_a_id:key:Product A,product_a_name:text:Name A,"
        "product_b_id:key:Product B,product_b_name:text:Name B,"
        "orders:count:Orders,support:share:Support,confidence:share:Confidence,lift:number:Lift",
        rows,
    )


def _order_statuses() -> ReportTable:
    rows = [
        ("completed", 118_204, Decimal("11020337.18")),
        ("shipped", 14_880, Decimal("1401220.87")),
        ("cancelled", 11_020, Decimal("1001334.20")),
        ("processing", 8_123, Decimal("698890.00")),
        ("returned", 4_101, Decimal("400215.15")),
        ("refunded", 984, Decimal("87130.00")),
    ]
    return insight(
        "order_statuses",
        "Order statuses",
        "All kept orders by status, counting or not.",
        "status:text:Status,orders:count:Orders,amount:money:Amount,orders_share:share:Share,"
        "counting_orders:count:Counting orders",
        [
            (*row, row[1] / 157_312, 0 if row[0] in ("cancelled", "returned", "refunded") else row[1])
            for row in rows
        ],
    )
