"""The dirt of the made-up shop, looked for in its rows: every kind is there, and as much as was asked."""

from __future__ import annotations

import polars as pl
import pytest
from polars import col

from shopsight.contract import TABLES
from shopsight_demo.seed import MadeShop, Recipe, ShopSize, Types
from shopsight_demo.seed.dirt import DIRT, Dirt, Needs
from shopsight_demo.seed.pools import (
    COUNTRIES,
    MASKED_EMAIL,
    OTHER_SPELLINGS,
    UNKNOWN_COUNTRIES,
    UNKNOWN_STATUSES,
)

SIZE = ShopSize(customers=2_000, orders=6_000, products=500, categories=40)
SHARE = 0.3
WHOLE, AMOUNT = r"^-?\d+$", r"^-?\d+\.\d\d$"
CONTROL = "[\\t\\n\u200b\ufeff\x07]"


def frames(shop: MadeShop) -> dict[str, pl.DataFrame]:
    """All rows as text, orders with what hangs on them."""
    parts: dict[str, list[pl.DataFrame]] = {table: [] for table in TABLES}
    for table, batch in shop.batches():
        parts[table].append(pl.DataFrame(batch).cast(pl.String))
    made = {table: pl.concat(batches) for table, batches in parts.items()}
    lines = (
        made["order_items"]
        .group_by("order_id")
        .agg(col("quantity").str.contains("^-").any().alias("is_return"))
    )
    made["orders"] = made["orders"].join(lines, on="order_id", how="left", nulls_equal=False)
    return made


def missing(column: str) -> pl.Expr:
    return col(column).is_null()


def nowhere(column: str) -> pl.Expr:
    return col(column).str.contains(r"^\d{10}$")


def unreadable(column: str, form: str = WHOLE) -> pl.Expr:
    return ~col(column).str.contains(form)


def blanks(column: str) -> pl.Expr:
    return col(column).str.contains(r"^ +\S| +$")


def control(column: str) -> pl.Expr:
    return col(column).str.contains(CONTROL)


def one_case(column: str) -> pl.Expr:
    return col(column).str.contains(r"^[^\p{Ll}]{3,}$|^[^\p{Lu}]{3,}$|^\p{Ll}\p{Lu}")


def keys(table: str) -> dict[str, pl.Expr]:
    key = TABLES[table].key
    variants = pl.struct(TABLES[table].column_names).n_unique().over(key)
    is_repeated = col(key).is_not_null() & (pl.len().over(key) > 1)
    return {
        "key_identical": is_repeated & (variants == 1),
        "key_conflicting": is_repeated & (variants == 2),
        "key_missing": missing(key),
        "key_unreadable": unreadable(key),
    }


def dates(column: str) -> dict[str, pl.Expr]:
    day = col(column).str.to_date(strict=False)
    return {
        "date_future": day > pl.date(2098, 1, 1),
        "date_ancient": day < pl.date(1970, 1, 1),
        "date_missing": missing(column),
        "date_unreadable": col(column).is_not_null() & day.is_null(),
    }


def references(*kinds: str) -> dict[str, pl.Expr]:
    found = {}
    for kind in kinds:
        found |= {f"{kind}_missing": missing(f"{kind}_id"), f"{kind}_unknown": nowhere(f"{kind}_id")}
        found |= {f"{kind}_unreadable": unreadable(f"{kind}_id")}
    return found


SPELLINGS = [*OTHER_SPELLINGS, *(spelling for country in COUNTRIES for spelling in country.spellings)]
ADDRESS = col("email").str.strip_chars().str.to_lowercase()
HAS_LINES = col("is_return").is_not_null()
KINDS: dict[str, dict[str, pl.Expr]] = {
    "categories": {
        **keys("categories"),
        "name_blanks": blanks("category_name"),
        "name_missing": missing("category_name"),
    },
    "products": {
        **keys("products"),
        "name_blanks": blanks("product_name"),
        "name_control": control("product_name"),
        "name_empty": col("product_name") == "",
        "name_missing": missing("product_name"),
        **references("category"),
        "category_unknown": col("category_id").cast(pl.Int64, strict=False) > SIZE.categories,
    },
    "customers": {
        **keys("customers"),
        "name_blanks": blanks("name"),
        "name_case": one_case("name"),
        "name_control": control("name"),
        "name_nul": col("name").str.contains("\0"),
        "name_empty": col("name").str.strip_chars() == "",
        "name_missing": missing("name"),
        "email_malformed": unreadable("email", r"^\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*$|^X+$"),
        "email_untidy": (col("email") != ADDRESS) & ~ADDRESS.is_duplicated(),
        "email_masked": col("email") == MASKED_EMAIL,
        "email_missing": missing("email"),
        "email_duplicate": (col("email") != ADDRESS) & ADDRESS.is_duplicated(),
        "country_blanks": blanks("country"),
        "country_case": one_case("country"),
        "country_spelling": col("country").is_in(SPELLINGS),
        "country_unknown": col("country").is_in(UNKNOWN_COUNTRIES),
        "country_missing": missing("country"),
    },
    "orders": {
        **keys("orders"),
        **dates("order_date"),
        **references("customer"),
        "without_items": ~HAS_LINES & ~missing("total_amount"),
        "total_missing": HAS_LINES & missing("total_amount"),
        "total_missing_without_items": ~HAS_LINES & missing("total_amount"),
        "total_negative": col("total_amount").str.starts_with("-"),
        "return": col("is_return") & col("total_amount").str.starts_with("-"),
        "total_differs": (col("total_amount") != col("clean_total"))
        & col("total_amount").str.contains(r"^\d+\.\d\d$")
        & col("order_id").is_unique(),
        "total_unreadable": unreadable("total_amount", AMOUNT),
        "total_fraction": col("total_amount").str.contains(r"\.\d{4}$"),
        "total_huge": col("total_amount").str.contains(r"^\d{12,}"),
        "status_blanks": blanks("status"),
        "status_case": one_case("status"),
        "status_control": control("status"),
        "status_unknown": col("status").is_in(UNKNOWN_STATUSES),
        "status_canceled": col("status").str.to_lowercase() == "canceled",
        "status_missing": missing("status"),
    },
    "order_items": {
        **keys("order_items"),
        **references("order", "product"),
        "quantity_negative": col("quantity").str.starts_with("-"),
        "quantity_zero": col("quantity") == "0",
        "quantity_missing": missing("quantity"),
        "quantity_unreadable": unreadable("quantity"),
        "quantity_huge": col("quantity").str.contains(r"^\d{9,}$"),
        "price_huge": col("price").str.contains(r"^\d{12,}"),
        "price_fraction": col("price").str.contains(r"\.\d{4}$"),
        "price_negative": col("price").str.starts_with("-"),
        "price_missing": missing("price"),
        "price_unreadable": unreadable("price", AMOUNT),
    },
    "reviews": {
        **keys("reviews"),
        **dates("review_date"),
        **references("product", "customer"),
        "same_day": pl.struct("customer_id", "product_id", "review_date").is_duplicated()
        & col("review_id").is_unique(),
        "rating_missing": missing("rating"),
        "rating_0": col("rating") == "0",
        "rating_6": col("rating") == "6",
        "rating_99": col("rating") == "99",
        "rating_unreadable": unreadable("rating"),
    },
}


