"""Watched figures of a run, against limits and an earlier run. They alert and withhold nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from shopsight.audit.identities import SHOP_TOTALS, DeclaredInsight
from shopsight.audit.shop_files import Row
from shopsight.errors import ConfigurationError
from shopsight.record import Watched
from shopsight.settings.watch_rule import WatchRule

#: The figures of the shop that a rule may name: those of :meth:`shopsight.record.RunRecord.shop_figures`.
SHOP_FIGURES = (*SHOP_TOTALS, "average_order_value", "average_rating")

#: How much older the compared snapshot is at least. Runs of a schedule do not start at the very second.
_SLACK = timedelta(minutes=30)
AGES = {"before": timedelta(0), "day": timedelta(days=1) - _SLACK, "week": timedelta(days=7) - _SLACK}

_NUMBERS = ("money", "count", "share", "number")


@dataclass(frozen=True)
class Figures:
    """The figures of one run: those of the shop, and the rows of an insight by its id."""

    shop: Mapping[str, Any]
    rows_of: Callable[[str], list[Row]]


def check_rules(rules: Iterable[WatchRule], insights: Mapping[str, DeclaredInsight]) -> None:
    """Refuse rules that name an unknown figure.

    Raises:
        ConfigurationError: names the rule, and what there is.
    """
    for rule in rules:
        known: Iterable[str] = SHOP_FIGURES
        if rule.insight is not None:
            insight = insights.get(rule.insight)
            if insight is None:
                raise _wrong(rule, f"there is no insight {rule.insight!r}", insights)
            if len(split_key(rule.key, insight.key)) != len(insight.key):
                wanted = f"{', '.join(insight.key)}, separated by commas" if insight.key else "none"
                raise _wrong(rule, f"its key must be {wanted}", ())
            known = [column.name for column in insight.columns if column.kind in _NUMBERS]
        if rule.figure not in known:
            raise _wrong(rule, f"there is no figure {rule.figure!r}", known)


def watch(
    rules: Iterable[WatchRule],
    insights: Mapping[str, DeclaredInsight],
    now: Figures,
    earlier: Callable[[timedelta], Figures | None],
) -> Iterator[Watched]:
    """Each rule's figure, the one compared with, and why it alerts, if it does.

    A figure that is null, not finite or in no row counts as missing. A rule with ``below`` then alerts, and
    one with ``falls_by`` if there was a figure before.

    Args:
        rules: as checked.
        insights: by id.
        now: this run's figures.
        earlier: gives those of the newest published run that is older by at least a time; None without one.
    """
    for rule in rules:
        key = insights[rule.insight].key if rule.insight else ()
        value, before, reasons = _figure(rule, key, now), None, []
        if rule.falls_by is not None:
            before = _figure(rule, key, earlier(AGES[rule.compared_with]))
            if value is None and before is not None:
                reasons.append("is gone")
            elif value is not None and before is not None and before > 0:
                fall = (before - value) / before
                if fall > _exact(rule.falls_by):
                    reasons.append(f"fell by {fall:.1%} (limit {rule.falls_by:.1%})")
        if value is not None and rule.above is not None and value > _exact(rule.above):
            reasons.append(f"is above {rule.above:g}")
        if value is not None and rule.below is not None and value < _exact(rule.below):
            reasons.append(f"is below {rule.below:g}")
        if value is None and rule.below is not None and not reasons:
            reasons.append("is missing")
        yield Watched(rule.name, value, before, " and ".join(reasons))


def _figure(rule: WatchRule, key: tuple[str, ...], figures: Figures | None) -> Decimal | None:
    """The rule's figure, exact and finite; None if there is none, as for a row that is not in the list."""
    if figures is None:
        return None
    found = figures.shop.get(rule.figure)
    if rule.insight is not None:
        wanted = split_key(rule.key, key)
        rows = (
            row
            for row in figures.rows_of(rule.insight)
            if all(_is_written(row.get(name), text) for name, text in zip(key, wanted, strict=True))
        )
        found = next(rows, {}).get(rule.figure)
    exact = None if found is None else _exact(found)
    return exact if exact is not None and exact.is_finite() else None


def split_key(text: str | None, columns: Sequence[str]) -> list[str]:
    """The values of a key as people write it: separated by commas if it has several columns."""
    if text is None:
        return []
    return [part.strip() for part in (text.split(",") if len(columns) > 1 else [text])]


def _is_written(value: Any, text: str) -> bool:
    """Whether the text is a way to write this value of a key: a month as 2026-11, or as its first day."""
    if hasattr(value, "isoformat"):
        day = value.isoformat()[:10]
        return day in (text, f"{text}-01")
    return str(value) == text


def _exact(number: Any) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(str(number))


def _wrong(rule: WatchRule, what: str, known: Iterable[str]) -> ConfigurationError:
    names = ", ".join(known)
    return ConfigurationError(
        f"The rule [[watch]] for {rule.name!r} cannot be used: {what}.",
        remedy=f"Name one of {names}." if names else "Correct shopsight.toml.",
    )
