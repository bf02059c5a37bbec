"""The page: what is in it, and that nothing of the shop's texts can leave its place."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import bson
import pytest
from tests.support.report_sample import broken_sum, insight, sample_insights, sample_record

from shopsight.errors import WorkspaceError
from shopsight.marts.insights import INSIGHTS
from shopsight.publish.bson import plain, to_bson
from shopsight.report import ReportTable, ShopLabel, render_report, write_report
from shopsight.report.run_tables import tiles
from shopsight.report.trend import Trend, trend_of

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart: its tags with attributes, its texts, and whether every tag was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.wrongly_closed: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.wrongly_closed += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.wrongly_closed.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self._open and data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def charts(self) -> list[str | None]:
        return [attributes["data-chart"] for _, attributes in self.tags if "data-chart" in attributes]


def page_of(record: dict[str, Any] | None = None, insights: dict[str, ReportTable] | None = None) -> Page:
    return Page(
        render_report(
            sample_record().as_document() if record is None else record,
            sample_insights() if insights is None else insights,
        )
    )


def changed(**parts: Any) -> dict[str, Any]:
    """The sample run's document with some parts replaced."""
    return {**copy.deepcopy(sample_record().as_document()), **parts}


def test_all_ten_insights_are_drawn_with_trends_first() -> None:
    charts = page_of().charts
    assert set(charts) == set(INSIGHTS)
    assert charts == list(INSIGHTS)
    assert charts[:3] == ["monthly_sales", "top_customers", "top_products"]
    assert charts[-4:] == ["rfm_segments", "repeat_purchase", "cohort_retention", "category_ratings"]


def test_page_is_well_formed() -> None:
    page = page_of()
    assert page.wrongly_closed == []
    assert ("html", {"lang": "en"}) in page.tags
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_every_table_has_headings_with_a_scope() -> None:
    headings = [attributes for tag, attributes in page_of().tags if tag == "th"]
    assert headings
    assert all(attributes.get("scope") in {"col", "row", "rowgroup"} for attributes in headings)


def test_page_loads_nothing() -> None:
    html = render_report(sample_record().as_document(), sample_insights())
    page = Page(html)
    asked = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("src", "href", "srcset", "action", "data", "poster")
        if name in attributes
    ]
    assert asked
    assert all(str(address).startswith(("#", "data:,", "data:text/csv;")) for address in asked)
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy


def test_hostile_texts_stay_texts() -> None:
    attack = "</td><script>alert(1)</script>\"' onmouseover='alert(2) {{ 7 * 7 }} {% raw %} &lt; <!-- $where"
    insights = {
        id_: replace(
            table,
            title=attack,
            description=attack,
            columns=[{**column, "label": attack} for column in table.columns],
            rows=[
                {
                    name: attack
                    if isinstance(value, str) and name not in {"cohort_month", "month"}
                    else value
                    for name, value in row.items()
                }
                for row in table.rows
            ],
        )
        for id_, table in sample_insights().items()
    }
    record = changed(
        error={"type": attack, "message": attack, "remedy": attack, "stage": attack, "run_id": None},
        versions={attack: attack},
        run_id=attack,
        status=attack,
    )
    record["snapshot"].update(source=attack, snapshot_id=attack, schema=attack, server_version=attack)
    for rule in record["ledger"]["rules"]:
        rule.update(rule=attack, sentence=attack)
    for link in record["proof"]:
        link["name"] = attack
        link.update(compared={attack: 1}, broken=[{"what": attack, "expected": 1, "found": 2}])
    record["stages"][0].update(name=attack, outcome=attack)
    harmless, page = page_of(), page_of(record, insights)
    assert page.wrongly_closed == []
    assert {tag for tag, _ in page.tags} - {tag for tag, _ in harmless.tags} <= {"strong", "div", "p"}
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "iframe", "object", "base", "form"}]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(" ".join(attack.split())) > 60
    downloads = [attributes["href"] for _, attributes in page.tags if "download" in attributes]
    assert len(downloads) > len(insights)
    assert not [address for address in downloads if "<" in str(address)]
    assert [address for address in downloads if quote("<script>") in str(address)]


def test_names_are_isolated_so_that_their_direction_does_not_spread() -> None:
    html = render_report(sample_record().as_document(), sample_insights())
    assert "<bdi>محمد بن موسى</bdi>" in html
    assert "<bdi>Iraq</bdi>" in html


