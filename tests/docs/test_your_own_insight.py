"""docs/your-own-insight.md: its files are those that `insight new` writes, and they work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import shopsight
from tests.support.staged import literal_shop, read, staged

from shopsight.pipeline.own_insights import own_insights
from shopsight.settings import load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "your-own-insight.md").read_text()
INSIGHT, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    ended = shopsight("insight", "new", "countries_lately")
    assert ended.code == 0
    return tmp_path / "my_insights"


def test_the_page_shows_what_the_command_writes(written: Path) -> None:
    assert (written / "countries_lately.py").read_text() == INSIGHT
    assert (written / "test_countries_lately.py").read_text() == TEST


def test_the_written_test_passes_and_fails_if_the_insight_is_wrong(written: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "my_insights"]
    assert subprocess.run(command, cwd=written.parent, check=False).returncode == 0
    (written / "countries_lately.py").write_text(INSIGHT.replace('order_date") >', 'order_date") <'))
    assert subprocess.run(command, cwd=written.parent, check=False).returncode == 1


def test_the_settings_of_the_page_publish_the_insight(written: Path, tmp_path: Path) -> None:
    Path("shopsight.toml").write_text(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
    (own,) = own_insights(load_settings())
    assert own.insight.options == {"weeks": 4}
    Path("shopsight.toml").unlink()
    made = staged(
        tmp_path, literal_shop(), insights={"files": [written], "countries_lately": {"weeks": 9999}}
    )
    assert len(read(made, "marts/insights/countries_lately")) > 0


def test_an_existing_file_and_a_name_that_is_no_id_are_refused(written: Path) -> None:
    for name in ("countries_lately", "Countries", "files", "customers"):
        assert shopsight("insight", "new", name).code == 2
    assert (written / "countries_lately.py").read_text() == INSIGHT
