"""Raw columns read into the contract's types.

Extraction writes a column natively or as the source's text. Text is read strictly: text that is not plainly a
value of the column's type is unreadable, and its row is rejected; a blank text is a missing value.

============  ==========================================================================================
a key, count  ``42``, ``+42``, ``-7``, ``0042``, ``42.0``; from -2^63 to 2^63 - 1
a date        ``2024-01-31``, or a timestamp that begins with it (``2024-01-31T23:59:00``): the day as it is
              written, which must be a day of the calendar; of a timestamp with an offset from UTC
              (``2024-01-31T23:59:00+02:00``) the day in the shop's time zone
an amount     ``1234.5``, ``-.99``, ``+12.``; at most 15 digits before the point; more than two decimals are
              rounded half up (away from zero) to the cent
============  ==========================================================================================

Not read, as their meaning would be a guess: separators of thousands, currency signs, decimal commas,
exponents, ``NaN``, day-first dates.
"""

from __future__ import annotations

import narwhals as nw
from narwhals import col
from narwhals.typing import IntoDType

from shopsight.clean.days import with_days_of_moments, written_day
from shopsight.clean.policy import READABLE_AMOUNT_DIGITS, READABLE_AMOUNT_LIMIT
from shopsight.clean.text import tidied
from shopsight.contract import Kind, Table
from shopsight.engine.protocol import MONEY, Frame
from shopsight.time_zone import UTC_NAME

_TYPES: dict[Kind, IntoDType] = {
    Kind.KEY: nw.Int64,
    Kind.TEXT: nw.String,
    Kind.DATE: nw.Date,
    Kind.MONEY: MONEY,
    Kind.COUNT: nw.Int64,
}

# Text that every engine's own cast reads correctly, the way nearly all values are written.
_PLAIN = {
    Kind.KEY: r"^-?[0-9]{1,18}$",
    Kind.COUNT: r"^-?[0-9]{1,18}$",
    Kind.DATE: r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
    Kind.MONEY: rf"^-?[0-9]{{1,{READABLE_AMOUNT_DIGITS}}}(\.[0-9]{{1,2}})?$",
}

_WHOLE = r"^[+-]?0*[0-9]{1,19}(\.0*)?$"
#: The greatest absolute values of INT64, above and below zero.
_GREATEST, _LEAST = str(2**63 - 1), str(2**63)
_AMOUNT = rf"^[+-]?(0*[0-9]{{1,{READABLE_AMOUNT_DIGITS}}}(\.[0-9]*)?|\.[0-9]+)$"
_BELOW_CENTS = r"\.[0-9]{2}[0-9]*[1-9]"


def raw_name(column: str) -> str:
    """The name of a column's untouched copy."""
    return f"raw_{column}"


def rounded_name(column: str) -> str:
    """The name of the column that says whether an amount had more than two decimals."""
    return f"is_{column}_rounded"


def read(raw: Frame, table: Table, time_zone: str = UTC_NAME) -> Frame:
    """The table's rows in the contract's types.

    Grain: the raw rows, each once.

    Args:
        raw: as extracted.
        table: the contract's table.
        time_zone: the shop's, in which a moment's day is taken.

    Returns:
        Each column of the contract, and the optional ones that there are, typed, null where it is missing or
        unreadable (texts as they came). For the columns that were read from text, also some of the columns
        that :func:`completed` adds for all.

    >>> import polars as pl
    >>> from shopsight.contract import REVIEWS
    >>> raw = pl.LazyFrame(
    ...     {"review_id": ["1", "2", "x"], "product_id": [7] * 3, "customer_id": [8] * 3,
    ...      "rating": ["5.0", "", "4"], "review_date": ["2024-02-29 08:00", "2023-02-28", "2024-01-01"]}
    ... )
    >>> rows = read(nw.from_native(raw), REVIEWS)
    >>> for row in rows.select("review_id", "rating", "review_date", "is_unreadable").collect().iter_rows():
    ...     print(*row)
    1 5 2024-02-29 False
    2 None 2023-02-28 False
    None 4 2024-01-01 True
    """
    schema = raw.collect_schema()
    table = table.having(schema.names())
    foreign = {c.name: c.kind for c in table.columns if schema[c.name] != _TYPES[c.kind]}
    rows = raw.select(table.column_names)
    return _read_as_text(rows, foreign, time_zone) if foreign else rows


def with_raw(rows: Frame, *columns: str) -> Frame:
    """The rows with ``raw_<column>``, a copy of the column, for the given columns that have none yet.

    Call it before a column is changed, but after joins: carrying a column through a join costs time.
    """
    present = set(rows.collect_schema().names())
    lacking = [name for name in columns if raw_name(name) not in present]
    return rows.with_columns(col(name).alias(raw_name(name)) for name in lacking) if lacking else rows


