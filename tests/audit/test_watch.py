"""Watched figures: which rules are refused, which alert, and with what they are compared."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.published_shop import PublishedShop

from shopsight.audit.watch import AGES, Figures, check_rules, watch
from shopsight.errors import ConfigurationError
from shopsight.inspect.published import read_published
from shopsight.marts.insights import INSIGHTS
from shopsight.orchestration.alerts import AlertKind, alerts_for
from shopsight.orchestration.environment import settings_environment
from shopsight.orchestration.prometheus import prometheus_text
from shopsight.pipeline.run import roll_back, unpin
from shopsight.record import RunRecord, Watched
from shopsight.settings import load_settings
from shopsight.settings.watch_rule import WatchRule

ROWS: dict[str, list[dict[str, Any]]] = {
    "monthly_sales": [
        {"month": date(2026, 10, 1), "revenue": Decimal("50.00"), "orders": 5},
        {"month": date(2026, 11, 1), "revenue": Decimal("60.00"), "orders": 6},
    ],
    "repeat_purchase": [{"customers": 10, "repeat_share": 0.25}],
    "country_sales": [{"country": "Korea, Republic of", "orders": 2}],
    "cohort_retention": [{"cohort_month": date(2026, 10, 1), "months_since": 1, "customers": 3}],
}
NOW = Figures(
    {"revenue": Decimal("69.99"), "average_rating": 4.5, "average_order_value": None}, ROWS.__getitem__
)


def of(before: dict[str, Any] | None, **rule: Any) -> Watched:
    """The outcome of a rule where an earlier run had these figures of the shop."""
    rules = [WatchRule(**rule)]
    check_rules(rules, INSIGHTS)
    then = None if before is None else Figures(before, lambda _: [])
    (found,) = watch(rules, INSIGHTS, NOW, lambda _: then)
    return found


@pytest.mark.parametrize(
    ("before", "rule", "alarm"),
    [
        ({"revenue": Decimal("100.00")}, {"falls_by": 0.3}, "fell by 30.0% (limit 30.0%)"),
        ({"revenue": Decimal("99.98")}, {"falls_by": 0.3}, ""),
        ({"revenue": Decimal("69.99")}, {"falls_by": 0.3}, ""),
        ({"revenue": Decimal("-5.00")}, {"falls_by": 0.3}, ""),
        ({"revenue": None}, {"falls_by": 0.3}, ""),
        (None, {"falls_by": 0.3}, ""),
        (None, {"above": 69.98}, "is above 69.98"),
        (None, {"above": 69.99}, ""),
        (None, {"below": 70}, "is below 70"),
        (None, {"below": 69.99}, ""),
        (None, {"above": 1, "below": 100}, "is above 1 and is below 100"),
        ({"revenue": math.inf}, {"falls_by": 0.3}, ""),
    ],
)
def test_a_rule_alerts_beyond_its_limit_and_not_at_it(
    before: dict[str, Any] | None, rule: dict[str, Any], alarm: str
) -> None:
    assert of(before, figure="revenue", **rule).alarm == alarm


@pytest.mark.parametrize(
    ("before", "rule", "alarm"),
    [
        (Decimal("5.00"), {"falls_by": 0.3, "below": 1}, "is gone"),
        (None, {"below": 1}, "is missing"),
        (None, {"falls_by": 0.3, "above": 1}, ""),
        (Decimal("5.00"), {"above": 1}, ""),
    ],
)
def test_a_figure_that_is_gone_alerts(before: Decimal | None, rule: dict[str, Any], alarm: str) -> None:
    assert of({"average_order_value": before}, figure="average_order_value", **rule).alarm == alarm


@pytest.mark.parametrize("figure", [math.nan, math.inf, Decimal("NaN"), Decimal("-Infinity")])
def test_a_figure_that_is_not_finite_is_none(figure: Any) -> None:
    rule = WatchRule(figure="revenue", falls_by=0.3, above=1, below=1)
    (found,) = watch([rule], INSIGHTS, Figures({"revenue": figure}, ROWS.__getitem__), lambda _: None)
    assert (found.value, found.alarm) == (None, "is missing")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"figure": "average_rating"}, "4.5"),
        ({"figure": "average_order_value"}, None),
        ({"insight": "monthly_sales", "key": "2026-11", "figure": "orders"}, "6"),
        ({"insight": "monthly_sales", "key": "2026-10-01", "figure": "revenue"}, "50.00"),
        ({"insight": "monthly_sales", "key": "2026-12", "figure": "orders"}, None),
        ({"insight": "repeat_purchase", "figure": "repeat_share"}, "0.25"),
        ({"insight": "cohort_retention", "key": "2026-10, 1", "figure": "customers"}, "3"),
        ({"insight": "country_sales", "key": "Korea, Republic of", "figure": "orders"}, "2"),
    ],
)
def test_a_figure_is_one_of_the_shop_or_a_column_by_its_key(rule: dict[str, Any], value: str | None) -> None:
    assert of(None, above=10**9, **rule).value == (None if value is None else Decimal(value))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"figure": "revenues"}, "no figure 'revenues'"),
        ({"figure": "orders", "insight": "order_status", "key": "paid"}, "no insight 'order_status'"),
        ({"figure": "orders", "insight": "order_statuses"}, "its key must be status"),
        ({"figure": "status", "insight": "order_statuses", "key": "paid"}, "no figure 'status'"),
        ({"figure": "customers", "insight": "repeat_purchase", "key": "1"}, "its key must be none"),
    ],
)
def test_an_unknown_insight_or_figure_stops_before_anything_is_read(
    sqlite_shop: PublishedShop, rule: dict[str, Any], message: str
) -> None:
    settings = sqlite_shop.settings.model_copy(update={"watch": [WatchRule(above=1, **rule)]})
    with pytest.raises(ConfigurationError, match=message):
        PublishedShop(settings).run()
    assert sqlite_shop.served_generation() is None


@pytest.mark.parametrize(
    "line",
    [
        'figure = "revenue"',
        'figure = "revenue"\nkey = "1"\nabove = 1',
        'figure = "revenue"\nfalls_by = 30',
        'figure = "revenue"\nabove = nan',
        'figure = "revenue"\nbelow = -inf',
        'figure = "revenue"\nabove = 1\n[[watch]]\nfigure = "revenue"\nabove = 1.0',
    ],
)
def test_a_rule_without_a_limit_or_with_a_wrong_one_or_twice_is_refused(line: str) -> None:
    Path("shopsight.toml").write_text(f"[[watch]]\n{line}\n")
    with pytest.raises(ConfigurationError, match="watch"):
        load_settings()


def test_rules_travel_to_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shopsight.toml").write_text(
        '[[watch]]\nfigure = "revenue"\nfalls_by = 0.3\ncompared_with = "week"\n'
    )
    settings = load_settings()
    Path("shopsight.toml").unlink()
    monkeypatch.setenv("SHOPSIGHT_WATCH", settings_environment(settings)["SHOPSIGHT_WATCH"])
    assert (
        load_settings().watch
        == settings.watch
        == [WatchRule(figure="revenue", falls_by=0.3, compared_with="week")]
    )
    assert settings.shown("watch") == '[{"figure": "revenue", "falls_by": 0.3, "compared_with": "week"}]'


def test_a_fall_alerts_everywhere_and_withholds_nothing(sqlite_shop: PublishedShop, tmp_path: Path) -> None:
    rules = [
        WatchRule(figure="revenue", falls_by=0.3),
        WatchRule(figure="revenue", falls_by=0.3, compared_with="day"),
        WatchRule(insight="order_statuses", key="cancelled", figure="orders", above=0),
    ]
    shop = PublishedShop(sqlite_shop.settings.model_copy(update={"watch": rules}))
    assert [watched.before for watched in shop.run().watched] == [None] * 3
    shop.execute("UPDATE orders SET total_amount = 0.01 WHERE status = 'completed'")
    record = shop.run()
    before, day, cancelled = record.watched
    assert record.generation == shop.served_generation() == 2
    assert before.before == Decimal("57.95")
    assert before.alarm.startswith("fell by")
    assert (day.before, day.alarm) == (None, "")
    assert cancelled.alarm == "is above 0"
    assert RunRecord.from_document(record.as_document()).watched == record.watched
    kept = shop.workspace(record).load_record()
    assert kept is not None
    assert kept.watched == record.watched
    alerts = [alert for alert in alerts_for(record, 1.0) if alert.kind is AlertKind.WATCH]
    assert [alert.fields["rule"] for alert in alerts] == [
        "revenue (falls_by 0.3 against the run before)",
        "order_statuses, cancelled: orders (above 0)",
    ]
    assert before.sentence in alerts[0].text
    exposed = prometheus_text(record.as_document(), None, record.started_at)
    assert 'shopsight_watch_alarm{rule="order_statuses, cancelled: orders (above 0)"} 1' in exposed
    assert 'shopsight_watch_alarm{rule="revenue (falls_by 0.3 against the run before)"} 1' in exposed
    assert 'shopsight_watch_alarm{rule="revenue (falls_by 0.3 against a day before)"} 0' in exposed
    published = read_published(shop.settings)
    published.write_report(tmp_path / "report.html")
    assert before.sentence in (tmp_path / "report.html").read_text()
    # A day later the same figures are compared with.
    with shop.target() as target:
        target.db["insights_history"].update_many(
            {}, [{"$set": {"as_of": {"$subtract": ["$as_of", 86_400_000]}}}]
        )
    shop.execute("UPDATE orders SET total_amount = 0 WHERE status = 'completed'")
    assert shop.run().watched[1].before == record.totals["revenue"]


def test_a_run_is_not_compared_with_one_that_was_rolled_back_from(sqlite_shop: PublishedShop) -> None:
    rules = [WatchRule(figure="revenue", falls_by=0.3)]
    shop = PublishedShop(sqlite_shop.settings.model_copy(update={"watch": rules}))

    def before(amount: float) -> Any:
        shop.execute(f"UPDATE orders SET total_amount = {amount} WHERE status = 'completed'")
        return shop.run().watched[0].before

    first = shop.run().totals["revenue"]
    assert before(0.01) == first
    roll_back(shop.settings)
    assert before(0.02) == first
    unpin(shop.settings)
    waited = shop.run()
    assert waited.watched[0].before == waited.totals["revenue"]
    assert shop.run(run_id=waited.run_id).watched == waited.watched


def test_an_error_in_the_watching_withholds_nothing(
    sqlite_shop: PublishedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = PublishedShop(
        sqlite_shop.settings.model_copy(update={"watch": [WatchRule(figure="units", above=1)]})
    )
    monkeypatch.setattr("shopsight.audit.watch._exact", lambda _: 1 / 0)
    with capture_logs() as logs:
        record = shop.run()
    assert (record.status, shop.served_generation(), record.watched) == ("succeeded", 1, [])
    assert [line["error"] for line in logs if line["event"] == "watch"] == ["division by zero"]


def test_a_rule_whose_row_never_had_a_figure_is_logged(sqlite_shop: PublishedShop) -> None:
    rule = WatchRule(insight="order_statuses", key="canceled", figure="orders", above=1)
    with capture_logs() as logs:
        PublishedShop(sqlite_shop.settings.model_copy(update={"watch": [rule]})).run()
    assert [line["no_figure"] for line in logs if line["event"] == "watch"] == [rule.name]


def test_a_day_is_about_a_day() -> None:
    assert AGES["day"] < timedelta(days=1) < timedelta(days=1, hours=2) < AGES["week"]
