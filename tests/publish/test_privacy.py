"""No name and no address leaves the run's directory in plain when the settings say so."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.support.people import collections, found_in
from tests.support.published_shop import PublishedShop

from shopsight.errors import ConfigurationError
from shopsight.inspect.plan import make_plan
from shopsight.inspect.verify import verify
from shopsight.orchestration.environment import settings_environment
from shopsight.orchestration.prefect_artifacts import insight_tables
from shopsight.publish.privacy import Privacy
from shopsight.settings import load_settings

KEY = "0123456789abcdef0123456789abcdef"


def with_privacy(shop: PublishedShop, mode: str) -> PublishedShop:
    given = {"privacy_email": mode, "privacy_name": mode, "privacy_key": KEY}
    return PublishedShop(load_settings(**{**shop.settings.model_dump(), **given}))


@pytest.mark.parametrize("mode", ["hmac", "drop"])
def test_no_name_and_no_address_is_published_shown_or_logged(
    people: PublishedShop,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    shop = with_privacy(people, mode)
    for name, value in settings_environment(shop.settings).items():
        if name.startswith("SHOPSIGHT_PRIVACY"):
            monkeypatch.setenv(name, value)
    record = shop.run()
    assert found_in(collections(shop)) == set()
    assert verify(shop.settings).is_intact

    def said(command: str, *more: str) -> str:
        assert shop.exit_code(monkeypatch, command, *more) == 0
        return "".join(capsys.readouterr())

    said("report", "-o", "shop.html")
    monkeypatch.delenv("SHOPSIGHT_TARGET_DATABASE")
    workdir = ["--workdir", str(shop.settings.workdir)]
    monkeypatch.setattr(
        shop, "arguments", lambda command, *more: ["shopsight", *command.split(), *workdir, *more]
    )
    outputs = [Path("shop.html").read_text()]
    for customer in "1", "2", "3":
        outputs += [said(f"explain customer {customer}"), said(f"explain customer {customer}", "--json")]
    outputs += [said("explain insight top_customers", "--json"), said("explain insight order_statuses")]
    outputs += [f"{artifact}" for artifact in insight_tables(shop.workspace(record))]
    assert [found_in(output) for output in outputs] == [set()] * len(outputs)
    assert found_in(caplog.text + json.dumps([str(vars(line)) for line in caplog.records])) == set()
    assert KEY not in caplog.text + "".join(outputs)


def test_plain_is_published_as_it_was_but_prefects_artifacts_never_hold_names(people: PublishedShop) -> None:
    record = people.run()
    assert {"Zeppelin", "Wombat", "bob@", "gus@"} <= found_in(collections(people))
    assert found_in(f"{list(insight_tables(people.workspace(record)))}") == set()


def test_an_hmac_is_that_of_the_cleaned_value_so_that_one_knowing_the_key_can_look_it_up(
    people: PublishedShop,
) -> None:
    shop = with_privacy(people, "hmac")
    shop.run()

    def of(text: str) -> str:
        return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]

    customers = {row["_id"]: row for row in shop.served("customer_metrics")}
    assert set(customers) == {1, 2, 3}, "merged by the real address"
    assert (customers[1]["email"], customers[2]["email"]) == (of("ann@example.com"), of("bob@example.com"))
    assert customers[1]["name"] == of("Ann Zeppelin")
    rejected = {
        row["row"]["country"]: row for row in shop.served("rejected_rows") if row["table"] == "customers"
    }
    assert rejected["Spain"]["row"]["email"] == of("eva@example.com")
    assert rejected["Spain"]["row"]["name"] == of("Eva Wombat")
    assert of("gus@example.com") in rejected, "an address in another column"
    assert rejected[of("gus@example.com")]["key"] == of("fay@example.net")


def test_dropped_fields_are_there_and_null(people: PublishedShop) -> None:
    shop = with_privacy(people, "drop")
    shop.run()
    assert [(row["name"], row["email"]) for row in shop.served("customer_metrics")] == [(None, None)] * 3
    top = next(row for row in shop.served("insights") if row["_id"] == "top_customers")
    assert [row["name"] for row in top["rows"]] == [None, None]


def test_plan_shows_what_becoming_private_changes_and_no_more(people: PublishedShop) -> None:
    people.run()
    plan = make_plan(with_privacy(people, "hmac").settings)
    assert plan.documents["customer_metrics"].changed == 3
    shown = {name for change in plan.largest for name in change.fields}
    assert shown == {"name", "email"}
    assert found_in(str([change.name for change in plan.largest])) == set()
    people.run()
    assert not make_plan(people.settings).changes_something


@pytest.mark.parametrize(
    ("mode_of_email", "mode_of_name", "column", "value", "expected"),
    [
        ("drop", "plain", "name", "Ann", "Ann"),
        ("drop", "plain", "name", "Ann <ann@example.com>", None),
        ("plain", "drop", "name", "ann@example.com", None),
        ("plain", "drop", "email", "ann@example.com", "ann@example.com"),
        ("drop", "plain", "product_name", "Mix @ home", "Mix @ home"),
        ("drop", "drop", "customer_name", "Ann", None),
        ("drop", "drop", "customer_id", 7, 7),
    ],
)
def test_each_column_follows_its_own_setting_and_an_address_that_of_addresses(
    mode_of_email: Any, mode_of_name: Any, column: str, value: Any, expected: Any
) -> None:
    assert Privacy(mode_of_email, mode_of_name).protect(column, value) == expected


@pytest.mark.parametrize("key", [None, "short"])
def test_hmac_needs_a_key_that_is_long_enough(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    Path("shopsight.toml").write_text('[privacy]\nemail = "hmac"\n')
    if key:
        monkeypatch.setenv("SHOPSIGHT_PRIVACY_KEY", key)
    with pytest.raises(ConfigurationError, match="privacy_key") as refused:
        load_settings()
    assert "short" not in str(refused.value).replace("too short", "")


def test_the_section_of_the_file_is_read_and_the_environment_overrides_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("shopsight.toml").write_text(f'[privacy]\nemail = "hmac"\nname = "drop"\nkey = "{KEY}"\n')
    monkeypatch.setenv("SHOPSIGHT_PRIVACY_EMAIL", "drop")
    settings = load_settings()
    assert (settings.privacy_email, settings.privacy_name, settings.shown("privacy_key")) == (
        "drop",
        "drop",
        "***",
    )
    Path("shopsight.toml").write_text('[privacy]\nphone = "drop"\n')
    with pytest.raises(ConfigurationError, match="privacy_phone"):
        load_settings()
