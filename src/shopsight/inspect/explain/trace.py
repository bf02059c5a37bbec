"""The parts of all traces: listings of rows, and sums that are compared with what was published."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

import narwhals as nw

from shopsight.engine.protocol import Frame
from shopsight.publish.privacy import Privacy


@dataclass(frozen=True)
class Listing:
    """Rows that a trace shows, held as a frame, so that a customer of a million orders can be traced too."""

    frame: nw.DataFrame[Any]
    privacy: Privacy = field(default_factory=Privacy)

    @classmethod
    def of(cls, frame: Frame, *order: str) -> Listing:
        """The frame's rows in this order, computed without holding whole tables in memory."""
        ordered = frame.sort(*order, nulls_last=True) if order else frame
        return cls(ordered.collect(engine="streaming"))

    def __len__(self) -> int:
        return len(self.frame)

    def protected(self, privacy: Privacy) -> Listing:
        """The rows with names and addresses as they may be seen."""
        return dataclasses.replace(self, privacy=privacy)

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The first of them as plain values; all by default."""
        shown = self.frame if limit is None else self.frame.head(limit)
        return list(map(self.privacy.protect_row, shown.rows(named=True)))


@dataclass(frozen=True)
class AddedUp:
    """One figure: what the listed rows add up to, and what was published."""

    what: str
    added_up: Any
    published: Any

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return bool(self.added_up == self.published)


@dataclass(frozen=True)
class Trace:
    """The rows behind figures of one run.

    Attributes:
        run: the run's id, generation and moment.
        sums: what the rows add up to, against what was published.
    """

    run: dict[str, Any]
    sums: list[AddedUp]

    @property
    def holds(self) -> bool:
        """Whether the rows add up to what was published."""
        return all(figure.holds for figure in self.sums)

    def protected(self, privacy: Privacy) -> Self:
        """The trace with names and addresses as they may be seen."""
        protected: Self = self if privacy.is_plain else _protected(self, privacy)
        return protected

    def as_document(self, limit: int | None = None) -> dict[str, Any]:
        """The trace as plain values, with at most ``limit`` rows of each listing; all by default."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value, limit) for name, value in fields.items()}


def _protected(value: Any, privacy: Privacy) -> Any:
    match value:
        case Listing():
            return value.protected(privacy)
        case list():
            return [_protected(item, privacy) for item in value]
        case dict():
            return privacy.protect_row({name: _protected(item, privacy) for name, item in value.items()})
        case Trace():
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return dataclasses.replace(value, **{n: _protected(item, privacy) for n, item in fields.items()})
    return value


def _plain(value: Any, limit: int | None) -> Any:
    match value:
        case Listing():
            return value.rows(limit)
        case AddedUp():
            return {**vars(value), "holds": value.holds}
        case list():
            return [_plain(item, limit) for item in value]
        case dict():
            shown = {name: item for name, item in value.items() if not isinstance(item, Listing) or len(item)}
            return {name: _plain(item, limit) for name, item in shown.items()}
    return vars(value) if dataclasses.is_dataclass(value) else value
