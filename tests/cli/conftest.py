"""A small shop on the session's servers, and where it is published."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient
from tests.support.command_line import Ended, shopsight
from tests.support.literal_rows import load_rows
from tests.support.shop_rows import SHOP

from shopsight_demo.servers import MongoServer, PostgresServer


@dataclass(frozen=True)
class Place:
    """A shop's database, the database it is published to, and a working directory."""

    source: str
    target: str
    database: str
    workdir: Path

    @property
    def options(self) -> list[str]:
        return ["--source", self.source, *self.target_options]

    @property
    def target_options(self) -> list[str]:
        return ["--target", self.target, "--workdir", str(self.workdir)]

    @property
    def environment(self) -> dict[str, str]:
        """The database's name, and waits that suit a test."""
        return {
            "SHOPSIGHT_TARGET_DATABASE": self.database,
            "SHOPSIGHT_RETRIES": "0",
            "SHOPSIGHT_CONNECT_TIMEOUT": "2s",
        }

    def run(self, command: str = "run", *more: object, **environment: str) -> Ended:
        """A command with all options; those given come last, so they go before."""
        options = self.options if command in ("run", "plan", "verify", "doctor") else self.target_options
        return shopsight(command, *options, *more, **{**self.environment, **environment})

    @property
    def served(self) -> dict[str, Any] | None:
        """What ``published`` says."""
        with MongoClient[dict[str, Any]](self.target) as client:
            return client[self.database]["published"].find_one({"_id": "current"})

    @property
    def spent(self) -> dict[int, Decimal]:
        """By customer, what readers see that they spent."""
        with MongoClient[dict[str, Any]](self.target) as client:
            found = client[self.database]["customer_metrics"].find()
            return {document["_id"]: document["total_amount_spent"].to_decimal() for document in found}

    def execute(self, *statements: str) -> None:
        """Change the shop."""
        with psycopg.connect(self.source) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    logger = logging.getLogger("shopsight")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def place(postgres_url: str, mongo_url: str, mongo_database: str, workdir: Path) -> Place:
    """A shop that nothing was made of yet."""
    load_rows(postgres_url, SHOP)
    return Place(postgres_url, mongo_url, mongo_database, workdir)


@pytest.fixture
def published(place: Place) -> Place:
    """A shop that is published once."""
    ended = place.run()
    assert ended.code == 0, ended.err
    return place


@pytest.fixture(scope="module")
def shown(
    postgres_server: PostgresServer, mongo_server: MongoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A shop that is published once for all tests of a module, which publish nothing else."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        place = Place(
            postgres_server.url_of(name), mongo_server.url, name, tmp_path_factory.mktemp("shown") / "work"
        )
        load_rows(place.source, SHOP)
        ended = place.run()
        assert ended.code == 0, ended.err
        yield place
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    with MongoClient[dict[str, Any]](mongo_server.url) as client:
        client.drop_database(name)
