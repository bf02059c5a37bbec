"""The short form of `make faults`: a dozen faults of every kind, and the reader who would see a mixture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128
from pymongo.collection import Collection

sys.path.append(str(Path(__file__).parents[2] / "tools"))
import faults
from fault_lab.ground import DATABASE, SHOPS, Broken, Ground, prepared_ground
from fault_lab.watcher import Watcher


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with prepared_ground() as prepared:
        yield prepared


def test_runs_survive_a_dozen_faults_of_every_kind_and_no_reader_sees_a_mixture(ground: Ground) -> None:
    told: list[str] = []
    figures = faults.inject(ground, faults.short_kinds(seed=7), 7, told.append, pause_seconds=0.1)
    assert (figures.broken, figures.mixtures) == ([], [])
    assert figures.survived == figures.injected >= (12 if ground.has_disks else 10)
    assert figures.looks > figures.injected
    assert figures.documents > 1_000 * figures.injected / 2
    assert "**mixtures seen: 0**" in faults.page(figures)


def lose_a_customer(name: Callable[[str], Collection[Any]]) -> None:
    name("customers").delete_one({})


def give_a_cent(name: Callable[[str], Collection[Any]]) -> None:
    spent = Decimal128("0.01")
    name("customers").update_one({}, {"$inc": {"total_amount_spent": spent}})


def mix_in_an_insight(name: Callable[[str], Collection[Any]]) -> None:
    name("insights").update_one({}, {"$set": {"run_id": "20260101T000000Z-aaaaaa"}})


def lose_a_rejected_row(name: Callable[[str], Collection[Any]]) -> None:
    name("rejected_rows").delete_one({})


@pytest.mark.parametrize("damage", [lose_a_customer, give_a_cent, mix_in_an_insight, lose_a_rejected_row])
def test_the_reader_and_the_comparison_would_see_it(
    ground: Ground, damage: Callable[[Callable[[str], Collection[Any]]], None]
) -> None:
    shop = "a"
    ending = ground.run(shop)
    generation = ending.said["generation"]
    ground.expect_content(shop, generation)
    watcher = Watcher(ground.mongo.url, DATABASE, {name: ground.undisturbed(name).whole for name in SHOPS})
    with ground.target() as target:
        watcher.look(target.db)
        assert (watcher.looks, watcher.mixtures) == (1, [])
        damage(lambda name: target.db[f"{name}.g{generation}"])
        watcher.look(target.db)
    assert len(watcher.mixtures) == 2
    if damage is not mix_in_an_insight:  # whose run ids are not content
        with pytest.raises(Broken, match="not as an undisturbed run makes them"):
            ground.expect_content(shop, generation)
