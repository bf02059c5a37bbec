"""A run's record: the document in ``pipeline_runs``, in ``run.json`` and in ``--json``.

Plain dataclasses, filled by the stages and read by the command line, the report, the orchestrators and the
metrics. Money and other exact figures are :class:`decimal.Decimal`: Decimal128 in MongoDB, text in JSON.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter

from shopsight.time_zone import UTC_NAME, day_in

# A Decimal as JSON holds it; a digest has more digits.
_DECIMAL = re.compile(r"-?\d{1,50}(\.\d+)?(E[+-]?\d+)?")


def as_figure(value: Any) -> Any:
    """A figure as it was before it was written as JSON."""
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


Figure = Annotated[Decimal | int | None, BeforeValidator(as_figure)]
#: A figure, or the digest of a table's content.
Compared = Annotated[Decimal | int | str | None, BeforeValidator(as_figure)]


@dataclass(frozen=True)
class StageReport:
    """One stage of one run.

    Attributes:
        name: extract, clean, metrics, insights, prove or publish.
        outcome: ``done``; ``kept`` when a resumed run found it whole; ``failed``.
        rows_in: rows that entered; None where it does not apply.
        rows_out: rows that left.
        rejected: rows set aside.
        peak_memory_bytes: the process's greatest resident set during the stage; None where it is not known.
    """

    name: str
    outcome: str
    started_at: datetime
    seconds: float
    rows_in: int | None = None
    rows_out: int | None = None
    rejected: int | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class SourceTable:
    """The database's own figures for one table, read in the snapshot's transaction.

    Attributes:
        rows: ``count(*)``.
        totals: the control totals (:mod:`shopsight.audit.control_totals`) by column and figure.
        column_types: the source's own type of each column, as the database names it.
        physical: how each column arrives in raw Parquet: ``native`` or ``text``.
    """

    rows: int
    totals: dict[str, dict[str, Figure]]
    column_types: dict[str, str]
    physical: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """One consistent state of the source, and what the source says of it.

    Attributes:
        snapshot_id: the database's own name for the snapshot.
        as_of: the database's clock when the snapshot was taken, UTC.
        source: the URL without credentials.
        dialect: ``postgresql``, ``mysql`` (MariaDB, too) or ``sqlite``.
        server_version: as the database says it.
        tables: by table name, all six.
        is_utf8: whether all characters of texts count in the control totals, or only those of ASCII.
        time_zone: the shop's, in which moments became days.
    """

    snapshot_id: str
    as_of: datetime
    source: str
    dialect: str
    server_version: str
    schema: str | None
    tables: dict[str, SourceTable]
    is_utf8: bool = True
    time_zone: str = UTC_NAME

    @property
    def today(self) -> date:
        """The shop's day when the snapshot was taken."""
        return day_in(self.as_of, self.time_zone)

    def as_details(self) -> dict[str, Any]:
        """The snapshot as JSON values, for a manifest."""
        details: dict[str, Any] = _SNAPSHOT.dump_python(self, mode="json")
        return details

    @classmethod
    def from_details(cls, details: dict[str, Any]) -> Snapshot:
        """The reverse of :meth:`as_details`."""
        return _SNAPSHOT.validate_python(details)


@dataclass(frozen=True)
class TableLedger:
    """The fate of one table's rows and of its measure, as counts and sums.

    ``rows_in + added = rows_out + rejected + merged`` and, exact to the cent,
    ``measure_in + measure_repaired = measure_out + measure_rejected + measure_merged``.

    Attributes:
        added: rows that cleaning made itself: the category ``Uncategorised``, and guests.
        measure: which sum, in words (``sum(total_amount)``); None for tables that carry none.
        measure_repaired: what repairs added to (or took from) the measure.
    """

    table: str
    rows_in: int
    rows_out: int
    rejected: int
    merged: int
    added: int = 0
    measure: str | None = None
    measure_in: Decimal | None = None
    measure_out: Decimal | None = None
    measure_rejected: Decimal | None = None
    measure_merged: Decimal | None = None
    measure_repaired: Decimal | None = None


@dataclass(frozen=True)
class RuleLedger:
    """How often one rule applied, and to how much of the table's measure (None where it carries none)."""

    rule: str
    table: str
    action: str
    sentence: str
    rows: int
    measure: Decimal | None = None


@dataclass(frozen=True)
class Ledger:
    """What became of every row and every cent: six tables, and every rule that applied at least once."""

    tables: list[TableLedger] = field(default_factory=list)
    rules: list[RuleLedger] = field(default_factory=list)


@dataclass(frozen=True)
class Check:
    """One equality of the proof: of exact figures, or of digests of content as text."""

    what: str
    expected: Compared
    found: Compared

    @property
    def holds(self) -> bool:
        """Whether both figures are the same."""
        return self.expected == self.found


