"""A stage counts as done only while its manifest is there and everything is as it says."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from shopsight.errors import ConfigurationError, WorkspaceError, disk_error
from shopsight.pipeline import workspace
from shopsight.pipeline.workspace import RUN_ID, Stage, Workspace, new_run_id, sweep_runs, write_json
from shopsight.record import RunRecord


def _record(status: str, kind: str = "run") -> RunRecord:
    return RunRecord(FIRST, kind, status, datetime(2026, 11, 22, tzinfo=UTC))


FIRST, SECOND, THIRD = "20261122T180000Z-aaaaaa", "20261122T210000Z-bbbbbb", "20261123T000000Z-000000"


@pytest.fixture
def closed(workdir: Path) -> Stage:
    """A stage with two files, closed."""
    stage = Workspace.create(workdir, FIRST).clean
    stage.begin()
    for name, content in {"clean/orders": b"orders", "rejected/orders": b"rejected orders"}.items():
        (stage.root / name).mkdir()
        (stage.root / name / "part-0.parquet").write_bytes(content)
    stage.close({"rows": 3})
    return stage


def test_a_closed_stage_gives_its_details(closed: Stage) -> None:
    assert closed.details() == {"rows": 3}
    assert json.loads(closed.manifest_path.read_text())["files"] == {
        "clean/orders/part-0.parquet": {
            "bytes": 6,
            "sha256": "1c168adb00d208e42f93314529f1fa9c0427eb63233ceda95a5db52b7012a719",
        },
        "rejected/orders/part-0.parquet": {
            "bytes": 15,
            "sha256": "68fad772f81834ad1fd20561ea33a4e821c34083fefa166a86f6c6e72760fd8b",
        },
    }


def _truncate(stage: Stage) -> None:
    (stage.root / "clean/orders/part-0.parquet").write_bytes(b"order")


def _alter(stage: Stage) -> None:
    (stage.root / "clean/orders/part-0.parquet").write_bytes(b"Orders")


def _remove(stage: Stage) -> None:
    (stage.root / "rejected/orders/part-0.parquet").unlink()


def _add(stage: Stage) -> None:
    (stage.root / "clean/orders/part-1.parquet").write_bytes(b"orders")


def _cut_manifest(stage: Stage) -> None:
    stage.manifest_path.write_bytes(stage.manifest_path.read_bytes()[:-20])


def _empty_manifest(stage: Stage) -> None:
    stage.manifest_path.write_bytes(b"")


def _binary_manifest(stage: Stage) -> None:
    stage.manifest_path.write_bytes(b"\xff\xfe\x00")


def _other_json(stage: Stage) -> None:
    stage.manifest_path.write_text("[1, 2]")


def _no_details(stage: Stage) -> None:
    manifest = json.loads(stage.manifest_path.read_text())
    del manifest["details"]
    stage.manifest_path.write_text(json.dumps(manifest))


def _remove_manifest(stage: Stage) -> None:
    stage.manifest_path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _alter,
        _remove,
        _add,
        _cut_manifest,
        _empty_manifest,
        _binary_manifest,
        _other_json,
        _no_details,
        _remove_manifest,
    ],
)
def test_a_damaged_stage_is_not_whole(closed: Stage, damage: Callable[[Stage], None]) -> None:
    damage(closed)
    assert closed.details() is None


def test_a_stage_that_begins_again_starts_empty(closed: Stage) -> None:
    closed.begin()
    assert closed.details() is None
    assert [path for path in closed.root.rglob("*") if path.is_file()] == []
    assert (closed.root / "clean").is_dir()


def test_beginning_one_stage_leaves_the_others(closed: Stage) -> None:
    raw = Stage("extract", closed.root, ("raw",))
    raw.begin()
    assert closed.details() == {"rows": 3}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and nothing more reaches the disk."""

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(workspace.os, "fsync", refuse)


def test_a_reader_never_sees_half_a_json_file(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"n": 1})
    full_disk()
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"n": 2})
    assert json.loads(path.read_text()) == {"n": 1}


def test_a_full_disk_is_named_with_its_remedy(workdir: Path, full_disk: Callable[[], None]) -> None:
    run = Workspace.create(workdir, FIRST)
    run.write_record(_record("running"))
    full_disk()
    with pytest.raises(WorkspaceError, match=r"The disk that holds .* is full\.$") as caught:
        run.write_record(_record("succeeded"))
    assert "--resume" in caught.value.remedy
    assert run.load_record() == _record("running")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only"),
    ],
)
def test_each_operating_system_error_says_what_it_is(number: int, said: str) -> None:
    assert said in str(disk_error(Path("/data"), OSError(number, os.strerror(number))))


def test_a_workdir_that_is_a_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be used") as caught:
        Workspace.create(tmp_path / "file", FIRST)
    assert "--workdir" in caught.value.remedy


