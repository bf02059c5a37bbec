"""Publishing under exactly the role of samples/mongo/role.js: it suffices, and nothing of it is spare."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from tests.support.publish_shop import LEASE, ShopFolders, customer, opened_publisher, write_shop

from shopsight import publish
from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.publish import hold_lease
from shopsight.publish.privacy import Privacy
from shopsight.reader import open_generation

ROLE_FILE = Path(__file__).parents[2] / "samples" / "mongo" / "role.js"


def documented_role(database: str) -> dict[str, Any]:
    """The role as the sample creates it, for a database of another name."""
    text = ROLE_FILE.read_text().replace('"shopsight"', json.dumps(database))
    start = text.index("createRole(") + len("createRole(")
    role: dict[str, Any]
    role, _ = json.JSONDecoder().raw_decode(text[start:].lstrip())
    return role


ACTIONS = documented_role("shopsight")["privileges"][0]["actions"]


@pytest.fixture
def admin(mongo_url: str, mongo_database: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(mongo_url) as client:
        yield client
        client[mongo_database].command("dropAllUsersFromDatabase")
        client[mongo_database].command("dropAllRolesFromDatabase")


def url_of_user(mongo_url: str, database: str, user: str, password: str) -> str:
    parts = urlsplit(mongo_url)
    hosts = parts.netloc.rpartition("@")[2]
    return f"mongodb://{user}:{password}@{hosts}/?authSource={database}&directConnection=true"


def make_user(admin: MongoClient[dict[str, Any]], database: str, actions: list[str]) -> tuple[str, str]:
    """A user with a role of these actions, and its password."""
    role, (privilege,) = documented_role(database), documented_role(database)["privileges"]
    name, password = f"user_{secrets.token_hex(4)}", secrets.token_hex(8)
    admin[database].command(
        "createRole", name, privileges=[{**privilege, "actions": actions}], roles=role["roles"]
    )
    admin[database].command("createUser", name, pwd=password, roles=[name])
    return name, password


def publish_twice_and_go_back(url: str, database: str, shop: ShopFolders) -> None:
    """Everything that a run and the commands do to MongoDB."""
    with opened_publisher(url, database) as publisher:
        publish.heal_views(publisher.target)
        for _ in range(3):
            publisher.publish(shop, keep=2)
        with hold_lease(publisher.target, publisher.new_run_id(), LEASE) as lease:
            publish.rollback(publisher.target, lease)
            publish.unpin(publisher.target, lease)
            publish.forget(publisher.target, lease, 1, None, privacy=Privacy(), keep=2)
        served = publish.served(publisher.target)
        assert served is not None
        assert publish.read_back(publisher.target, served)["customers"]["rows"] == 1
        assert len(publish.list_generations(publisher.target)) == 2
        assert publish.latest_run(publisher.target) is not None


@pytest.fixture
def shop(tmp_path: Path) -> ShopFolders:
    return write_shop(tmp_path / "shop", [customer(1)])


def test_the_documented_role_suffices_for_everything_that_is_done(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str, shop: ShopFolders
) -> None:
    user, password = make_user(admin, mongo_database, ACTIONS)
    url = url_of_user(mongo_url, mongo_database, user, password)
    publish_twice_and_go_back(url, mongo_database, shop)
    checks = publish.check_target(url, mongo_database, timedelta(seconds=5))
    assert [check for check in checks if not check.is_ok] == []
    assert {check.name for check in checks} >= {"connect", "write", "index", "view", "read", "drop"}
    assert not [name for name in admin[mongo_database].list_collection_names() if name.startswith("doctor")]


@pytest.mark.parametrize("spare", ACTIONS)
def test_no_action_of_the_documented_role_is_spare(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str, shop: ShopFolders, spare: str
) -> None:
    user, password = make_user(admin, mongo_database, [action for action in ACTIONS if action != spare])
    with pytest.raises(ConfigurationError) as caught:
        publish_twice_and_go_back(
            url_of_user(mongo_url, mongo_database, user, password), mongo_database, shop
        )
    assert "not authorized" in caught.value.message
    assert "role.js" in caught.value.remedy
    assert password not in f"{caught.value} {caught.value.remedy}"


def test_the_documented_role_reaches_nothing_else(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str, shop: ShopFolders
) -> None:
    user, password = make_user(admin, mongo_database, ACTIONS)
    publish_twice_and_go_back(url_of_user(mongo_url, mongo_database, user, password), mongo_database, shop)
    with MongoClient(url_of_user(mongo_url, mongo_database, user, password)) as client:
        own, others = client[mongo_database], client[f"{mongo_database}_other"]
        forbidden: list[Callable[[], Any]] = [
            others["x"].find_one,
            lambda: others["x"].insert_one({}),
            lambda: own["pipeline_runs"].delete_many({}),
            lambda: client.drop_database(mongo_database),
            lambda: own.command("createUser", "x", pwd="x", roles=[]),
            lambda: own.command("grantRolesToUser", user, roles=["dbOwner"]),
            client.admin["system.users"].find_one,
            lambda: client.admin.command("shutdown"),
        ]
        for attempt in forbidden:
            with pytest.raises(OperationFailure, match=r"not authorized|Unauthorized"):
                attempt()


def test_a_reading_user_reads_by_name_and_by_generation_and_changes_nothing(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str, shop: ShopFolders
) -> None:
    with opened_publisher(mongo_url, mongo_database) as publisher:
        publisher.publish(shop)
    password = secrets.token_hex(8)
    admin[mongo_database].command("createUser", "dashboard", pwd=password, roles=["read"])
    with MongoClient(url_of_user(mongo_url, mongo_database, "dashboard", password)) as client:
        assert client[mongo_database]["customer_metrics"].count_documents({}) == 1
        generation = open_generation(client[mongo_database])
        assert generation.customer_metrics.find_one({"_id": 1})["name"] == "Customer 1"
        with pytest.raises(OperationFailure, match="not authorized"):
            generation.customer_metrics.delete_many({})


@pytest.mark.parametrize("wrong", ["password", "user", "no credentials at all"])
def test_a_user_that_mongodb_refuses_gets_a_remedy(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str, wrong: str
) -> None:
    user, _ = make_user(admin, mongo_database, ACTIONS)
    url = url_of_user(mongo_url, mongo_database, "nobody" if wrong == "user" else user, "s3cret")
    if wrong == "no credentials at all":
        url = url.replace(f"{user}:s3cret@", "").replace(f"authSource={mongo_database}&", "")
    with pytest.raises(ConfigurationError) as caught, publish.connect(url, mongo_database, LEASE) as target:
        publish.served(target)
    assert "s3cret" not in f"{caught.value} {caught.value.remedy}"
    assert "Check user and password" in caught.value.remedy
    checks = publish.check_target(url, mongo_database, timedelta(seconds=5))
    failed = [check for check in checks if not check.is_ok]
    assert failed
    assert all(check.remedy for check in failed)
    assert "s3cret" not in repr(checks)


def test_doctor_tells_a_read_only_user_what_is_missing(
    admin: MongoClient[dict[str, Any]], mongo_url: str, mongo_database: str
) -> None:
    user, password = make_user(admin, mongo_database, ["find", "listCollections"])
    url = url_of_user(mongo_url, mongo_database, user, password)
    checks = publish.check_target(url, mongo_database, timedelta(seconds=5))
    assert [check.name for check in checks if not check.is_ok] == ["write"]
    assert {check.name for check in checks if check.is_ok} == {
        "connect",
        "version",
        "replica set",
        "names",
        "lease",
        "served",
    }


def test_a_server_that_is_not_there_is_said_by_doctor_and_by_connect() -> None:
    url = "mongodb://ann:s3cret@127.0.0.1:9/"
    (check,) = publish.check_target(url, "shop", timedelta(seconds=0.2))
    assert not check.is_ok
    assert "127.0.0.1:9 does not answer" in check.message
    with pytest.raises(ShopsightError) as caught, publish.connect(url, "shop", timedelta(seconds=0.2)):
        pass
    assert caught.value.is_retryable
    assert "s3cret" not in str(caught.value)


def test_a_database_name_that_mongodb_does_not_know_is_refused(mongo_url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot be the name"),
        publish.connect(mongo_url, "my shop", timedelta(seconds=5)),
    ):
        pass