@pytest.fixture(scope="module")
def dirty() -> tuple[MadeShop, dict[str, pl.DataFrame]]:
    """A shop with all dirt, each order beside the total that it would have without."""
    shop = MadeShop(Recipe(SIZE, SHARE, seed=5, types=Types.TEXT, nul=True))
    made = frames(shop)
    clean = frames(MadeShop(Recipe(SIZE, 0, seed=5)))["orders"]
    totals = clean.select("order_id", col("total_amount").alias("clean_total"))
    made["orders"] = made["orders"].join(totals, on="order_id", how="left")
    return shop, made


def test_every_kind_of_dirt_is_looked_for() -> None:
    assert {(dirt.table, dirt.kind) for dirt in DIRT} == {
        (table, kind) for table, kinds in KINDS.items() for kind in kinds
    }


@pytest.mark.parametrize("dirt", DIRT, ids=lambda dirt: f"{dirt.table}.{dirt.kind}")
def test_each_kind_of_dirt_is_in_the_rows(
    dirt: Dirt, dirty: tuple[MadeShop, dict[str, pl.DataFrame]]
) -> None:
    shop, made = dirty
    asked = shop.dirt[dirt.table].get(dirt.kind, 0)
    found = made[dirt.table].select(KINDS[dirt.table][dirt.kind].fill_null(False).sum()).item()

    # Some of the items that tell these two may have been made dirty themselves.
    assert found >= max(1, 0.8 * asked if dirt.kind in ("return", "total_missing") else asked)


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_the_share_of_dirty_rows_is_what_was_asked(share: float) -> None:
    shop = MadeShop(Recipe(SIZE, share, seed=5))
    rows = {"products": SIZE.products, "customers": SIZE.customers, "orders": SIZE.orders}
    frames(shop)

    assert {table: sum(shop.dirt[table].values()) for table in rows} == {
        table: pytest.approx(share * count, abs=1) for table, count in rows.items()
    }


def test_dirty_rows_differ_from_those_of_the_clean_shop_and_no_others_do() -> None:
    clean, shop = (MadeShop(Recipe(SIZE, share, seed=5)) for share in (0, 0.1))
    before, after = frames(clean)["customers"], frames(shop)["customers"]
    unharmed = after.filter(col("customer_id").is_unique()).join(before, on=before.columns, how="semi")

    assert unharmed.height == SIZE.customers - 0.1 * SIZE.customers


def test_no_kind_is_left_out_when_there_is_little_dirt() -> None:
    shop = MadeShop(Recipe(SIZE, 0.02, seed=5))
    frames(shop)

    for table in ("customers", "orders", "order_items", "reviews"):
        assert set(shop.dirt[table]) == {
            d.kind for d in DIRT if d.table == table and d.needs in (Needs.NOTHING, Needs.LOOSE)
        }


def test_a_shop_without_dirt_has_none() -> None:
    shop = MadeShop(Recipe(SIZE, 0, seed=5, types=Types.TEXT, nul=True))
    frames(shop)

    assert shop.dirt == {table: {} for table in TABLES}


def test_customers_of_one_address_all_have_orders() -> None:
    made = frames(MadeShop(Recipe(SIZE, 0.1, seed=5)))
    twins = made["customers"].filter(
        ADDRESS.is_duplicated() & (col("email") != MASKED_EMAIL) & col("customer_id").is_unique()
    )
    with_orders = twins.join(made["orders"], on="customer_id", how="semi")

    assert twins.height > 20
    assert with_orders.height == twins.height


def test_a_constrained_shop_of_nothing_but_dirt_keeps_addresses_and_keys_apart() -> None:
    size = ShopSize(customers=140_000, orders=500)
    made = frames(MadeShop(Recipe(size, 1.0, seed=5, constraints=True)))["customers"]

    assert made["email"].is_unique().all()
    assert made["customer_id"].is_unique().all()
    assert made["email"].str.strip_chars().str.to_lowercase().is_duplicated().sum() > 20_000
