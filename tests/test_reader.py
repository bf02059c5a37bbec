"""The reader's help: every collection of one and the same generation, with the caller's own database."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.publish_shop import AS_OF, VALID_FOR, Publisher, customer, opened_publisher, write_shop

from shopsight.errors import ConfigurationError
from shopsight.reader import open_generation

GUIDE = Path(__file__).parents[1] / "docs" / "reading.md"


@pytest.fixture
def publisher(mongo_url: str, mongo_database: str) -> Iterator[Publisher]:
    with opened_publisher(mongo_url, mongo_database) as opened:
        yield opened


@pytest.fixture
def db(mongo_url: str, mongo_database: str) -> Iterator[Database[dict[str, Any]]]:
    """An application's own connection, with the driver's defaults."""
    with MongoClient(mongo_url) as client:
        yield client[mongo_database]


def test_a_generation_knows_its_run_its_moment_and_until_when_it_is_fresh(
    publisher: Publisher, db: Database[dict[str, Any]], tmp_path: Path
) -> None:
    as_of = datetime.now(UTC).replace(microsecond=0)
    record = publisher.publish(write_shop(tmp_path, [customer(1)]), as_of=as_of)
    generation = open_generation(db)
    assert (generation.number, generation.run_id) == (1, record.run_id)
    assert (generation.as_of, generation.valid_until) == (as_of, as_of + VALID_FOR)
    assert generation.as_of.tzinfo is UTC
    assert generation.is_fresh
    assert generation.insights.name == "insights.g1"


def test_a_generation_beyond_its_time_is_not_fresh(
    publisher: Publisher, db: Database[dict[str, Any]], tmp_path: Path
) -> None:
    old = datetime.now(UTC) - VALID_FOR - timedelta(minutes=1)
    publisher.publish(write_shop(tmp_path, [customer(1)]), as_of=old)
    assert not open_generation(db).is_fresh


def test_an_opened_generation_stays_what_it_is_while_the_next_ones_are_published(
    publisher: Publisher, db: Database[dict[str, Any]], tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path / "a", [customer(1, name="before")]), keep=3)
    before = open_generation(db)
    for i in range(2):
        publisher.publish(write_shop(tmp_path / str(i), [customer(1, name="after")]), keep=3)
    after = open_generation(db)
    for generation, name in ((before, "before"), (after, "after")):
        found = generation.customer_metrics.find_one({"_id": 1})
        top = generation.insights.find_one({"_id": "top_customers"})
        assert found is not None
        assert top is not None
        assert (found["name"], top["rows"][0]["name"]) == (name, name)
    named = db["customer_metrics"].find_one({"_id": 1})
    assert named is not None
    assert named["name"] == "after"


def test_the_callers_own_options_hold_for_the_collections(
    publisher: Publisher, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path, [customer(1)]))
    with MongoClient(mongo_url, document_class=RawBSONDocument) as client:
        generation = open_generation(client[mongo_database])
        assert generation.as_of == AS_OF
        assert isinstance(generation.customer_metrics.find_one(), RawBSONDocument)


def test_an_unpublished_database_is_reported_with_a_remedy(db: Database[dict[str, Any]]) -> None:
    with pytest.raises(
        ConfigurationError, match=f"Nothing is published in the database '{db.name}'"
    ) as caught:
        open_generation(db)
    assert "shopsight run" in caught.value.remedy


def test_the_guides_python_examples_run_as_they_stand(
    publisher: Publisher, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    publisher.publish(write_shop(tmp_path, [customer(42)]))
    examples = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(examples) >= 2
    code = "\n".join(examples).replace("mongodb://localhost", mongo_url)
    code = code.replace('["shopsight"]', f'["{mongo_database}"]')
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102 - the documentation's own text
    assert names["one"]["name"] == "Customer 42"
    assert names["generation"].number == 1
    for opened in (names["db"], names["generation"].insights.database):
        opened.client.close()


def test_the_guides_javascript_is_javascript(tmp_path: Path) -> None:
    examples = re.findall(r"```javascript\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.mjs"
        file.write_text(example)
        subprocess.run(["node", "--check", file], check=True)
