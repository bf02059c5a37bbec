"""Each table's measure: the exact sum that the ledger and the proof follow from the source to the marts.

=============  ==========================
orders         ``sum(total_amount)``
order_items    ``sum(quantity * price)``
reviews        ``sum(rating)``
=============  ==========================

A row adds what cleaning reads in it, and nothing where a factor is null or no number:

* an amount below 10^15 either way, to the cent, half up (away from zero);
* a whole number below 10^18, a quantity below 10^10;
* in a column of text: what stands there without blanks and invisible characters, if it is digits with a sign
  and a point at most (:data:`AMOUNT_PATTERN`, :data:`WHOLE_PATTERN`).

So the measure of raw files does not depend on whether a column came natively or as text. The dialects ask the
database for the same sum in SQL, with the limits and patterns of this module; everything else here is read
from Parquet with Arrow and shares no code with the stages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.parquet import read_batches
from shopsight.contract import TABLES, Kind

#: Amounts of this size and beyond add nothing, and are no native money in raw files.
AMOUNT_LIMIT = 10**15
#: Whole numbers of this size and beyond add nothing, and are no native count in raw files.
COUNT_LIMIT = 10**18
#: Quantities of this size and beyond add nothing.
QUANTITY_LIMIT = 10**10

#: Characters that do not count in a number, wherever they stand, and those that do not at its ends; as the
#: inside of a class, which Python, PostgreSQL and RE2 read alike.
INVISIBLE = (
    r"\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
OUTER = r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u200c\u200d"

#: What is a number once the characters above are taken away.
AMOUNT_PATTERN = r"^[+-]?(0*[0-9]{1,15}(\.[0-9]*)?|\.[0-9]+)$"
WHOLE_PATTERN = r"^[+-]?0*[0-9]{1,18}(\.0*)?$"
#: How most numbers are written: what needs no taking away, and no rounding.
PLAIN_AMOUNT_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,2})?$"
PLAIN_WHOLE_PATTERN = r"^-?[0-9]{1,18}$"

Integers = npt.NDArray[np.int64]

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_ENDS = re.compile(f"^[{OUTER}]+|[{OUTER}]+$")
_AMOUNT = re.compile(AMOUNT_PATTERN.removesuffix("$") + r"\Z")
_WHOLE = re.compile(WHOLE_PATTERN.removesuffix("$") + r"\Z")
_UNITS = {Kind.MONEY: Decimal("0.01"), Kind.COUNT: Decimal(1)}
# Enough for any sum of products within the limits, and nothing is ever rounded.
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True)
class Factor:
    """One column of a measure. ``limit`` is in the column's own units: currency or pieces."""

    column: str
    kind: Kind
    limit: int


#: By table, the columns whose product is summed.
MEASURES: dict[str, tuple[Factor, ...]] = {
    "orders": (Factor("total_amount", Kind.MONEY, AMOUNT_LIMIT),),
    "order_items": (
        Factor("quantity", Kind.COUNT, QUANTITY_LIMIT),
        Factor("price", Kind.MONEY, AMOUNT_LIMIT),
    ),
    "reviews": (Factor("rating", Kind.COUNT, COUNT_LIMIT),),
}


def raw_measure(table: str, folder: Path) -> Decimal | None:
    """The measure of a table's folder of raw or clean Parquet; None for a table without one, 0 for no rows.

    Exact, whatever the sum; memory is bounded by the batch.

    Raises:
        KeyError: there is no such table.
    """
    factors = MEASURES.get(TABLES[table].name)
    if factors is None:
        return None
    total = 0
    for batch in read_batches(folder, [factor.column for factor in factors]):
        columns = [_read(batch.column(factor.column), factor) for factor in factors]
        is_whole_row = np.logical_and.reduce([is_number for _, is_number in columns])
        total += _sum_of_products([values[is_whole_row] for values, _ in columns])
    return measure_of_units(table, total)


def measure_of_units(table: str, units: int) -> Decimal:
    """A table's measure, given in cents if there is money in it, else in pieces.

    >>> measure_of_units("orders", 1250), measure_of_units("reviews", 1250)
    (Decimal('12.50'), Decimal('1250'))
    """
    unit = min(_UNITS[factor.kind] for factor in MEASURES[table])
    return _EXACT.multiply(Decimal(units), unit)


