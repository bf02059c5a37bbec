"""The made-up shop: the same for the same seed, and sound where it is clean."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars import col

from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError
from shopsight_demo.seed import MadeShop, Recipe, ShopSize, Types
from shopsight_demo.seed.dirt import DirtPlan, Needs
from shopsight_demo.seed.pools import STATUSES, YOUNG_STATUSES

END = date(2025, 12, 31)
SMALL = ShopSize(customers=2_000, orders=8_000, products=500, categories=40)
EVERYTHING = Recipe(SMALL, dirt=0.3, seed=5, types=Types.TEXT, nul=True)


def made(recipe: Recipe, batch_rows: int | None = None) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.RecordBatch]] = {table: [] for table in TABLES}
    for table, batch in MadeShop(recipe).batches(batch_rows):
        parts[table].append(batch)
    return {table: pa.Table.from_batches(batches) for table, batches in parts.items()}


def frames(recipe: Recipe) -> dict[str, pl.DataFrame]:
    return {table: pl.DataFrame(rows) for table, rows in made(recipe).items()}


def as_bytes(tables: dict[str, pa.Table]) -> dict[str, bytes]:
    sink = {}
    for name, table in tables.items():
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        sink[name] = buffer.getvalue().to_pybytes()
    return sink


@pytest.fixture(scope="module")
def clean_shop() -> dict[str, pl.DataFrame]:
    return frames(Recipe(SMALL, dirt=0, seed=5, end_date=END))


# Determinism


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert as_bytes(made(EVERYTHING)) == as_bytes(made(EVERYTHING))


def test_another_seed_gives_another_shop() -> None:
    first, second = (made(Recipe(SMALL, dirt=0.1, seed=seed)) for seed in (1, 2))

    assert all(not first[table].equals(second[table]) for table in TABLES if table != "categories")


def test_the_rows_do_not_depend_on_the_batches() -> None:
    assert as_bytes(made(EVERYTHING, batch_rows=997)) == as_bytes(made(EVERYTHING))


def test_no_batch_is_longer_than_asked() -> None:
    assert max(batch.num_rows for _, batch in MadeShop(EVERYTHING).batches(997)) == 997


def test_dirty_rows_do_not_depend_on_how_the_table_is_cut() -> None:
    needs = frozenset(Needs)
    whole = DirtPlan("orders", 0.37, 9, needs).block(0, 1000)
    parts = [DirtPlan("orders", 0.37, 9, needs).block(*cut) for cut in ((0, 1), (1, 333), (333, 1000))]
    glued = {
        kind: sorted(
            np.concatenate([part[kind] + start for part, start in zip(parts, (0, 1, 333), strict=True)])
        )
        for kind in whole
    }

    assert glued == {kind: sorted(rows) for kind, rows in whole.items()}


@pytest.mark.parametrize("share", [0.001, 0.1, 0.37, 0.999, 1.0])
def test_no_row_is_dirty_twice(share: float) -> None:
    hits = DirtPlan("orders", share, 9, frozenset(Needs)).block(0, 10_000)
    rows = np.concatenate(list(hits.values()))

    assert len(rows) == len(np.unique(rows))
    assert abs(len(rows) - share * 10_000) <= 1


# The clean part


def test_a_clean_shop_has_the_size_that_was_asked(clean_shop: dict[str, pl.DataFrame]) -> None:
    assert [clean_shop[t].height for t in ("categories", "products", "customers", "orders")] == [
        40,
        500,
        2000,
        8000,
    ]
    assert clean_shop["order_items"].height / 8000 == pytest.approx(3.0, rel=0.05)
    assert clean_shop["reviews"].height / 8000 == pytest.approx(0.4, rel=0.1)


def test_columns_and_types_are_those_of_the_contract() -> None:
    native = made(Recipe(ShopSize(10, 10, products=5, categories=2), dirt=0, seed=1))
    types = {"key": pa.int32(), "count": pa.int32(), "text": pa.string(), "date": pa.date32()}

    for name, table in TABLES.items():
        assert native[name].schema == pa.schema(
            [(c.name, types.get(c.kind.value, pa.decimal128(10, 2))) for c in table.columns]
        )


def test_keys_are_unique_and_complete_in_a_clean_shop(clean_shop: dict[str, pl.DataFrame]) -> None:
    for name, frame in clean_shop.items():
        assert frame.null_count().sum_horizontal().item() == 0
        assert frame[TABLES[name].key].to_list() == list(range(1, frame.height + 1))


def test_references_hold_in_a_clean_shop(clean_shop: dict[str, pl.DataFrame]) -> None:
    for name, table in TABLES.items():
        for column in table.columns:
            if column.references:
                known = clean_shop[column.references][TABLES[column.references].key]
                assert clean_shop[name][column.name].is_in(known.implode()).all()


def test_every_clean_order_has_items_and_most_cost_what_their_items_cost(
    clean_shop: dict[str, pl.DataFrame],
) -> None:
    worth = (
        clean_shop["order_items"]
        .group_by("order_id")
        .agg((col("quantity") * col("price")).sum().alias("worth"))
    )
    orders = clean_shop["orders"].join(worth, on="order_id")
    difference = orders["total_amount"].cast(pl.Decimal(18, 2)) - orders["worth"].cast(pl.Decimal(18, 2))

    assert orders.height == 8000
    assert 0.6 < (difference == 0).mean() < 0.9
    assert (difference > 0).any()
    assert (difference < 0).any()


def test_clean_text_is_clean(clean_shop: dict[str, pl.DataFrame]) -> None:
    texts = pl.concat(
        [clean_shop["customers"][c] for c in ("name", "country")]
        + [clean_shop["products"]["product_name"], clean_shop["categories"]["category_name"]]
    )
    emails = clean_shop["customers"]["email"]
    statuses = {status for status, _ in STATUSES} | set(YOUNG_STATUSES)

    assert not texts.str.contains(r"^\s|\s$|\s\s|[\p{Cc}\p{Cf}]").any()
    assert emails.str.contains(r"^[a-z]+\.[a-z]+\d+@[a-z.]+\.example\.(com|org|net)$").all()
    assert emails.is_unique().all()
    assert set(clean_shop["orders"]["status"]) == statuses


def test_reviews_follow_an_order_of_that_customer_and_product(clean_shop: dict[str, pl.DataFrame]) -> None:
    bought = clean_shop["orders"].join(clean_shop["order_items"], on="order_id")
    first = bought.group_by("customer_id", "product_id").agg(col("order_date").min())
    reviews = clean_shop["reviews"].join(first, on=["customer_id", "product_id"])

    assert reviews.height == clean_shop["reviews"].height
    assert (reviews["review_date"] > reviews["order_date"]).all()
    assert reviews["review_date"].max() <= END
    assert reviews["rating"].is_between(1, 5).all()


def test_nobody_reviews_a_product_twice_on_a_day_in_a_clean_shop() -> None:
    crowded = ShopSize(customers=40, orders=150_000, products=4, categories=2, reviews_per_order=0.5)
    reviews = frames(Recipe(crowded, dirt=0, seed=1))["reviews"]

    assert reviews.height > 10_000
    assert reviews.select("customer_id", "product_id", "review_date").is_unique().all()


def test_good_products_are_rated_better(clean_shop: dict[str, pl.DataFrame]) -> None:
    ratings = clean_shop["reviews"].group_by("product_id").agg(col("rating").mean(), pl.len())
    means = ratings.filter(col("len") >= 20)["rating"]

    assert means.max() - means.min() > 1


def test_the_shop_grows_has_seasons_and_ends_on_its_last_day(clean_shop: dict[str, pl.DataFrame]) -> None:
    dates = clean_shop["orders"]["order_date"]
    by_year = dates.dt.year().value_counts().sort("order_date")["count"].to_list()
    months = (
        dates.filter(dates.dt.year() == 2025).dt.month().value_counts().sort("order_date")["count"].to_list()
    )

    assert (dates.min().year, dates.max()) == (2023, END)
    assert by_year == sorted(by_year)
    assert months[11] > 1.5 * months[9]
    assert dates.is_sorted()


def test_few_customers_order_much_and_some_never(clean_shop: dict[str, pl.DataFrame]) -> None:
    orders = clean_shop["orders"]["customer_id"].value_counts(sort=True)["count"]

    assert orders.head(200).sum() > 0.25 * 8000
    assert orders.len() < 0.95 * 2000


def test_a_shop_may_have_no_orders_or_no_reviews() -> None:
    no_orders = MadeShop(Recipe(ShopSize(customers=3, orders=0), dirt=0.5, seed=1))
    no_reviews = MadeShop(Recipe(ShopSize(customers=3, orders=9, reviews_per_order=0), dirt=0.5, seed=1))

    assert {table for table, _ in no_orders.batches()} == {"categories", "products", "customers"}
    assert {table for table, _ in no_reviews.batches()} == set(TABLES) - {"reviews"}


# Recipes that cannot be followed


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_of_dirt_beyond_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        Recipe(SMALL, dirt=share, seed=1)


@pytest.mark.parametrize(
    "wrong", [{"customers": 0}, {"orders": -1}, {"items_per_order": 0.5}, {"products": 0}]
)
def test_an_impossible_size_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ShopSize(**wrong)  # type: ignore[arg-type]


def test_constraints_and_text_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="text"):
        Recipe(SMALL, dirt=0, seed=1, constraints=True, types=Types.TEXT)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="seed"):
        Recipe(SMALL, dirt=0, seed=-1)
