from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopsight.marts.money import divide_money, share_of


def divide(amount: Decimal | None, count: int | None) -> Decimal | None:
    frame = pl.LazyFrame({"a": [amount], "n": [count]}, schema={"a": pl.Decimal(38, 2), "n": pl.Int64})
    quotient = nw.from_native(frame).select(divide_money(nw.col("a"), nw.col("n")).alias("q")).collect()
    assert quotient.schema == {"q": nw.Decimal(38, 2)}
    result: Decimal | None = quotient.item()
    return result


@pytest.mark.parametrize(
    ("amount", "count", "quotient"),
    [
        ("10.00", 3, "3.33"),
        ("20.00", 3, "6.67"),
        ("0.01", 2, "0.01"),
        ("0.05", 2, "0.03"),
        ("-0.05", 2, "-0.03"),
        ("-0.01", 3, "0.00"),
        ("-10.00", 3, "-3.33"),
        ("0.00", 5, "0.00"),
        ("7.49", 1, "7.49"),
        ("90071992547409.93", 2, "45035996273704.97"),
        ("9223372036854775806.99", 1, "9223372036854775806.99"),
    ],
)
def test_money_is_divided_half_up_away_from_zero(amount: str, count: int, quotient: str) -> None:
    assert divide(Decimal(amount), count) == Decimal(quotient)


@pytest.mark.parametrize(("amount", "count"), [("5.00", 0), ("5.00", -1), ("5.00", None), (None, 2)])
def test_money_divided_by_nothing_is_null(amount: str | None, count: int | None) -> None:
    assert divide(None if amount is None else Decimal(amount), count) is None


@given(
    st.integers(-(2**62), 2**62).map(lambda cents: Decimal(cents).scaleb(-2)),
    st.integers(1, 2**40),
)
def test_money_is_divided_as_decimals_are(amount: Decimal, count: int) -> None:
    with localcontext() as context:
        context.prec = 60
        expected = (amount / count).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert divide(amount, count) == expected


def share(parts: list[int | None], whole: int) -> list[float | None]:
    frame = nw.from_native(pl.LazyFrame({"part": parts}, schema={"part": pl.Int64}))
    shares = frame.select(share_of(nw.col("part"), nw.lit(whole)).alias("share"))
    return [row[0] for row in shares.collect().rows()]


def test_a_share_is_the_nearest_double() -> None:
    parts = list(range(1, 2000))
    assert share([*parts, None], 1997) == [*(part / 1997 for part in parts), None]


@pytest.mark.parametrize("whole", [0, -3])
def test_a_share_of_nothing_is_null(whole: int) -> None:
    assert share([0, 1], whole) == [None, None]


def test_money_has_shares_as_counts_have() -> None:
    amounts = pl.LazyFrame({"amount": [Decimal("0.10"), Decimal("0.20")]})
    frame = nw.from_native(amounts).select(share_of(nw.col("amount"), nw.col("amount").sum()).alias("share"))
    assert [row[0] for row in frame.collect().rows()] == [0.1 / 0.3, 0.2 / 0.3]
