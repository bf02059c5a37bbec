"""The literal shop for tests that run the pipeline, and a run of it that only has to be published."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from tests.published_shop import PublishedShop, published_shop

from shopsight.pipeline import STAGES, open_dry_run

# Relative, so that a copy is the same source.
SOURCE_URL = "sqlite:///shop.db"


@pytest.fixture(scope="session")
def proven_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: the literal shop in a SQLite file; in ``work``, a run that is proven and not published."""
    folder = tmp_path_factory.mktemp("proven")
    with chdir(folder):
        shop = published_shop(SOURCE_URL, "mongodb://nowhere", "nowhere", folder / "work")
        with open_dry_run(shop.settings) as run:
            for stage in STAGES[:-1]:
                run.run_stage(stage)
    return folder


@pytest.fixture
def sqlite_shop(
    proven_shop: Path, mongo_url: str, mongo_database: str, workdir: Path, tmp_path: Path
) -> PublishedShop:
    """The literal shop in a SQLite file; its run is proven, and published by ``run(resume=True)``."""
    shutil.copy(proven_shop / "shop.db", tmp_path)
    shutil.copytree(proven_shop / "work" / "runs", workdir / "runs")
    return published_shop(SOURCE_URL, mongo_url, mongo_database, workdir, rows=None)


@pytest.fixture
def shop(sqlite_shop: PublishedShop) -> PublishedShop:
    """The same, published as generation 1."""
    sqlite_shop.run(resume=True)
    return sqlite_shop
