"""MySQL's and MariaDB's own control totals of a table: the figures that the proof starts from.

Asked in SQL over the whole table at once, in the same snapshot and apart from the reading. Values are the
numbers that :mod:`shopsight.audit.control_totals` defines; a column that arrives as text counts by its text.
Products are made in 64 bits where both numbers have 32, else in DECIMAL, whose 65 digits are enough for any.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from shopsight.audit.control_totals import Totals
from shopsight.contract import Column, Kind
from shopsight.extract.aggregates import Aggregate, grouping_column, totals_of
from shopsight.extract.mysql.catalog import Relation
from shopsight.extract.mysql.columns import number, text
from shopsight.extract.mysql.session import Session


def read_totals(session: Session, relation: Relation, as_text: Collection[str], *, is_utf8: bool) -> Totals:
    """A table's control totals, worked out by the database.

    Args:
        session: in a snapshot.
        relation: the table.
        as_text: the columns that arrive as text. Where a value of another column turns out not to fit its
            type, the column is read again as text, and this is asked again.
        is_utf8: whether all texts are Unicode; else only their ASCII characters count.

    Raises:
        pymysql.err.MySQLError: the query failed.
    """
    aggregates = _aggregates(relation, as_text, is_utf8)
    grouped = grouping_column(relation.table)
    # Many figures are the same number, such as the rows of columns without nulls.
    names = {of_rows: f"a{n}" for n, of_rows in enumerate(dict.fromkeys(a.of_rows for a in aggregates))}
    inner = [f"{of_rows} AS {name}" for of_rows, name in names.items()]
    by = ""
    if grouped is not None:
        # Byte by byte: the column's own collation may take different texts for the same.
        inner.append(f"CAST({_text(relation, grouped, as_text)} AS BINARY) AS few")
        by = " GROUP BY few"
    outer = [aggregate.of_groups.format(names[aggregate.of_rows]) for aggregate in aggregates]
    figures = session.values(
        f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {relation.rows()}{by}) AS summed"
    )
    return totals_of(aggregates, (Decimal(figure or 0) for figure in figures))


def _aggregates(relation: Relation, as_text: Collection[str], is_utf8: bool) -> list[Aggregate]:
    table = relation.contract
    key = _key(relation, as_text)
    may_lack_key = relation.columns[table.key].is_nullable or table.key in as_text
    found = [Aggregate("", "rows", "COUNT(*)")]
    if may_lack_key:
        found.append(Aggregate(table.key, "missing", f"COUNT(*) - COUNT({key})"))
    for column in table.columns:
        source = relation.columns[column.name]
        is_text = column.kind is Kind.TEXT or column.name in as_text
        is_amount = column.kind is Kind.MONEY and not is_text
        seen = _text(relation, column, as_text) if is_text else source.sql
        value, of_groups = _hash(seen, is_utf8) if is_text else number(source, column.kind), "sum({})"
        if column == grouping_column(relation.table):
            # The grouping text's hash is the same for all rows of a group.
            value, of_groups = "1", f"sum({{}} * {_hash('few', is_utf8)})"
        found.append(Aggregate(column.name, "values", f"COUNT({seen})" if source.is_nullable else "COUNT(*)"))
        product = key if column.name == table.key or value == "1" else f"{key} * {value}"
        found.append(Aggregate(column.name, "keyed", f"SUM({product})", of_groups, is_amount))
        if may_lack_key:
            alone = f"SUM(IF({key} IS NULL, {value}, 0))"
            found.append(Aggregate(column.name, "keyless", alone, of_groups, is_amount))
    return found


def _key(relation: Relation, as_text: Collection[str]) -> str:
    """A row's key, null where it has none that is written plainly."""
    column = relation.contract.columns[0]
    source = relation.columns[column.name]
    if column.name not in as_text:
        return number(source, column.kind)
    plain = _text(relation, column, as_text)
    return f"IF({plain} REGEXP '^-?[0-9]{{1,18}}\\\\z', CAST({plain} AS DECIMAL(18,0)), NULL)"


def _text(relation: Relation, column: Column, as_text: Collection[str]) -> str:
    return text(relation.columns[column.name], column.kind, is_text=column.name in as_text)


def _hash(seen: str, is_utf8: bool) -> str:
    """The first 60 bits of the MD5 of a text."""
    if not is_utf8:
        # As bytes, because surrogates are no characters to it.
        seen = f"REGEXP_REPLACE(CAST({seen} AS BINARY), '[^\\\\x01-\\\\x7f]', '')"
    return f"CAST(CONV(LEFT(MD5({seen}), 15), 16, 10) AS DECIMAL(20,0))"
