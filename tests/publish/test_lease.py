"""The lease, on a real MongoDB: one holder at a time, whatever dies, sleeps or lives in another time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.conftest import Restartable
from tests.support.publish_agent import Agent

from shopsight import publish
from shopsight.errors import ExitCode, LeaseHeld, LeaseLost, TargetUnavailable
from shopsight.publish import Target, connect, held_until, hold_lease
from shopsight.publish.lease import is_surely_dead, this_process

SHORT = timedelta(seconds=1)
LONG = timedelta(seconds=60)

RUN_A, RUN_B, RUN_C = (f"20261122T18000{i}Z-{letter * 6}" for i, letter in enumerate("abc"))


@pytest.fixture(scope="module")
def other() -> Iterator[Agent]:
    """Another process; no test may end it."""
    agent = Agent()
    yield agent
    agent.end()


@pytest.fixture
def target(mongo_url: str, mongo_database: str) -> Iterator[Target]:
    with connect(mongo_url, mongo_database, timedelta(seconds=5)) as opened:
        yield opened


def test_a_second_run_is_told_who_holds_the_lease_and_until_when(target: Target) -> None:
    with hold_lease(target, RUN_A, LONG) as lease:
        with pytest.raises(LeaseHeld) as caught, hold_lease(target, RUN_B, LONG):
            pass
        held = held_until(target)
        lease.check()
    assert RUN_A in str(caught.value)
    assert str(os.getpid()) in str(caught.value)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert held is not None
    assert timedelta(seconds=50) < held[1] - datetime.now(UTC) < timedelta(seconds=61)


def test_a_lease_that_was_given_back_is_free_at_once_and_its_token_grows(target: Target) -> None:
    tokens = []
    for i in range(3):
        with hold_lease(target, f"20261122T18000{i}Z-aaaaaa", LONG) as lease:
            tokens.append(lease.token)
    assert tokens == [1, 2, 3]
    assert held_until(target) is None


def test_a_lease_that_was_given_back_may_not_be_used_any_more(target: Target) -> None:
    with hold_lease(target, RUN_A, LONG) as lease:
        pass
    with pytest.raises(LeaseLost):
        lease.guard()
    with pytest.raises(LeaseLost):
        lease.check()


def test_many_runs_started_together_hold_it_one_after_the_other(mongo_url: str, target: Target) -> None:
    inside: list[int] = []
    together = threading.Barrier(6)
    outcomes: list[str] = []

    def contend(i: int) -> None:
        together.wait()
        try:
            with hold_lease(target, f"20261122T18000{i}Z-aaaaaa", LONG) as lease:
                inside.append(lease.token)
                assert len(inside) == 1
                time.sleep(0.2)
                inside.remove(lease.token)
                outcomes.append("held")
        except LeaseHeld:
            outcomes.append("refused")

    threads = [threading.Thread(target=contend, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held"] + ["refused"] * 5


def test_the_heartbeat_keeps_the_lease_beyond_its_duration(target: Target) -> None:
    with hold_lease(target, RUN_A, SHORT) as lease:
        time.sleep(1.5)
        lease.guard()
        with pytest.raises(LeaseHeld), hold_lease(target, RUN_B, SHORT):
            pass


def test_the_same_run_takes_its_lease_over_and_the_earlier_process_is_shut_out(target: Target) -> None:
    with hold_lease(target, RUN_A, LONG) as first, hold_lease(target, RUN_A, LONG) as resumed:
        assert resumed.token == first.token + 1
        resumed.check()
        with pytest.raises(LeaseLost):
            first.check()
        # The earlier one's end must not free what is not its own any more.
    with hold_lease(target, RUN_C, LONG) as third:
        first._release()
        third.check()


def test_each_generation_of_one_lease_has_a_number_of_its_own(target: Target) -> None:
    with hold_lease(target, RUN_A, SHORT) as lease:
        numbers = [lease.take_generation() for _ in range(3)]
        time.sleep(0.5)
        lease.check()
    with hold_lease(target, RUN_B, LONG) as lease:
        numbers.append(lease.take_generation())
    assert numbers == [1, 2, 3, 4]


def test_a_killed_run_on_this_machine_frees_the_lease_at_once(mongo_url: str, target: Target) -> None:
    run = Agent()
    run.ask("connect", mongo_url, target.db.name)
    assert run.ask("hold", RUN_A, 60) == "token 1"
    with pytest.raises(LeaseHeld), hold_lease(target, RUN_B, LONG):
        pass
    run.end()
    with hold_lease(target, RUN_B, LONG) as lease:
        assert lease.token == 2


def test_a_run_that_died_on_another_machine_frees_the_lease_when_it_expires(target: Target) -> None:
    # Nobody renews it, as nobody renews the lease of a machine that lost its power.
    target.db["lease"].insert_one(
        {
            "_id": "publish",
            "token": 7,
            "run_id": RUN_A,
            "holder": {"host": "elsewhere", "pid": 1, "realm": "another machine", "started": 1},
            "expires_at": datetime.now(UTC) + timedelta(seconds=0.5),
        }
    )
    with pytest.raises(LeaseHeld, match="elsewhere"), hold_lease(target, RUN_B, LONG):
        pass
    time.sleep(0.6)
    with hold_lease(target, RUN_B, LONG) as lease:
        assert lease.token == 8


def test_a_run_that_was_stopped_past_its_expiry_is_shut_out(
    mongo_url: str, target: Target, other: Agent
) -> None:
    other.ask("connect", mongo_url, target.db.name)
    assert other.ask("hold", RUN_A, 1) == "token 1"
    other.process.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseHeld), hold_lease(target, RUN_B, LONG):
        pass  # it is stopped, not dead
    time.sleep(1.1)
    with hold_lease(target, RUN_B, LONG) as lease:
        other.process.send_signal(signal.SIGCONT)
        assert other.ask("may") == "LeaseLost LeaseLost LeaseLost"
        lease.check()
    assert other.ask("may") == "LeaseLost LeaseLost LeaseLost"


def test_a_stopped_run_is_shut_out_even_if_nobody_took_over(
    mongo_url: str, target: Target, other: Agent
) -> None:
    other.ask("connect", mongo_url, target.db.name)
    other.ask("hold", RUN_A, 1)
    other.process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    other.process.send_signal(signal.SIGCONT)
    assert other.ask("may") == "LeaseLost LeaseLost LeaseLost"


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_wrong_by_a_day_does_not_matter(
    mongo_url: str, target: Target, other: Agent, days: int
) -> None:
    wrong = other.ask("skew", days * 86_400)
    assert wrong != f"{datetime.now(UTC):%Y-%m-%d}"
    other.ask("connect", mongo_url, target.db.name)
    assert other.ask("hold", RUN_A, 1) == "token 1"
    with pytest.raises(LeaseHeld), hold_lease(target, RUN_B, LONG):
        pass
    assert other.ask("may") == "yes yes yes"
    other.ask("release")
    with hold_lease(target, RUN_B, LONG):
        assert other.ask("hold", RUN_C, 1) == "LeaseHeld"
    assert other.ask("skew", -days * 86_400) == f"{datetime.now(UTC):%Y-%m-%d}"


def test_the_token_goes_on_from_what_was_published_when_the_lease_document_is_gone(target: Target) -> None:
    target.db["published"].insert_one({"_id": "current", "token": 41, "generation": 40})
    target.db["insights.g43"].insert_one({})
    with hold_lease(target, RUN_A, LONG) as lease:
        assert lease.token == 44


def test_a_server_that_is_away_for_longer_than_the_lease_costs_the_lease(
    restartable_mongo: Restartable,
) -> None:
    with publish.connect(restartable_mongo.url, "shop", timedelta(seconds=0.5)) as target:
        with hold_lease(target, RUN_A, SHORT) as lease:
            restartable_mongo.kill()
            with pytest.raises(TargetUnavailable):
                lease.check()
            time.sleep(1)
            with pytest.raises(LeaseLost):
                lease.guard()
            restartable_mongo.restart()
            with pytest.raises(LeaseLost):
                lease.check()
        with hold_lease(target, RUN_B, SHORT) as lease:
            lease.check()


def test_a_process_of_this_machine_is_known_to_be_dead_only_when_it_is() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import json, sys; from shopsight.publish.lease import this_process;"
            "print(json.dumps(this_process()), flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
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
    monkeypatch.setattr("shopsight.publish.lease._state", lambda pid: (None, None))
    assert not is_surely_dead(mine)
    assert is_surely_dead({**mine, "pid": 2**22 + 1}), "no kernel gives out so great a number"