def test_figures_of_the_shop_stand_on_top() -> None:
    text = page_of().text
    for value, label in (
        ("13,120,448.05", "revenue"),
        ("141,207", "counting orders"),
        ("19,204", "customers"),
        ("92.92", "average order value"),
        ("705,311", "units ordered"),
        ("3.94", "average rating"),
    ):
        assert f"{value}\n{label}" in text


def test_totals_have_the_change_of_the_last_whole_months() -> None:
    text = page_of().text
    months = sample_insights()["monthly_sales"].rows
    assert months[-1]["month"] == date(2026, 11, 1)  # the month of the snapshot: not over
    now = sum(row["revenue"] for row in months[-13:-1])
    then = sum(row["revenue"] for row in months[-25:-13])
    sign = "▲ +" if now > then else "▼ −"
    change = f"{sign}{abs(float((now - then) / then)):.1%}"
    assert f"revenue\n{now:,} in 12 months to Oct 2026\n{change}\n" in text
    assert "Changes are of 12 months to Oct 2026 against the 12 before" in text


@pytest.mark.parametrize(
    ("whole_months", "span"),
    [(24, "12 months to Oct 2026"), (23, "3 months to Oct 2026"), (5, "Oct 2026"), (1, None)],
)
def test_a_young_shop_compares_fewer_months(whole_months: int, span: str | None) -> None:
    sales = sample_insights()["monthly_sales"]
    young = replace(sales, rows=sales.rows[-whole_months - 1 :])
    trend = trend_of([young.annotated(date(2026, 11, 22))])
    assert (trend and trend.span) == span


def test_a_line_over_weeks_before_the_months_does_not_take_the_trend_away() -> None:
    sales = sample_insights()["monthly_sales"]
    weeks = replace(sales, rows=[{**row, "month": row["month"].replace(day=8)} for row in sales.rows])
    assert trend_of([weeks, sales]) == trend_of([sales]) is not None


def test_nothing_is_said_to_have_grown_from_nothing() -> None:
    trend = Trend("Oct 2026", "Sep 2026", {"revenue": Decimal(5)}, {"revenue": Decimal(0)})
    assert [tile.change for tile in tiles(sample_record().as_document(), trend)] == [None] * 6


def test_name_currency_and_newest_order_stand_on_top() -> None:
    record = changed(newest_order=datetime(2026, 11, 21, tzinfo=UTC))
    html = render_report(record, sample_insights(), shop=ShopLabel("Fish & <Chips>", "EUR"))
    text = Page(html).text
    assert "\nFish & <Chips>\nNewest order:\n21 November 2026\n· Amounts in\nEUR\n" in text
    assert "13,120,448.05\nrevenue, EUR\n" in text
    assert text.startswith("Fish & <Chips> on 22 November 2026")


def test_every_table_has_a_caption_a_download_and_every_insight_its_explanation() -> None:
    page = page_of()
    tables = [tag for tag, _ in page.tags if tag == "table"]
    assert len([tag for tag, _ in page.tags if tag == "caption"]) == len(tables)
    downloads = {str(attributes["download"]) for _, attributes in page.tags if "download" in attributes}
    assert {f"{id_}.csv" for id_ in INSIGHTS} <= downloads
    assert {"rows_by_table.csv", "amounts_by_table.csv", "rules.csv", "stages.csv"} <= downloads
    for id_ in INSIGHTS:
        assert f"shopsight explain insight {id_}" in page.text
    assert "shopsight explain insight monthly_sales --key 2026-11" in page.texts
    assert "shopsight explain insight cohort_retention --key 2025-06,0" in page.texts
    assert "shopsight explain insight country_sales --key Germany" in page.texts


def test_ledger_has_every_figure_and_says_that_it_balances() -> None:
    page = page_of()
    for table in sample_record().ledger.tables:
        for figure in (table.rows_in, table.rows_out, table.rejected, table.merged):
            assert f"{figure:,}" in page.texts
    for amount in ("14,883,604.17", "10,513.48", "14,609,127.40", "24,918.33", "260,071.92"):
        assert amount in page.texts
    assert "232,119" in page.texts  # ratings added up are no money
    labels = [attributes.get("aria-label") for _, attributes in page.tags]
    assert labels.count("balances") == 9
    assert "does not balance" not in labels


