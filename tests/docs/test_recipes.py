"""docs/recipes.md: its queries and its notebook, on what a real run published."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.published_shop import PublishedShop

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
TOTALS, STATUS, FILTER, SEGMENTS = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
(NOTEBOOK,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_pages_queries_give_what_was_published(shop: PublishedShop) -> None:
    with shop.target() as target:
        db = target.db
        (run,) = db["insights_history"].aggregate(TOTALS)
        assert set(run) == {"as_of", "revenue", "orders", "average_order_value"}
        assert run["orders"] == db["insights_history"].find_one()["totals"]["counting_orders"] > 0
        (status,) = db["insights_history"].aggregate(STATUS)
        assert status["orders"] > 0
        assert isinstance(list(db["customers"].find(FILTER)), list)
        segments = list(db["customers"].aggregate(SEGMENTS))
        published = {row["segment"]: row["revenue"] for row in db["insight_rfm_segments"].find()}
        assert {row["_id"]: row["revenue"] for row in segments} == published
        assert db["insight_country_sales"].find_one({}, ["country", "revenue"])


def test_the_notebook_runs(shop: PublishedShop) -> None:
    url = shop.settings.target_url.get_secret_value()
    source = NOTEBOOK.replace("mongodb://localhost", url).replace(
        '"shopsight"]', f'"{shop.settings.target_database}"]'
    )
    said: dict[str, Any] = {}
    exec(source, said)  # noqa: S102 - the page is ours
    said["db"].client.close()
    assert said["customers"].schema["total_amount_spent"].is_decimal()
    assert said["by_segment"]["len"].sum() == said["customers"].height == 3
    assert (said["monthly"].height > 0, said["history"].height) == (True, 1)


def test_the_reader_imports_nothing_but_the_driver() -> None:
    code = "import sys; import shopsight.reader; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"polars", "pyarrow", "numpy", "narwhals", "pydantic", "structlog", "tenacity", "typer"}
    assert heavy.isdisjoint(loaded)
    assert {name for name in loaded if name.startswith("shopsight")} <= {
        *("shopsight", "shopsight.reader", "shopsight.errors", "shopsight.errors.redaction"),
    }
