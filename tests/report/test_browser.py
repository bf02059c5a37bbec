"""The report in a real browser: headless Chromium, spoken to over a pipe in its own protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.chromium import PATIENCE_SECONDS, Chromium
from tests.support.report_sample import sample_insights, sample_record

from shopsight.report import ReportTable, render_report, write_report


@dataclass(frozen=True)
class Pages:
    """Reports as files."""

    usual: Path
    hostile: Path
    empty: Path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("reports")
    record, insights = sample_record().as_document(), sample_insights()
    attack = "<script>window.owned=1</script><img src=x onerror=window.owned=1>\u202e" + "W" * 60
    hostile = {id_: _with_texts(table, attack) for id_, table in insights.items()}
    nothing = {id_: replace(table, rows=[]) for id_, table in insights.items()}
    written = {
        "usual": render_report(record, insights),
        "hostile": render_report(record, hostile),
        "empty": render_report({**record, "totals": {}, "ledger": {"tables": [], "rules": []}}, nothing),
    }
    for name, html in written.items():
        write_report(html, folder / f"{name}.html")
    return Pages(**{name: folder / f"{name}.html" for name in written})


def _with_texts(table: ReportTable, text: str) -> ReportTable:
    names = {column["name"] for column in table.columns if column["kind"] == "text"}
    return replace(
        table,
        title=text,
        rows=[{name: text if name in names else value for name, value in row.items()} for row in table.rows],
    )


MARKS = """
[...document.querySelectorAll('[data-chart]')].map(chart => ({
  id: chart.dataset.chart,
  drawn: [...chart.querySelectorAll('.mark')].filter(mark => {
    const box = mark.getBoundingClientRect(), style = getComputedStyle(mark);
    const before = getComputedStyle(mark, '::before');
    const paints = mark instanceof SVGElement
      ? [style.fill, style.stroke] : [style.backgroundColor, before.backgroundColor];
    const inked = paints.some(paint => paint !== 'none' && paint !== 'rgba(0, 0, 0, 0)');
    return box.width > 0 && box.height > 0 && inked;
  }).length,
  left: chart.getBoundingClientRect().left,
  right: chart.getBoundingClientRect().right,
}))
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_chart_is_drawn(chromium: Chromium, pages: Pages, width: int, scheme: str) -> None:
    chromium.open(pages.usual, width, scheme)
    charts = {chart["id"]: chart for chart in chromium.evaluate(MARKS)}
    assert set(charts) == set(sample_insights())
    # A bar a row; area, line and unfinished end of two panels; a cell a month; a bar for each of two shares.
    expected = {
        "monthly_sales": 2 * 3,
        "top_customers": 5,
        "top_products": 5,
        "category_ratings": 8,
        "country_sales": 8,
        "order_statuses": 6,
        "repeat_purchase": 1,
        "rfm_segments": 2 * 9,
        "basket_pairs": 20,
        # A telephone shows nine months.
        "cohort_retention": 17 * 18 // 2 if width > 500 else 8 * 9 + 9 * 10 // 2,
    }
    assert {id_: chart["drawn"] for id_, chart in charts.items()} == expected
    assert all(0 <= chart["left"] < chart["right"] <= width for chart in charts.values())


def test_bars_are_as_long_as_their_figures(chromium: Chromium, pages: Pages) -> None:
    chromium.open(pages.usual, 1440)
    widths = chromium.evaluate(
        "[...document.querySelectorAll('[data-chart=country_sales] .bar')]"
        ".map(bar => bar.getBoundingClientRect().width)"
    )
    revenue = [float(row["revenue"]) for row in sample_insights()["country_sales"].rows]
    assert [width / widths[0] for width in widths] == pytest.approx(
        [r / revenue[0] for r in revenue], abs=0.005
    )


def test_pointing_at_a_month_shows_its_figures(chromium: Chromium, pages: Pages) -> None:
    chromium.open(pages.usual, 1440)
    tip = "document.querySelectorAll('.tip')[23]"
    assert chromium.evaluate(f"getComputedStyle({tip}).visibility") == "hidden"
    x, y = chromium.evaluate(
        "(() => { document.documentElement.style.scrollBehavior = 'auto';"
        " document.querySelector('.line-chart').scrollIntoView({block: 'center'});"
        " const box = document.querySelectorAll('.hit')[23].getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    chromium.point_at(x, y)
    assert chromium.evaluate(f"getComputedStyle({tip}).visibility") == "visible"
    december = sample_insights()["monthly_sales"].rows[23]
    assert f"{december['revenue']:,}" in chromium.evaluate(f"{tip}.innerText")


@pytest.mark.parametrize("page", ["usual", "hostile", "empty"])
def test_console_is_silent_and_nothing_is_requested(chromium: Chromium, pages: Pages, page: str) -> None:
    path: Path = getattr(pages, page)
    chromium.open(path, 1440)
    assert chromium.of("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded") == []
    requested = {event["request"]["url"] for event in chromium.of("Network.requestWillBeSent")}
    assert {url for url in requested if not url.startswith("data:")} == {path.as_uri()}
    assert chromium.evaluate("[window.owned, document.scripts.length]") == [None, 0]


@pytest.mark.parametrize("width", [360, 390, 768, 1440, 2560])
@pytest.mark.parametrize("page", ["usual", "hostile", "empty"])
def test_page_never_scrolls_sideways(chromium: Chromium, pages: Pages, page: str, width: int) -> None:
    chromium.open(getattr(pages, page), width)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("page", ["usual", "hostile", "empty"])
def test_nothing_is_off_a_telephones_screen(chromium: Chromium, pages: Pages, page: str, width: int) -> None:
    chromium.open(getattr(pages, page), width)
    beyond = chromium.evaluate(
        "(() => { document.querySelectorAll('details').forEach(each => { each.open = true; });"
        " return [...document.querySelectorAll('.scroll, nav')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.getAttribute('aria-label')); })()"
    )
    assert beyond == []


@pytest.mark.parametrize("width", [360, 1440])
def test_no_figure_is_cut(chromium: Chromium, pages: Pages, width: int) -> None:
    chromium.open(pages.usual, width)
    cut = chromium.evaluate(
        "[...document.querySelectorAll('.tile-value, .facts dd, .value, .label')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')"
        ".map(e => e.innerText)"
    )
    assert cut == []


def test_dark_scheme_is_dark_and_light_is_light(chromium: Chromium, pages: Pages) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        chromium.open(pages.usual, 1440, scheme)
        colour = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))
    assert brightness["light"] > 600
    assert brightness["dark"] < 120


def test_empty_shop_has_sentences_in_place_of_charts(chromium: Chromium, pages: Pages) -> None:
    chromium.open(pages.empty, 390)
    assert chromium.evaluate("document.querySelectorAll('[data-chart]').length") == 0
    assert chromium.evaluate("document.querySelectorAll('.card .note').length") == len(sample_insights())


def test_table_is_downloaded_as_csv(chromium: Chromium, pages: Pages, tmp_path: Path) -> None:
    chromium.open(pages.usual, 1440)
    chromium.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    chromium.evaluate("document.querySelector('#insight-top_customers a[download]').click()")
    file, deadline = tmp_path / "top_customers.csv", time.monotonic() + PATIENCE_SECONDS
    while not file.exists():
        assert time.monotonic() < deadline, "nothing was downloaded"
        time.sleep(0.05)
    lines = file.read_text("utf-8-sig").splitlines()
    assert lines[0] == "customer_id,name,country,total_amount_spent,total_orders"
    assert lines[1] == "4711,Ada Lovelace,United Kingdom,48210.75,212"
