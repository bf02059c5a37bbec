"""The literal shop for tests that run the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.published_shop import PublishedShop, published_shop


@pytest.fixture
def sqlite_shop(mongo_url: str, mongo_database: str, workdir: Path, tmp_path: Path) -> PublishedShop:
    """The literal shop in a SQLite file, nothing published yet."""
    return published_shop(f"sqlite:///{tmp_path / 'shop.db'}", mongo_url, mongo_database, workdir)
