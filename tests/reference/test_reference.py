"""What shopsight works out against an independent reference, over random dirty shops in real databases.

The reference (``shop.py``, ``figures.py``) is plain Python, written from docs/definitions.md alone. ``make
reference`` compares 300 shops, ``make test`` a few. A shop that differs is made again by its seed.
"""

from __future__ import annotations

import os
import random
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from tests.reference.figures import Figures
from tests.reference.make_shop import make_shop
from tests.reference.shop import CleanShop, Policy
from tests.reference.table import COLUMNS, OPTIONAL
from tests.support.literal_rows import DIALECTS, database_url, load_rows

from shopsight.marts.insights import INSIGHTS
from shopsight.pipeline.current_run import Run
from shopsight.pipeline.run import open_run, run_stage
from shopsight.settings import load_settings

SHOPS = int(os.environ.get("REFERENCE_SHOPS", "30"))

METRICS = [
    *("customer_id", "name", "email", "country", "total_amount_spent", "total_orders", "average_order_value"),
    *("total_products_ordered", "average_rating"),
]


#: What MariaDB has instead of these types.
MARIADB_TYPES = {"timestamptz": "text", "numeric": "numeric(30,10)"}


def settings_of(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    guests, currency = chance.choice(["reject", "by_email"]), chance.choice([{}, {"currency": "EUR"}])
    columns = {"customer_email": "customer_email", **{name: name for name in currency}}
    return {
        "excluded_order_statuses": chance.choice([["cancelled", "refunded"], ["completed"], []]),
        "negative_amounts": chance.choice(["reject", "keep"]),
        "top_n": chance.choice([1, 5, 1000]),
        "basket_pairs_n": chance.choice([1, 20, 1000]),
        "time_zone": chance.choice([None, "Asia/Kolkata", "America/New_York"]),
        "guests": guests,
        "tables": {"orders": {"columns": columns, **currency}},
    }


def rows_of(run: Run, folder: str, columns: list[str]) -> list[tuple[Any, ...]]:
    return pl.read_parquet(run.workspace.folder(folder) / "*.parquet").select(columns).rows()


@pytest.mark.parametrize("seed", range(SHOPS))
def test_every_figure_is_the_reference_s(request: pytest.FixtureRequest, workdir: Path, seed: int) -> None:
    # Of two shops in a dialect, the second has all columns as texts.
    dialect = DIALECTS[seed // 2 % len(DIALECTS)]
    source_url = database_url(request, dialect)
    settings = load_settings(
        source_url=source_url, workdir=workdir, min_rejected_rows=10**9, **settings_of(seed)
    )
    today = datetime.now(ZoneInfo(settings.shop_time_zone)).date()
    made = make_shop(seed, today, all_text=seed % 2 == 1)
    own_names = MARIADB_TYPES if dialect == "mariadb" else {}
    types = {table: {c: own_names.get(t, t) for c, t in types.items()} for table, types in made.types.items()}
    load_rows(source_url, made.rows, types)
    with open_run(settings, publishes=False) as run:
        run_stage(run, "extract")
        shop = CleanShop(
            made.rows,
            Policy(
                run.snapshot.today,
                settings.shop_time_zone,
                settings.excluded_order_statuses,
                settings.negative_amounts,
                settings.tables["orders"].currency,
                settings.guests == "by_email",
            ),
        )
        run_stage(run, "clean")
        for table, kept in shop.clean_rows().items():
            columns = [column for column in COLUMNS[table] if column not in OPTIONAL]
            assert sorted(rows_of(run, f"clean/{table}", columns)) == kept

        figures = Figures(shop, settings.top_n, settings.basket_pairs_n)
        run_stage(run, "metrics")
        assert rows_of(run, "marts/customer_metrics", METRICS) == figures.metrics
        run_stage(run, "insights")
        for name, expected in figures.insights().items():
            columns = [column.name for column in INSIGHTS[name].columns]
            assert rows_of(run, f"marts/insights/{name}", columns) == expected, name

        run_stage(run, "prove")
        assert run.record.ledger is not None
        rows, carried = shop.rules()
        assert {rule.rule: rule.rows for rule in run.record.ledger.rules} == rows
        assert {
            rule.rule: rule.measure
            for rule in run.record.ledger.rules
            if rule.action in ("reject", "merge") and rule.measure is not None
        } == carried


def test_the_shops_meet_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text()
    today = date(2024, 6, 30)
    met = set[str]()
    for seed in range(30):
        made = make_shop(seed, today, all_text=seed % 2 == 1)
        negatives, currency = "keep" if seed % 4 < 2 else "reject", "EUR" if seed % 3 == 0 else None
        policy = Policy(today, "UTC", frozenset({"cancelled"}), negatives, currency, seed % 5 < 2)
        met.update(CleanShop(made.rows, policy).rules()[0])
    assert met == set(re.findall(r"^\| `(\w+\.\w+)` \|", page, re.M))
