"""PostgreSQL's own control totals of a table: the figures that the proof starts from.

Asked in SQL over the whole table at once, in the same snapshot and apart from the reading. Values are the
numbers that :mod:`shopsight.audit.control_totals` defines; a column that arrives as text counts by its text.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from shopsight.audit.control_totals import PLAIN_KEY_PATTERN, Totals
from shopsight.contract import Column, Kind
from shopsight.extract.aggregates import Aggregate, grouping_column, totals_of
from shopsight.extract.dialect import quote_name
from shopsight.extract.postgresql.catalog import Relation
from shopsight.extract.postgresql.columns import Family, as_number, as_sent, quote_text
from shopsight.extract.postgresql.session import Session

_NOT_A_NUMBER = ("NaN", "Infinity", "-Infinity")


def read_totals(session: Session, relation: Relation, as_text: Collection[str], *, is_utf8: bool) -> Totals:
    """A table's control totals, worked out by the database.

    Args:
        session: in a snapshot.
        relation: the table.
        as_text: the columns that arrive as text. Where a value of another column turns out not to fit its
            type, the column is read again as text, and this is asked again.
        is_utf8: whether the database's encoding is UTF-8; in others only the ASCII characters of texts
            count.

    Raises:
        adbc_driver_manager.Error: the query failed.
    """
    aggregates = _aggregates(relation, as_text, is_utf8)
    (figures,) = session.rows(_query(relation, aggregates))
    return totals_of(aggregates, (Decimal(0 if text in _NOT_A_NUMBER else text) for text in figures))


def _query(relation: Relation, aggregates: list[Aggregate]) -> str:
    """One row: each figure as text."""
    inner = ", ".join(f"{aggregate.of_rows} AS a{n}" for n, aggregate in enumerate(aggregates))
    outer = ", ".join(
        f"coalesce({aggregate.of_groups.format(f'a{n}')}, 0)::text" for n, aggregate in enumerate(aggregates)
    )
    grouped = grouping_column(relation.table)
    by = f" GROUP BY {_text(relation, grouped)}" if grouped else ""
    text = f"{_text(relation, grouped)} AS few, " if grouped else ""
    return f"SELECT {outer} FROM (SELECT {text}{inner} FROM {relation.base}{by}) AS groups"


def _aggregates(relation: Relation, as_text: Collection[str], is_utf8: bool) -> list[Aggregate]:
    table = relation.contract
    key, may_lack_key = _key(relation, as_text)
    keyless = f"{key} IS NULL"
    found = [Aggregate("", "rows", "count(*)")]
    if may_lack_key:
        found.append(Aggregate(table.key, "missing", f"count(*) FILTER (WHERE {keyless})"))
    for column in table.columns:
        is_text = column.kind is Kind.TEXT or column.name in as_text
        is_amount = column.kind is Kind.MONEY and not is_text
        source = _text(relation, column) if is_text else quote_name(relation.columns[column.name].name)
        value = _hash(source, is_utf8) if is_text else _number(relation, column)
        # The database promises what it need not count: 0.5 s less for 15 million order items.
        counted = source if relation.columns[column.name].is_nullable or column.name in as_text else "*"
        found.append(Aggregate(column.name, "values", f"count({counted})"))
        if column == grouping_column(relation.table):
            times_hash = f"sum({{}} * {_hash('few', is_utf8)})"
            found.append(Aggregate(column.name, "keyed", f"sum({key})", times_hash))
            if may_lack_key:
                rows = f"count(*) FILTER (WHERE {keyless})"
                found.append(Aggregate(column.name, "keyless", rows, times_hash))
            continue
        product = key if column.name == table.key else f"{key} * {value}"
        found.append(Aggregate(column.name, "keyed", f"sum({product})", is_amount=is_amount))
        if may_lack_key:
            alone = f"sum({value}) FILTER (WHERE {keyless})"
            found.append(Aggregate(column.name, "keyless", alone, is_amount=is_amount))
    return found


def _key(relation: Relation, as_text: Collection[str]) -> tuple[str, bool]:
    """A row's key, null where it has none that can be read; and whether there may be such rows."""
    column = relation.contract.columns[0]
    if column.name not in as_text:
        return _number(relation, column), relation.columns[column.name].is_nullable
    text = _text(relation, column)
    return f"(CASE WHEN {text} ~ {quote_text(PLAIN_KEY_PATTERN)} THEN {text}::numeric END)", True


def _number(relation: Relation, column: Column) -> str:
    """A value as a number whose products fit its type: bigint for what is small, numeric for all else."""
    source = relation.columns[column.name]
    if column.kind is Kind.DATE and source.family is Family.TIMESTAMPTZ:
        # The day from epoch seconds on the shop's clock, computed independently of the reader.
        clock = f"timezone({quote_text(source.time_zone)}, {source.sql})"
        seconds = f"CASE WHEN isfinite({source.sql}) THEN extract(epoch FROM {clock}) END"
        return f"floor(({seconds}) / 86400)::bigint"
    number = as_number(source, column.kind)
    if column.kind is Kind.DATE:
        return f"(CASE WHEN isfinite({number}) THEN {number} - DATE '1970-01-01' END)::bigint"
    is_small = source.base in ("int2", "int4") and column.kind is not Kind.MONEY
    return f"{number}::{'bigint' if is_small else 'numeric'}"


def _text(relation: Relation, column: Column) -> str:
    return f"({as_sent(relation.columns[column.name], column.kind)})::text"


def _hash(text: str, is_utf8: bool) -> str:
    """The first 60 bits of the MD5 of a text."""
    seen = text if is_utf8 else f"regexp_replace({text}, '[^\\x01-\\x7f]', '', 'g')"
    return f"('x' || left(md5({seen}), 15))::bit(60)::bigint::numeric"
