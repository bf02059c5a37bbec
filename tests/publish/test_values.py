"""Values to BSON and back, who holds a lease, and what messages say."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128
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
from shopsight.publish import connect, plain, redacted_url, to_bson
from shopsight.publish.holder import is_surely_dead, this_process
from shopsight.publish.naming import collections_of
from shopsight.publish.target import translate
from shopsight.record import Check, Link


class Action(StrEnum):
    REJECT = "reject"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("90071992547409.93"), Decimal128("90071992547409.93")),
        (2**63 - 1, 2**63 - 1),
        (2**63, Decimal128("9223372036854775808")),
        (Decimal("1" * 35), "1" * 35),
        (date(2026, 11, 22), datetime(2026, 11, 22, tzinfo=UTC)),
        (timedelta(hours=3), 10800.0),
        (Action.REJECT, "reject"),
        (frozenset({"b", "a"}), ["a", "b"]),
        (Path("/x/y"), "/x/y"),
        (True, True),
        ({1: (None, 0.5)}, {"1": [None, 0.5]}),
        (
            [Link("1", [Check("rows", 1, Decimal("1.00"))])],
            [
                {
                    "name": "1",
                    "checks": [{"what": "rows", "expected": 1, "found": Decimal128("1.00")}],
                    "seconds": 0.0,
                }
            ],
        ),
    ],
)
def test_values_become_bson_without_rounding(value: Any, expected: Any) -> None:
    found = to_bson(value)
    assert found == expected
    assert type(found) is type(expected)


def test_bson_values_become_plain_python_again() -> None:
    document = {"a": [Decimal128("0.10"), {"at": datetime(2026, 1, 1)}]}  # noqa: DTZ001 - as an untold driver gives it
    assert plain(document) == {"a": [Decimal("0.10"), {"at": datetime(2026, 1, 1, tzinfo=UTC)}]}


def test_collections_are_named_after_view_and_generation() -> None:
    assert collections_of(12) == {
        "customer_metrics": "customer_metrics.g12",
        "insights": "insights.g12",
        "rejected_rows": "rejected_rows.g12",
    }


def test_a_process_of_this_machine_is_known_to_be_dead_only_when_it_is() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import json, sys; from shopsight.publish.holder import this_process;"
            "print(json.dumps(this_process()), flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        import json

        holder = json.loads(child.stdout.readline())
        assert holder["pid"] == child.pid
        assert not is_surely_dead(holder)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_surely_dead(holder), "only its remains are left"
    assert is_surely_dead(holder)


@pytest.mark.parametrize(
    "change",
    [
        {"realm": "another machine or container"},
        {"realm": None},
    ],
)
def test_nothing_is_known_of_the_processes_of_another_machine(change: dict[str, Any]) -> None:
    assert not is_surely_dead({**this_process(), "pid": 2**22 - 1, **change})


def test_a_pid_that_another_process_has_now_is_a_dead_one() -> None:
    holder = this_process()
    assert not is_surely_dead(holder)
    assert is_surely_dead({**holder, "started": holder["started"] - 1})


def test_a_process_that_is_hidden_from_this_user_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = this_process()
    monkeypatch.setattr("shopsight.publish.holder._state", lambda pid: (None, None))
    assert not is_surely_dead(mine)
    assert is_surely_dead({**mine, "pid": 2**22 + 1}), "no kernel gives out so great a number"


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
def test_driver_errors_are_told_in_our_own_words(error: Exception, kind: type[PublishError]) -> None:
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
def test_a_url_that_cannot_be_read_is_refused_without_a_piece_of_it(url: str) -> None:
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