@dataclass(frozen=True)
class Link:
    """One link of the proof: ``source = raw``, ``raw = clean``, ``clean = marts`` or ``marts = MongoDB``.

    Attributes:
        compared: how many equalities were checked, by table, mart or collection.
        broken: those that do not hold, with both figures.
    """

    name: str
    compared: dict[str, int]
    broken: list[Check]
    seconds: float = 0.0

    @classmethod
    def of(cls, name: str, checks: Iterable[Check], seconds: float = 0.0) -> Link:
        """The link with these equalities; what each is about stands before the first ``.`` or ``:``."""
        made = list(checks)
        compared = Counter(re.split("[.:]", check.what, maxsplit=1)[0] for check in made)
        return cls(name, dict(compared), [check for check in made if not check.holds], seconds)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Link:
        """A link of a run's document."""
        return _LINK.validate_python(dict(document))

    @property
    def equalities(self) -> int:
        """How many equalities were checked."""
        return sum(self.compared.values())


@dataclass(frozen=True)
class Forgotten:
    """Documents of a generation in which a person's name and address were blanked.

    Attributes:
        view: the name that readers know the collection by.
        documents: how many.
        before: the digest of the collection before that.
        after: the digest after it.
    """

    generation: int
    view: str
    documents: int
    before: str
    after: str


@dataclass(frozen=True)
class OwnInsight:
    """An insight of the user's own, as it was in a run.

    Attributes:
        file: the name of its Python file.
        sha256: of the file.
        proved: what the proof shows of it, and what not, in words.
    """

    id: str
    file: str
    sha256: str
    proved: str


@dataclass(frozen=True)
class Watched:
    """A watched figure in a run.

    Attributes:
        rule: what is watched, in words.
        value: the figure; None if there is none.
        before: the one that it was compared with; None without one.
        alarm: why it alerts, in words; empty if it does not.
    """

    rule: str
    value: Figure
    before: Figure
    alarm: str

    @property
    def sentence(self) -> str:
        """The figure, and the reason for an alert."""
        told = "has no figure" if self.value is None else f"is {_shown(self.value)}"
        before = f" ({_shown(self.before)} before)" if self.before is not None else ""
        return f"{self.rule} {told}{before}{f': it {self.alarm}' if self.alarm else ''}."


def _shown(figure: Decimal | int) -> str:
    """All digits, or if that is shorter four decimals; below 1 four significant digits."""
    return min(f"{figure:,}", f"{figure:,.4{'g' if -1 < figure < 1 else 'f'}}", key=len)


@dataclass
class RunRecord:
    """One run, from its start to its end.

    Attributes:
        kind: ``run``, ``plan`` (a run that publishes nothing), ``rollback``, ``unpin`` or ``forget``.
        status: ``running``, ``succeeded``, ``failed`` or ``refused``.
        generation: the generation that it published; None while it has none.
        pinned: the pinned generation that stayed served, so that the run's own was only kept; None if it was
            served.
        totals: the shop's figures: customers, counting_orders, revenue, units, reviews.
        newest_order: the day of the newest counting order, as its midnight in UTC: MongoDB has no days.
        figures: by mart or collection, the figures and the digest that link 4 found in MongoDB.
        forgotten: of a ``forget``, what it blanked.
        own_insights: the user's own insights that were in it.
        watched: the figures that ``[[watch]]`` names.
        error: see :meth:`shopsight.errors.ShopsightError.as_document`.
    """

    run_id: str
    kind: str
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    snapshot: Snapshot | None = None
    generation: int | None = None
    pinned: int | None = None
    valid_until: datetime | None = None
    stages: list[StageReport] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    proof: list[Link] = field(default_factory=list)
    totals: dict[str, Figure] = field(default_factory=dict)
    newest_order: datetime | None = None
    figures: dict[str, dict[str, Compared]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    forgotten: list[Forgotten] = field(default_factory=list)
    own_insights: list[OwnInsight] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def shop_figures(self) -> dict[str, Figure | float]:
        """The totals, :func:`average_order_value` and :func:`average_rating`."""
        rating = average_rating({"ledger": dataclasses.asdict(self.ledger)})
        return {
            **self.totals,
            "average_order_value": average_order_value(self.totals),
            "average_rating": rating,
        }

    def as_document(self) -> dict[str, Any]:
        """The record as plain values: dicts, lists, datetimes, Decimals. ``_id`` is the run id."""
        return {"_id": self.run_id, **dataclasses.asdict(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RunRecord:
        """The reverse of :meth:`as_document`, of a document from MongoDB or from JSON.

        Raises:
            ValueError: it is not a run's document.
        """
        return _RECORD.validate_python(dict(document))


# Sums are Decimal(38, 2); Python's default context stops at 28 digits.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def average_order_value(totals: Mapping[str, Any]) -> Decimal | None:
    """Revenue / counting orders, half up to the cent; None without orders, or if one is not known."""
    revenue, orders = totals.get("revenue"), totals.get("counting_orders")
    if revenue is None or not orders:
        return None
    return _EXACT.quantize(_EXACT.divide(Decimal(revenue), Decimal(orders)), Decimal("0.01"))


def average_rating(document: Mapping[str, Any]) -> float | None:
    """The mean of kept ratings, not rounded, by the ledger of a run's document; None without reviews."""
    for table in document["ledger"]["tables"]:
        if table["table"] == "reviews" and table["rows_out"] and table["measure_out"] is not None:
            return float(table["measure_out"]) / int(table["rows_out"])
    return None


_SNAPSHOT = TypeAdapter(Snapshot)
_LINK = TypeAdapter(Link)
_RECORD = TypeAdapter(RunRecord)
