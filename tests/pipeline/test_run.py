"""Going on with a run: whole stages are kept, of one and the same snapshot, whatever happened in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import Restartable
from tests.support.literal_rows import load_rows
from tests.support.publish_content import differing_ids, read_documents
from tests.support.shop_rows import REVENUE, SHOP, SPENT

from shopsight import publish
from shopsight.errors import (
    ConfigurationError,
    LeaseLost,
    PublishError,
    ShopsightError,
    SourceUnavailable,
    TargetUnavailable,
)
from shopsight.pipeline import run as pipeline
from shopsight.pipeline import stages
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import Settings, load_settings

D = Decimal
WRITING = ("extract", "clean", "metrics", "insights")


@dataclass
class Shop:
    """A shop, where it is published, and a way to run the pipeline over it."""

    settings: Settings

    def with_settings(self, **given: Any) -> Shop:
        return Shop(self.settings.model_copy(update=given))

    def run(self, **given: Any) -> RunRecord:
        return pipeline.run(self.settings, **given)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.settings.source_url.get_secret_value()) as connection:
            connection.execute(statement.encode())

    def spent(self) -> dict[int, Decimal]:
        """By customer, what readers see."""
        with self.target() as target:
            found = read_documents(target, "customer_metrics")
            return {document["_id"]: document["total_amount_spent"] for document in found}

    def target(self) -> Any:
        settings = self.settings
        return publish.connect(
            settings.target_url.get_secret_value(), settings.target_database, settings.connect_timeout
        )

    def workspace(self, record: RunRecord) -> Workspace:
        return Workspace(self.settings.workdir, record.run_id)


def outcomes(record: RunRecord) -> dict[str, str]:
    return {report.name: report.outcome for report in record.stages}


@pytest.fixture
def shop(postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path) -> Shop:
    load_rows(postgres_url, SHOP)
    return Shop(
        load_settings(
            source_url=postgres_url,
            target_url=mongo_url,
            target_database=mongo_database,
            workdir=workdir,
            retries=0,
            retry_delay=timedelta(milliseconds=10),
            connect_timeout=timedelta(seconds=2),
        )
    )


@pytest.fixture
def failing_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs fail, retryably, when they come to publish."""

    def fail(_: stages.Run) -> stages.Figures:
        raise TargetUnavailable("MongoDB went away.", remedy="Wait.")

    monkeypatch.setitem(stages.STAGES, "publish", fail)


def failed_run(shop: Shop, kind: type[ShopsightError] = TargetUnavailable) -> str:
    """The id of a run that came as far as publishing."""
    with pytest.raises(kind) as caught:
        shop.run()
    assert caught.value.run_id
    return caught.value.run_id


def test_a_run_over_a_literal_shop_gives_what_was_worked_out_by_hand(shop: Shop) -> None:
    record = shop.run()
    assert record.status == "succeeded"
    assert record.totals["revenue"] == REVENUE
    assert shop.spent() == SPENT
    assert set(outcomes(record).values()) == {"done"}
    assert all(check.holds for link in record.proof for check in link.checks)
    assert [link.name[0] for link in record.proof] == ["1", "2", "3", "4"]


