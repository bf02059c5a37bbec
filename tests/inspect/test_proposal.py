"""The first shopsight.toml: for known software, for other names, and never over one that is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import psycopg
import pytest
from tests.extract.test_mapping import PATIENCE, RENAMED, RENAMING
from tests.support.literal_rows import DIALECTS, database_url, load_rows
from tests.support.shop_rows import SHOP
from typer.testing import CliRunner

from shopsight.cli.commands import app
from shopsight.errors import ConfigurationError, SchemaMismatch
from shopsight.extract import Source, check_source, extract
from shopsight.inspect.proposal import propose
from shopsight.settings import load_settings
from shopsight_demo.seed.load import open_database


@pytest.fixture(params=DIALECTS)
def renamed(request: pytest.FixtureRequest) -> str:
    url = database_url(request, request.param)
    load_rows(url, SHOP)
    with open_database(url, None) as database:
        for statement in (*RENAMING, "DROP TABLE reviews"):
            database.execute(statement)
        database.commit()
    return url


def test_the_proposal_for_other_names_fits(renamed: str) -> None:
    proposal = propose(load_settings(source_url=renamed), None)
    assert proposal.unsure == 0
    assert tomllib.loads(proposal.text)["tables"] == {**RENAMED, "reviews": {"optional": True}}
    Path("shopsight.toml").write_text(proposal.text)
    settings = load_settings(source_url=renamed)
    checks = check_source(Source(renamed, None, settings.connect_timeout, settings.tables))
    assert [check for check in checks if not check.is_ok] == []


def test_what_is_unsure_or_missing_is_marked_and_passwords_stay_out(renamed: str) -> None:
    with open_database(renamed, None) as database:
        database.execute("ALTER TABLE sales_order RENAME COLUMN status TO shop_state")
        database.execute("ALTER TABLE sales_order RENAME COLUMN customer_id TO who")
        database.commit()
    text = propose(load_settings(source_url=renamed), None).text
    assert 'columns.status = "shop_state"  # unsure' in text
    assert '# columns.customer_id = "…"  # unsure' in text
    assert (f'source_url = "{renamed}"' in text) is renamed.startswith("sqlite")
    assert "password=" not in text
    assert "postgres:" not in text
    assert "root:" not in text


def test_an_address_that_holds_a_user_alone_is_no_password(postgres_url: str) -> None:
    load_rows(postgres_url, SHOP)
    text = propose(load_settings(source_url=postgres_url.replace(":@", "@")), None).text
    assert "# The source's address holds a login: give it as SHOPSIGHT_SOURCE_URL." in text


def test_names_with_quotes_are_written_as_toml(workdir: Path) -> None:
    load_rows("sqlite:///odd.db", SHOP)
    with open_database("sqlite:///odd.db", None) as database:
        database.execute('ALTER TABLE orders RENAME COLUMN total_amount TO "Total\\"')
        database.commit()
    text = propose(load_settings(source_url="sqlite:///odd.db"), None).text
    assert tomllib.loads(text)["tables"] == {"orders": {"columns": {"total_amount": "Total\\"}}}
    with pytest.raises(SchemaMismatch) as caught:
        extract(Source("sqlite:///odd.db", None, PATIENCE), workdir, connections=1, batch_rows=9)
    _, _, toml = caught.value.remedy.partition("\n")
    assert tomllib.loads(toml)["tables"] == {"orders": {"columns": {"total_amount": "Total\\"}}}


def test_known_software_is_proposed_by_its_preset(postgres_url: str) -> None:
    script = Path(__file__).parents[1] / "settings" / "spree.sql"
    with psycopg.connect(postgres_url) as connection:
        connection.execute(script.read_text().encode())
    settings = load_settings(source_url=postgres_url)
    assert tomllib.loads(propose(settings, None).text) == {"preset": "spree"}
    assert tomllib.loads(propose(settings, "odoo").text) == {"preset": "odoo"}
    with pytest.raises(ConfigurationError, match="no preset 'WooX'; there are"):
        propose(settings, "WooX")


def test_init_writes_a_file_once_and_names_the_next_command(renamed: str) -> None:
    told = CliRunner().invoke(app, ["init", "--source", renamed])
    assert told.exit_code == 0, told.output
    assert "shopsight doctor" in told.output
    written = Path("shopsight.toml").read_text()
    assert "sales_order" in written
    again = CliRunner().invoke(app, ["init", "--source", renamed])
    assert isinstance(again.exception, ConfigurationError)
    assert Path("shopsight.toml").read_text() == written
