"""A rollback holds: later runs keep their generations, until ``unpin`` serves the newest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.errors import ConfigurationError, LeaseHeld, ShrinkRefused
from shopsight.orchestration.alerts import AlertKind, send_alerts
from shopsight.orchestration.crash_records import mark_crashed_runs
from shopsight.pipeline.run import roll_back, unpin
from shopsight.publish import naming
from shopsight.record import RunRecord


@pytest.fixture
def rolled_back(shop: PublishedShop) -> PublishedShop:
    """Two generations; the first is served again."""
    shop.run()
    roll_back(shop.settings)
    return shop


def state(shop: PublishedShop) -> dict[int, str]:
    """By kept generation: served, pinned, waits."""
    with shop.target() as target:
        return {
            found.number: " ".join(
                name for name in ("served", "pinned", "waiting") if getattr(found, f"is_{name}")
            )
            for found in publish.list_generations(target)
        }


def shown(shop: PublishedShop) -> set[Any]:
    """The generations that the views show: one, if all is well."""
    with shop.target() as target:
        return {str(name).rpartition(".g")[2] for name in publish.shown_collections(target).values()}


def test_a_run_behind_a_pin_keeps_its_generation_and_does_not_serve_it(rolled_back: PublishedShop) -> None:
    record = rolled_back.run()
    assert (record.status, record.generation, record.pinned) == ("succeeded", 4, 1)
    assert record.stages[-1].outcome == "done"
    assert len(record.proof) == 4
    assert state(rolled_back) == {4: "waiting", 2: "", 1: "served pinned"}
    assert shown(rolled_back) == {"1"}
    with rolled_back.target() as target:
        saved = publish.find_run(target, record.run_id)
    assert saved is not None
    assert saved["pinned"] == 1


def test_the_sweep_keeps_the_pinned_and_the_newest_that_waits(rolled_back: PublishedShop) -> None:
    shop = PublishedShop(rolled_back.settings.model_copy(update={"keep_generations": 1, "keep_runs": 1}))
    first = next(run["run_id"] for run in runs(shop) if run["generation"] == 1 and run["kind"] == "run")
    for _ in range(3):
        shop.run()
    assert state(shop) == {6: "waiting", 1: "served pinned"}
    with shop.target() as target:
        assert sorted(naming.stored_generations(target.db)) == [1, 6]
    assert (shop.settings.workdir / "runs" / first).is_dir(), "explain and verify need what is served"


def runs(shop: PublishedShop) -> list[dict[str, Any]]:
    with shop.target() as target:
        return publish.list_runs(target, limit=100)


def test_unpin_serves_the_newest_that_waits_and_later_runs_are_served(rolled_back: PublishedShop) -> None:
    rolled_back.run()
    rolled_back.run()
    record = unpin(rolled_back.settings)
    assert (record.kind, record.generation) == ("unpin", 5)
    assert state(rolled_back)[5] == "served"
    assert shown(rolled_back) == {"5"}
    later = rolled_back.run()
    assert (later.generation, later.pinned) == (7, None)
    assert state(rolled_back)[7] == "served"


def test_unpin_without_a_generation_that_waits_leaves_what_is_served(rolled_back: PublishedShop) -> None:
    assert unpin(rolled_back.settings).generation == 1
    assert state(rolled_back)[1] == "served", "not the one that was rolled back from"
    assert rolled_back.run().pinned is None
    with pytest.raises(ConfigurationError, match="No generation is pinned"):
        unpin(rolled_back.settings)


def test_a_run_with_unpin_is_served(rolled_back: PublishedShop) -> None:
    record = rolled_back.run(unpin=True)
    assert (record.generation, record.pinned) == (4, None)
    assert state(rolled_back)[4] == "served"


def test_a_second_rollback_keeps_what_waits_waiting(rolled_back: PublishedShop) -> None:
    rolled_back.run()
    roll_back(rolled_back.settings, to=2)
    assert state(rolled_back) == {4: "waiting", 2: "served pinned", 1: ""}
    roll_back(rolled_back.settings, to=4)
    assert state(rolled_back)[4] == "served pinned"
    roll_back(rolled_back.settings, to=2)
    assert state(rolled_back)[4] == "", "it was served and rolled back from"


def test_a_run_behind_a_pin_is_compared_with_the_newest_that_waits(rolled_back: PublishedShop) -> None:
    shop = PublishedShop(rolled_back.settings.model_copy(update={"shrink_min_rows": 0}))
    shop.execute("DELETE FROM reviews")
    with pytest.raises(ShrinkRefused):
        shop.run()
    shop.run(allow_shrink=True)
    assert shop.run().pinned == 1


def test_unpin_takes_the_lease(rolled_back: PublishedShop) -> None:
    with (
        rolled_back.target() as target,
        publish.hold_lease(target, "20261122T180000Z-aaaaaa", timedelta(seconds=30)),
        pytest.raises(LeaseHeld),
    ):
        unpin(rolled_back.settings)
    assert state(rolled_back)[1] == "served pinned"


def test_an_overtaken_unpin_changes_nothing(rolled_back: PublishedShop) -> None:
    """One compare-and-set holds token and pin: a latecomer finds a greater token."""
    rolled_back.run()
    with rolled_back.target() as target:
        current = publish.served(target)
        assert current is not None
        entry = {**vars(current), "pinned": None}
        del entry["token"], entry["published_at"]
        assert not publish.views.set_published(target, entry, current.token - 1)
        assert publish.served(target) == current


#: Kills its process just before or after ``published`` is written, or after a generation is kept.
KILLED = """
import os, signal, sys
from shopsight import publish
from shopsight.pipeline import run, stages
from shopsight.publish import generations
from shopsight.settings import load_settings

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def write_then_kill(*given):
    written(*given)
    kill()

