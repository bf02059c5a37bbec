"""What doctor shows of a source: the mapping, three rows, and what would be rejected and why."""

from __future__ import annotations

from typing import Any

import pytest
from tests.extract.test_mapping import RENAMED, RENAMING
from tests.support.literal_rows import DIALECTS, database_url, load_rows
from tests.support.shop_rows import SHOP

from shopsight.inspect import preview as preview_module
from shopsight.inspect.doctor import examine
from shopsight.inspect.preview import previews
from shopsight.pipeline.databases import open_source
from shopsight.settings import load_settings
from shopsight_demo.seed.load import open_database


def seen(url: str, **settings: Any) -> dict[str, Any]:
    given = load_settings(source_url=url, **settings)
    with open_source(given) as source:
        return {preview.table: preview for preview in previews(given, source)}


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest) -> str:
    url = database_url(request, request.param)
    orders = [*SHOP["orders"], (106, 1, "1969-01-01", "1.00", "completed")]
    load_rows(url, {**SHOP, "orders": orders})
    with open_database(url, None) as database:
        for statement in RENAMING:
            database.execute(statement)
        database.commit()
    return url


def test_mapping_rows_and_rejections_are_told(url: str) -> None:
    found = seen(url, tables=RENAMED)
    lines = found["orders"].text.splitlines()
    assert (
        lines[0] == "sales_order: order_id = entity_id, order_date = created_at, total_amount = grand_total"
    )
    assert lines[1] == "  100 | 1 | 2024-01-05 | 30.00 | completed"
    # An order whose customer is not among the rows, or whose total is missing, may be sound.
    assert lines[4:] == [
        "  of 7 rows, 1 would be rejected",
        "  1 by orders.date_before_1970: order_date is before 1970.",
    ]
    assert found["categories"].text.splitlines()[0] == "categories: own names"


def test_no_more_than_the_first_rows_are_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "FIRST_ROWS", 2)
    found = seen(url, tables={**RENAMED, "orders": {**RENAMED["orders"], "where": "status <> 'x'"}})
    assert "of the first 2 rows, " in found["orders"].text
    assert "of the first 2 rows, 0 would" in found["categories"].text


def test_a_table_that_would_be_rejected_is_no_good(url: str) -> None:
    found = seen(url, tables=RENAMED, min_rejected_rows=0, max_rejected_share=0.1)
    assert [table for table, preview in found.items() if not preview.is_usable] == ["orders", "reviews"]


def test_names_and_addresses_are_shown_as_they_are_published(url: str) -> None:
    assert "1 | Ann | ann@example.com | Germany" in seen(url, tables=RENAMED)["customers"].text
    hidden = seen(url, tables=RENAMED, privacy_email="drop", privacy_name="drop")
    assert "1 | *** | *** | Germany" in hidden["customers"].text


def test_an_address_in_another_column_is_hidden_too(url: str) -> None:
    with open_database(url, None) as database:
        database.execute("UPDATE customer_entity SET country = 'gus@example.com'")
        database.commit()
    assert "gus@" in seen(url, tables=RENAMED)["customers"].text
    assert "@" not in seen(url, tables=RENAMED, privacy_email="drop")["customers"].text


def test_doctor_tells_of_every_table(url: str) -> None:
    settings = load_settings(source_url=url, tables=RENAMED, target_url="mongodb://127.0.0.1:1")
    names = [finding.name for finding in examine(settings) if finding.area == "source"]
    assert [name for name in names if name.startswith("first rows of")] == [
        f"first rows of {table}"
        for table in ("categories", "products", "customers", "orders", "order_items", "reviews")
    ]
