"""samples/mongo is what publishing samples/sql gives, whichever database it was loaded into."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest
from bson.json_util import loads

from shopsight_demo.servers import PostgresServer

sys.path.append(str(Path(__file__).parents[3] / "tools"))
import sample_mongo


def differing_lines(expected: str, found: str) -> list[str]:
    return list(difflib.unified_diff(expected.splitlines(), found.splitlines(), lineterm="", n=0))[:20]


@pytest.fixture(params=["sqlite", "postgresql"])
def source(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> str:
    if request.param == "sqlite":
        return sample_mongo.load_sqlite(tmp_path / "shop.db")
    script = sample_mongo.SAMPLES / "sql" / "shop.sql"
    command = [postgres_server.program("psql"), "--set", "ON_ERROR_STOP=1", "--file", script, postgres_url]
    subprocess.run(command, check=True, capture_output=True)
    return postgres_url


def test_publishing_the_sql_sample_gives_the_mongo_sample(
    source: str, mongo_url: str, mongo_database: str, workdir: Path
) -> None:
    published = sample_mongo.published_sample(source, mongo_url, mongo_database, workdir)
    for name, lines in published.items():
        kept = (sample_mongo.SAMPLES / "mongo" / f"{name}.json").read_text()
        if name == "rejected_rows":
            # A rejected row is kept as its own database has it: SQLite has no types of its own to show.
            assert id_and_rule(kept) == id_and_rule(lines)
        else:
            assert differing_lines(kept, lines) == []


def id_and_rule(lines: str) -> list[str]:
    documents = [loads(line) for line in lines.splitlines()]
    return [f"{document['_id']} {document['rule']} {document['measure']}" for document in documents]
