"""The embedded servers: real, private, shared by who needs them, and mended after a crash."""

from __future__ import annotations

import psycopg
from pymongo import MongoClient


def test_each_test_gets_an_empty_postgres_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


def test_mongo_has_transactions(mongo_url: str, mongo_database: str) -> None:
    with MongoClient(mongo_url) as client:
        with client.start_session() as session, session.start_transaction():
            client[mongo_database].things.insert_one({"_id": 1}, session=session)
        assert client[mongo_database].things.count_documents({}) == 1


def test_a_killed_server_restarts_with_its_data(restartable_postgres, restartable_mongo) -> None:
    with psycopg.connect(restartable_postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    restartable_postgres.kill()
    with psycopg.connect(restartable_postgres.restart()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    with MongoClient(restartable_mongo.url) as client:
        client.shop.kept.insert_one({"_id": 42})
    restartable_mongo.kill()
    with MongoClient(restartable_mongo.restart()) as client:
        assert client.shop.kept.find_one() == {"_id": 42}