def test_a_cent_missing_in_the_ledger_is_shown() -> None:
    record = changed()
    record["ledger"]["tables"][3]["measure_out"] -= Decimal("0.01")
    labels = [attributes.get("aria-label") for _, attributes in page_of(record).tags]
    assert labels.count("does not balance") == 1


def test_rules_stand_with_sentence_rows_share_and_amount() -> None:
    text = page_of().text
    assert (
        "The customer is null or is not among the customers.\n"
        "reject\norders.customer_unknown\n· amount 171,402.77\n1,608\n1.0%" in text
    )


def test_bar_of_a_rule_is_its_share_of_the_table() -> None:
    html = render_report(sample_record().as_document(), sample_insights())
    assert '<span class="bar flag" style="width: 19.92%"></span>' in html  # 31,877 of 160,000 orders


def test_proof_counts_the_equalities_of_each_table() -> None:
    page = page_of()
    proof = sample_record().proof
    labels = [attributes.get("aria-label") for _, attributes in page.tags]
    assert labels.count("holds") == sum(len(link.compared) for link in proof)
    assert f"All {sum(link.equalities for link in proof)} equalities hold" in page.text
    assert "Every row and every cent is accounted for." in page.text
    for link in proof:
        assert f"{link.name}\n✓ {link.equalities} equalities hold" in page.text


def test_broken_proof_names_what_is_broken_and_promises_nothing() -> None:
    record = changed()
    record["proof"][3]["broken"] = [broken_sum()]
    page = page_of(record)
    assert "The proof is broken" in page.text
    assert "Every row and every cent is accounted for." not in page.text
    assert (
        "✗ 1 of 4 equalities broken: customer_metrics: sum(total_amount_spent),"
        " expected 13,120,448.05, found 13,120,448.04" in page.texts
    )
    assert not [tag for tag, attributes in page.tags if tag == "details" and "open" in attributes]
    assert "13,120,448.04" in page.texts


def test_stages_have_rows_seconds_and_speed() -> None:
    assert "clean\n643,970\n631,140\n11,292\n685,074\n412 MB\n0.94 s" in page_of().text


def test_run_that_ended_before_cleaning_counts_no_rows() -> None:
    page = page_of(changed(ledger={"tables": [], "rules": []}, proof=[]))
    assert "Read as one consistent snapshot at 2026-11-22 18:00:04 UTC." in page.texts
    assert "Read as one consistent snapshot at 2026-11-22 18:00:04 UTC: 643,970 rows:" in page_of().text


def test_kept_stage_says_so_and_has_no_speed() -> None:
    record = changed()
    record["stages"][0].update(outcome="kept", seconds=0.002)
    assert "extract\nkept\n–\n643,970\n–\n–\n412 MB\n2 ms" in page_of(record).text


def test_page_shows_the_run_and_its_source_without_credentials() -> None:
    record = changed()
    record["snapshot"]["source"] = "postgresql://ann:s3cret@db/shop?password=s3cret"
    html = render_report(record, sample_insights())
    assert "s3cret" not in html
    text = Page(html).text
    for told in (
        "Data as of\n2026-11-22 18:00:04 UTC",
        "Generation\n7",
        "Fresh until\n2026-11-23 00:00:04 UTC",
        "postgresql 18.4",
        "polars 2.1.0",
    ):
        assert told in text


def test_moments_without_a_zone_are_utc() -> None:
    record = changed(started_at=datetime(2026, 11, 22, 18, 0, 0))  # noqa: DTZ001 - as MongoDB's driver gives it
    assert "Started\n2026-11-22 18:00:00 UTC" in page_of(record).text


def test_shop_without_rows_has_sentences_in_place_of_charts() -> None:
    nothing = {id_: replace(table, rows=[]) for id_, table in sample_insights().items()}
    nothing["repeat_purchase"] = replace(
        sample_insights()["repeat_purchase"],
        rows=[
            {
                "customers": 0,
                "repeat_customers": 0,
                "repeat_share": None,
                "median_days_between_orders": None,
            }
        ],
    )
    totals = {"customers": 0, "counting_orders": 0, "revenue": Decimal("0.00"), "units": 0, "reviews": 0}
    page = page_of(changed(totals=totals, ledger={"tables": [], "rules": []}), nothing)
    assert page.charts == []
    assert page.wrongly_closed == []
    assert "0.00\nrevenue" in page.text
    assert "–\naverage order value" in page.text
    assert "–\naverage rating" in page.text
    assert page.texts.count("Nothing to show yet: there are no rows.") == 9
    assert page.texts.count("Nothing to show yet: there are rows, but no values.") == 1


