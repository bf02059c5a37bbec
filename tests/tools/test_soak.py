"""What `make soak` compares, over one run after each kind of change; the hours are left to it."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from pymongo import MongoClient

from shopsight.pipeline import run as pipeline
from shopsight.settings import load_settings

sys.path.append(str(Path(__file__).parents[2] / "tools"))
import soak
from soak_lab.shop import CHANGES, ChangingShop


def test_generation_after_each_kind_of_change_is_as_plain_sql_says(
    postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    shop = ChangingShop(postgres_url, random.Random(1))
    shop.open()
    settings = load_settings(
        source_url=postgres_url, target_url=mongo_url, target_database=mongo_database, workdir=workdir
    )
    with MongoClient(mongo_url) as client:
        db = client[mongo_database]
        for kind in CHANGES:
            shop.change(kind)
            generation = pipeline.run(settings).generation
            assert generation is not None
            rows, differing = shop.differences(db, generation)
            assert (rows > 1_000, differing) == (True, []), kind
        db[f"customers.g{generation}"].update_one({}, {"$inc": {"total_orders": 1}})
        db[f"insights.g{generation}"].delete_one({"_id": "top_products"})
        assert sorted(shop.differences(db, generation)[1]) == ["customer_metrics", "top_products"]


def test_what_grows_is_broken() -> None:
    flat = dict.fromkeys(soak.LIMITS, 3.0)
    assert soak.Figures(samples=[flat] * 20).broken == []
    growing = [{**flat, "open files of serve and its children": 3.0 + number} for number in range(20)]
    [found] = soak.Figures(samples=growing).broken
    assert found == "open files of serve and its children: 4 in the first tenth, 22 in the last"
