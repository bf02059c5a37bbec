"""The literal shop in SQLite or PostgreSQL, published to the tests' MongoDB, and ways to tamper with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pymongo.collection import Collection
from tests.support.literal_rows import load_rows
from tests.support.publish_content import read_documents
from tests.support.shop_rows import SHOP

from shopsight import publish
from shopsight.cli import main, output
from shopsight.pipeline import run as pipeline
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run, StageResult
from shopsight.pipeline.workspace import Workspace
from shopsight.record import RunRecord
from shopsight.settings import Settings, load_settings

Rows = Mapping[str, Any]


@dataclass
class PublishedShop:
    """A shop, where it is published, and what can be done to both."""

    settings: Settings

    def run(self, **given: Any) -> RunRecord:
        """The whole pipeline."""
        return pipeline.run(self.settings, **given)

    def execute(self, statement: str, *values: Any) -> None:
        """Change the source, a SQLite file."""
        path = self.settings.source_url.get_secret_value().removeprefix("sqlite:///")
        with sqlite3.connect(path) as connection:
            connection.execute(statement, values)
        connection.close()

    def target(self) -> Any:
        """The open target."""
        settings = self.settings
        return publish.connect(
            settings.target_url.get_secret_value(), settings.target_database, settings.connect_timeout
        )

    def tamper(self, view: str, change: Callable[[Collection[Any]], Any]) -> None:
        """Change what is served under a view's name, behind shopsight's back."""
        with self.target() as target:
            served = publish.served(target)
            assert served is not None
            change(target.db[served.collections[view]])

    def served(self, view: str) -> list[dict[str, Any]]:
        """What readers see, in the order of ``_id``."""
        with self.target() as target:
            return list(read_documents(target, view))

    def served_generation(self) -> int | None:
        """What ``published`` says."""
        with self.target() as target:
            served = publish.served(target)
            return None if served is None else served.generation

    def workspace(self, record: RunRecord) -> Workspace:
        """The run's directory."""
        return Workspace(self.settings.workdir, record.run_id)

    def arguments(self, command: str, *more: str) -> list[str]:
        """The command line of a command over this shop."""
        settings = self.settings
        return [
            "shopsight",
            *command.split(),
            *("--target", settings.target_url.get_secret_value()),
            *("--workdir", str(settings.workdir)),
            *more,
        ]

    def exit_code(self, monkeypatch: pytest.MonkeyPatch, command: str, *more: str) -> Any:
        """The exit code of a command over this shop, run in this process and shown in 80 columns."""
        monkeypatch.setenv("SHOPSIGHT_TARGET_DATABASE", self.settings.target_database)
        monkeypatch.setenv("SHOPSIGHT_SOURCE_URL", self.settings.source_url.get_secret_value())
        monkeypatch.setattr("sys.argv", self.arguments(command, *more))
        monkeypatch.setattr(output.out, "width", 80)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code


def published_shop(
    source_url: str,
    mongo_url: str,
    mongo_database: str,
    workdir: Path,
    rows: Rows | None = SHOP,
    column_types: Mapping[str, Mapping[str, str]] | None = None,
    **settings: Any,
) -> PublishedShop:
    """The shop's rows in the source (None for what is there already), nothing published yet."""
    if rows is not None:
        load_rows(source_url, rows, column_types)
    return PublishedShop(
        load_settings(
            source_url=source_url,
            target_url=mongo_url,
            target_database=mongo_database,
            workdir=workdir,
            retries=0,
            connect_timeout=timedelta(seconds=10),
            **settings,
        )
    )


def changed_after(stage: str, change: Callable[[Run], None]) -> Callable[[Run], StageResult]:
    """A stage that does its work and then finds its files changed, as if it had been wrong."""
    original = stages.STAGES[stage]

    def work(run: Run) -> StageResult:
        figures = original(run)
        change(run)
        return figures

    return work


def rewrite(folder: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Run], None]:
    """Changes a table's folder: its rows, in its own schema."""

    def work(run: Run) -> None:
        (path,) = run.workspace.folder(folder).glob("*.parquet")
        before = pl.read_parquet(path)
        after = change(before)
        assert after.schema == before.schema
        assert not after.equals(before), "the change changes nothing"
        after.write_parquet(path)

    return work
