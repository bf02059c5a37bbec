"""Every command, as a user has it, on a shop that is worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from tests.cli.conftest import Place
from tests.support.command_line import shopsight
from tests.support.shop_rows import REVENUE, SPENT

from shopsight.cli.application import PANELS
from shopsight.cli.reading import complete_insight
from shopsight.marts.insights import INSIGHTS


def test_run_publishes_the_shop_and_says_what_it_did(place: Place) -> None:
    ended = place.run()
    assert ended.code == 0
    assert place.spent == SPENT
    assert "Generation 1 is served" in ended.out
    assert all(
        stage in ended.out for stage in ("extract", "clean", "metrics", "insights", "prove", "publish")
    )
    assert ended.said == []


def test_run_as_json_prints_the_runs_document_and_renews_the_report(place: Place, tmp_path: Path) -> None:
    document = place.run("run", "--json", SHOPSIGHT_REPORT_PATH=str(tmp_path / "report.html")).document
    assert document["run_id"] in (tmp_path / "report.html").read_text()
    assert document["status"] == "succeeded"
    assert document["totals"]["revenue"] == str(REVENUE)
    assert [stage["name"] for stage in document["stages"]][-1] == "publish"
    assert all(link["compared"] and not link["broken"] for link in document["proof"])


def test_show_lists_every_insight_in_order(shown: Place) -> None:
    ended = shown.run("show")
    assert ended.code == 0
    titles = [insight.title for insight in INSIGHTS.values()]
    assert [title for title in titles if title in ended.out] == titles
    document = shown.run("show", "top_customers", "--json").document
    rows = document["insights"]["top_customers"]["rows"]
    assert [(row["customer_id"], row["total_amount_spent"]) for row in rows][:2] == [
        (1, "49.75"),
        (2, "8.20"),
    ]


def test_show_of_an_unknown_insight_lists_the_known_ones(shown: Place) -> None:
    ended = shown.run("show", "top_hats")
    assert ended.code == 2
    assert "top_hats" in ended.err
    assert "top_customers" in ended.err
    assert "Did you mean top_customers?" in shown.run("show", "top_custmers").err


def test_runs_lists_runs_the_newest_first(published: Place) -> None:
    assert published.run().code == 0
    assert published.run("runs").code == 0
    records = published.run("runs", "--json").document
    assert [record["generation"] for record in records] == [2, 1]


def test_report_is_one_file(shown: Place, tmp_path: Path) -> None:
    ended = shown.run("report", "-o", tmp_path / "shop.html")
    assert ended.code == 0
    assert "57.95" in (tmp_path / "shop.html").read_text()
    written = shown.run("report", "-o", tmp_path / "shop.html", "--json").document
    assert written == {"path": str(tmp_path / "shop.html"), "generation": 1}


def test_a_report_that_cannot_be_written_fails_no_run(place: Place) -> None:
    place.workdir.joinpath("file").touch()
    ended = place.run(SHOPSIGHT_REPORT_PATH=str(place.workdir / "file" / "report.html"))
    assert ended.code == 0
    assert "The report cannot be written" in ended.err


def test_generations_and_rollback_go_together(published: Place) -> None:
    assert published.run().code == 0
    kept = published.run("generations", "--json").document
    assert [(generation["number"], generation["is_served"]) for generation in kept] == [(2, True), (1, False)]
    ended = published.run("rollback")
    assert ended.code == 0
    assert "Generation 1 is served again" in ended.out
    assert (published.served or {})["generation"] == 1
    assert "served" in published.run("generations").out.splitlines()[1]
    again = published.run("rollback", "--to", "2", "--json").document
    assert (again["kind"], again["generation"]) == ("rollback", 2)


def test_rollback_to_a_generation_that_is_not_kept_changes_nothing(shown: Place) -> None:
    ended = shown.run("rollback", "--to", "77", "--json")
    assert ended.code == 2
    assert ended.document["error"]["type"] == "ConfigurationError"
    assert "kept are: 1 (served)" in ended.err
    assert (shown.served or {})["generation"] == 1


def test_metrics_are_prometheus_text(shown: Place) -> None:
    ended = shown.run("metrics")
    assert ended.code == 0
    samples = [line for line in ended.out.splitlines() if line and not line.startswith("#")]
    assert all(len(sample.rsplit(" ", 1)) == 2 and float(sample.rsplit(" ", 1)[1]) >= 0 for sample in samples)
    document = shown.run("metrics", "--json").document
    assert len(document) == len(samples)
    assert document["shopsight_published_generation"] == 1


def test_config_says_where_each_value_comes_from_and_hides_credentials() -> None:
    Path("shopsight.toml").write_text('top_n = 7\nalert_webhook = "https://chat.example/s3cret"\n')
    given = {"SHOPSIGHT_SOURCE_URL": "postgresql://ann:s3cret@db/shop", "SHOPSIGHT_EVERY": "90m"}
    ended = shopsight("config", "--json", "--workdir", "here", **given)
    assert "s3cret" not in ended.out
    document = ended.document
    assert document["source_url"] == {"value": "postgresql://***@db/shop", "origin": "SHOPSIGHT_SOURCE_URL"}
    assert document["top_n"] == {"value": "7", "origin": "shopsight.toml"}
    assert document["every"] == {"value": "1h30m", "origin": "SHOPSIGHT_EVERY"}
    assert document["workdir"] == {"value": "here", "origin": "--workdir"}
    assert document["keep_runs"] == {"value": "3", "origin": "default"}
    assert "s3cret" not in shopsight("config", **given).out


def test_short_options_print_the_version_and_help_is_in_the_order_of_use() -> None:
    assert shopsight("-V").out.startswith("shopsight ")
    help_ = shopsight("--help").out
    assert [help_.index(panel) for panel in PANELS] == sorted(help_.index(panel) for panel in PANELS)
    assert "Further" not in help_


def test_serve_refuses_addresses_that_cannot_be_used_before_it_starts_anything() -> None:
    ended = shopsight("serve", "--source", "oracle://db/shop", "--target", "http://db/", "--workdir", "here")
    assert ended.code == 2
    assert "oracle://" in ended.err
    assert "The target's URL cannot be read" in ended.err
    assert not Path("here").exists()


@pytest.mark.parametrize("command", [(), ("run",), ("explain",), ("explain", "customer")])
def test_help_shows_flags_without_a_type(command: tuple[str, ...]) -> None:
    help_ = shopsight(*command, "--help").out
    assert "--help" in help_
    assert "bool" not in help_


def test_quiet_and_verbose_set_what_is_logged(shown: Place) -> None:
    assert shopsight("-q", "run", *shown.options, "--resume", **shown.environment).err == ""
    assert '"stage"' in shopsight("-v", "run", *shown.options, "--resume", **shown.environment).err


def test_insight_names_are_completed() -> None:
    assert complete_insight("top_") == ["top_customers", "top_products"]
    assert shopsight("insight", "new", "top_hats", "--json").document["paths"][0] == "my_insights/top_hats.py"
    Path("shopsight.toml").write_text('[insights]\nfiles = ["my_insights/"]\n')
    assert complete_insight("top_") == ["top_customers", "top_products", "top_hats"]
    Path("my_insights/top_hats.py").write_text("no Python")
    assert complete_insight("top_") == ["top_customers", "top_products"]


def test_doctor_finds_all_in_order_and_fresh(shown: Place) -> None:
    findings = shown.run("doctor", "--json").document
    assert {finding["area"] for finding in findings} == {"shopsight", "source", "target"}
    assert [finding for finding in findings if not finding["is_ok"]] == []
    assert shopsight("doctor", "--fresh", *shown.target_options, **shown.environment).code == 0


def test_doctor_says_what_is_missing_and_ends_with_one(place: Place) -> None:
    ended = place.run("doctor", "--target", "mongodb://127.0.0.1:1/")
    assert ended.code == 1
    assert "✗ target" in ended.out
    assert "Remedy:" in ended.out
    fresh = shopsight("doctor", "--fresh", "--json", *place.target_options, **place.environment)
    assert fresh.code == 1
    assert [finding["is_ok"] for finding in fresh.document] == [False]


def test_plan_says_what_would_change_and_changes_nothing(shown: Place) -> None:
    shown.execute("UPDATE orders SET total_amount = 40 WHERE order_id = 100")
    document = shown.run("plan", "--json").document
    assert shown.run("plan", "--exit-code").code == 4
    shown.execute("UPDATE orders SET total_amount = 30 WHERE order_id = 100")
    assert shown.run("plan", "--exit-code").code == 0
    assert document["documents"]["customer_metrics"]["changed"] == 1
    assert "1" in shown.run("plan").out
    assert shown.spent == SPENT


def test_verify_finds_the_served_data_intact_until_altered(published: Place) -> None:
    assert published.run("verify").code == 0
    with MongoClient[dict[str, Any]](published.target) as client:
        client[published.database]["customers.g1"].update_one({"_id": 2}, {"$set": {"name": "Eve"}})
    ended = published.run("verify", "--json")
    assert ended.code == 3
    assert ended.document["is_intact"] is False


def test_seed_makes_the_same_shop_in_any_empty_database(place: Place, tmp_path: Path) -> None:
    small = ("--customers", 30, "--orders", 90, "--json")
    lite = f"sqlite:///{tmp_path / 'shop.db'}"
    made = shopsight("seed", "--source", lite, *small).document
    again = shopsight("seed", "--source", place.source, "--replace", *small).document
    assert made["rows"] == again["rows"]
    refused = shopsight("seed", "--source", lite, *small)
    assert refused.code == 2
    assert "--replace" in refused.document["error"]["remedy"]
    assert "orders" in shopsight("seed", "--source", lite, "--replace", "--customers", 30, "--orders", 90).out
    assert place.run("run", "--source", lite).code == 0


def test_a_mistyped_option_is_reported_in_one_line_and_exits_with_2() -> None:
    ended = shopsight("run", "--sourc", "x")
    assert ended.code == 2
    assert ended.out == ""
    assert "--sourc" in ended.err


@pytest.mark.parametrize("command", ["runs", "generations"])
def test_lists_are_empty_before_the_first_run(place: Place, command: str) -> None:
    ended = place.run(command, "--json")
    assert (ended.code, json.loads(ended.out)) == (0, [])
    assert place.run(command).code == 0


@pytest.mark.parametrize("command", ["show", "report", "verify", "rollback"])
def test_before_the_first_run_there_is_nothing_to_read(place: Place, command: str) -> None:
    ended = place.run(command)
    assert ended.code == 2
    assert len(ended.said) >= 2
    assert "Remedy:" in ended.err
