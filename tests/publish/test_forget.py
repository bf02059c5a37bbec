"""Forgetting a person: gone from all collections and files, totals kept; `verify` tells it from tampering."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from tests.support.people import collections, found_in
from tests.support.published_shop import PublishedShop

from shopsight import publish
from shopsight.errors import LeaseHeld, WorkspaceError
from shopsight.inspect.verify import Verification, verify
from shopsight.orchestration.environment import settings_environment
from shopsight.pipeline.run import forget, open_run, roll_back, run_stage
from shopsight.pipeline.workspace import Workspace
from shopsight.settings import load_settings

BOB = {"Quark", "bob@"}


@pytest.fixture
def twice(people: PublishedShop) -> PublishedShop:
    """Two generations of the shop of people."""
    people.run()
    people.run()
    return people


def files(shop: PublishedShop) -> bytes:
    """All that the working directory holds."""
    return b"".join(path.read_bytes() for path in shop.settings.workdir.rglob("*") if path.is_file())


def figures(shop: PublishedShop) -> dict[str, dict[str, Any]]:
    """The served generation's figures by MongoDB's own sums."""
    with shop.target() as target:
        served = publish.served(target)
        assert served is not None
        return dict(publish.read_back(target, served))


def verified(shop: PublishedShop, generation: int) -> Verification:
    """What ``verify`` says of a generation, which is served for it."""
    roll_back(shop.settings, generation)
    return verify(shop.settings)


@pytest.mark.parametrize("given", [(2, None), (None, " Bob@example.com")], ids=["id", "address"])
def test_a_person_is_gone_from_every_collection_and_file_and_totals_stay(
    twice: PublishedShop, given: tuple[int | None, str | None]
) -> None:
    before = figures(twice)
    others = found_in(collections(twice)) - BOB
    record, removed = forget(twice.settings, *given)
    assert found_in(collections(twice)) == others, "the others stay"
    assert found_in(files(twice)) == set()
    assert len(removed) == 2
    assert figures(twice) == before
    assert {row["_id"] for row in twice.served("customer_metrics")} == {1, 2, 3}
    assert [(e.generation, e.view, e.documents) for e in record.forgotten] == [
        (number, view, 1) for number in (1, 2) for view in ("rejected_rows", "insights", "customers")
    ]
    for generation in (1, 2):
        found = verified(twice, generation)
        assert (found.is_intact, found.forgotten) == (True, 3)


def test_a_rejected_row_is_the_persons_by_its_address_and_keeps_its_figures(twice: PublishedShop) -> None:
    def rejected() -> dict[str, Any]:
        [found] = [row for row in twice.served("rejected_rows") if row["key"] == "x7"]
        return found

    before = rejected()
    forget(twice.settings, 2, None)
    assert rejected() == {**before, "row": {**before["row"], "name": None, "email": None}}


def test_an_address_in_another_column_is_blanked_too(twice: PublishedShop) -> None:
    forget(twice.settings, None, "hal@example.com")
    assert "hal@" not in found_in(collections(twice))
    assert verify(twice.settings).is_intact


def test_another_address_on_a_persons_rejected_order_is_blanked_by_the_id(twice: PublishedShop) -> None:
    order = {"order_id": 9, "customer_id": "2", "customer_email": "bob@work.example", "status": "open"}
    document = {"_id": "orders.x:9:1", "table": "orders", "key": 9, "rule": "orders.x", "row": order}
    twice.tamper("rejected_rows", lambda collection: collection.insert_one(document))
    forget(twice.settings, 2, None)
    [found] = [row for row in twice.served("rejected_rows") if row["_id"] == document["_id"]]
    assert found == {**document, "row": {**order, "customer_email": None}}


def test_an_address_in_the_id_column_of_their_own_row_is_blanked(twice: PublishedShop) -> None:
    assert {"fay@", "gus@"} <= found_in(collections(twice))
    forget(twice.settings, None, "fay@example.org")
    assert {"fay@", "gus@"} & found_in(collections(twice)) == set()
    assert verify(twice.settings).is_intact


@pytest.mark.parametrize("mode", ["plain", "hmac"])
def test_an_address_is_found_in_the_form_in_which_it_was_published(people: PublishedShop, mode: str) -> None:
    given = {"privacy_email": mode, "privacy_name": mode, "privacy_key": "0123456789abcdef" * 2}
    shop = PublishedShop(load_settings(**{**people.settings.model_dump(), **given}))
    shop.run()
    record, _ = forget(shop.settings, None, "bob@example.com")
    assert sum(entry.documents for entry in record.forgotten) == 3
    assert [(row["name"], row["email"]) for row in shop.served("customer_metrics")][1] == (None, None)
    assert verify(shop.settings).is_intact


@pytest.mark.parametrize(
    ("text", "is_theirs"),
    [
        *(
            (text, True)
            for text in (
                "ann@example.com",
                "Mail ann@example.com.",
                "<Ann@example.com>,",
                "to:ann@example.com",
            )
        ),
        *((f"{before}ann@example.com", False) for before in ("x", "mary.", "mary-", "mary+", "_")),
        *((f"ann@example.com{after}", False) for after in (".au", "x", "-shop.org")),
    ],
)
def test_an_address_within_another_persons_is_not_theirs(
    people: PublishedShop, text: str, is_theirs: bool
) -> None:
    people.execute("UPDATE customers SET country = ? WHERE customer_id = 'x5'", text)
    people.run()
    forget(people.settings, 1, None)
    [another] = [row for row in people.served("rejected_rows") if row["key"] == "x5"]
    assert (another["row"]["country"] is None) is is_theirs


def test_a_forgotten_person_stays_forgotten_and_a_second_forget_changes_nothing(twice: PublishedShop) -> None:
    forget(twice.settings, 2, None)
    before = [twice.served(view) for view in ("customer_metrics", "customers", "insights", "rejected_rows")]
    record, removed = forget(twice.settings, 2, None)
    assert (record.status, record.forgotten, removed) == ("succeeded", [], [])
    assert [
        twice.served(view) for view in ("customer_metrics", "customers", "insights", "rejected_rows")
    ] == before


def test_the_next_run_reads_the_person_again_unless_the_source_was_cleaned(twice: PublishedShop) -> None:
    twice.execute("UPDATE customers SET name = NULL, email = NULL WHERE customer_id IN (2, 'x7')")
    forget(twice.settings, 2, None)
    twice.run()
    assert found_in(collections(twice)) & BOB == set()


def test_tampered_documents_are_still_reported_after_a_forget(
    twice: PublishedShop,
) -> None:
    twice.tamper("customers", lambda found: found.update_one({"_id": 1}, {"$set": {"country": "x"}}))
    forget(twice.settings, 2, None)
    found = verify(twice.settings)
    assert [check.what for check in found.altered] == ["customers: SHA-256"]
    assert found_in(collections(twice)) & BOB == set()


def test_tampering_after_a_forget_is_reported(twice: PublishedShop) -> None:
    forget(twice.settings, 2, None)
    twice.tamper("customers", lambda found: found.update_one({"_id": 1}, {"$set": {"name": None}}))
    assert not verify(twice.settings).is_intact


def test_a_record_that_names_another_digest_is_no_forgetting(twice: PublishedShop) -> None:
    forget(twice.settings, 2, None)
    with twice.target() as target:
        target.db["pipeline_runs"].delete_one({"kind": "forget"})
    found = verify(twice.settings)
    assert (found.is_intact, found.forgotten) == (False, 0)


def test_without_the_runs_files_blanked_and_altered_documents_are_distinguished(
    people: PublishedShop,
) -> None:
    people.run()
    runs, elsewhere = people.settings.workdir / "runs", people.settings.workdir / "elsewhere"
    runs.rename(elsewhere)
    forget(people.settings, 2, None)
    elsewhere.rename(runs)
    found = verify(people.settings)
    assert (found.is_intact, found.forgotten, found.documents) == (True, 3, [])


def test_a_run_at_work_or_a_held_lease_keeps_forget_from_changing_anything(twice: PublishedShop) -> None:
    before = collections(twice)
    with twice.target() as target:
        run_id = publish.list_runs(target, kind="run")[0]["run_id"]
    with Workspace(twice.settings.workdir, run_id).in_use(), pytest.raises(WorkspaceError):
        forget(twice.settings, 2, None)
    assert len(Workspace.run_ids(twice.settings.workdir)) == 2
    with (
        twice.target() as target,
        publish.hold_lease(target, "20261122T180000Z-aaaaaa", timedelta(seconds=30)),
        pytest.raises(LeaseHeld),
    ):
        forget(twice.settings, 2, None)
    assert found_in(collections(twice)) == found_in(before)


KILLED = """
import os, signal, sys
from pymongo.collection import Collection
from shopsight.pipeline.run import forget
from shopsight.settings import load_settings

