"""The tables of the terminal, at the width of an old one and at others."""

from __future__ import annotations

import copy
import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from tests.support.report_sample import broken_sum, insight, sample_insights, sample_record

from shopsight.cli.tables import insight_table, run_views, terminal_table
from shopsight.marts.insights import INSIGHTS
from shopsight.report import run_tables


def printed(renderable: RenderableType, width: int = 80) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    console.print(renderable)
    return console.export_text()


def stages_table(document: dict[str, Any]) -> RenderableType:
    return run_views(document)[0]


def ledger_table(document: dict[str, Any]) -> RenderableType:
    return run_views(document)[1]


def rules_table(document: dict[str, Any]) -> RenderableType:
    return run_views(document)[2]


def proof_table(document: dict[str, Any]) -> RenderableType:
    return run_views(document)[3]


def runs_table(documents: list[dict[str, Any]]) -> RenderableType:
    return terminal_table(run_tables.runs(documents))


def lines_under_heading(text: str) -> list[str]:
    return text.split("─\n")[1].splitlines()


def record(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(sample_record().as_document()), **parts}


def every_table() -> list[RenderableType]:
    tables: list[RenderableType] = [terminal_table(table) for table in sample_insights().values()]
    runs = [record(), record(status="refused", generation=None, totals={}, seconds=None)]
    return [*tables, *run_views(record()), runs_table(runs)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for table in every_table():
        assert max(cell_len(line) for line in printed(table, width).splitlines()) <= width


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("id_", list(sample_insights()))
def test_every_row_is_one_line_with_its_figures_whole(id_: str, width: int) -> None:
    table = sample_insights()[id_]
    rows = [
        line
        for line in lines_under_heading(printed(terminal_table(table), width))
        if "Too narrow" not in line
    ]
    assert len(rows) == len(table.rows)
    for line, row in zip(rows, table.rows, strict=True):
        for column in table.columns:
            value = row[column["name"]]
            if column["kind"] == "money" and value is not None:
                assert f"{value:,.2f}" in line
            if column["kind"] == "count":
                assert re.search(rf"(^|\s){value:,}(\s|$)", line)


def test_figures_are_set_to_the_right() -> None:
    lines = printed(terminal_table(sample_insights()["order_statuses"])).splitlines()
    ends = {
        line.index(amount) + len(amount)
        for line in lines
        for amount in re.findall(r"[\d,]+\.\d\d(?!%)", line)
    }
    assert len(ends) == 1


def test_long_names_end_in_an_ellipsis_and_short_ones_are_whole() -> None:
    text = printed(terminal_table(sample_insights()["top_customers"]), 60)
    assert "Ada Lovelace" in text
    assert re.search(r"María José .*…  Spain", text)
    assert "48,210.75" in text


@pytest.mark.parametrize(
    ("width", "left_out"), [(200, ""), (80, "\nToo narrow for: 13, 14.\n"), (60, "9 to 14")]
)
def test_cohorts_are_a_matrix_that_loses_its_last_months_first(width: int, left_out: str) -> None:
    rows = [
        (date(2024 + cohort // 12, cohort % 12 + 1, 1), since, 10 if since else 30, 1 / 3 if since else 1.0)
        for cohort in range(15)
        for since in range(15 - cohort)
    ]
    columns = "cohort_month:date:First order,months_since:count:Months since,customers:count:Customers"
    table = insight("cohort_retention", "Cohorts", "", f"{columns},retained_share:share:Share", rows)
    text = printed(insight_table(replace(table, chart=INSIGHTS["cohort_retention"].chart)), width)
    assert re.search(r"order +Customers +1 +2 ", text)
    assert re.search(r"^Jan 2024 +30 +33% +33%", text, flags=re.MULTILINE)
    assert re.search(r"^Mar 2025 +30 *$", text, flags=re.MULTILINE)
    assert ("Too narrow" in text) == bool(left_out)
    assert left_out in text
    assert "no rows" in printed(
        insight_table(replace(table, chart=INSIGHTS["cohort_retention"].chart, rows=[]))
    )


def test_keys_give_way_to_the_names_beside_them() -> None:
    table = terminal_table(sample_insights()["basket_pairs"])
    assert "Product A" in printed(table, 140)
    narrow = printed(table, 80)
    assert "Product A" not in narrow.split("─\n")[0]
    assert narrow.endswith("Too narrow for: Product A, Product B.\n")
    assert "Paper filters no. 4" in printed(table, 80)


def test_texts_of_the_shop_are_neither_markup_nor_commands() -> None:
    name = "[bold red]x[/] \x1b[2J\x07\r\n\u202eevil"
    table = insight(
        "t", "T", "", "name:text:Name,amount:money:Amount", [(name, Decimal("1.00")), (None, None)]
    )
    text = printed(terminal_table(table))
    assert "[bold red]x[/]" in text
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    assert text.rstrip().splitlines()[-1].split() == ["–", "–"]


def test_insight_without_rows_says_so() -> None:
    assert "no rows" in printed(terminal_table(replace(sample_insights()["top_customers"], rows=[])))


def test_stages_show_rows_seconds_speed_and_memory() -> None:
    text = printed(stages_table(record()))
    assert re.search(r"clean +643,970 +631,140 +11,292 +685,074 +412 MB +0\.94 s\n", text)


def test_stage_that_was_kept_or_failed_says_so() -> None:
    document = record()
    document["stages"][0]["outcome"] = "kept"
    document["stages"][1]["outcome"] = "failed"
    text = printed(stages_table(document))
    assert "extract kept" in text
    assert "clean failed" in text


def test_ledger_shows_rows_and_amounts_that_balance() -> None:
    text = printed(ledger_table(record()))
    assert re.search(r"categories +12 +1 +13 +0 +0 +✓", text)
    assert re.search(r"Kept +14,609,127\.40 +14,431,002\.64 +232,119\n", text)
    assert text.count("✓") == 9
    assert "✗" not in text


def test_ledger_that_does_not_balance_is_marked() -> None:
    document = record()
    document["ledger"]["tables"][3]["rejected"] -= 1
    document["ledger"]["tables"][5]["measure_in"] += 1
    assert printed(ledger_table(document)).count("✗") == 2


def test_rules_show_what_they_did() -> None:
    text = printed(rules_table(record()))
    assert re.search(r"orders\.customer_unknown +reject +1,608 +171,402\.77\n", text)
    assert "no rule applied" in printed(rules_table(record(ledger={"tables": [], "rules": []})))


def test_proof_counts_what_holds_and_shows_both_figures_of_what_does_not() -> None:
    document = record()
    checks = sum(document["proof"][2]["compared"].values())
    assert f"{checks} of {checks} hold" in printed(proof_table(document))
    document["proof"][2]["broken"] = [broken_sum()]
    text = printed(proof_table(document))
    assert re.search(r"sum\(total_amount_spent\) +13,120,448\.05 +13,120,448\.04 +✗", text)
    assert re.search(rf"3 \(clean = marts\) .*{checks - 1} of {checks} hold +✗", text)
    assert "no proof" in printed(proof_table(record(proof=[])))


def test_runs_are_listed_with_ids_that_can_be_copied() -> None:
    refused = record(status="refused", generation=None, totals={}, seconds=None)
    text = printed(runs_table([record(), refused]))
    assert re.search(r"20261122T180000Z-1f3a9c +succeeded +4\.13 s +7 +13,120,448\.05\n", text)
    assert re.search(r"20261122T180000Z-1f3a9c +refused +– +– +–\n", text)
    assert "2026-11-22 18:00" in printed(runs_table([record()]), 120)
    assert "no runs yet" in printed(runs_table([]))


def test_rollback_without_totals_is_listed() -> None:
    document = {
        "run_id": "20261122T180000Z-1f3a9c",
        "status": "succeeded",
        "started_at": record()["started_at"],
    }
    assert "succeeded" in printed(runs_table([document]))
