"""Identities: equalities that an insight declares and that its rows must satisfy.

Declarations only: insights state them without importing Arrow, and
:mod:`shopsight.audit.insight_checks` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

#: The figures of :func:`shopsight.audit.proof.clean_totals`.
SHOP_TOTALS = (
    "customers", "orders", "amount", "counting_orders", "revenue", "units", "buyers", "reviews",
)  # fmt: skip


@dataclass(frozen=True)
class SumsTo:
    """The column's sum over the rows is one of the shop's totals.

    Attributes:
        column: the summed column.
        total: the name of a figure of :func:`shopsight.audit.proof.clean_totals`.
        where: a column and a value, if only the rows with that value are summed.
    """

    column: str
    total: str
    where: tuple[str, int | str] | None = None


@dataclass(frozen=True)
class Quotient:
    """In each row, one figure divided by another is a third; null where the divisor is not above 0.

    Attributes:
        column: the quotient. Money is rounded half up to the cent, other kinds are not rounded.
        part: the dividend's column.
        whole: the divisor's column.
        total: the divisor instead of a column: a figure of :func:`shopsight.audit.proof.clean_totals`.
    """

    column: str
    part: str
    whole: str = ""
    total: str = ""


@dataclass(frozen=True)
class Recounted:
    """Each row's figures are those that the proof recounts for the row's key.

    Attributes:
        recount: a name in :data:`shopsight.audit.recounts.RECOUNTS`.
        columns: the compared figures; recount and insight call them the same.
        is_complete: whether the insight lists every key that the recount finds; if not, it lists some.
    """

    recount: str
    columns: tuple[str, ...]
    is_complete: bool = True


@dataclass(frozen=True)
class Greatest:
    """The rows are the greatest there are: nothing left out is greater than the last row.

    Each listed row's figures are recounted, too.

    Attributes:
        recount: a name in :data:`shopsight.audit.recounts.RECOUNTS` of one that finds the greatest, too.
        by: the column that ranks the rows.
        columns: the compared figures; recount and insight call them the same.
        limit: the setting that holds the number of rows; there are fewer only if there is no more to list.
    """

    recount: str
    by: str
    columns: tuple[str, ...]
    limit: str


@dataclass(frozen=True)
class Complete:
    """A list has at most as many rows as a setting says; a shorter one lists everything there is.

    Attributes:
        limit: the setting that holds the number of rows.
        column: what adds up, over a shorter list, to the recounted total.
        recount: a name in :data:`shopsight.audit.recounts.TOTALS`.
    """

    limit: str
    column: str
    recount: str


Identity = SumsTo | Quotient | Recounted | Greatest | Complete


class DeclaredColumn(Protocol):
    """What publishing and the proof need to know of an insight's column."""

    @property
    def name(self) -> str:
        """Its name in the rows."""

    @property
    def kind(self) -> str:
        """key, text, date, money, count, share or number."""

    @property
    def label(self) -> str:
        """Its heading."""


class DeclaredInsight(Protocol):
    """What publishing and the proof need to know of an insight, without importing the insights."""

    @property
    def id(self) -> str:
        """The ``_id`` of its document, and the name of its folder in the marts."""

    @property
    def title(self) -> str:
        """Its heading."""

    @property
    def description(self) -> str:
        """A sentence on what one row is and how it is computed."""

    @property
    def columns(self) -> Iterable[DeclaredColumn]:
        """In the order in which they are shown."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from all others."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """What its rows must satisfy."""
