"""A table's control totals as aggregates of one query: what servers with typed columns have in common.

Rows are grouped by a column with few different texts first, so that each text is hashed once; the groups'
figures are then added up. Each dialect writes the SQL itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopsight.audit.control_totals import Totals
from shopsight.audit.exact import EXACT
from shopsight.contract import MONEY_SCALE, TABLES, Column

# In PostgreSQL 0.7 s instead of 1.3 s for a million orders.
_FEW_TEXTS = ("status", "country")


@dataclass(frozen=True)
class Aggregate:
    """One figure: what is asked of the rows of a group, and what is made of the groups' answers."""

    column: str
    figure: str
    of_rows: str
    of_groups: str = "sum({})"
    is_amount: bool = False


def grouping_column(table: str) -> Column | None:
    """The column by which a table's rows are grouped first."""
    return next((column for column in TABLES[table].columns if column.name in _FEW_TEXTS), None)


def totals_of(aggregates: Iterable[Aggregate], figures: Iterable[Decimal]) -> Totals:
    """The control totals, given each aggregate's figure in the order of the aggregates."""
    totals: Totals = Counter()
    for aggregate, figure in zip(aggregates, figures, strict=True):
        units = EXACT.scaleb(figure, MONEY_SCALE) if aggregate.is_amount else figure
        totals[aggregate.column, aggregate.figure] = int(units)
    return totals
