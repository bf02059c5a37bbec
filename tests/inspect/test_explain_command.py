"""`shopsight explain` on the command line."""

from __future__ import annotations

import json
import shutil
from typing import Any

import polars as pl
import pytest
from tests.support.published_shop import PublishedShop

from shopsight.cli import main, output


def explain(monkeypatch: pytest.MonkeyPatch, shop: PublishedShop, *arguments: str) -> Any:
    """The exit code of an explain command."""
    workdir = str(shop.settings.workdir)
    monkeypatch.setattr("sys.argv", ["shopsight", "explain", *arguments, "--workdir", workdir])
    monkeypatch.setattr(output.out, "width", 80)
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_customer_is_explained_within_eighty_columns(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, shop, "customer", "4") == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "Customer 4 was merged into 1, who is shown." in said
    assert "customers.same_email" in said
    assert "They do, to the cent." in said


def test_a_customer_as_json_is_one_document(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, shop, "customer", "2", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["published"]["total_amount_spent"] == "8.20"
    assert [(order["order_id"], order["why_not"]) for order in document["orders"]] == [
        (102, "status cancelled does not count"),
        (105, None),
    ]
    assert document["run"]["generation"] == 1


@pytest.mark.parametrize("key", [[], ["--key", "2024-02"]])
def test_an_insight_is_explained_within_eighty_columns(
    shop: PublishedShop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: list[str],
) -> None:
    assert explain(monkeypatch, shop, "insight", "monthly_sales", *key) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "What was left out, and why" in said
    assert "status cancelled does not count" in said
    assert "They do, to the cent." in said


def test_an_insight_as_json_is_one_document(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, shop, "insight", "top_products", "--key", "10", "--json", "--rows", "1") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["insight"], document["key"]) == ("top_products", {"product_id": 10})
    assert [row["item_id"] for row in document["rows"]] == [1000]
    assert all(figure["holds"] for figure in document["sums"])


def test_without_the_run_s_folder_a_clear_message(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(shop.settings.workdir / "runs")
    assert explain(monkeypatch, shop, "customer", "1") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "The files of the last published run are not under" in said
    assert "Remedy:" in said


def test_figures_that_do_not_add_up_end_with_3(
    shop: PublishedShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = shop.settings.workdir.glob("runs/*/clean/orders/*.parquet")
    orders = pl.read_parquet(path)
    orders.filter(pl.col("order_id") != 100).write_parquet(path)
    assert explain(monkeypatch, shop, "customer", "1") == 3
    assert "They do not" in capsys.readouterr().out
