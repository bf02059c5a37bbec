"""A whole run, and every reading command, under exactly the documented roles of both databases."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from pymongo import MongoClient
from tests.support.literal_rows import load_rows
from tests.support.shop_rows import SHOP

from shopsight.inspect.doctor import examine
from shopsight.inspect.plan import make_plan
from shopsight.inspect.verify import verify
from shopsight.pipeline import run as pipeline
from shopsight.settings import Settings, load_settings

SAMPLES = Path(__file__).parents[2] / "samples"
READER = "shopsight_reader"


@pytest.fixture
def reader_url(postgres_url: str) -> Iterator[str]:
    """The shop's URL for the role that samples/sql/grants.sql makes; the file is run twice, as it may be."""
    load_rows(postgres_url, SHOP)
    password = secrets.token_hex(8)
    grants = (SAMPLES / "sql" / "grants.sql").read_text().encode()
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"REVOKE ALL ON DATABASE {_database(postgres_url)} FROM PUBLIC".encode())
        for _ in range(2):
            owner.execute(grants)
        owner.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(READER), sql.Literal(password))
        )
        yield f"postgresql://{READER}:{password}@{postgres_url.partition('@')[2]}"
        owner.execute(f"DROP OWNED BY {READER}".encode())
        owner.execute(f"DROP ROLE {READER}".encode())


def _database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture
def publisher_url(mongo_url: str, mongo_database: str) -> Iterator[str]:
    """MongoDB's URL for a user with the role of samples/mongo/role.js and no other."""
    text = (SAMPLES / "mongo" / "role.js").read_text().replace('"shopsight"', json.dumps(mongo_database))
    role = json.JSONDecoder().raw_decode(text[text.index("createRole(") + len("createRole(") :].lstrip())[0]
    password = secrets.token_hex(8)
    with MongoClient[dict[str, Any]](mongo_url) as admin:
        db = admin[mongo_database]
        db.command("createRole", role["role"], privileges=role["privileges"], roles=role["roles"])
        db.command("createUser", "publisher", pwd=password, roles=[role["role"]])
        hosts = urlsplit(mongo_url).netloc.rpartition("@")[2]
        yield f"mongodb://publisher:{password}@{hosts}/?authSource={mongo_database}&directConnection=true"
        db.command("dropAllUsersFromDatabase")
        db.command("dropAllRolesFromDatabase")


@pytest.fixture
def settings(reader_url: str, publisher_url: str, mongo_database: str, workdir: Path) -> Settings:
    return load_settings(
        source_url=reader_url,
        target_url=publisher_url,
        target_database=mongo_database,
        workdir=workdir,
        retries=0,
        connect_timeout=timedelta(seconds=5),
        keep_generations=1,
    )


def test_the_documented_roles_suffice_for_everything(settings: Settings) -> None:
    assert [finding for finding in examine(settings) if not finding.is_ok] == []
    assert pipeline.run(settings).status == "succeeded"
    assert make_plan(settings).documents["customer_metrics"].changed == 0
    # The second one sweeps the first.
    assert pipeline.run(settings).generation == 2
    assert verify(settings).is_intact


def test_the_documented_source_role_cannot_write(reader_url: str) -> None:
    with psycopg.connect(reader_url) as connection:
        for statement in (
            b"DELETE FROM orders",
            b"CREATE TABLE public.mine (a int)",
            b"SET default_transaction_read_only = off; DELETE FROM orders",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                connection.execute(statement)
            connection.rollback()
