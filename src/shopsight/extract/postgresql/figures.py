"""What the database itself says of a table: the figures that the proof starts from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shopsight.audit.measures import (
    AMOUNT_PATTERN,
    INVISIBLE,
    MEASURES,
    OUTER,
    PLAIN_AMOUNT_PATTERN,
    PLAIN_WHOLE_PATTERN,
    WHOLE_PATTERN,
    Factor,
    as_measure,
)
from shopsight.contract import Kind
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import (
    Family,
    SourceColumn,
    as_number,
    is_sent_bare,
    quote_name,
    quote_text,
)
from shopsight.extract.postgresql.session import Session

_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class Figures:
    """A table's rows and measure; None for a table without one."""

    rows: int
    measure: Decimal | None


def ask_figures(session: Session, relation: Relation, *, is_utf8: bool) -> Figures:
    """A table's rows and measure, worked out by the database over the whole table at once.

    Args:
        session: in a snapshot.
        relation: the table.
        is_utf8: whether the database's encoding is UTF-8.

    Raises:
        adbc_driver_manager.Error: the query failed.
    """
    for is_guarded in (False, True):
        query = figures_query(relation, is_utf8=is_utf8, is_guarded=is_guarded)
        ((rows, measure),) = session.rows(query)
        if measure not in _NOT_FINITE:
            break
    if measure is None:
        return Figures(int(rows), None)
    return Figures(int(rows), as_measure(relation.table, Decimal(measure)))


def figures_query(relation: Relation, *, is_utf8: bool, is_guarded: bool) -> str:
    """The query for a table's rows and its measure (:mod:`shopsight.audit.control_totals`), both as text.

    Args:
        relation: the table.
        is_utf8: whether the database's encoding is UTF-8.
        is_guarded: whether values that may not be numbers are left out even where a type makes that rare; the
            measure is NaN if there are some and they were not.
    """
    factors = MEASURES.get(relation.table, ())
    terms = [_factor(relation.columns[factor.column], factor, is_utf8, is_guarded) for factor in factors]
    measure = f"coalesce(sum({' * '.join(terms)}), 0)::text" if terms else "NULL::text"
    return f"SELECT count(*)::text, {measure} FROM {relation.quoted}"


def _factor(column: SourceColumn, factor: Factor, is_utf8: bool, is_guarded: bool) -> str:
    """The SQL for what a row's value adds; null where it is no number."""
    is_money = factor.kind is Kind.MONEY
    if not is_sent_bare(column, factor.kind):
        return _limited(_read(f"{quote_name(column.name)}::text", is_money, is_utf8), factor)
    number = as_number(column, factor.kind)
    if is_money:
        number = f"{number}::numeric" if column.family is Family.INTEGER else number
        if column.is_always_amount and not is_guarded:
            return number
        return f"(CASE WHEN abs({number}) < {factor.limit} THEN round({number}, 2) END)"
    if column.base in ("int2", "int4"):
        return number
    if column.family is Family.INTEGER:
        return f"(CASE WHEN {number} BETWEEN {1 - factor.limit} AND {factor.limit - 1} THEN {number} END)"
    return _limited(f"CASE WHEN {number} = trunc({number}) THEN {number} END", factor)


def _limited(number: str, factor: Factor) -> str:
    """The number if it is a count within its limit; an amount has been looked at already."""
    if factor.kind is Kind.MONEY:
        return f"({number})"
    return f"(CASE WHEN abs({number}) < {factor.limit} THEN {number} END)"


def _read(text: str, is_money: bool, is_utf8: bool) -> str:
    """The number that stands in a text."""
    plain, pattern = (
        (PLAIN_AMOUNT_PATTERN, AMOUNT_PATTERN) if is_money else (PLAIN_WHOLE_PATTERN, WHOLE_PATTERN)
    )
    seen = _visible(text, is_utf8)
    return (
        f"CASE WHEN {text} ~ {quote_text(plain)} THEN {text}::numeric"
        f" WHEN {seen} ~ {quote_text(pattern)} THEN round({seen}::numeric, 2) END"
    )


def _visible(text: str, is_utf8: bool) -> str:
    """The text without what does not count in a number; other encodings know only the blanks of ASCII."""
    if not is_utf8:
        return f"btrim({text}, E' \\t\\n\\x0b\\f\\r')"
    # No text in PostgreSQL holds NUL, and its expressions do not take one.
    invisible = quote_text(f"[{INVISIBLE}]".replace(r"\u0000", r"\u0001"))
    seen = f"regexp_replace({text}, {invisible}, '', 'g')"
    return f"regexp_replace({seen}, {quote_text(f'^[{OUTER}]+|[{OUTER}]+$')}, '', 'g')"
