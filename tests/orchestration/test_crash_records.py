"""Runs whose process was killed are called crashed, and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import shopsight
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.errors import ConfigurationError, RunCrashed, RunStopped, StageTimeout
from shopsight.orchestration.crash_records import mark_crashed, mark_crashed_runs
from shopsight.orchestration.stage_process import run_stage_process
from shopsight.pipeline import run as pipeline
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import load_settings

RUN_ID = "20261122T180000Z-1f3a9c"
AT = datetime(2026, 11, 22, 18, tzinfo=UTC)
CRASHED = RunCrashed.because("it ended by SIGKILL", stage="clean", run_id=RUN_ID)


def _killed(shop: PublishedShop, run_id: str = RUN_ID, **given: Any) -> Workspace:
    """A run that was at work and has no process any more."""
    workspace = Workspace.create(shop.settings.workdir, run_id)
    workspace.write_record(RunRecord(run_id, "run", "running", AT, **given))
    return workspace


def _stored(shop: PublishedShop) -> dict[str, Any] | None:
    with shop.target() as target:
        return publish.find_run(target, RUN_ID)


def test_killed_run_is_crashed_in_both_places(shop: PublishedShop) -> None:
    workspace = _killed(shop)
    [record] = mark_crashed_runs(shop.settings)
    assert (record.run_id, record.status, record.error["type"]) == (RUN_ID, "failed", "RunCrashed")
    assert workspace.load_record() == record
    assert _stored(shop)["error"] == record.error
    assert mark_crashed_runs(shop.settings) == []


@pytest.mark.parametrize("publishes", [True, False])
def test_living_run_and_a_long_plan_are_left_alone(shop: PublishedShop, publishes: bool) -> None:
    with pipeline.open_run(shop.settings, RUN_ID, publishes=publishes) as run:
        assert mark_crashed_runs(shop.settings) == []
        assert mark_crashed(shop.settings, RUN_ID, CRASHED) is None
        assert run.workspace.load_record().status == "running"


def test_run_between_two_stages_is_left_alone_by_its_own_orchestrator(shop: PublishedShop) -> None:
    pipeline.run_single_stage(shop.settings, RUN_ID, "extract")
    assert mark_crashed_runs(shop.settings, except_for={RUN_ID}) == []
    assert [record.run_id for record in mark_crashed_runs(shop.settings)] == [RUN_ID]


def test_killed_plan_leaves_no_trace_in_the_history(shop: PublishedShop) -> None:
    workspace = Workspace.create(shop.settings.workdir, RUN_ID)
    workspace.write_record(RunRecord(RUN_ID, "plan", "running", AT))
    [record] = mark_crashed_runs(shop.settings)
    assert (record.kind, record.status) == ("plan", "failed")
    assert _stored(shop) is None


def test_run_that_was_killed_after_the_flip_has_succeeded(shop: PublishedShop) -> None:
    with shop.target() as target:
        served = publish.served(target)
    [run_id] = Workspace.run_ids(shop.settings.workdir)
    workspace = _killed(shop, run_id)
    with shop.target() as target:
        publish.save_run(target, workspace.load_record())
    [record] = mark_crashed_runs(shop.settings)
    assert (record.status, record.generation, record.error) == ("succeeded", served.generation, None)
    assert record.valid_until == served.valid_until


def test_end_that_only_mongodb_knows_is_written_beside_the_data(shop: PublishedShop) -> None:
    [run_id] = Workspace.run_ids(shop.settings.workdir)
    workspace = _killed(shop, run_id)
    [record] = mark_crashed_runs(shop.settings)
    assert (record.status, len(record.proof)) == ("succeeded", 4)
    assert workspace.load_record() == record


def test_a_recorded_end_is_kept_and_a_stop_gets_its_cause(shop: PublishedShop) -> None:
    workspace = _killed(shop)
    record = workspace.load_record()
    for error, kept in ((StageTimeout.after("clean", 5, RUN_ID), True), (RunStopped.from_outside(), False)):
        record.status, record.error = "failed", error.as_document()
        workspace.write_record(record)
        marked = mark_crashed(shop.settings, RUN_ID, CRASHED)
        assert marked.error["type"] == ("StageTimeout" if kept else "RunCrashed")


def test_an_unreachable_target_does_not_stop_the_record_file_from_being_written(tmp_path: Path) -> None:
    away = load_settings(workdir=tmp_path, target_url="mongodb://127.0.0.1:1/", connect_timeout="1s")
    workspace = Workspace.create(tmp_path, RUN_ID)
    workspace.write_record(RunRecord(RUN_ID, "run", "running", AT))
    assert mark_crashed(away, RUN_ID, CRASHED).status == "failed"
    assert workspace.load_record().error["type"] == "RunCrashed"


def test_run_that_left_no_directory_has_no_record(shop: PublishedShop) -> None:
    assert mark_crashed(shop.settings, RUN_ID, CRASHED) is None
    with pytest.raises(ConfigurationError):
        mark_crashed(shop.settings, "../precious", CRASHED)


def test_stage_command_prints_its_report_or_its_error_as_json(sqlite_shop: PublishedShop) -> None:
    report = run_stage_process(sqlite_shop.settings, RUN_ID, "extract")
    assert (report.name, report.outcome, report.rows_out) == ("extract", "done", 24)

    ended = shopsight("stage", "polish", "--run-id", RUN_ID)
    assert ended.code == 2
    assert ended.document["error"]["message"] == "There is no stage 'polish'."
    with pytest.raises(ConfigurationError, match="is not a run's id"):
        run_stage_process(sqlite_shop.settings, "../precious", "extract")