def test_shop_without_reviews_lists_no_ratings() -> None:
    insights = sample_insights()
    rows = [{**row, "average_rating": None, "reviews": 0} for row in insights["category_ratings"].rows]
    insights["category_ratings"] = replace(insights["category_ratings"], rows=rows)
    page = page_of(insights=insights)
    assert "category_ratings" not in page.charts
    assert "No reviews in this shop." in page.texts


def test_shop_of_one_order_is_drawn_without_a_crash() -> None:
    insights = {
        "monthly_sales": replace(
            sample_insights()["monthly_sales"],
            rows=[{**sample_insights()["monthly_sales"].rows[0], "growth_share": None}],
        ),
        "cohort_retention": replace(
            sample_insights()["cohort_retention"], rows=sample_insights()["cohort_retention"].rows[:1]
        ),
        "rfm_segments": replace(
            sample_insights()["rfm_segments"],
            rows=[
                {
                    "segment": "Champions",
                    "customers": 1,
                    "revenue": Decimal("0.00"),
                    "customers_share": 1.0,
                    "revenue_share": None,
                }
            ],
        ),
    }
    page = page_of(insights=insights)
    assert set(page.charts) == set(insights)
    assert "nan" not in page.text.lower()


def test_failed_run_shows_its_error_and_remedy() -> None:
    error = {
        "type": "SourceUnavailable",
        "message": "The database does not answer.",
        "remedy": "Start it.",
        "stage": "extract",
        "run_id": None,
    }
    record = changed(
        status="failed",
        error=error,
        generation=None,
        valid_until=None,
        snapshot=None,
        proof=[],
        stages=[],
        totals={},
        versions={},
        ledger={"tables": [], "rules": []},
    )
    page = page_of(record, {})
    assert "Run failed" in page.text
    assert "The database does not answer.\nStart it." in page.text
    assert "Read as one consistent snapshot" not in page.text
    assert "No insights are published yet." in page.text


def test_insights_are_shown_when_their_run_is_gone_from_the_history() -> None:
    assert len(page_of({}).charts) == 10


def test_insight_that_the_page_does_not_know_is_a_table() -> None:
    unknown = insight(
        "new_one",
        "New",
        "Fresh.",
        "k:key:Key,day:date:Day,amount:money:Amount",
        [(1, datetime(2026, 3, 1), Decimal("1234.5"))],  # noqa: DTZ001
    )
    other = replace(sample_insights()["top_customers"], columns=[], rows=[])
    page = page_of(insights={"new_one": unknown, "top_customers": other})
    assert page.charts == ["new_one"]
    assert "Key\nDay\nAmount\n1\n2026-03-01\n1,234.50" in page.text


def test_insight_of_an_older_generation_is_a_table_of_what_it_has() -> None:
    older = sample_insights()["top_customers"]
    columns = [column for column in older.columns if column["name"] != "total_orders"]
    rows = [{column["name"]: row[column["name"]] for column in columns} for row in older.rows]
    page = page_of(insights={"top_customers": replace(older, columns=columns, rows=rows)})
    assert page.charts == ["top_customers"]
    assert "Customer\nName\nCountry\nTotal spent\n4711\nAda Lovelace\nUnited Kingdom\n48,210.75" in page.text


def test_long_list_is_cut_in_the_chart_and_whole_in_the_table() -> None:
    rows = [
        {
            "customer_id": index,
            "name": f"name {index}",
            "country": "Spain",
            "total_amount_spent": Decimal(5_000 - index),
            "total_orders": 1 + index % 7,
        }
        for index in range(1_200)
    ]
    page = page_of(insights={"top_customers": replace(sample_insights()["top_customers"], rows=rows)})
    assert "The first 12 of 1,200; the table has the rest." in page.texts
    assert page.texts.count("name 11") == 2
    assert page.texts.count("name 12") == 1
    assert "name 999" in page.texts
    assert "name 1000" not in page.texts
    assert "200 more rows are in the collection" in page.text


