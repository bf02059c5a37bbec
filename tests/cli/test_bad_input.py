"""What can go wrong from outside: one clear message with a remedy, the right exit code, and no password.

In every case the generation that was served before is served still.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.cli.conftest import Place
from tests.conftest import Restartable
from tests.support.command_line import Ended, shopsight
from tests.support.literal_rows import load_rows
from tests.support.shop_rows import SHOP, SPENT
from tools.fault_lab.disks import small_disk

from shopsight.cli import running
from shopsight.pipeline import stages

WRONG = "hunter2-is-wrong"


def refused(place: Place, *options: object, code: int, kind: str, **environment: str) -> Ended:
    """A run that must end so, with ``--json``, and change nothing that is served."""
    before = place.served
    ended = place.run("run", *options, "--json", **environment)
    assert ended.code == code, ended.err
    error = ended.document["error"]
    assert error["type"] == kind
    assert error["remedy"]
    assert "Error" in ended.err
    assert "Remedy:" in ended.err
    assert "Traceback" not in ended.err
    assert_no_password(place, ended)
    assert place.served == before
    if before is not None:
        assert place.spent == SPENT
    return ended


def assert_no_password(place: Place, ended: Ended) -> None:
    passwords = {WRONG, *(urlsplit(url).password or WRONG for url in (place.source, place.target))}
    assert not [password for password in passwords if password in ended.out + ended.err]


def with_password(url: str, password: str) -> str:
    right = urlsplit(url).password
    assert right
    return url.replace(right, password, 1)


@pytest.mark.parametrize(
    ("url", "code", "kind"),
    [
        ("nonsense", 2, "ConfigurationError"),
        (f"oracle://ann:{WRONG}@localhost/shop", 2, "ConfigurationError"),
        (f"mysql://ann:{WRONG}@127.0.0.1:1/shop", 1, "SourceUnavailable"),
        (f"mysql://ann:{WRONG}@127.0.0.1:port/shop", 2, "ConfigurationError"),
        (f"postgresql://ann:{WRONG}@no-such-host.invalid/shop", 1, "SourceUnavailable"),
        (f"postgresql://ann:{WRONG}@127.0.0.1:1/shop", 1, "SourceUnavailable"),
        (f"postgresql://ann:{WRONG}@127.0.0.1:port/shop", 2, "ConfigurationError"),
        (f"postgresql://ann:p/{WRONG}@127.0.0.1/shop", 2, "ConfigurationError"),
        ("sqlite:////no/such/shop.db", 2, "ConfigurationError"),
    ],
)
def test_a_source_that_cannot_be_reached(shown: Place, url: str, code: int, kind: str) -> None:
    refused(shown, "--source", url, code=code, kind=kind)


@pytest.mark.parametrize(
    ("url", "code", "kind"),
    [
        ("nonsense", 2, "ConfigurationError"),
        (f"http://ann:{WRONG}@localhost/", 2, "ConfigurationError"),
        (f"mongodb://ann:{WRONG}@no-such-host.invalid/", 1, "TargetUnavailable"),
        (f"mongodb://ann:{WRONG}@127.0.0.1:1/?directConnection=true", 1, "TargetUnavailable"),
        (f"mongodb://ann:{WRONG}@127.0.0.1:1/?noSuchOption=1", 2, "ConfigurationError"),
        (f"mongodb://ann:p@{WRONG}@127.0.0.1:1/", 2, "ConfigurationError"),
    ],
)
def test_a_target_that_cannot_be_reached(shown: Place, url: str, code: int, kind: str) -> None:
    refused(shown, "--target", url, code=code, kind=kind)


def test_a_refused_password(shown: Place) -> None:
    of_source = refused(
        shown, "--source", with_password(shown.source, WRONG), code=2, kind="ConfigurationError"
    )
    assert "password" in of_source.err
    refused(shown, "--target", with_password(shown.target, WRONG), code=2, kind="ConfigurationError")


@pytest.mark.parametrize(
    ("statement", "undo", "named"),
    [
        ("ALTER TABLE reviews RENAME TO review", "ALTER TABLE review RENAME TO reviews", "'reviews'"),
        (
            "ALTER TABLE orders RENAME total_amount TO total_amont",
            "ALTER TABLE orders RENAME total_amont TO total_amount",
            "'total_amount'",
        ),
    ],
)
def test_a_missing_table_or_column_is_named_with_the_nearest(
    shown: Place, statement: str, undo: str, named: str
) -> None:
    shown.execute(statement)
    try:
        ended = refused(shown, code=1, kind="SchemaMismatch")
    finally:
        shown.execute(undo)
    assert f"{named} is missing" in ended.err
    assert "Did you mean" in ended.err


@pytest.mark.parametrize(
    "environment",
    [
        {"SHOPSIGHT_TOP_N": "0"},
        {"SHOPSIGHT_RETRIES": "many"},
        {"SHOPSIGHT_LEASE_DURATION": "soon"},
        {"SHOPSIGHT_TARGET_DATABSE": "shop"},
        {"SHOPSIGHT_TARGET_DATABASE": "a.b/c"},
    ],
)
def test_wrong_settings_are_named(shown: Place, environment: dict[str, str]) -> None:
    ended = refused(shown, code=2, kind="ConfigurationError", **environment)
    (name,) = environment
    assert name.removeprefix("SHOPSIGHT_").lower() in ended.err.lower()


def test_a_settings_file_that_cannot_be_read(shown: Place) -> None:
    Path("shopsight.toml").write_text("top_n = = 5")
    assert "shopsight.toml" in refused(shown, code=2, kind="ConfigurationError").err


def test_a_working_directory_that_cannot_be_made(shown: Place, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(shown, "--workdir", tmp_path / "file" / "work", code=1, kind="WorkspaceError")


def test_a_full_disk(shown: Place, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 40_000) as could_be_made:
        if not could_be_made:
            pytest.skip("only root can make a disk that is small enough to be filled")
        ended = refused(shown, "--workdir", tmp_path / "disk", code=1, kind="WorkspaceError")
    assert "is full" in ended.err


def test_too_many_rejected_rows_are_refused(shown: Place) -> None:
    ended = refused(
        shown,
        code=3,
        kind="DataQualityError",
        SHOPSIGHT_MAX_REJECTED_SHARE="0.1",
        SHOPSIGHT_MIN_REJECTED_ROWS="0",
    )
    assert "orders: 1 of 6 rows" in ended.err


def test_an_unexpected_error_is_reported_as_a_defect_without_a_traceback(
    shown: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise KeyError(f"total of {shown.source}")

    monkeypatch.setitem(stages.STAGES, "metrics", fail)
    ended = refused(shown, code=1, kind="ShopsightError")
    assert "KeyError" in ended.err
    assert "defect" in ended.err
    with pytest.raises(KeyError):
        shopsight("--debug", "run", *shown.options, **shown.environment)


def test_resuming_a_run_that_does_not_exist(shown: Place) -> None:
    refused(shown, "--resume", "--run-id", "20200101T000000Z-aaaaaa", code=1, kind="WorkspaceError")


def test_a_shop_that_shrank_is_withheld_until_somebody_allows_it(published: Place) -> None:
    published.execute("DELETE FROM orders WHERE order_id <> 103")
    limits = {"SHOPSIGHT_SHRINK_MIN_ROWS": "1", "SHOPSIGHT_SHRINK_MIN_REVENUE": "1"}
    ended = refused(published, code=3, kind="ShrinkRefused", **limits)
    assert "--allow-shrink" in ended.err
    assert published.run("run", "--resume", "--allow-shrink", **limits).code == 0
    assert sum(published.spent.values()) == 7.25


@pytest.mark.parametrize(
    "emptied", ["reviews", "categories, products, customers, orders, order_items, reviews"]
)
def test_a_shop_without_some_or_all_rows_is_a_shop(place: Place, emptied: str) -> None:
    place.execute(f"TRUNCATE {emptied}")
    ended = place.run()
    assert ended.code == 0, ended.err
    assert place.spent == (SPENT if emptied == "reviews" else {})
    assert place.run("show").code == 0
    assert place.run("report").code == 0
    assert place.run("verify").code == 0


@contextmanager
def killing(monkeypatch: pytest.MonkeyPatch, server: Restartable, stage: str) -> Iterator[None]:
    """The server is killed when a run has come so far."""
    killed: list[str] = []

    def progress(at: str, _table: str, _rows: int) -> None:
        if at == stage and not killed:
            killed.append(at)
            server.kill()

    @contextmanager
    def stage_progress(*, quiet: bool) -> Iterator[Any]:
        yield progress

    with monkeypatch.context() as patched:
        patched.setattr(running, "stage_progress", stage_progress)
        yield
    assert killed


def test_a_source_that_goes_away_in_the_middle(
    shown: Place, restartable_postgres: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(restartable_postgres.url, SHOP)
    with killing(monkeypatch, restartable_postgres, "extract"):
        refused(shown, "--source", restartable_postgres.url, code=1, kind="SourceUnavailable")


def test_a_target_that_goes_away_in_the_middle(
    place: Place, restartable_mongo: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = replace(place, target=restartable_mongo.url)
    assert away.run().code == 0
    before = away.served
    with killing(monkeypatch, restartable_mongo, "clean"):
        ended = away.run("run", "--json")
    assert (ended.code, ended.document["error"]["type"]) == (1, "TargetUnavailable")
    assert_no_password(away, ended)
    restartable_mongo.restart()
    assert (away.served, away.spent) == (before, SPENT)
    resumed = away.run("run", "--resume", "--json").document
    assert {s["name"]: s["outcome"] for s in resumed["stages"]}["extract"] == "kept"