def test_a_resumed_run_publishes_the_snapshot_it_took_whatever_the_source_says_now(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(stages.STAGES, "prove", lambda _: (_ for _ in ()).throw(PublishError("no")))
        run_id = failed_run(shop, PublishError)
    shop.execute("UPDATE orders SET total_amount = 1000 WHERE order_id = 100")
    resumed = shop.run(resume=True)
    assert resumed.run_id == run_id
    assert {name: outcomes(resumed)[name] for name in WRITING} == dict.fromkeys(WRITING, "kept")
    assert shop.spent() == SPENT
    assert shop.run().totals["revenue"] == REVENUE + 970


@pytest.mark.parametrize(
    ("folder", "stage", "damage"),
    [
        ("raw/orders", "extract", "truncated"),
        ("clean/orders", "clean", "a byte changed"),
        ("rejected/reviews", "clean", "removed"),
        ("marts/customer_metrics", "metrics", "truncated"),
        ("marts/insights/monthly_sales", "insights", "a byte changed"),
    ],
)
def test_a_damaged_file_is_found_and_its_stage_done_again(
    shop: Shop, folder: str, stage: str, damage: str
) -> None:
    first = shop.run()
    file = min((shop.workspace(first).root / folder).glob("*.parquet"))
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "a byte changed":
        file.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
    else:
        file.unlink()
    resumed = shop.run(resume=True)
    again = WRITING.index(stage)
    assert [outcomes(resumed)[name] for name in WRITING[:again]] == ["kept"] * again
    assert outcomes(resumed)[stage] == "done"
    assert shop.spent() == SPENT
    assert len(resumed.proof) == 4


def test_a_finished_run_can_be_resumed_and_publishes_the_same_again(shop: Shop) -> None:
    first = shop.run()
    resumed = shop.run(resume=True)
    assert resumed.run_id == first.run_id
    assert (first.generation, resumed.generation) == (1, 2)
    assert {name: outcomes(resumed)[name] for name in WRITING} == dict.fromkeys(WRITING, "kept")
    with shop.target() as target:
        for view in ("customer_metrics", "insights", "rejected_rows"):
            assert differing_ids(target, f"{view}.g1", f"{view}.g2", ignoring=()) == []


def test_settings_that_changed_in_between_redo_the_stages_they_matter_to(shop: Shop) -> None:
    shop.run()
    top = shop.with_settings(top_n=1).run(resume=True)
    assert [outcomes(top)[name] for name in WRITING] == ["kept", "kept", "kept", "done"]
    every = shop.with_settings(excluded_order_statuses=frozenset[str]()).run(resume=True)
    assert [outcomes(every)[name] for name in WRITING] == ["kept", "done", "done", "done"]
    assert every.totals["revenue"] == REVENUE + D("99.99")


def test_a_run_is_not_gone_on_with_over_another_database(shop: Shop, tmp_path: Path) -> None:
    first = shop.run()
    load_rows(f"sqlite:///{tmp_path / 'other.db'}", SHOP)
    from pydantic import SecretStr

    other = shop.with_settings(source_url=SecretStr(f"sqlite:///{tmp_path / 'other.db'}"))
    with pytest.raises(ConfigurationError, match=r"has a snapshot of postgresql://\*\*\*@") as caught:
        other.run(resume=True)
    assert "--source" in caught.value.remedy
    with pytest.raises(ConfigurationError):
        shop.with_settings(source_schema="public").run(resume=True)
    with shop.target() as target:
        assert publish.served(target).run_id == first.run_id


def test_a_retry_goes_on_from_the_whole_stages_of_the_same_snapshot(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots, publishing = [], stages.STAGES["publish"]

    def fail_twice(run: stages.Run) -> stages.Figures:
        snapshots.append(run.snapshot.as_of)
        if len(snapshots) < 3:
            shop.execute("UPDATE orders SET total_amount = total_amount + 1 WHERE order_id = 100")
            raise TargetUnavailable("MongoDB went away.", remedy="Wait.")
        return publishing(run)

    monkeypatch.setitem(stages.STAGES, "publish", fail_twice)
    record = shop.with_settings(retries=2).run()
    assert (len(snapshots), len(set(snapshots))) == (3, 1)
    assert {name: outcomes(record)[name] for name in WRITING} == dict.fromkeys(WRITING, "kept")
    assert shop.spent() == SPENT


def test_what_cannot_be_helped_by_it_is_not_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(run: stages.Run) -> stages.Figures:
        tries.append(run.run_id)
        raise PublishError("No.", remedy="None.")

    monkeypatch.setitem(stages.STAGES, "publish", fail)
    with pytest.raises(PublishError):
        shop.with_settings(retries=3).run()
    assert len(tries) == 1


@pytest.mark.usefixtures("failing_publish")
def test_retries_come_to_an_end_and_the_record_says_why(shop: Shop) -> None:
    run_id = failed_run(shop.with_settings(retries=2))
    kept = Workspace(shop.settings.workdir, run_id).read_record()
    assert (kept["status"], kept["error"]["type"], kept["error"]["stage"]) == (
        "failed",
        "TargetUnavailable",
        "publish",
    )
    with shop.target() as target:
        stored = publish.latest_run(target)
        assert (stored["_id"], stored["status"]) == (run_id, "failed")
        assert publish.held_until(target) is None


def test_a_source_that_was_away_is_read_by_the_retry(shop: Shop, restartable_postgres: Restartable) -> None:
    from pydantic import SecretStr

    load_rows(restartable_postgres.url, SHOP)
    away = shop.with_settings(source_url=SecretStr(restartable_postgres.url), retries=2)
    restartable_postgres.kill()
    with pytest.raises(SourceUnavailable):
        away.run()
    told: list[str] = []

    def progress(stage: str, _table: str, _rows: int) -> None:
        told.append(stage)
        if len(told) == 2:
            restartable_postgres.restart()

    assert away.run(on_progress=progress).status == "succeeded"
    assert told.count("extract") > 1


def test_a_run_that_was_overtaken_and_swept_lost_its_lease_and_no_proof(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = publish.write_generation

    def write_and_be_swept(
        target: publish.Target, lease: publish.Lease, **given: Any
    ) -> publish.WrittenGeneration:
        written = write(target, lease, **given)
        with publish.hold_lease(target, lease.run_id, timedelta(seconds=30)) as other:
            assert publish.sweep(target, other, keep=3) == [written.generation]
        return written

    monkeypatch.setattr(publish, "write_generation", write_and_be_swept)
    failed_run(shop, LeaseLost)


def test_a_published_run_whose_sweep_failed_has_succeeded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(*_: object, **__: object) -> None:
        raise TargetUnavailable("MongoDB went away.", remedy="Wait.")

    with monkeypatch.context() as patched:
        patched.setattr(publish, "sweep", sweep)
        record = shop.run()
    assert (record.status, record.generation, record.error) == ("succeeded", 1, None)
    with shop.target() as target:
        assert publish.find_run(target, record.run_id)["status"] == "succeeded"


def test_a_published_run_that_was_stopped_at_its_end_has_succeeded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publish, "sweep", sweep)
        with pytest.raises(KeyboardInterrupt):
            shop.run()
    with shop.target() as target:
        served = publish.served(target)
        assert publish.find_run(target, served.run_id)["status"] == "succeeded"
    assert Workspace(shop.settings.workdir, served.run_id).is_published
