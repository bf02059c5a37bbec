"""Checks an insight's published rows against the identities that it declares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from shopsight.audit.exact import exact_sum
from shopsight.audit.identities import Complete, DeclaredInsight, Greatest, Quotient, Recounted, SumsTo
from shopsight.audit.recounts import RECOUNTS, TOTALS
from shopsight.audit.shop_files import Key, Row, ShopFiles
from shopsight.record import Check, Figure

_ROUNDED = Context(prec=100, rounding=ROUND_HALF_UP)


def insight_checks(
    insight: DeclaredInsight, files: ShopFiles, totals: Mapping[str, Figure]
) -> Iterator[Check]:
    """Sums against totals; and by identity, how many rows are right or the first figure that is not."""
    rows = files.published[insight.id]
    if not any(isinstance(identity, Recounted | Greatest) for identity in insight.identities):
        keys = {key for row in rows if None not in (key := tuple(row[name] for name in insight.key))}
        yield Check(f"{insight.id}: rows with a key of their own", len(rows), len(keys))
    for identity in insight.identities:
        match identity:
            case SumsTo(column, total, where):
                summed = [row[column] for row in rows if where is None or row[where[0]] == where[1]]
                only = f" where {where[0]} is {where[1]}" if where else ""
                yield Check(f"{insight.id}: sum({column}){only}", totals[total], _sum(summed))
            case Quotient(column, part, whole, total):
                divisors = [totals[total] if total else row[whole] for row in rows]
                expected = [
                    {column: _divided(row[part], divisor)}
                    for row, divisor in zip(rows, divisors, strict=True)
                ]
                yield _compared(insight, f"recomputed {column}", rows, expected, [column])
            case Recounted(recount, columns, is_complete):
                found = RECOUNTS[recount](files)
                if is_complete:
                    yield Check(f"{insight.id}: rows", len(found), len(rows))
                yield _compared(insight, "recounted figures", rows, _of(insight, rows, found), columns)
            case Complete(limit, column, recount):
                most = getattr(files.settings, limit)
                yield Check(f"{insight.id}: rows", min(len(rows), most), len(rows))
                if len(rows) < most:
                    found_sum = _sum(row[column] for row in rows)
                    yield Check(f"{insight.id}: sum({column}) of all", TOTALS[recount](files), found_sum)
            case Greatest(recount, by, columns, limit):
                found = RECOUNTS[recount](files)
                size = getattr(files.settings, limit)
                greatest = sorted((row[by] for row in found.values()), reverse=True)[:size]
                yield Check(f"{insight.id}: rows", len(greatest), len(rows))
                yield _compared(insight, f"{by} among the greatest", rows, [{by: f} for f in greatest], [by])
                yield _compared(insight, "recounted figures", rows, _of(insight, rows, found), columns)


def described(insight: DeclaredInsight, columns: Iterable[str]) -> str:
    """In words: what the proof shows of an insight, and which columns it does not check row by row."""
    shown, proved = ["each row has a key of its own"], set[str]()
    for identity in insight.identities:
        match identity:
            case SumsTo(column, total, where):
                only = f" where {where[0]} is {where[1]}" if where else ""
                shown.append(f"sum({column}){only} is the shop's {total}")
            case Quotient(column, part, whole, total):
                shown.append(f"{column} is {part} / {whole or total}")
                proved.add(column)
            case Recounted(_, names) | Greatest(_, _, names):
                shown.append(f"{', '.join(names)} are counted again")
                proved.update(names, insight.key)
            case Complete(limit):
                shown.append(f"a list shorter than {limit} is complete")
    rest = [name for name in columns if name not in proved]
    unproved = f" Not counted again, row by row: {', '.join(rest)}." if rest else ""
    return f"Proved: {'; '.join(shown)}.{unproved}"


def _of(insight: DeclaredInsight, rows: list[Row], found: Mapping[Key, Row]) -> list[Row]:
    """What was found for each row's key; nothing for a key that comes a second time."""
    left = dict(found)
    return [left.pop(tuple(row[name] for name in insight.key), {}) for row in rows]


def _compared(
    insight: DeclaredInsight, what: str, rows: list[Row], expected: list[Row], columns: Iterable[str]
) -> Check:
    """How many rows have the expected figures; or, if one has not, the first figure that differs."""
    for row, right in zip(rows, expected, strict=False):
        for column in columns:
            if not _is_same(row[column], right.get(column)):
                where = ", ".join(str(row[name]) for name in insight.key)
                named = f"{insight.id}: {column}" + (f" of {where}" if where else "")
                return Check(named, _figure(right.get(column)), _figure(row[column]))
    return Check(f"{insight.id}: rows with {what}", len(rows), len(rows))


def _is_same(found: Any, expected: Any) -> bool:
    """Exactly the same; engines differ in a floating-point number's last digits."""
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-12)
    return bool(found == expected)


def _figure(value: Any) -> Figure | str:
    return value if isinstance(value, int | Decimal | None) else str(value)


def _sum(values: Iterable[Any]) -> Figure:
    figures = [value for value in values if value is not None]
    is_money = any(isinstance(value, Decimal) for value in figures)
    return exact_sum(figures) if is_money else sum(figures)


def _divided(part: Any, whole: Any) -> Any:
    """Money by a count as money, all else as the quotient of the nearest floating-point numbers."""
    if part is None or not whole or whole < 0:
        return None
    if isinstance(part, Decimal) and isinstance(whole, int):
        return _ROUNDED.quantize(_ROUNDED.divide(part, whole), Decimal("0.01"))
    return float(part) / float(whole)
