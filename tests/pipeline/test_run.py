"""Going on with a run: whole stages are kept, of one and the same snapshot, whatever happened in between."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from tests.conftest import Restartable
from tests.support.literal_rows import load_rows
from tests.support.publish_content import differing_ids, read_documents
from tests.support.shop_rows import REVENUE, SHOP, SPENT

from shopsight import publish
from shopsight.errors import (
    ConfigurationError,
    LeaseHeld,
    LeaseLost,
    ProofBroken,
    PublishError,
    ShopsightError,
    SnapshotOutdated,
    SourceUnavailable,
    TargetUnavailable,
)
from shopsight.logs import bind_structlog
from shopsight.pipeline import run as pipeline
from shopsight.pipeline import stages, workspace
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import Settings, load_settings
from shopsight.settings.table_mapping import TableMapping

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

    def fail(_: stages.Run) -> stages.StageResult:
        raise TargetUnavailable("MongoDB went away.", remedy="Wait.")

    monkeypatch.setitem(stages.STAGES, "publish", fail)


def failed_run(shop: Shop, kind: type[ShopsightError] = TargetUnavailable) -> str:
    """The id of a run that came as far as publishing."""
    with pytest.raises(kind) as caught:
        shop.run()
    assert caught.value.run_id
    return caught.value.run_id


def test_a_run_over_a_literal_shop_gives_the_figures_computed_by_hand(shop: Shop) -> None:
    record = shop.run()
    assert record.status == "succeeded"
    assert record.totals["revenue"] == REVENUE
    assert record.newest_order == datetime(2024, 3, 3, tzinfo=UTC)
    assert shop.spent() == SPENT
    assert set(outcomes(record).values()) == {"done"}
    assert all(link.equalities and not link.broken for link in record.proof)
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
def test_a_damaged_file_is_found_and_its_stage_repeated(
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


def test_a_run_is_not_resumed_over_another_database(shop: Shop, tmp_path: Path) -> None:
    first = shop.run()
    load_rows(f"sqlite:///{tmp_path / 'other.db'}", SHOP)
    other = shop.with_settings(source_url=SecretStr(f"sqlite:///{tmp_path / 'other.db'}"))
    with pytest.raises(ConfigurationError, match=r"has a snapshot of postgresql://\*\*\*@") as caught:
        other.run(resume=True)
    assert "--source" in caught.value.remedy
    with pytest.raises(ConfigurationError):
        shop.with_settings(source_schema="public").run(resume=True)
    with pytest.raises(ConfigurationError, match=r'tables {"orders": {"where"'):
        shop.with_settings(tables={"orders": TableMapping(where="order_id > 0")}).run(resume=True)
    with shop.target() as target:
        assert publish.served(target).run_id == first.run_id


def test_a_retry_keeps_the_finished_stages_of_the_same_snapshot(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots, publishing = [], stages.STAGES["publish"]

    def fail_twice(run: stages.Run) -> stages.StageResult:
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


def test_errors_that_a_retry_cannot_help_are_not_retried(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(run: stages.Run) -> stages.StageResult:
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


@pytest.mark.parametrize(
    "given", [{"run_id": "../../../precious"}, {"run_id": "../../../precious", "resume": True}]
)
def test_id_that_is_no_runs_id_touches_no_folder(shop: Shop, given: dict[str, Any]) -> None:
    precious = shop.settings.workdir / "../precious/raw"
    precious.mkdir(parents=True)
    (precious / "photo").write_text("")
    with pytest.raises(ShopsightError, match=r"precious' is not a run's id|No run \.\./"):
        shop.run(**given)
    assert (precious / "photo").exists()


def test_run_that_was_overtaken_before_it_published_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = stages.STAGES["clean"]

    def clean_slowly(run: stages.Run) -> stages.StageResult:
        result = clean(run)
        with monkeypatch.context() as patched:
            patched.setitem(stages.STAGES, "clean", clean)
            shop.run()  # no lease is held by a run that only extracts and cleans
        return result

    monkeypatch.setitem(stages.STAGES, "clean", clean_slowly)
    with pytest.raises(SnapshotOutdated, match="Nothing was published"):
        shop.run()
    assert shop.spent() == SPENT


def test_the_second_of_two_publishing_runs_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run()
    refused: list[str] = []
    write = publish.write_generation

    def write_while_another_tries(*given: Any, **named: Any) -> publish.WrittenGeneration:
        with pytest.raises(LeaseHeld) as caught:
            pipeline.run_stage(second, "publish")
        refused.append(str(caught.value))
        return write(*given, **named)

    with pipeline.open_run(shop.settings) as second:
        for stage in (*WRITING, "prove"):
            pipeline.run_stage(second, stage)
        monkeypatch.setattr(publish, "write_generation", write_while_another_tries)
        first = shop.run()
    assert f"Run {first.run_id} (host" in refused[0]
    assert refused[0].endswith("Nothing was published; generation 1 is still served.")


def test_a_run_is_refused_before_extraction_while_another_publishes(shop: Shop) -> None:
    with (
        shop.target() as target,
        publish.hold_lease(target, "20261122T180000Z-1f3a9c", timedelta(seconds=30)),
    ):
        with pytest.raises(LeaseHeld, match="Run 20261122T180000Z-1f3a9c") as caught:
            shop.run()
        refused = Workspace(shop.settings.workdir, caught.value.run_id)
        assert refused.load_record().status == "refused"
        assert not list(refused.root.rglob("*.parquet"))


def test_an_end_that_mongodb_missed_is_saved_by_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_away(*_given: Any) -> None:
        raise TargetUnavailable("MongoDB went away.", remedy="Wait.")

    save = publish.save_run
    with monkeypatch.context() as patched:
        patched.setitem(stages.STAGES, "publish", go_away)
        patched.setattr(publish, "save_run", lambda t, r: save(t, r) if r.status == "running" else go_away())
        run_id = failed_run(shop)
    with shop.target() as target:
        assert publish.find_run(target, run_id)["status"] == "running"
        shop.run()
        assert publish.find_run(target, run_id)["status"] == "failed"


def test_the_served_generation_is_mentioned_only_if_there_is_one(shop: Shop) -> None:
    away = shop.with_settings(source_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(SourceUnavailable) as before:
        away.run()
    assert before.value.message.endswith("Nothing was published.")
    shop.run()
    with pytest.raises(SourceUnavailable) as after:
        away.run()
    assert after.value.message.endswith("Nothing was published; generation 1 is still served.")


def _fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(workspace.os, "fsync", refuse)


def test_disk_full_after_the_flip_undoes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bind_structlog()
    flip = publish.flip

    def flip_and_fill(*given: Any, **named: Any) -> None:
        flip(*given, **named)
        _fill_disk(monkeypatch)

    monkeypatch.setattr(publish, "flip", flip_and_fill)
    record = shop.run()
    assert (record.status, record.generation) == ("succeeded", 1)
    events = [getattr(line, "event", {}) for line in caplog.records]
    unsaved = {event.get("state") for event in events if event.get("event") == "record not saved"}
    assert unsaved == {"Generation 1 is published and served."}
    with shop.target() as target:
        assert publish.find_run(target, record.run_id)["status"] == "succeeded"


def test_record_that_cannot_be_saved_does_not_hide_why_the_run_failed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: stages.Run) -> stages.StageResult:
        _fill_disk(monkeypatch)
        raise ProofBroken.between("2", "orders rows", 3, 2)

    monkeypatch.setitem(stages.STAGES, "prove", fail)
    with pytest.raises(ProofBroken, match=r"the difference is -1\. Nothing was published\."):
        shop.run()


def test_failed_stage_is_logged_as_an_error(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    bind_structlog()
    shop.execute("DROP TABLE reviews")
    with pytest.raises(ShopsightError):
        shop.run()
    [line] = [record for record in caplog.records if getattr(record, "event", {}).get("outcome") == "failed"]
    assert (line.levelname, line.event["stage"]) == ("ERROR", "extract")


def test_single_stages_in_processes_of_their_own_make_one_run(shop: Shop) -> None:
    run_id = "20261122T180000Z-1f3a9c"
    for stage in pipeline.STAGES:
        assert pipeline.run_single_stage(shop.settings, run_id, stage).outcome == "done"
        record = Workspace(shop.settings.workdir, run_id).load_record()
        assert record.status == ("succeeded" if stage == "publish" else "running")
    assert outcomes(record) == dict.fromkeys(pipeline.STAGES, "done")
    assert [link.name[0] for link in record.proof] == ["1", "2", "3", "4"]
    assert shop.spent() == SPENT


def test_older_snapshot_is_published_when_that_is_asked_for(shop: Shop) -> None:
    first = shop.run()
    shop.execute("UPDATE orders SET total_amount = 1000 WHERE order_id = 100")
    shop.run()
    with pytest.raises(SnapshotOutdated):
        shop.run(run_id=first.run_id, resume=True)
    assert shop.run(run_id=first.run_id, resume=True, allow_older=True).status == "succeeded"
    assert shop.spent() == SPENT