def test_a_record_is_read_back_and_a_damaged_one_is_none(workdir: Path) -> None:
    run = Workspace.create(workdir, FIRST)
    assert (run.read_record(), run.load_record()) == ({}, None)
    run.write_record(_record("running"))
    assert run.load_record() == _record("running")
    assert run.read_record()["started_at"] == "2026-11-22 00:00:00+00:00"
    for damaged in ('{"_id": ', "{}", '{"run_id": "x", "started_at": "yesterday"}'):
        (run.root / "run.json").write_text(damaged)
        assert run.load_record() is None


def test_run_ids_sort_by_time_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    run_id = new_run_id(datetime(2026, 11, 22, 18, 0, 0, tzinfo=berlin))
    assert run_id.startswith("20261122T170000Z-")
    assert RUN_ID.fullmatch(run_id)
    assert new_run_id() != new_run_id()


def test_the_newest_run_is_found_and_a_named_one(workdir: Path) -> None:
    for run_id in (SECOND, FIRST):
        Workspace.create(workdir, run_id)
    (workdir / "runs" / "notes").mkdir()
    assert Workspace.run_ids(workdir) == [FIRST, SECOND]
    assert Workspace.existing(workdir, None).run_id == SECOND
    assert Workspace.existing(workdir, FIRST).run_id == FIRST


@pytest.mark.parametrize("wanted", [None, FIRST, "../../etc"])
def test_a_run_that_is_gone_says_which_are_kept(workdir: Path, wanted: str | None) -> None:
    with pytest.raises(WorkspaceError, match="it holds no run"):
        Workspace.existing(workdir, wanted)
    Workspace.create(workdir, SECOND)
    if wanted is not None:
        with pytest.raises(WorkspaceError, match=f"it holds {SECOND}"):
            Workspace.existing(workdir, wanted)


def test_sweeping_keeps_the_newest_runs(workdir: Path) -> None:
    for run_id in (THIRD, FIRST, SECOND):
        Workspace.create(workdir, run_id).clean.begin()
    assert sweep_runs(workdir, keep=2) == [FIRST]
    assert Workspace.run_ids(workdir) == [SECOND, THIRD]
    assert sweep_runs(workdir, keep=2) == []


def test_the_run_that_explains_what_is_served_is_never_swept(workdir: Path) -> None:
    ids = [f"2026112{day}T000000Z-aaaaaa" for day in range(1, 6)]
    for run_id, kind, status in zip(
        ids,
        ("run", "run", "run", "plan", "run"),
        ("succeeded", "succeeded", "failed", "succeeded", "refused"),
        strict=True,
    ):
        Workspace.create(workdir, run_id).write_record(_record(status, kind))
    assert sweep_runs(workdir, keep=2) == [ids[0], ids[2]]
    assert Workspace.run_ids(workdir) == [ids[1], ids[3], ids[4]]


def test_sweeping_where_nothing_ran_does_nothing(workdir: Path) -> None:
    assert sweep_runs(workdir, keep=3) == []


def test_run_in_use_is_neither_swept_nor_taken_by_another(workdir: Path) -> None:
    ids = [f"2026112{day}T000000Z-aaaaaa" for day in range(1, 5)]
    for run_id in ids:
        Workspace.create(workdir, run_id)
    with Workspace(workdir, ids[0]).in_use():
        assert sweep_runs(workdir, keep=2) == [ids[1]]
        with (
            pytest.raises(WorkspaceError, match="Another process works on run"),
            Workspace(workdir, ids[0]).in_use(),
        ):
            pass
    assert Workspace.run_ids(workdir) == [ids[0], ids[2], ids[3]]
    assert sweep_runs(workdir, keep=2) == [ids[0]]


@pytest.mark.parametrize(
    "run_id",
    ["", "..", "../../../precious", f"{FIRST}/..", f"{FIRST}\n", FIRST.upper(), "20261122T18000٠Z-aaaaaa"],
)
def test_id_that_is_no_runs_id_names_no_directory(workdir: Path, run_id: str) -> None:
    for make in (Workspace, Workspace.create):
        with pytest.raises(ConfigurationError, match="is not a run's id") as caught:
            make(workdir, run_id)
        assert "Run ids look like" in caught.value.remedy
    assert list(workdir.iterdir()) == []


def test_directories_and_files_of_a_run_are_private_under_any_umask(workdir: Path) -> None:
    umask = os.umask(0)
    try:
        run = Workspace.create(workdir, FIRST)
        with run.in_use():
            run.clean.begin()
            (run.root / "clean/orders").mkdir()
            (run.root / "clean/orders/part-0.parquet").write_bytes(b"Ann")
            run.clean.close({})
            run.write_record(_record("running"))
    finally:
        os.umask(umask)
    modes = {path: path.stat().st_mode & 0o777 for path in (run.root, *run.root.rglob("*"))}
    assert {path.name for path in modes} >= {FIRST, "lock", "run.json", "clean.json", "part-0.parquet"}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def _write_often(path: Path, writer: int) -> None:
    for number in range(150):
        write_json(path, {"writer": writer, "number": number})


def test_two_processes_may_write_the_same_json_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=_write_often, args=(tmp_path / "run.json", n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text())["number"] == 149
