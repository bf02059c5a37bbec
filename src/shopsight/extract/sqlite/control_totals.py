"""SQLite's own control totals of a table: the figures that the proof starts from.

Values are the numbers that :mod:`shopsight.audit.control_totals` defines; a column that arrives as text
counts by its text. SQLite's arithmetic turns to floating point beyond 64 bits, so products are made in SQL
where key and value have 31 bits, and in Python elsewhere.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from shopsight.audit.control_totals import Totals
from shopsight.contract import Column, Kind
from shopsight.extract.dialect import quote_name
from shopsight.extract.sqlite.database import Relation

_FITS = "{0} BETWEEN -2147483647 AND 2147483647 AND {1} BETWEEN -2147483647 AND 2147483647"


def read_totals(connection: sqlite3.Connection, relation: Relation, as_text: Collection[str]) -> Totals:
    """A table's control totals, in the connection's read transaction.

    Args:
        connection: with the functions of :func:`register_functions`.
        relation: the table.
        as_text: the columns that arrive as text. In all others every value fits its native type.

    Raises:
        sqlite3.Error: the query failed.
    """
    asked = {("", "rows"): "count(*)", **_figures(relation, as_text)}
    query = f"SELECT {', '.join(asked.values())} FROM {relation.base}"
    figures = connection.execute(query).fetchone()
    totals: Totals = Counter()
    for (column, figure), number in zip(asked, figures, strict=True):
        # A product comes in three parts: its low 32 bits, those above, and what SQL cannot multiply.
        part, _, unit = figure.partition("/")
        totals[column, part] += int(number or 0) * (2**32 if unit == "high" else 1)
    return totals


def _figures(relation: Relation, as_text: Collection[str]) -> dict[tuple[str, str], str]:
    contract, columns = relation.contract, relation.columns
    key = _key(quote_name(columns[contract.key]), contract.key in as_text)
    asked = {(contract.key, "missing"): f"sum({key} IS NULL)"}
    for column in contract.columns:
        source = quote_name(columns[column.name])
        is_text = column.kind is Kind.TEXT or column.name in as_text
        value = f"shopsight_text(CAST({_text(source)} AS BLOB))" if is_text else _number(source, column)
        asked[column.name, "values"] = f"count({source})"
        asked[column.name, "keyless"] = f"shopsight_sum(1, {value}) FILTER (WHERE {key} IS NULL)"
        factor = "1" if column.name == contract.key else value
        if is_text and factor != "1":
            asked[column.name, "keyed"] = f"shopsight_sum({key}, {factor})"
            continue
        fits = f"FILTER (WHERE {_FITS.format(key, factor)})"
        asked[column.name, "keyed/high"] = f"sum(({key} * {factor}) >> 32) {fits}"
        asked[column.name, "keyed/low"] = f"sum(({key} * {factor}) & 4294967295) {fits}"
        asked[column.name, "keyed"] = (
            f"shopsight_sum({key}, {factor}) FILTER (WHERE NOT ({_FITS.format(key, factor)}))"
        )
    return asked


def _key(source: str, is_text: bool) -> str:
    """A row's key; null where it has none that is written plainly: a sign and at most 18 digits."""
    if not is_text:
        return source
    text = _text(source)
    digits = f"CASE WHEN substr({text}, 1, 1) = '-' THEN substr({text}, 2) ELSE {text} END"
    # A text may hold a NUL, at which SQLite's functions stop.
    is_plain = (
        f"({digits}) <> '' AND ({digits}) NOT GLOB '*[^0-9]*' AND length({digits}) <= 18"
        f" AND instr({text}, char(0)) = 0"
    )
    return f"(CASE WHEN {is_plain} THEN CAST({text} AS INTEGER) END)"


def _number(source: str, column: Column) -> str:
    """A native value's number."""
    if column.kind is Kind.DATE:
        return f"CAST(julianday({source}) - 2440587.5 AS INTEGER)"
    if column.kind is not Kind.MONEY:
        return source
    # Below 1 trillion the nearest double of an amount determines its cents.
    return (
        f"(CASE WHEN typeof({source}) = 'integer' THEN {source} * 100"
        f" WHEN abs({source}) < 1e12 THEN CAST(round({source} * 100.0) AS INTEGER)"
        f" ELSE shopsight_cents(printf('%.15g', {source})) END)"
    )


def _text(source: str) -> str:
    """A value's text as it is sent."""
    digits = (
        f"CASE WHEN abs({source}) < 0.0001 THEN printf('%.15f', {source}) ELSE printf('%.15g', {source}) END"
    )
    return (
        f"(CASE typeof({source}) WHEN 'real' THEN {digits}"
        f" WHEN 'blob' THEN '\\x' || lower(hex({source})) ELSE {source} END)"
    )


def register_functions(connection: sqlite3.Connection) -> None:
    """Add functions that SQLite lacks: exact sums of products, hashes, and exact cents."""
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()

    @lru_cache(maxsize=4096)
    def text_number(data: bytes | None) -> int | None:
        if data is None:
            return None
        utf8 = data.decode(encoding, "replace").encode("utf-8", "replace")
        return int(hashlib.md5(utf8, usedforsecurity=False).hexdigest()[:15], 16)

    connection.create_function("shopsight_text", 1, text_number, deterministic=True)
    connection.create_function("shopsight_cents", 1, _cents, deterministic=True)
    connection.create_aggregate("shopsight_sum", 2, _SumOfProducts)  # type: ignore[arg-type]


def _cents(digits: str) -> int | None:
    """The cents of an amount; None for what SQLite has no integer for."""
    cents = Decimal(digits) * 100
    return int(cents.to_integral_value(ROUND_HALF_UP)) if abs(cents) < 2**62 else None


class _SumOfProducts:
    """An aggregate: the exact sum of its arguments' products, as text.

    Other values than integers are ignored: a native column may hold them by the time that ``verify`` asks.
    """

    def __init__(self) -> None:
        self._total = 0

    def step(self, one: object, other: object) -> None:
        if isinstance(one, int) and isinstance(other, int):
            self._total += one * other

    def finalize(self) -> str:
        return str(self._total)
