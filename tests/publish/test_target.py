"""The connection, its errors, and the names in the database: whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from shopsight.errors import ConfigurationError, PublishError, TargetUnavailable, is_retryable
from shopsight.publish import connect, heal_views, hold_lease
from shopsight.publish.naming import collections_of
from shopsight.publish.probe import LEAST_VERSION
from shopsight.publish.target import redacted_url, translate


def test_collections_are_named_after_view_and_generation() -> None:
    assert collections_of(12) == {
        "customer_metrics": "customer_metrics.g12",
        "customers": "customers.g12",
        "insights": "insights.g12",
        "rejected_rows": "rejected_rows.g12",
    }


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            ServerSelectionTimeoutError("db:27017: refused, Timeout: 5s, Topology Description: <…>"),
            TargetUnavailable,
        ),
        (AutoReconnect("connection closed"), TargetUnavailable),
        (NetworkTimeout("timed out"), TargetUnavailable),
        (NotPrimaryError("not primary"), TargetUnavailable),
        (WTimeoutError("waiting for replication timed out", 64, {"errmsg": "waiting"}), TargetUnavailable),
        (OperationFailure("interrupted", 11600, {"errmsg": "interrupted at shutdown"}), TargetUnavailable),
        (OperationFailure("auth", 18, {"errmsg": "Authentication failed."}), ConfigurationError),
        (OperationFailure("not authorized", 13, {"errmsg": "not authorized on shop"}), ConfigurationError),
        (OperationFailure("full", 14031, {"errmsg": "out of disk space"}), PublishError),
        (
            BulkWriteError({"writeErrors": [{"code": 14031, "errmsg": "No space left on device"}]}),
            PublishError,
        ),
        (BulkWriteError({"writeErrors": [{"code": 11600, "errmsg": "shutdown"}]}), TargetUnavailable),
        (BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": "duplicate key"}]}), PublishError),
        (OperationFailure("odd", 9, {"errmsg": "failed to parse"}), PublishError),
    ],
)
def test_driver_errors_are_reworded(error: Exception, kind: type[PublishError]) -> None:
    found = translate(error, "mongodb://db:27017")  # type: ignore[arg-type]
    assert type(found) is kind
    assert is_retryable(found) is (kind is TargetUnavailable)
    assert "mongodb://db:27017" in found.message
    assert "Topology Description" not in found.message
    assert found.remedy


def test_a_full_disk_names_the_disk_as_what_to_look_at() -> None:
    error = BulkWriteError({"writeErrors": [{"code": 14031, "errmsg": "No space left on device"}]})
    found = translate(error, "mongodb://db:27017")
    assert "disk of MongoDB" in found.message
    assert "Free some space" in found.remedy


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://ann:pa/ss@host/shop",  # the driver's own text would quote "ss@host"
        "mongodb://ann:s3cret%@host/shop",
        "mongodb://ann:s3cret@host/?noSuchOption=s3cret",
        "mongodb://ann:s3cret@host:99999999/",
        "postgresql://ann:s3cret@host/shop",
        "ann:s3cret@host",
        "mongodb://",
    ],
)
def test_an_unreadable_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught, connect(url, "shop", timedelta(seconds=1)):
        pass
    error = caught.value
    told = f"{error} {error.remedy} {error.__cause__!r}"
    assert "s3cret" not in told
    assert "ss@host" not in told
    assert "percent-encoded" in error.remedy
    assert error.__suppress_context__


def test_a_redacted_url_has_hosts_and_nothing_else() -> None:
    assert redacted_url("mongodb+srv://ann:s3cret@db.example.net/shop?w=1") == "mongodb+srv://db.example.net"
    assert redacted_url("mongodb://%2Ftmp%2Fmongodb-27017.sock") == "mongodb:///tmp/mongodb-27017.sock"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (6, "HostUnreachable"),
        (7, "HostNotFound"),
        (50, "MaxTimeMSExpired"),
        (64, "WriteConcernTimeout"),
        (89, "NetworkTimeout"),
        (91, "ShutdownInProgress"),
        (100, "UnsatisfiableWriteConcern"),
        (133, "FailedToSatisfyReadPreference"),
        (134, "ReadConcernMajorityNotAvailableYet"),
        (189, "PrimarySteppedDown"),
        (211, "KeyNotFound"),
        (262, "ExceededTimeLimit"),
        (9001, "SocketException"),
        (10058, "LegacyNotPrimary"),
        (10107, "NotWritablePrimary"),
        (11600, "InterruptedAtShutdown"),
        (11602, "InterruptedDueToReplStateChange"),
        (13435, "NotPrimaryNoSecondaryOk"),
        (13436, "NotPrimaryOrSecondary"),
    ],
)
def test_server_error_that_may_pass_is_retried(code: int, name: str) -> None:
    for error in (
        OperationFailure(name, code, {"errmsg": name}),
        BulkWriteError({"writeErrors": [{"code": code, "errmsg": name}]}),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": code, "errmsg": name}]}),
    ):
        found = translate(error, "mongodb://db:27017")
        assert type(found) is TargetUnavailable
        assert f"went away: {name}." in found.message


@pytest.mark.parametrize(
    ("code", "name"),
    [(11, "UserNotFound"), (13, "Unauthorized"), (18, "AuthenticationFailed"), (8000, "AtlasError")],
)
def test_server_error_about_the_user_is_a_wrong_setting(code: int, name: str) -> None:
    found = translate(OperationFailure(name, code, {"errmsg": name}), "mongodb://db:27017")
    assert type(found) is ConfigurationError
    assert name in found.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mongodb://ann:s3cret@127.0.0.1:9/", "mongodb://127.0.0.1:9 does not answer: .*Connection refused"),
        ("mongodb://ann:s3cret@nohost.invalid/", r"nohost\.invalid:27017 does not answer: .*\[Errno -\d\]"),
        (
            "mongodb+srv://ann:s3cret@shop.nohost.invalid/",
            r"mongodb\+srv://shop\.nohost\.invalid cannot be found: .*DNS",
        ),
    ],
)
def test_unreachable_target_is_reported_with_the_reason_and_no_credentials(url: str, reason: str) -> None:
    with (
        pytest.raises(TargetUnavailable, match=reason) as caught,
        connect(url, "shop", timedelta(seconds=0.5)),
    ):
        pass
    assert is_retryable(caught.value)
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.remedy} {caught.value.__cause__}"


@pytest.mark.parametrize("database", ["admin", "config", "local"])
def test_database_of_mongodb_itself_is_refused(mongo_url: str, database: str) -> None:
    with (
        pytest.raises(
            ConfigurationError, match=f"'{database}' is MongoDB's own. Nothing was changed"
        ) as caught,
        connect(mongo_url, database, timedelta(seconds=5)),
    ):
        pass
    assert "SHOPSIGHT_TARGET_DATABASE" in caught.value.remedy


@pytest.fixture
def db(mongo_url: str, mongo_database: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient(mongo_url) as client:
        yield client[mongo_database]


def state(db: Database[dict[str, Any]]) -> dict[str, Any]:
    """Everything in a database: the options of each collection and view, and what is in it."""
    return {
        entry["name"]: (entry["type"], entry["options"], list(db[entry["name"]].find(sort=[("_id", 1)])))
        for entry in db.list_collections()
        if not entry["name"].startswith("system.")
    }


@pytest.mark.parametrize("name", ["customer_metrics", "customers", "insights", "rejected_rows"])
@pytest.mark.parametrize("shown", ["sales", "insights.g1.old"])
def test_view_of_somebody_else_is_refused_and_kept(
    db: Database[dict[str, Any]], mongo_url: str, name: str, shown: str
) -> None:
    db[shown].insert_one({"_id": 1})
    db.command("create", name, viewOn=shown, pipeline=[{"$match": {"_id": 1}}])
    refused(db, mongo_url, f"view '{name}' of '{shown}'")


@pytest.mark.parametrize("name", ["customer_metrics", "customers", "insights", "rejected_rows"])
def test_collection_under_a_readers_name_is_refused_and_kept(
    db: Database[dict[str, Any]], mongo_url: str, name: str
) -> None:
    db[name].insert_one({"_id": 1})
    refused(db, mongo_url, f"collection '{name}'")


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("lease", {"_id": "flat 7", "tenant": "Ann"}),
        ("lease", {"_id": "publish", "house": "O'Reilly"}),
        ("published", {"_id": "current", "title": "News"}),
        ("published", {"title": "A book"}),
        ("generations", {"_id": "baby boomers", "state": "old"}),
        ("generations", {"_id": 1, "name": "baby boomers"}),
        ("pipeline_runs", {"_id": 17, "status": "done"}),
        ("pipeline_runs", {"_id": "nightly", "ended": True}),
    ],
)
def test_collection_of_somebody_else_under_a_name_of_shopsight_is_refused_and_kept(
    db: Database[dict[str, Any]], mongo_url: str, name: str, document: dict[str, Any]
) -> None:
    db[name].insert_one(document)
    refused(db, mongo_url, f"collection '{name}'")


def test_view_under_a_name_of_shopsights_own_collections_is_refused_and_kept(
    db: Database[dict[str, Any]], mongo_url: str
) -> None:
    db["rent"].insert_one({"_id": "publish", "token": 1, "expires_at": datetime.now(UTC)})
    db.command("create", "lease", viewOn="rent", pipeline=[])
    refused(db, mongo_url, "view 'lease'")


def refused(db: Database[dict[str, Any]], mongo_url: str, found: str) -> None:
    """A run is refused with what was found, and changes nothing, not even when it heals views."""
    before = state(db)
    with connect(mongo_url, db.name, timedelta(seconds=5)) as target:
        with (
            pytest.raises(ConfigurationError, match=re.escape(found)) as caught,
            hold_lease(target, "20261122T180000Z-aaaaaa", timedelta(seconds=5)),
        ):
            pass
        assert "left alone, and nothing was changed" in caught.value.message
        assert re.search("SHOPSIGHT_TARGET_DATABASE.*rename", caught.value.remedy)
        if found.startswith("view") and "lease" not in found:
            with pytest.raises(ConfigurationError, match=re.escape(found)):
                heal_views(target)
    assert state(db) == before


def test_least_version_of_mongodb_is_the_one_that_the_readme_promises() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"MongoDB {'.'.join(map(str, LEAST_VERSION))} or later" in readme
