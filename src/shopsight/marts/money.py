"""Exact arithmetic with money, the same on every engine.

Engines disagree on the result of dividing a decimal: its scale, its rounding, or a float. Here money is
divided in whole numbers, and rounded once.
"""

from __future__ import annotations

from decimal import Decimal

import narwhals as nw

#: The type of a sum of money, and of every result made from one.
MONEY_SUM = nw.Decimal(38, 2)


def divide_money(amount: nw.Expr, count: nw.Expr) -> nw.Expr:
    """An amount divided by a count, half up to the cent: half a cent goes away from zero, -0.05 / 2 = -0.03.

    Exact for amounts below 2^63 units of currency in absolute value and counts below 2^56; Decimal(38, 2).
    Null where the amount is null, and where the count is null or not above zero.

    >>> import polars as pl
    >>> amounts = pl.LazyFrame({"amount": ["10.00", "-0.05", "1.00"], "count": [3, 2, 0]})
    >>> frame = nw.from_native(amounts.with_columns(pl.col("amount").cast(pl.Decimal(38, 2))))
    >>> frame.select(divide_money(nw.col("amount"), nw.col("count"))).collect().rows()
    [(Decimal('3.33'),), (Decimal('-0.03'),), (None,)]
    """
    size = amount.abs()
    divisor = nw.when(count > 0).then(count.cast(nw.Int64))
    # Whole units and cents are divided one after the other, as in long division: the amount in cents would
    # not fit 64 bits. The remainder makes up for casts, which round on some engines and truncate on others.
    units = size.cast(nw.Int64)
    left_cents = (units % divisor) * 100 + ((size - units) * 100).cast(nw.Int64)
    cents = left_cents // divisor
    is_rounded_up = 2 * (left_cents - cents * divisor) >= divisor
    quotient = (units // divisor).cast(nw.Decimal(36, 0)) + _from_cents(cents + is_rounded_up.cast(nw.Int64))
    return (quotient * nw.when(amount < 0).then(-1).otherwise(1)).cast(MONEY_SUM)


def share_of(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """The share of a part in the whole, of counts or money; Float64, null where the whole is not above 0.

    The quotient of the two numbers' nearest doubles, rounded as IEEE 754 has it.

    >>> import polars as pl
    >>> frame = nw.from_native(pl.LazyFrame({"orders": [7, 45]}))
    >>> frame.select(share_of(nw.col("orders"), nw.col("orders").sum())).collect().rows()
    [(0.1346153846153846,), (0.8653846153846154,)]
    """
    # Polars divides all rows by one value by multiplying with its reciprocal, which is sometimes off in the
    # last digit (0.13461538461538464 above). It does not when each row has a whole of its own.
    own_whole = whole.cast(nw.Float64) + (part - part).cast(nw.Float64)
    return part.cast(nw.Float64) / nw.when(whole > 0).then(own_whole)


def _from_cents(cents: nw.Expr) -> nw.Expr:
    return cents.cast(nw.Decimal(18, 0)) * nw.lit(Decimal("0.01"))
