"""The definition of an insight: a name, columns with a meaning, and a pure function of the shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

import narwhals as nw
from narwhals.typing import IntoDType

from shopsight.audit.identities import Identity
from shopsight.engine.protocol import Frame
from shopsight.marts.insights.evidence import Evidence
from shopsight.marts.insights.shop import Shop
from shopsight.marts.money import MONEY_SUM

#: The kind of a column's values. ``share`` is a part of 1, ``number`` any other figure that is not whole.
InsightKind = Literal["key", "text", "date", "money", "count", "share", "number"]

DTYPES: dict[InsightKind, IntoDType] = {
    "key": nw.Int64,
    "text": nw.String,
    "date": nw.Date,
    "money": MONEY_SUM,
    "count": nw.Int64,
    "share": nw.Float64,
    "number": nw.Float64,
}


@dataclass(frozen=True)
class InsightOptions:
    """The user's choices.

    Attributes:
        top_n: how many rows the top lists have.
        basket_pairs_n: how many pairs of products are listed.
        as_of: the run's day; no order is later.
        own: the insight's own options by name: :attr:`Insight.options`.
    """

    top_n: int
    basket_pairs_n: int
    as_of: date
    own: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class InsightColumn:
    """One column: its name, what it holds, and its heading for people."""

    name: str
    kind: InsightKind
    label: str


@dataclass(frozen=True)
class Chart:
    """The drawing of an insight. It names columns, so that the report knows no insight by its id.

    A chart whose columns are not among the published ones is drawn as a table.

    Attributes:
        kind: ``line``, figures over time; ``bars``, one bar a row; ``figures``, the first row's values;
            ``table``, rows with a bar beside each of ``figures``; ``heat``, a matrix of cells.
        label: the column that names a row; a line's dates, a matrix's rows.
        figures: the columns that are drawn: a panel of a line each, a bar of a table each; the first one for
            bars and for a matrix. Bars of a table share one scale.
        across: the column that a matrix's columns stand for.
        size: the column of a matrix whose value in a row's first cell is the size of the row; it is written
            in place of that cell.
        detail: columns that are written beside the figures.
        scale: where bars begin and end; by default zero and the greatest value.
        without_values: the sentence in its place where rows have no figures.
        compares: a line's columns that compare a period with the one before; left out while it is not over.
        recognises: whether a row's label is known, or counts for nothing; other rows are marked.
    """

    kind: Literal["line", "bars", "figures", "table", "heat"] = "table"
    label: str = ""
    figures: tuple[str, ...] = ()
    across: str = ""
    size: str = ""
    detail: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    without_values: str = "Nothing to show yet: there are rows, but no values."
    compares: tuple[str, ...] = ()
    recognises: Callable[[Mapping[str, Any]], bool] | None = None


@dataclass(frozen=True)
class Insight:
    """One question about the shop, and its answer.

    Attributes:
        id: the name it has in MongoDB, in files and on the command line.
        title: its heading.
        description: what a row is and what is counted, in a sentence or two.
        columns: in order.
        key: the columns that tell one row from all others; none for a single row about the whole shop.
        compute: gives the rows in the insight's stated order, with the columns' names; :meth:`frame` casts
            them to the kinds' types.
        chart: how the report draws it.
        rank: its place in the report; insights of one rank are ordered by id.
        identities: what its rows must satisfy; the proof checks it.
        evidence: the rows behind it; None if it declares none.
        options: its own options by name: the defaults, or what ``[insights.<id>]`` sets.
    """

    id: str
    title: str
    description: str
    columns: tuple[InsightColumn, ...]
    key: tuple[str, ...]
    compute: Callable[[Shop, InsightOptions], Frame]
    chart: Chart = Chart()
    rank: int = 1000
    identities: tuple[Identity, ...] = ()
    evidence: Evidence | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, shop: Shop, options: InsightOptions) -> Frame:
        """The insight's rows with exactly its columns, each of its kind's type on every engine."""
        columns = [nw.col(column.name).cast(DTYPES[column.kind]) for column in self.columns]
        return self.compute(shop, replace(options, own=self.options)).select(columns)
