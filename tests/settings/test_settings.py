"""Where settings come from, what is refused, and that secrets stay secret."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from shopsight.errors import ConfigurationError
from shopsight.logs import bind_structlog
from shopsight.settings import Settings, load_settings, setting_origins, warn_if_writable

URL = "postgresql://ann:s3cret@db/shop"


def test_the_command_line_overrides_the_environment_and_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("shopsight.toml").write_text("top_n = 7\nbasket_pairs_n = 7\nkeep_runs = 7\n")
    monkeypatch.setenv("SHOPSIGHT_BASKET_PAIRS_N", "8")
    monkeypatch.setenv("SHOPSIGHT_KEEP_RUNS", "8")
    settings = load_settings(keep_runs=9)
    assert (settings.top_n, settings.basket_pairs_n, settings.keep_runs, settings.keep_generations) == (
        7,
        8,
        9,
        3,
    )


def test_an_option_that_was_not_given_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPSIGHT_TOP_N", "8")
    assert load_settings(top_n=None).top_n == 8


def test_secrets_are_never_shown() -> None:
    settings = load_settings(
        source_url=URL,
        target_url="mongodb://ann:s3cret@db",
        alert_webhook="https://s3cret",
        alert_command="notify --key s3cret",
    )
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    shown += "".join(settings.shown(name) for name in type(settings).model_fields)
    assert "s3cret" not in shown
    assert settings.source_url.get_secret_value() == URL


def test_settings_travel_to_other_processes() -> None:
    settings = load_settings(source_url=URL, every="90m")
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_n", "0"),
        ("top_n", "s3cret"),
        ("max_rejected_share", "1.5"),
        ("negative_amounts", "s3cret"),
        ("every", "s3cret"),
        ("every", "0"),
        ("every", "-5"),
        ("lease_duration", "-PT1S"),
        ("excluded_order_statuses", '["s3cret"'),
        ("target_database", ""),
        ("source_url", "postgresql://ann:x@s3cret@db/shop"),
        ("source_url", "mysql://ann:12?s3cret@db/shop"),
        ("source_url", "postgresql://ann:x/s3cret@db/shop"),
        ("source_url", "postgresql://ann:x?s3cret@db/shop"),
        ("source_url", "postgresql://ann:x#s3cret@db/shop"),
        ("target_url", "mongodb://ann:x/s3cret=@db1,db2/shop"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SHOPSIGHT_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        load_settings()
    assert "s3cret" not in f"{caught.value} {caught.value.remedy} {caught.value.__cause__}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        "postgresql://ann:x%40y@db/shop",
        "postgresql:///shop?host=/tmp/a@b&user=ann",
        "postgresql://db/shop?user=ann@corp",
        "postgresql://ann:x@/shop?host=%2Ftmp",
        "sqlite:///home/ann@work/a@b.db",
        "mongodb://ann:x@h1:1,h2:2/shop?replicaSet=rs0&authMechanismProperties=a:b@c",
    ],
)
def test_addresses_as_they_should_be_are_accepted(url: str) -> None:
    assert load_settings(source_url=url).source_url.get_secret_value() == url


def test_an_unknown_setting_is_refused() -> None:
    Path("shopsight.toml").write_text("top_m = 7\n")
    with pytest.raises(ConfigurationError, match="top_m") as caught:
        load_settings()
    assert "Did you mean top_n?" in caught.value.message


def test_what_every_user_may_write_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    bind_structlog()
    file = Path("shopsight.toml")
    file.write_text("top_n = 7\n")
    for mode, folder_mode, warnings in ((0o644, 0o755, 0), (0o666, 0o755, 1), (0o644, 0o777, 2)):
        file.chmod(mode)
        Path.cwd().chmod(folder_mode)
        warn_if_writable.cache_clear()
        load_settings()
        load_settings()
        assert len([one for one in caplog.records if "every user" in one.getMessage()]) == warnings


def test_an_empty_report_path_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPSIGHT_REPORT_PATH", "")
    assert load_settings().report_path is None


def test_a_misspelt_variable_is_refused_and_an_unrelated_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPSIGHT_HOME_DIRECTORY_OF_SOMEONE", "x")
    load_settings()
    monkeypatch.setenv("SHOPSIGHT_TOPN", "s3cret")
    with pytest.raises(ConfigurationError, match="SHOPSIGHT_TOPN") as caught:
        load_settings()
    assert caught.value.remedy == "Did you mean SHOPSIGHT_TOP_N?"


@pytest.mark.parametrize("content", [b'source_url = "s3cret', b"\xff\xfe", b"top_n = "])
def test_a_file_that_cannot_be_read_is_refused(content: bytes) -> None:
    Path("shopsight.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"shopsight\.toml cannot be read") as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3h", 10800), ("90m", 5400), ("1h30m", 5400), ("1d", 86400), ("45s", 45), ("60", 60), ("PT3H", 10800)],
)
def test_durations_as_people_write_them(monkeypatch: pytest.MonkeyPatch, text: str, seconds: int) -> None:
    monkeypatch.setenv("SHOPSIGHT_EVERY", text)
    assert load_settings().every == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("", set()),
        ("[]", set()),
        ("Refunded", {"refunded"}),
        (" Canceled , refunded", {"cancelled", "refunded"}),
        (json.dumps(["Failed"]), {"failed"}),
    ],
)
def test_statuses_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, text: str, statuses: set[str]
) -> None:
    monkeypatch.setenv("SHOPSIGHT_EXCLUDED_ORDER_STATUSES", text)
    assert load_settings().excluded_order_statuses == statuses


def test_a_generation_is_fresh_for_twice_the_interval() -> None:
    assert load_settings(every="90m").valid_for == timedelta(hours=3)


def test_settings_cannot_be_changed_and_all_are_described() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().top_n = 3  # type: ignore[misc]
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_mapping_is_read_from_the_file_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("shopsight.toml").write_text(
        '[tables.orders]\nfrom = "sales_order"\n'
        'columns = { order_id = "entity_id", status = { sql = "upper(s)" } }\n'
        "[tables.reviews]\noptional = true\n"
    )
    monkeypatch.setenv("SHOPSIGHT_TABLES__ORDERS__WHERE", "state <> 'new'")
    monkeypatch.setenv("SHOPSIGHT_TABLES__CUSTOMERS__COLUMNS", '{"customer_id": "id"}')
    settings = load_settings()
    assert json.loads(settings.shown("tables")) == {
        "customers": {"columns": {"customer_id": "id"}},
        "orders": {
            "from": "sales_order",
            "where": "state <> 'new'",
            "columns": {"order_id": "entity_id", "status": {"sql": "upper(s)"}},
        },
        "reviews": {"optional": True},
    }
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert setting_origins(settings)["tables"].startswith("SHOPSIGHT_TABLES__")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[tables.ordes]\n", r"no table is called 'ordes' \(Did you mean orders\? There are categories, "),
        ("[tables.orders]\ncolumns.id = 'x'\n", "orders has no column 'id'"),
        ("[tables.orders]\ncurrency = 'EUR'\n", "needs columns.currency"),
        ("[tables.orders]\ncolumns.currency = 'x'\ncurrency = 'euros'\n", "tables.orders.currency"),
        ("[tables.reviews]\ncolumns.currency = 'x'\n", "reviews has no column 'currency'"),
        ("[tables.orders]\noptional = true\n", "orders cannot be optional"),
        ("[tables.orders]\nfrom = 'a'\nquery = 'b'\n", "not both"),
        ("[tables.orders]\nfrmo = 'a'\n", r"tables\.orders\.frmo is no setting \(Did you mean from\?\)"),
        ("[privcy]\nemail = 'drop'\n", r"privcy is no setting \(Did you mean privacy\?\)"),
        ("[privacy]\nemial = 'drop'\n", r"privacy_emial is no setting \(Did you mean privacy_email\?\)"),
        ("[tables.orders]\nwhere = ' '\n", "tables.orders.where"),
    ],
)
def test_a_wrong_mapping_is_refused(toml: str, words: str) -> None:
    Path("shopsight.toml").write_text(toml)
    with pytest.raises(ConfigurationError, match=words):
        load_settings()


def test_the_shop_has_a_name_and_one_currency() -> None:
    Path("shopsight.toml").write_text("[shop]\nname = 'Fjord & Finch'\ncurrency = 'eur'\n")
    assert (load_settings().shop_name, load_settings().currency) == ("Fjord & Finch", "EUR")
    orders = "[tables.orders]\ncolumns.currency = 'coin'\ncurrency = 'USD'\n"
    Path("shopsight.toml").write_text(orders)
    assert load_settings().currency == "USD"
    with pytest.raises(ConfigurationError, match=r"shop_currency is EUR, but \[tables.orders\] chooses USD"):
        load_settings(shop_currency="EUR")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("tables = 'x'\n", "tables: Input should be a valid dictionary"),
        ("[tables]\norders = 'x'\n", "tables.orders: "),
        ("[tables.orders]\ncolumns = 'x'\n", "tables.orders.columns: "),
        ("table_prefix = 5\n", "prefix 5"),
    ],
)
def test_settings_of_a_wrong_form_beside_a_preset_are_refused(toml: str, words: str) -> None:
    Path("shopsight.toml").write_text(f"preset = 'spree'\n{toml}")
    with pytest.raises(ConfigurationError, match=words):
        load_settings()


def test_what_a_preset_sets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setting_origins(load_settings())["tables"] == "default"
    assert setting_origins(load_settings(preset="spree"))["tables"] == "preset spree"
    Path("shopsight.toml").write_text("preset = 'spree'\ntables.orders.where = 'true'\n")
    origins = setting_origins(load_settings())
    assert (origins["preset"], origins["tables"]) == ("shopsight.toml", "shopsight.toml, preset spree")
    monkeypatch.setenv("SHOPSIGHT_TABLES__ORDERS__WHERE", "false")
    assert setting_origins(load_settings())["tables"] == "SHOPSIGHT_TABLES__ORDERS__WHERE, preset spree"


def test_a_misspelt_mapping_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPSIGHT_TABELS__ORDERS__FROM", "x")
    with pytest.raises(ConfigurationError, match="SHOPSIGHT_TABELS"):
        load_settings()