written = generations.set_published
action, point = sys.argv[1:]
generations.set_published = {"before": kill, "after": write_then_kill}.get(point, written)
publish.sweep = kill
{"rollback": run.roll_back, "unpin": run.unpin, "run": run.run}[action](load_settings())
"""


def killed(shop: PublishedShop, action: str, point: str) -> None:
    settings = shop.settings
    given = {
        "SOURCE_URL": settings.source_url.get_secret_value(),
        "TARGET_URL": settings.target_url.get_secret_value(),
        "TARGET_DATABASE": settings.target_database,
        "WORKDIR": str(settings.workdir),
    }
    environment = {**os.environ, **{f"SHOPSIGHT_{name}": value for name, value in given.items()}}
    ended = subprocess.run([sys.executable, "-c", KILLED, action, point], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("action", "point", "served"), [("rollback", "before", "2"), ("rollback", "after", "1")]
)
def test_a_rollback_killed_half_way_is_repaired_by_the_next_run(
    shop: PublishedShop, action: str, point: str, served: str
) -> None:
    shop.run()
    killed(shop, action, point)
    record = shop.run()
    assert record.pinned == (None if point == "before" else 1)
    assert shown(shop) == {str(record.generation) if point == "before" else "1"}
    assert state(shop)[int(served)] == ("" if point == "before" else "served pinned")


@pytest.mark.parametrize("point", ["before", "after"])
def test_an_unpin_killed_half_way_is_ended_by_the_next(rolled_back: PublishedShop, point: str) -> None:
    rolled_back.run()
    killed(rolled_back, "unpin", point)
    if point == "before":
        assert state(rolled_back) == {4: "waiting", 2: "", 1: "served pinned"}
        unpin(rolled_back.settings)
    else:
        assert rolled_back.run().pinned is None
    assert state(rolled_back)[4] == ("served" if point == "before" else "")
    assert len(shown(rolled_back)) == 1


def test_a_run_killed_after_it_kept_its_generation_has_succeeded(rolled_back: PublishedShop) -> None:
    killed(rolled_back, "run", "at the sweep")
    assert state(rolled_back)[4] == "waiting"
    [marked] = mark_crashed_runs(rolled_back.settings)
    assert (marked.status, marked.generation, marked.pinned) == ("succeeded", 4, 1)


def test_everything_that_shows_state_tells_of_the_pin(
    rolled_back: PublishedShop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def out(command: str, *more: str) -> str:
        assert rolled_back.exit_code(monkeypatch, command, *more) == 0
        return " ".join(capsys.readouterr().out.split())

    source = ("--source", rolled_back.settings.source_url.get_secret_value())
    assert "Generation 4 is proven and kept, and not served, because generation 1 is pinned" in out(
        "run", *source
    )
    pinned = "Generation 1 is pinned since"
    assert "kept" in (runs_out := out("runs"))
    assert pinned in runs_out
    assert "generation 4 waits: `shopsight unpin`" in runs_out
    assert pinned in out("doctor", *source)
    assert "served, pinned" in (kept := out("generations"))
    assert "waits" in kept
    assert "shopsight_published_pinned 1" in out("metrics")
    out("report", "-o", "pinned.html")
    assert pinned in Path("pinned.html").read_text()
    # Ids of one second come in any order, so the run is looked up by its generation.
    assert {run["generation"]: run["pinned"] for run in json.loads(out("runs", "--json"))}[4] == 1
    assert "Generation 4 is served, and nothing is pinned" in out("unpin")
    assert "pinned since" not in out("runs")
    assert "shopsight_published_pinned 0" in out("metrics")


def test_the_alert_about_a_pin_is_sent_once_a_day(rolled_back: PublishedShop) -> None:
    def sent(record: RunRecord) -> list[str]:
        alerts = send_alerts(rolled_back.settings, record)
        return [alert.text for alert in alerts if alert.kind is AlertKind.PINNED]

    record = rolled_back.run()
    [text] = sent(record)
    assert "generation 1 is pinned" in text
    assert sent(rolled_back.run()) == []
    with rolled_back.target() as target:
        day = 24 * 60 * 60 * 1000
        back = [{"$set": {"pin_alerted_at": {"$subtract": ["$pin_alerted_at", day]}}}]
        target.db["generations"].update_one({"_id": 1}, back)
    assert len(sent(record)) == 1
