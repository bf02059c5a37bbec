"""Any dirty shop: every row and every cent accounted for, references that hold, and nothing left to do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.cleaning import (
    EXCLUDED,
    KEEPING_NEGATIVES,
    POLICY,
    Outcome,
    clean_frames,
    raw_frame,
    total,
)

from shopsight.audit.written import cents_of, whole_of
from shopsight.clean import RULES, CleaningPolicy
from shopsight.contract import TABLES, Kind
from shopsight.engine import key_ranges

Shop = dict[str, list[tuple[Any, ...]]]

#: Few values, so that keys repeat and references hit; those of text only cannot be read, or only as text.
VALUES: dict[str, list[Any]] = {
    "key": [1, 2, 3, 4, 5, 6, 7, 8, None],
    "key as text": ["1", " 2", "3.0", "04", "+5", "6", "x", "", "1e3", None],
    "name": [
        "Ann",
        " Ann ",
        "Ann\u200b",
        "Bo",
        "$where",
        "a.b",
        "O'Hara",
        "🛒",
        "\u202eevil",
        "",
        " " * 100,
        None,
    ],
    "email": [
        "a@example.com",
        " A@example.com",
        "b@example.com",
        "c@example.com",
        "XXXXXXXXX",
        "x",
        "",
        None,
    ],
    "country": ["Germany", "DE", "deutschland", "USA", "Atlantis", " ", None],
    "status": ["completed", "Completed ", "canceled", "RETURNED", "refunded", "lost?", "", None],
    "date": [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(1970, 1, 1),
        date(1969, 12, 31),
        date(2024, 7, 1),
        None,
    ],
    "date as text": [
        "2024-01-31",
        "2024-02-29T10:00:00Z",
        "2024-02-30",
        "31/01/2024",
        "0001-01-01",
        "",
        None,
    ],
    "money": [
        *map(Decimal, ["0.00", "0.01", "9.99", "10.00", "99999999.99", "-5.00", "9999999999999999.99"]),
        Decimal(10) ** 12,
        None,
    ],
    "money as text": [
        "9.99",
        "10",
        "0.005",
        "1.2345",
        "-5",
        "-.5",
        "999999999999999.995",
        "1e5",
        "NaN",
        "",
        None,
    ],
    "count": [0, 1, 2, 3, 4, 5, -1, 10_000_000, 10_000_001, 10**10, 2**63 - 1, None],
    "count as text": ["1", "2", "5.0", " 3 ", "-2", "4.5", "many", "", None],
}


def values_of(column: str, kind: Kind, *, is_text: bool) -> st.SearchStrategy[Any]:
    """The values that a raw column may hold."""
    if kind is Kind.TEXT:
        return st.sampled_from(VALUES["name" if column.endswith("name") else column])
    return st.sampled_from(VALUES[f"{kind} as text" if is_text else str(kind)])


@st.composite
def dirty_shops(draw: st.DrawFn, *, with_text: bool = True) -> dict[str, pl.DataFrame]:
    """Six raw tables with every kind of dirt; some columns arrive as text."""
    shop = {}
    for name, table in TABLES.items():
        names = [c.name for c in table.columns if c.kind is not Kind.TEXT]
        as_text = draw(st.sets(st.sampled_from(names), max_size=2)) if with_text else set()
        row = st.tuples(*(values_of(c.name, c.kind, is_text=c.name in as_text) for c in table.columns))
        shop[name] = raw_frame(name, draw(st.lists(row, max_size=30)), as_text)
    return shop


def some(count: int) -> settings:
    """So many examples, each of which cleans a whole shop or two; a failing one is small enough to read."""
    return settings(
        max_examples=count,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


policies = st.sampled_from([POLICY, KEEPING_NEGATIVES])


def as_read(value: Any, kind: Kind) -> Any:
    """A key, count or amount as cleaning reads it; None where there is none."""
    if kind is Kind.MONEY:
        cents = cents_of(str(value)) if value is not None else None
        return None if cents is None else Decimal(cents) / 100
    return whole_of(value) if isinstance(value, str) else value


def measure_in(name: str, frame: pl.DataFrame) -> Decimal:
    """What the raw rows carry: the product of their factors, where all can be read."""
    columns = {"orders": ["total_amount"], "order_items": ["quantity", "price"], "reviews": ["rating"]}[name]
    kinds = [TABLES[name].column(column).kind for column in columns]
    limit = 10**10 if name == "order_items" else 10**18
    carried = Decimal(0)
    for row in frame.select(columns).iter_rows():
        factors = [as_read(value, kind) for value, kind in zip(row, kinds, strict=True)]
        if None in factors or (kinds[0] is Kind.COUNT and abs(factors[0]) >= limit):
            continue
        product = Decimal(1)
        for factor in factors:
            product *= factor
        carried += product
    return carried


def measure_out(name: str, outcome: Outcome) -> Decimal:
    frame = outcome.frame(f"clean/{name}")
    match name:
        case "orders":
            return total(frame["total_amount"])
        case "order_items":
            return sum(
                (quantity * price for quantity, price in frame.select("quantity", "price").rows()), Decimal(0)
            )
        case _:
            return Decimal(frame["rating"].sum())


def contents(outcome: Outcome) -> Mapping[str, Counter[tuple[Any, ...]]]:
    """Everything that cleaning wrote, regardless of order."""
    written = {str(folder): frame for folder, frame in outcome.frames.items() if folder.parts[0] != "raw"}
    return {folder: Counter(frame.rows()) for folder, frame in written.items()}


@given(shop=dirty_shops(), policy=policies)
@some(12)
def test_every_row_has_one_fate_and_every_cent_is_explained(
    shop: dict[str, pl.DataFrame], policy: Any
) -> None:
    outcome = clean_frames(shop, policy)
    for name, table in TABLES.items():
        raw, kept = shop[name], outcome.frame(f"clean/{name}")
        rejected, merged = outcome.frame(f"rejected/{name}"), outcome.frame(f"rejected/merged/{name}")
        repairs = outcome.frame(f"rejected/repairs/{name}")
        added = repairs.filter(pl.col("rule").str.ends_with("_added"))

        assert raw.height + added.height == kept.height + rejected.height + merged.height
        assert not Counter(rejected.select(raw.columns).rows()) - Counter(raw.rows())
        fates = Counter(kept[table.key].to_list()) + Counter(merged["key"].to_list())
        fates += Counter(as_read(key, Kind.KEY) for key in rejected[table.key].to_list())
        keys = Counter(as_read(key, Kind.KEY) for key in raw[table.key].to_list())
        assert fates == keys + Counter(added["key"].to_list())

        assert set(rejected["rule"]) <= {
            r.id for r in RULES.values() if (r.table, r.action) == (name, "reject")
        }
        assert set(merged["rule"]) <= {r.id for r in RULES.values() if (r.table, r.action) == (name, "merge")}
        assert set(repairs["rule"]) <= {
            r.id for r in RULES.values() if (r.table, r.action) == (name, "repair")
        }
        assert set(merged["into_key"]) <= set(kept[table.key])
        assert set(repairs["key"]) <= set(kept[table.key])
        assert repairs.filter(pl.col("old_value").eq_missing(pl.col("new_value"))).is_empty()

        if table.measure is not None:
            assert measure_in(name, raw) + total(repairs["measure_change"]) == (
                measure_out(name, outcome) + total(rejected["measure"]) + total(merged["measure"])
            )


@given(shop=dirty_shops(), policy=policies)
@some(8)
def test_clean_tables_hold_their_contract(shop: dict[str, pl.DataFrame], policy: Any) -> None:
    outcome = clean_frames(shop, policy)
    clean = {name: outcome.frame(f"clean/{name}") for name in TABLES}
    for name, table in TABLES.items():
        frame = clean[name]
        assert frame[table.key].is_unique().all()
        for column in table.columns:
            assert column.name == "email" or frame[column.name].null_count() == 0
            if column.references is not None:
                parents = clean[column.references][TABLES[column.references].key]
                assert set(frame[column.name]) <= set(parents)
            if column.kind is Kind.DATE:
                assert all(date(1970, 1, 1) <= day <= policy.today for day in frame[column.name])
            if column.kind is Kind.TEXT:
                texts = [text for text in frame[column.name] if text is not None]
                assert all(text and text == " ".join(text.split()) and text.isprintable() for text in texts)
    addresses = clean["customers"]["email"].drop_nulls()
    assert addresses.is_unique().all()
    assert set(clean["reviews"]["rating"]) <= {1, 2, 3, 4, 5}
    assert not clean["reviews"].select("customer_id", "product_id", "review_date").is_duplicated().any()
    orders = clean["orders"]
    assert orders["is_counting"].to_list() == [status not in EXCLUDED for status in orders["status"]]
    if policy.negative_amounts == "reject":
        assert (orders.filter("is_counting")["total_amount"] >= 0).all()
        lines = clean["order_items"].join(orders.filter("is_counting"), on="order_id")
        assert (lines["quantity"] >= 0).all()
        assert (lines["price"] >= 0).all()


@given(shop=dirty_shops(), policy=policies, seed=st.integers(0, 2**16))
@some(6)
def test_the_order_of_rows_makes_no_difference(shop: dict[str, pl.DataFrame], policy: Any, seed: int) -> None:
    chance = random.Random(seed)
    mixed = {
        name: frame[chance.sample(range(frame.height), frame.height)] if frame.height else frame
        for name, frame in shop.items()
    }
    assert contents(clean_frames(mixed, policy)) == contents(clean_frames(shop, policy))


@given(shop=dirty_shops(), policy=policies)
@some(6)
def test_a_clean_shop_stays_as_it_is(shop: dict[str, pl.DataFrame], policy: Any) -> None:
    first = clean_frames(shop, policy)
    again = {name: first.frame(f"clean/{name}").select(table.column_names) for name, table in TABLES.items()}
    second = clean_frames(again, policy)
    for name in TABLES:
        assert Counter(second.frame(f"clean/{name}").rows()) == Counter(first.frame(f"clean/{name}").rows())
        for folder in ("rejected", "rejected/repairs", "rejected/merged"):
            assert second.frame(f"{folder}/{name}").is_empty()


@given(shop=dirty_shops(with_text=False), policy=policies)
@some(5)
def test_it_makes_no_difference_whether_values_come_as_text(
    shop: dict[str, pl.DataFrame], policy: Any
) -> None:
    # Beyond the digits that are read from text the two do differ, if only in why a row is rejected.
    few_digits = {
        name: frame.filter(
            pl.lit(True),
            *(
                pl.col(c.name).is_null() | (pl.col(c.name).abs() < 10**15)
                for c in TABLES[name].columns
                if c.kind in {Kind.MONEY, Kind.COUNT}
            ),
        )
        for name, frame in shop.items()
    }
    as_text = {name: frame.cast(pl.String) for name, frame in few_digits.items()}
    native, text = clean_frames(few_digits, policy), clean_frames(as_text, policy)
    for name in TABLES:
        assert Counter(text.frame(f"clean/{name}").rows()) == Counter(native.frame(f"clean/{name}").rows())
        assert Counter(text.rules(name)) == Counter(native.rules(name))
        assert (
            text.frame(f"rejected/repairs/{name}")
            .sort(pl.all())
            .equals(native.frame(f"rejected/repairs/{name}").sort(pl.all()))
        )


@some(30)
@given(dirty_shops(), policies, st.integers(1, 4))
def test_the_number_of_key_ranges_changes_nothing(
    shop: dict[str, pl.DataFrame], policy: CleaningPolicy, rows_in_range: int
) -> None:
    whole = clean_frames(shop, policy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_ranges, "ROWS_IN_RANGE", rows_in_range)
        dealt = clean_frames(shop, policy)
    assert dealt.frames.keys() == whole.frames.keys()
    for folder, frame in whole.frames.items():
        if "flags" in folder.parts:
            assert dealt.flags(folder.name) == whole.flags(folder.name)
            assert total(dealt.frame(str(folder))["measure"]) == total(frame["measure"])
        else:
            assert sorted(dealt.frame(str(folder)).rows(), key=str) == sorted(frame.rows(), key=str)
            assert dealt.frame(str(folder)).schema == frame.schema
