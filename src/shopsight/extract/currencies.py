"""An order's currency, carried by its status: ``[currency USD] shipped``.

The contract has one currency. So the few orders of others are marked where the rows are read, and cleaning
sets them aside. All reads of a snapshot, its control totals included, see the same marked statuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shopsight.settings.table_mapping import SqlColumn


@dataclass(frozen=True)
class MarkedStatus:
    """The status column of a shop that has a column for the currency.

    Attributes:
        status: the source's column, or the expression.
        currency: the same for the currency.
        own: the currency that is not marked; None marks all orders if they have several currencies.
        where: the mapping's condition on the orders.
        text_type: the type that the database casts to text by.
    """

    status: str | SqlColumn
    currency: str | SqlColumn
    own: str | None
    where: str | None
    text_type: str

    def sql(self, base: str, quote: Callable[[str], str]) -> str:
        """The expression, for a SELECT from ``base``."""
        status = f"CAST({self._expression(self.status, quote)} AS {self.text_type})"
        trimmed = f"upper(trim(CAST({self._expression(self.currency, quote)} AS {self.text_type})))"
        currency = f"coalesce(nullif({trimmed}, ''), 'none')"
        condition = f" WHERE (\n{self.where}\n)" if self.where else ""
        is_own = (
            f"{currency} = '{self.own}'"
            if self.own
            else f"(SELECT min({currency}) = max({currency}) FROM {base}{condition})"
        )
        # Joining texts is written differently in each database, replacing is not.
        marked = f"replace(replace('[currency $] ~', '$', {currency}), '~', coalesce({status}, ''))"
        return f"CASE WHEN {is_own} THEN {status} ELSE {marked} END"

    @staticmethod
    def _expression(column: str | SqlColumn, quote: Callable[[str], str]) -> str:
        return f"(\n{column.sql}\n)" if isinstance(column, SqlColumn) else quote(column)
