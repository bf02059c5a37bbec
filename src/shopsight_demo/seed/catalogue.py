"""The made-up shop's categories and products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shopsight_demo.seed.columns import Draft, numbers
from shopsight_demo.seed.dirt import DirtPlan, Hits, Numbers
from shopsight_demo.seed.messy_text import add_blanks, add_control_character
from shopsight_demo.seed.pools import BRANDS, CATEGORIES, GRADES, TEXT
from shopsight_demo.seed.schemas import Types
from shopsight_demo.seed.size import Recipe

_DEAREST_CENTS = 999_999


@dataclass(frozen=True)
class Catalogue:
    """The facts about products that orders and reviews use; each array by product, from product 1.

    Attributes:
        cents: the price when the shop opened.
        quality: between 0 and 1; the better, the better it is rated.
    """

    categories: pa.RecordBatch
    products: pa.RecordBatch
    cents: Numbers
    quality: npt.NDArray[np.float64]


def make_catalogue(recipe: Recipe, plans: dict[str, DirtPlan]) -> Catalogue:
    """All categories and products: these two tables are small."""
    size = recipe.size
    rng = np.random.default_rng([recipe.seed, 1])
    kinds = np.arange(size.categories) % len(CATEGORIES)
    laps = np.arange(size.categories) // len(CATEGORIES)
    category_names = [
        f"{CATEGORIES[kind][0]} {lap + 1}" if lap else CATEGORIES[kind][0]
        for kind, lap in zip(kinds.tolist(), laps.tolist(), strict=True)
    ]
    category = rng.integers(0, size.categories, size.products)
    typical = np.array([CATEGORIES[kind][1] for kind in kinds], np.int64)[category]
    spread = np.exp(rng.normal(0, 0.5, size.products))
    cents = np.clip((typical * spread).astype(np.int64) // 100 * 100 + 99, 99, _DEAREST_CENTS)
    things = [CATEGORIES[kind][2] for kind in kinds[category].tolist()]
    choices = rng.integers(0, 2**31, (size.products, 3)).tolist()
    product_names = [
        f"{BRANDS[brand % len(BRANDS)]} {GRADES[grade % len(GRADES)]} {words[word % len(words)]}"
        for words, (brand, grade, word) in zip(things, choices, strict=True)
    ]
    return Catalogue(
        _categories(recipe, category_names, plans["categories"].block(0, size.categories)),
        _products(recipe, product_names, category, plans["products"].block(0, size.products)),
        cents,
        rng.beta(5, 2, size.products),
    )


def _categories(recipe: Recipe, names: list[str], hits: Hits) -> pa.RecordBatch:
    draft = Draft(
        {"category_id": numbers(np.arange(1, len(names) + 1)), "category_name": pa.array(names, pa.string())}
    )
    draft.change("category_name", hits["name_blanks"], add_blanks)
    draft.blank("category_name", hits["name_missing"])
    return _finished(draft, recipe, hits, "category_id", "category_name")


def _products(recipe: Recipe, names: list[str], category: Numbers, hits: Hits) -> pa.RecordBatch:
    draft = Draft(
        {
            "product_id": numbers(np.arange(1, len(names) + 1)),
            "product_name": pa.array(names, pa.string()),
            "category_id": numbers(category + 1),
        }
    )
    draft.change("product_name", hits["name_blanks"], add_blanks)
    draft.change("product_name", hits["name_control"], add_control_character)
    draft.cycle("product_name", hits["name_empty"], [""])
    draft.blank("product_name", hits["name_missing"])
    draft.blank("category_id", hits["category_missing"])
    rows = hits["category_unknown"]
    draft.put("category_id", rows, numbers(recipe.size.categories + 900 + rows))
    return _finished(
        draft, recipe, hits, "product_id", "product_name", category_id=hits["category_unreadable"]
    )


def _finished(
    draft: Draft, recipe: Recipe, hits: Hits, key: str, name: str, **unreadable: Numbers
) -> pa.RecordBatch:
    draft.blank(key, hits["key_missing"])
    draft.repeat(hits["key_identical"])
    rows = hits["key_conflicting"]
    draft.repeat(rows, **{name: [f"{text} (new)" for text in draft.texts(name, rows)]})
    if recipe.types is Types.TEXT:
        draft.as_text()
        for column, rows in {key: hits["key_unreadable"], **unreadable}.items():
            draft.cycle(column, rows, TEXT["unreadable_keys"])
    return draft.rows()