method, left = sys.argv[1], int(sys.argv[2])
original = getattr(Collection, method)

def killing(self, filter, change, *given, **named):
    global left
    if "forgetting" in str(change) or self.name.rpartition(".g")[2].isdigit():
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return original(self, filter, change, *given, **named)

setattr(Collection, method, killing)
forget(load_settings(), None, "bob@example.com")
"""


@pytest.mark.parametrize("nth", range(3))
@pytest.mark.parametrize("method", ["replace_one", "update_one"])
def test_a_forget_killed_half_way_is_finished_by_the_next(
    people: PublishedShop, method: str, nth: int
) -> None:
    people.run()
    environment = {**os.environ, **settings_environment(people.settings)}
    command = [sys.executable, "-c", KILLED, method, str(nth)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    found = verify(people.settings)
    if not found.is_intact:
        assert any(check.what == "generations: forget" for check in found.altered)
    forget(people.settings, None, "bob@example.com")
    assert found_in(collections(people)) & BOB == set()
    found = verify(people.settings)
    assert (found.is_intact, found.forgotten) == (True, 3)


def test_the_command_says_what_it_removed_and_that_the_source_is_read_again(
    twice: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert twice.exit_code(monkeypatch, "forget", "2") == 0
    said = capsys.readouterr().out
    assert "Generation 2, customers: 1 documents blanked." in said
    assert "Run directories: 2 removed" in said
    assert "The next run reads the source again" in said
    assert found_in(said) == set()
    assert twice.exit_code(monkeypatch, "verify", "--source", "sqlite:///people.db") == 0
    assert "`shopsight forget` blanked a person in 3 documents" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("given", [("22",), ("--email", "bo@example.com")])
def test_a_misspelled_person_is_refused_and_nothing_changes(
    twice: PublishedShop,
    given: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    views = (
        "customer_metrics",
        "customers",
        "insights",
        "insights_history",
        "rejected_rows",
        "pipeline_runs",
    )
    before = [*map(twice.served, views), files(twice)]
    assert twice.exit_code(monkeypatch, "forget", *given) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "in generations 1, 2 and the kept run directories. Nothing was changed." in said
    assert [*map(twice.served, views), files(twice)] == before


@pytest.mark.parametrize("given", [(9, None), (None, "ivy@example.com")])
def test_a_person_in_the_files_of_an_unpublished_run_alone_is_swept(
    twice: PublishedShop, given: tuple[int | None, str | None]
) -> None:
    twice.execute("INSERT INTO customers VALUES (9, 'Ivy', 'ivy@example.com', 'Spain')")
    with open_run(twice.settings, publishes=False) as run:
        run_stage(run, "extract")
    record, removed = forget(twice.settings, *given)
    assert (record.forgotten, len(removed)) == ([], 3)


def test_documents_of_more_than_a_note_holds_are_forgotten_in_batches(
    people: PublishedShop,
) -> None:
    rows = [(f"bad{n}", f"bob@example.com {'x' * 16_000}", None, None) for n in range(1200)]
    with sqlite3.connect("people.db") as source:
        source.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
    source.close()
    shop = PublishedShop(people.settings.model_copy(update={"max_rejected_share": 1.0}))
    shop.run()
    record, _ = forget(shop.settings, 2, None)
    rejected = [entry.documents for entry in record.forgotten if entry.view == "rejected_rows"]
    assert (sum(rejected), len(rejected)) == (1201, 3)
    assert verify(shop.settings).is_intact


@pytest.mark.parametrize("more", [(), ("2", "--email", "bob@example.com")])
def test_the_command_requires_an_id_or_an_address(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    assert shop.exit_code(monkeypatch, "forget", *more) == 2