def completed(rows: Frame, table: Table) -> Frame:
    """The read rows with ``raw_<column>`` for every column, ``is_unreadable`` and ``is_<amount>_rounded``.

    ``is_unreadable`` says whether a value of the row could not be read.
    """
    rows = with_raw(rows, *table.column_names)
    present = set(rows.collect_schema().names())
    marks = {"is_unreadable", *(rounded_name(c.name) for c in table.columns if c.kind is Kind.MONEY)}
    lacking = sorted(marks - present)
    return rows.with_columns(nw.lit(False).alias(mark) for mark in lacking) if lacking else rows


def readable_number(column: str, limit: int) -> nw.Expr:
    """A whole number as a factor of a measure: null from the limit on, in absolute value."""
    number = col(column)
    return nw.when((number < limit) & (number > -limit)).then(number)


def readable_amount(column: str) -> nw.Expr:
    """An amount as a factor of a measure: null if it has more digits than are read from text."""
    amount, limit = col(column), READABLE_AMOUNT_LIMIT
    # Text of that many digits may have been rounded up to one more.
    return nw.when(((amount < limit) & (amount > -limit)) | col(rounded_name(column))).then(amount)


def _read_as_text(rows: Frame, kinds: dict[str, Kind], time_zone: str) -> Frame:
    """The rows with these columns read from their text."""
    rows = with_raw(rows, *kinds).with_columns(
        nw.lit(False).alias("is_unreadable"), *(col(name).cast(nw.String) for name in kinds)
    )
    for name, kind in kinds.items():
        if kind is not Kind.TEXT:
            rows = _read_column(rows, name, kind, time_zone)
    return rows


def _read_column(rows: Frame, name: str, kind: Kind, time_zone: str) -> Frame:
    """The rows with one column read; plainly written values by the engine's cast, the others step by step."""
    text, written = col(name), col("written")
    is_plain = text.str.contains(_PLAIN[kind])
    rows = rows.with_columns(
        nw.when(is_plain).then(text).alias("plain"), tidied(nw.when(~is_plain).then(text)).alias("written")
    )
    if kind is Kind.MONEY:
        is_rounded = written.str.contains(_BELOW_CENTS).fill_null(False)
        rows = rows.with_columns(is_rounded.alias(rounded_name(name)))
    rows = rows.with_columns(_cast(nw.coalesce("plain", _WRITTEN_PLAINLY[kind](written)), kind).alias(name))
    if kind is Kind.DATE:
        rows = with_days_of_moments(rows, name, "written", time_zone)
    is_unreadable = col("is_unreadable") | (~written.is_null() & col(name).is_null())
    return rows.with_columns(is_unreadable.alias("is_unreadable")).drop("plain", "written")


def _cast(text: nw.Expr, kind: Kind) -> nw.Expr:
    return text.str.to_date(format="%Y-%m-%d") if kind is Kind.DATE else text.cast(_TYPES[kind])


def _whole_number(text: nw.Expr) -> nw.Expr:
    formed = nw.when(text.str.contains(_WHOLE)).then(text)
    digits = formed.str.replace_all(r"\.0*$", "").str.replace_all(r"^[+-]?0*", "").str.zfill(19)
    is_negative = formed.str.starts_with("-")
    # Both have the same length, so texts compare as numbers do.
    fits = (digits <= _GREATEST) | (is_negative & (digits == _LEAST))
    sign = nw.when(is_negative).then(nw.lit("-")).otherwise(nw.lit(""))
    return nw.when(fits).then(nw.concat_str(sign, digits))


def _amount(text: nw.Expr) -> nw.Expr:
    formed = nw.when(text.str.contains(_AMOUNT)).then(text.str.replace_all(r"^[+-]", ""))
    whole = nw.concat_str(nw.lit("0"), formed.str.replace_all(r"\..*$", "")).cast(nw.Int64)
    decimals = nw.concat_str(formed.str.replace_all(r"^[0-9]*\.?", ""), nw.lit("000"))
    cents = whole * 100 + (decimals.str.slice(0, 3).cast(nw.Int64) + 5) // 10
    sign = nw.when(text.str.starts_with("-")).then(nw.lit("-")).otherwise(nw.lit(""))
    units, hundredths = (cents // 100).cast(nw.String), (cents % 100).cast(nw.String).str.zfill(2)
    return nw.concat_str(sign, units, nw.lit("."), hundredths)


#: By kind, text that is a value of it brought to the form of :data:`_PLAIN`; null for other text.
_WRITTEN_PLAINLY = {
    Kind.KEY: _whole_number,
    Kind.COUNT: _whole_number,
    Kind.DATE: written_day,
    Kind.MONEY: _amount,
}
