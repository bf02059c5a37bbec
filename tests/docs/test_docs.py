"""The documentation against the code: every command, setting and file that it names is there."""

import re
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from shopsight.cli.commands import app
from shopsight.marts.insights import INSIGHTS

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))
import docs_pages  # noqa: E402 - scripts of tools/, not part of the package
import settings_table  # noqa: E402

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
#: Those for people; the others are called by orchestrators.
SHOWN = sorted(name for name, command in COMMANDS.items() if not command.hidden)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_settings_page_is_the_settings() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_table.settings_page()


def test_site_has_every_page_every_command_and_the_messages_of_errors(tmp_path: Path) -> None:
    docs_pages.main(tmp_path / "pages")
    listed = re.findall(r"- (?:\w+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    made = {str(page.relative_to(tmp_path / "pages")) for page in (tmp_path / "pages").rglob("*.md")}
    assert {page for page in made if not page.startswith("adr/0")} == set(listed)
    commands = (tmp_path / "pages" / "commands.md").read_text()
    assert [name for name in SHOWN if f"## `shopsight {name}`" not in commands] == []
    errors = (tmp_path / "pages" / "errors.md").read_text()
    assert "| MongoDB at ‹where› ‹waited›: ‹said›. | Check that MongoDB runs" in errors
    assert "(samples/sql/schema.sql)" in (tmp_path / "pages" / "settings.md").read_text()


@pytest.mark.parametrize("command", SHOWN)
def test_every_command_is_in_the_readme_and_has_help_with_an_example(command: str) -> None:
    readme = (ROOT / "README.md").read_text()
    assert re.search(rf"`{command}`", readme), f"README's table of commands lacks {command}"
    help_ = CliRunner().invoke(app, [command, "--help"]).output
    assert re.search(r"Examples?:", help_)
    assert f"shopsight {command}" in help_


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_shopsight_command_in_the_documents_exists(page: Path) -> None:
    named = re.findall(r"^\s*(?:\.venv/bin/)?shopsight ([a-z]+)", page.read_text(), flags=re.MULTILINE)
    named += re.findall(r"`shopsight ([a-z]+)", page.read_text())
    assert set(named) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_the_documents_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(), flags=re.MULTILINE)
    assert set(named) <= targets


def test_every_insight_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in INSIGHTS if f"`{name}`" not in readme] == []
