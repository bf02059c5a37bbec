"""The stages on Spark in this process, compared with Polars digest by digest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.engine.spark.published_shop import doctor_on_engine
from tests.support.command_line import shopsight
from tests.support.staged import digests, staged

from shopsight.contract import TABLES
from shopsight.engine.spark import open_spark, refuse_old
from shopsight.errors import ConfigurationError, EngineUnavailable
from shopsight.extract import Source, extract
from shopsight_demo.seed import ShopSize, seed

URL = "local[2]"

NOWHERE = {"SHOPSIGHT_SOURCE_URL": "sqlite:///none.db", "SHOPSIGHT_TARGET_URL": "mongodb://127.0.0.1:1/"}

# Minutes on a busy machine.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def dirty_shop(tmp_path: Path) -> dict[str, pl.DataFrame]:
    url, raw = f"sqlite:///{tmp_path / 'shop.db'}", tmp_path / "raw"
    seed(url, ShopSize(customers=200, orders=800, products=60, categories=8), dirt=0.2, seed=3)
    extract(Source(url, None, timedelta(seconds=10)), raw, connections=1, batch_rows=10_000)
    return {name: pl.read_parquet(raw / name / "*.parquet") for name in TABLES}


def test_a_dirty_shop_is_the_same_in_every_folder(
    dirty_shop: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    shopsight("insight", "new", "own", "--folder", "mine")
    ours = staged(tmp_path / "polars", dirty_shop, insights=["mine"])
    theirs = staged(tmp_path / "spark", dirty_shop, insights=["mine"], engine="spark", spark_url=URL)

    assert digests(theirs) == digests(ours)
    assert theirs.record.ledger == ours.record.ledger
    assert theirs.record.totals == ours.record.totals
    assert [link.broken for link in theirs.record.proof] == [[], [], []]
    root = ours.workspace.root
    folders = {path.parent.relative_to(root) for path in root.rglob("*.parquet")}
    assert len(folders) == 6 + 31 + 13
    for folder in folders:
        mine, other = (pl.read_parquet(run.workspace.root / folder / "*.parquet") for run in (ours, theirs))
        assert other.columns == mine.columns, folder
        assert sorted(other.rows(), key=repr) == sorted(mine.rows(), key=repr), folder
    assert theirs.record.versions["spark"]
    assert not theirs.workspace.folder("scratch").exists()


def test_an_old_spark_is_refused() -> None:
    refuse_old("4.0.0")
    with pytest.raises(ConfigurationError, match=r"runs Spark 3\.5\.7, and shopsight needs 4\.0"):
        refuse_old("3.5.7")


@pytest.mark.parametrize("url", ["sc://127.0.0.1:1", "spark://127.0.0.1:1,127.0.0.1:2"])
def test_an_absent_cluster_is_unavailable_at_once(url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(EngineUnavailable, match=r"Spark does not answer at 127\.0\.0\.1:1") as caught,
        open_spark(url, tmp_path / "scratch", timedelta(seconds=3)),
    ):
        pass
    assert caught.value.is_retryable


def test_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ConfigurationError, match="no `java` on PATH"),
        open_spark(URL, tmp_path / "scratch", timedelta(seconds=3)),
    ):
        pass


def test_a_java_that_cannot_start_spark_is_named(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    # In a process of its own, as this one may have started Java already.
    environment = {"JAVA_HOME": str(tmp_path), "SHOPSIGHT_ENGINE": "spark", **NOWHERE}
    engine = doctor_on_engine(environment)
    assert not engine["is_ok"]
    assert "the `java` that was found did not start it" in engine["message"]


@pytest.mark.parametrize("url", ["sc://127.0.0.1:1", "spark://127.0.0.1:1"])
def test_doctor_names_an_absent_cluster_and_leaves_no_folder(url: str, tmp_path: Path) -> None:
    environment = {"SHOPSIGHT_ENGINE": "spark", "SHOPSIGHT_SPARK_URL": url, **NOWHERE}
    engine = doctor_on_engine({**environment, "SHOPSIGHT_WORKDIR": str(tmp_path / "new" / "workdir")})
    assert not engine["is_ok"]
    assert engine["message"].startswith("Spark does not answer at 127.0.0.1:1")
    assert list(tmp_path.iterdir()) == []