def test_csv_has_exact_values_and_no_formulas() -> None:
    table = insight(
        "mine",
        "Mine",
        "…",
        "name:text:Name,day:date:Day,amount:money:Amount,part:share:Share",
        [
            ('=HYPERLINK("http://x")', datetime(2026, 3, 1), Decimal("-1234.50"), 0.1),  # noqa: DTZ001
            ("+1", None, None, None),
            ("-1", None, Decimal("1E+3"), None),
            ("@sum, a", None, None, -0.5),
            ('María "M"\n2', None, None, None),
        ],
    )
    page = page_of(insights={"mine": table})
    [link] = [attributes for _, attributes in page.tags if attributes.get("download") == "mine.csv"]
    head, data = str(link["href"]).split(",", 1)
    assert head == "data:text/csv;charset=utf-8"
    rows = list(csv.reader(io.StringIO(unquote(data).removeprefix("\ufeff"), newline="")))
    assert rows == [
        ["name", "day", "amount", "part"],
        ['\'=HYPERLINK("http://x")', "2026-03-01", "-1234.50", "0.1"],
        ["'+1", "", "", ""],
        ["'-1", "", "1000", ""],
        ["'@sum, a", "", "", "-0.5"],
        ['María "M"\n2', "", "", ""],
    ]


def test_floats_are_shown_rounded() -> None:
    insights = sample_insights()
    insights["basket_pairs"].rows[0].update(lift=0.1 + 0.2, support=1 / 3, confidence=float("nan"))
    page = page_of(insights=insights)
    assert "0.30" in page.texts
    assert "33.3%" in page.texts
    figures = [text for text in page.texts if re.fullmatch(r"[-+]?[\d,.]+%?", text)]
    assert len(figures) > 300
    assert not [figure for figure in figures if re.search(r"\.\d{3,}", figure)]


def test_a_record_read_back_from_mongodb_gives_the_same_page() -> None:
    record, insights = sample_record().as_document(), sample_insights()
    documents = [
        {"_id": id_, **dataclasses.asdict(replace(table, chart=None))} for id_, table in insights.items()
    ]
    read_back = [plain(bson.decode(bson.encode(to_bson(document)))) for document in [record, *documents]]
    tables = {
        document["_id"]: ReportTable.from_document(document, INSIGHTS[document["_id"]])
        for document in read_back[1:]
    }
    assert render_report(read_back[0], tables) == render_report(record, insights)


def test_the_same_run_gives_the_same_page_and_is_left_as_it_was() -> None:
    record, insights = sample_record().as_document(), sample_insights()
    before = copy.deepcopy((record, insights))
    assert render_report(record, insights) == render_report(record, insights)
    assert (record, insights) == before


def _contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _mixed(first: str, second: str, share: float) -> str:
    parts = [(int(first[start : start + 2], 16), int(second[start : start + 2], 16)) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in parts)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(scheme: int) -> None:
    style = resources.files("shopsight.report").joinpath("report.css").read_text("utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.S)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    most = float(re.findall(r"--heat-most: (\d+)%", block)[0]) / 100
    for ground in ("paper", "surface", "track"):
        for text in ("ink", "soft", "accent-ink"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for kind in ("good", "bad"):
        assert _contrast(colours[kind], colours[f"{kind}-wash"]) >= 4.5
        assert _contrast(colours[kind], colours["surface"]) >= 4.5
    assert _contrast(colours["ink"], _mixed(colours["accent"], colours["track"], most)) >= 4.5
    for mark in ("accent", "rejected", "merged"):
        assert _contrast(colours[mark], colours["surface"]) >= 3


def test_report_replaces_an_older_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "report.html"
    write_report("old", path)
    write_report("new – ✓", path)
    assert path.read_text("utf-8") == "new – ✓"
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_report_that_cannot_be_written_says_where_and_leaves_the_place_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "file").write_text("mine")
    for path in (folder, tmp_path / "file" / "report.html", Path()):
        with pytest.raises(WorkspaceError, match=re.escape(str(path))) as caught:
            write_report("new", path)
        assert "-o FILE" in caught.value.remedy
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"