def as_measure(table: str, figure: Decimal) -> Decimal:
    """A table's measure with two decimals if there is money in it, else with none; its value stays the same.

    >>> as_measure("orders", Decimal("12.5")), as_measure("reviews", Decimal("12"))
    (Decimal('12.50'), Decimal('12'))
    """
    unit = min(_UNITS[factor.kind] for factor in MEASURES[table])
    return figure.quantize(unit, context=_EXACT)


def cents_of(text: str) -> int | None:
    """The cents of an amount, half up; None where the text is no amount.

    >>> cents_of(" 12.345 "), cents_of("-.5"), cents_of("1,000.00")
    (1235, -50, None)
    """
    seen = _visible(text)
    if not _AMOUNT.match(seen):
        return None
    whole, _, decimals = seen.lstrip("+-").partition(".")
    thousandths = int((decimals + "000")[:3])
    cents = int(whole.lstrip("0") or "0") * 100 + (thousandths + 5) // 10
    return -cents if seen.startswith("-") else cents


def whole_of(text: str) -> int | None:
    """The whole number that stands in a text; None where it is none.

    >>> whole_of("+007"), whole_of("3.00"), whole_of("3.5")
    (7, 3, None)
    """
    seen = _visible(text)
    if not _WHOLE.match(seen):
        return None
    whole = int(seen.lstrip("+-").partition(".")[0].lstrip("0") or "0")
    return -whole if seen.startswith("-") else whole


def _visible(text: str) -> str:
    return _ENDS.sub("", _INVISIBLE.sub("", text))


def _read(column: pa.Array, factor: Factor) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """A column's values in cents or pieces, and which of them are numbers within the limit."""
    is_money = factor.kind is Kind.MONEY
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values, is_number = _read_text(column, factor.kind)
        # Its pattern is an amount's limit: rounding may lead beyond.
        limit = 2 * 100 * factor.limit if is_money else factor.limit
    else:
        values = _integers(column.cast(pa.decimal128(18, 2) if is_money else pa.int64()))
        is_number = _is_valid(column)
        limit = 100 * factor.limit if is_money else factor.limit
    return values, is_number & (values > -limit) & (values < limit)


def _read_text(column: pa.Array, kind: Kind) -> tuple[Integers, npt.NDArray[np.bool_]]:
    is_money = kind is Kind.MONEY
    plain = PLAIN_AMOUNT_PATTERN if is_money else PLAIN_WHOLE_PATTERN
    is_plain = pc.fill_null(pc.match_substring_regex(column, plain), False)
    values = _integers(
        pc.if_else(is_plain, column, "0").cast(pa.decimal128(18, 2) if is_money else pa.int64())
    )
    # All other text is read one by one.
    is_number = np.array(is_plain.to_numpy(zero_copy_only=False))
    read: Callable[[str], int | None] = cents_of if is_money else whole_of
    for at in np.flatnonzero(~is_number & _is_valid(column)):
        found = read(column[int(at)].as_py())
        if found is not None:
            values[at], is_number[at] = found, True
    return values, is_number


def _is_valid(column: pa.Array) -> npt.NDArray[np.bool_]:
    valid: npt.NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _integers(column: pa.Array) -> Integers:
    """Integers, or decimals of 18 digits as whole cents, as NumPy has them; anything where there is null."""
    if pa.types.is_decimal(column.type):
        words = np.frombuffer(column.buffers()[1], dtype=np.int64)
        return words[2 * column.offset :: 2][: len(column)].copy()
    filled: Integers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    return filled.copy()


def _sum_of_products(columns: list[Integers]) -> int:
    if not len(columns[0]):
        return 0
    largest = len(columns[0])
    for values in columns:
        largest *= max(abs(int(values.min())), abs(int(values.max())))
    if largest >= 2**63:  # beyond 64 bits: whole numbers of any length, one by one
        columns = [values.astype(object) for values in columns]
    return int(np.multiply.reduce(columns).sum())
