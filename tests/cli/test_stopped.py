"""Two runs at once, and runs that are stopped by Ctrl-C or SIGTERM in the middle of a stage."""

from __future__ import annotations

import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Place
from tests.support.command_line import Started, shopsight
from tests.support.literal_rows import load_rows
from tests.support.publish_content import content_digest
from tests.support.shop_rows import SHOP, SPENT

from shopsight import publish
from shopsight.marts.insights import INSIGHTS
from shopsight.publish.naming import stored_generations
from shopsight_demo.servers import EmbeddedServer, connection_help, server, servers_in

STAGES = ("extract", "clean", "publish")


def test_only_one_of_two_concurrent_runs_publishes_and_the_other_names_it(
    place: Place, tmp_path: Path
) -> None:
    first = Started(
        "run",
        "--json",
        *place.options,
        cwd=tmp_path,
        dawdle_in="publish",
        for_seconds=60,
        environment=place.environment,
    )
    first.wait_until_there()
    second = place.run("run", "--json")
    assert second.code == 3
    error = second.document["error"]
    assert error["type"] == "LeaseHeld"
    assert f"process {first.process.pid}" in error["message"]
    # It was refused before it read anything.
    assert [stage["name"] for stage in second.document["stages"]] == ["extract"]
    assert second.document["snapshot"] is None
    assert place.served is None
    first.process.send_signal(signal.SIGTERM)
    ended = first.end()
    assert (ended.code, ended.document["error"]["type"]) == (143, "RunStopped")
    assert place.run().code == 0


@pytest.mark.parametrize(
    ("number", "stage", "times"),
    [
        (signal.SIGINT, "extract", 1),
        # The end is under way, and further ones must not cut it short.
        (signal.SIGINT, "publish", 20),
        (signal.SIGTERM, "clean", 1),
        (signal.SIGTERM, "publish", 2),
    ],
)
def test_a_stopped_run_says_so_in_one_line_and_leaves_nothing_behind(
    published: Place, tmp_path: Path, number: signal.Signals, stage: str, times: int
) -> None:
    before = published.served
    started = Started(
        "run", *published.options, cwd=tmp_path, dawdle_in=stage, environment=published.environment
    )
    started.wait_until_there()
    for _ in range(times):
        started.process.send_signal(number)
    ended = started.end()
    assert ended.code == 128 + number
    assert ended.said == ["Stopped. No generation was published in part."]
    assert (published.served, published.spent) == (before, SPENT)
    with publish.connect(published.target, published.database, timedelta(seconds=10)) as target:
        assert publish.held_until(target) is None
        record = publish.latest_run(target) or {}
        assert (record["status"], record["error"]["type"]) == ("failed", "RunStopped")
    resumed = published.run("run", "--resume", "--json").document
    outcomes = {s["name"]: s["outcome"] for s in resumed["stages"]}
    assert [outcomes[done] for done in STAGES[: STAGES.index(stage)]] == ["kept"] * STAGES.index(stage)
    assert resumed["run_id"] == record["run_id"]
    with publish.connect(published.target, published.database, timedelta(seconds=10)) as target:
        kept = sorted(generation.number for generation in publish.list_generations(target))
        assert sorted(stored_generations(target.db)) == kept


@pytest.fixture
def embedded_place(scratch: Path) -> Path:
    """A working directory with servers of its own and a shop, which nobody uses now."""
    workdir = scratch / "stopped"
    with server("source", workdir) as source:
        load_rows(source.url, SHOP)
    return workdir


def servers(workdir: Path) -> list[EmbeddedServer]:
    return [server("source", workdir), server("target", workdir)]


def test_the_embedded_servers_of_a_stopped_run_are_stopped(embedded_place: Path, tmp_path: Path) -> None:
    started = Started("run", "--workdir", embedded_place, cwd=tmp_path, dawdle_in="extract")
    started.wait_until_there()
    assert all(one.process() is not None for one in servers(embedded_place))
    started.process.send_signal(signal.SIGINT)
    ended = started.end()
    assert (ended.code, len(ended.said)) == (130, 1)
    assert [one.process() for one in servers(embedded_place)] == [None, None]


def test_up_keeps_the_embedded_servers_until_down_and_a_run_uses_them(embedded_place: Path) -> None:
    up = shopsight("up", "--workdir", embedded_place)
    try:
        assert up.code == 0
        assert all(one.process() is not None for one in servers(embedded_place))
        assert all(one.password not in up.out for one in servers(embedded_place))
        addresses = shopsight("up", "--json", "--workdir", embedded_place).document
        assert addresses == {one.title.lower(): one.url for one in servers(embedded_place)}
        assert shopsight("run", "--workdir", embedded_place).code == 0
        assert all(one.process() is not None for one in servers(embedded_place))
    finally:
        down = shopsight("down", "--workdir", embedded_place)
    assert (down.code, down.out) == (0, "Stopped: PostgreSQL, MongoDB.\n")
    assert [one.process() for one in servers(embedded_place)] == [None, None]
    assert shopsight("down", "--workdir", embedded_place).out == "Nothing was running.\n"


def test_a_demo_ends_in_the_same_content_again_and_from_mariadb(scratch: Path, tmp_path: Path) -> None:
    workdir = scratch / "demo"
    small = ("--workdir", workdir, "--customers", 60, "--orders", 300)
    digests = []
    for source in ("postgresql", "postgresql", "mariadb"):
        ended = shopsight("demo", "--source", source, *small)
        assert ended.code == 0, ended.err
        shown = ("top_customers", "top_products", "category_ratings", "monthly_sales")
        titles = [INSIGHTS[name].title for name in shown]
        assert [
            line.split("  ")[0] for line in ended.out.splitlines() if line.startswith(tuple(titles))
        ] == titles
        assert len(ended.out.splitlines()) <= 33
        assert "report.html" in ended.out
        assert (workdir / "report.html").stat().st_size > 10_000
        with (
            server("target", workdir) as mongo,
            publish.connect(mongo.url, "shopsight", timedelta(seconds=10)) as target,
        ):
            digests.append(
                {view: content_digest(target, view) for view in publish.served(target).collections}
            )
        assert ("exists already" in ended.err) == (len(digests) == 2)
    assert digests[0] == digests[1] == digests[2]
    found = servers_in(workdir)
    assert [(one.title, one.process()) for one in found] == [
        ("PostgreSQL", None),
        ("MongoDB", None),
        ("MariaDB", None),
    ]
    (client,) = [line for line in connection_help(workdir) if "mariadb" in line]
    with found[-1]:
        command = f"{client} --skip-column-names --execute 'SELECT 6 * 7'"
        said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert said.stdout == "42\n"
    assert shopsight("down", "--remove", "--workdir", workdir).code == 0
    assert not any(one.folder.exists() for one in found)
