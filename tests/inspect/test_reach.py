"""Both ends are tried before anything else, and everything that is wrong is named at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from shopsight.errors import (
    ConfigurationError,
    SchemaMismatch,
    ShopsightError,
    SourceUnavailable,
    TargetUnavailable,
)
from shopsight.inspect.reach import addresses, reach
from shopsight.settings import Settings, load_settings


def settings(source: str, target: str) -> Settings:
    return load_settings(source_url=source, target_url=target, connect_timeout=timedelta(milliseconds=500))


def test_addresses_are_named_without_credentials() -> None:
    given = settings("postgresql://ann:s3cret@db/shop", "mongodb://ann:s3cret@h1,h2:2/?replicaSet=rs0")
    assert addresses(given) == ["postgresql://db/shop", "mongodb://h1:27017,h2:2"]
    assert addresses(settings("embedded", "embedded")) == []


def test_addresses_of_unknown_kinds_are_all_named_without_a_connection() -> None:
    with pytest.raises(ConfigurationError) as caught:
        addresses(settings("oracle://ann:s3cret@db/shop", "http://ann:s3cret@db/"))
    assert "oracle://" in caught.value.message
    assert "The target's URL cannot be read" in caught.value.message
    assert "--source postgresql://" in caught.value.remedy
    assert "mongodb://" in caught.value.remedy
    assert "s3cret" not in f"{caught.value.message} {caught.value.remedy}"


def test_two_unreachable_databases_are_both_named() -> None:
    with pytest.raises(SourceUnavailable) as caught:
        reach(settings("postgresql://127.0.0.1:1/shop", "mongodb://127.0.0.1:1/"))
    assert "postgresql://127.0.0.1:1" in caught.value.message
    assert "mongodb://127.0.0.1:1" in caught.value.message


@pytest.mark.parametrize("hosts", ["127.0.0.1:1", "127.0.0.1:1,nowhere.invalid:27017"])
def test_hosts_that_refuse_or_are_unknown_are_not_waited_for(hosts: str) -> None:
    given = load_settings(
        source_url="embedded", target_url=f"mongodb://{hosts}/", connect_timeout=timedelta(hours=1)
    )
    with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.1:1: \[Errno 111\] Connection refused"):
        reach(given)


def test_missing_tables_are_all_named_and_not_retried_though_the_target_is_away(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE customers (customer_id, name, email, country)")
    with pytest.raises(SchemaMismatch) as caught:
        reach(settings(f"sqlite:///{tmp_path / 'shop.db'}", "mongodb://127.0.0.1:1/"))
    named = ("'categories'", "'products'", "'orders'", "'order_items'", "'reviews'", "mongodb://127.0.0.1:1")
    assert [name for name in named if name not in caught.value.message] == []
    assert not caught.value.is_retryable


def test_a_source_that_is_not_needed_is_not_tried(mongo_url: str) -> None:
    given = load_settings(source_url="postgresql://127.0.0.1:1/shop", target_url=mongo_url)
    reach(given, with_source=False)
    with pytest.raises(ShopsightError):
        reach(given)
