"""Run directories that somebody else got at: planted folders, files of another run, Parquet that explodes."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.published_shop import PublishedShop
from tests.support.shop_rows import SPENT

from shopsight.errors import WorkspaceError
from shopsight.errors.redaction import redact
from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight.pipeline.workspace import Workspace, new_run_id
from shopsight.report import write_report


@pytest.mark.parametrize("planted", ["work", "work/runs", "work/runs/RUN"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_another_user_made_in_a_shared_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str, is_link: bool
) -> None:
    run_id = new_run_id()
    folder = tmp_path / "shared" / planted.replace("RUN", run_id)
    folder.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere) if is_link else folder.mkdir()
    folder.parent.chmod(0o1777)
    # Another user made it.
    me, made = os.geteuid(), folder.lstat()
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: Owned(made, me + 1) if path == folder else lstat(path))
    with pytest.raises(WorkspaceError, match="belongs to another user"):
        Workspace.create(tmp_path / "shared" / "work", run_id)
    assert list(elsewhere.iterdir()) == []


class Owned:
    """What ``lstat`` says, with another owner."""

    def __init__(self, found: os.stat_result, owner: int) -> None:
        self.st_uid, self.st_mode = owner, found.st_mode


def test_a_folder_of_our_own_in_a_shared_one_is_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    workspace = Workspace.create(shared / "work", new_run_id())
    assert stat.S_IMODE(workspace.root.stat().st_mode) == 0o700
    Workspace.create(shared / "work", workspace.run_id)


def test_a_report_follows_no_link_that_was_planted_for_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "report.html").symlink_to(mine)
    (tmp_path / f".report.html.{os.getpid()}.tmp").symlink_to(mine)
    write_report("<html>", tmp_path / "report.html")
    assert mine.read_text() == "mine"
    assert (tmp_path / "report.html").read_text() == "<html>"


@pytest.fixture(scope="module")
def stages() -> dict[str, tuple[str, ...]]:
    """By stage, its folders."""
    workspace = Workspace(Path(), new_run_id())
    closed = (workspace.raw, workspace.clean, workspace.metrics, workspace.insights)
    return {stage.name: stage.folders for stage in closed}


@pytest.mark.parametrize("stage", ["extract", "clean", "metrics", "insights"])
def test_files_and_manifest_of_another_run_are_never_mixed_with_a_runs_own(
    sqlite_shop: PublishedShop, stages: dict[str, tuple[str, ...]], stage: str
) -> None:
    shop = sqlite_shop
    [run_id] = Workspace.run_ids(shop.settings.workdir)
    shop.execute("UPDATE orders SET total_amount = 1000 WHERE order_id = 100")
    with open_run(shop.settings, publishes=False) as other:
        for name in STAGES[:-1]:
            run_stage(other, name)
    mine = Workspace(shop.settings.workdir, run_id)
    for folder in (*stages[stage], f"manifests/{stage}.json"):
        source, target = other.workspace.folder(folder), mine.folder(folder)
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    shop.run(resume=True, run_id=run_id)
    spent = {row["_id"]: row["total_amount_spent"] for row in shop.served("customer_metrics")}
    # A snapshot that was swapped whole is another snapshot, and all that follows is made from it.
    assert spent == (SPENT if stage != "extract" else {**SPENT, 1: SPENT[1] + 970})
    top = next(row for row in shop.served("insights") if row["_id"] == "top_customers")["rows"]
    assert {row["customer_id"]: row["total_amount_spent"] for row in top} == {1: spent[1], 2: spent[2]}


@pytest.mark.parametrize("folder", ["raw/customers", "clean/customers", "marts/customer_metrics"])
def test_a_file_that_unpacks_to_far_more_than_its_size_is_not_unpacked(
    sqlite_shop: PublishedShop, folder: str
) -> None:
    [run_id] = Workspace.run_ids(sqlite_shop.settings.workdir)
    workspace = Workspace(sqlite_shop.settings.workdir, run_id)
    [path] = workspace.folder(folder).glob("*.parquet")
    write_bomb(path, pq.read_schema(path))
    assert path.stat().st_size < 2**20
    record = sqlite_shop.run(resume=True, run_id=run_id)
    assert {row["_id"]: row["total_amount_spent"] for row in sqlite_shop.served("customer_metrics")} == SPENT
    peaks = [stage.peak_memory_bytes for stage in record.stages if stage.peak_memory_bytes]
    assert max(peaks) < 3 * 2**30, "it unpacks to 8 GiB"


def write_bomb(path: Path, schema: pa.Schema) -> None:
    """8,192 rows, each with the same text of a mebibyte."""
    rows = 8_192
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 2**20])
    columns: dict[str, Any] = {
        field.name: text
        if pa.types.is_large_string(field.type) or pa.types.is_string(field.type)
        else pa.nulls(rows, field.type)
        for field in schema
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def test_the_options_of_an_sqlite_url_are_neither_shown_nor_kept(sqlite_shop: PublishedShop) -> None:
    assert redact("sqlite:///shop.db?key=5ecret&x=1 is locked") == "sqlite:///shop.db?*** is locked"
    settings = sqlite_shop.settings.model_copy(
        update={"source_url": type(sqlite_shop.settings.source_url)("sqlite:///shop.db?key=5ecret")}
    )
    record = PublishedShop(settings).run()
    workspace = sqlite_shop.workspace(record)
    kept = "".join(path.read_text() for path in workspace.root.rglob("*.json"))
    assert "sqlite:///shop.db" in kept
    assert "5ecret" not in kept + json.dumps(record.as_document(), default=str)
