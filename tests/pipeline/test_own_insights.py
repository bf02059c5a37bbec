"""A user's own insight is one file: checked before a run, then as good as a built-in one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.text import Text
from tests.support.staged import literal_shop, read, staged

from shopsight.cli.explain_views import trace_view
from shopsight.engine.opening import open_engine
from shopsight.errors import ConfigurationError, EngineUnavailable, ProofBroken
from shopsight.inspect.explain import TracedRun, explain_insight
from shopsight.logs import bind_structlog
from shopsight.marts.insights import INSIGHTS
from shopsight.orchestration.environment import settings_environment
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Run
from shopsight.pipeline.own_insights import insights_in, insights_of, own_insights
from shopsight.pipeline.run import open_run
from shopsight.record import RunRecord
from shopsight.settings import load_settings

SALES_BY_YEAR = '''
"""What was sold in each year."""

import narwhals as nw

from shopsight.audit.identities import SumsTo
from shopsight.marts.insights import Insight, InsightColumn
from shopsight.marts.insights.evidence import AMOUNT, ROWS, Evidence, counting_orders


def year() -> nw.Expr:
    return nw.col("order_date").dt.year()


def sales_by_year(shop, _options):
    """Grain: one row per year."""
    orders = shop.counting_orders.with_columns(year=year())
    revenue, number = nw.col("total_amount").sum().alias("revenue"), nw.len().alias("orders")
    return orders.group_by("year").agg(revenue, number).sort("year")


INSIGHT = Insight(
    id="sales_by_year",
    title="Sales by year",
    description="Revenue and counting orders by year.",
    columns=(
        InsightColumn("year", "count", "Year"),
        InsightColumn("revenue", "money", "Revenue"),
        InsightColumn("orders", "count", "Orders"),
    ),
    key=("year",),
    compute=sales_by_year,
    identities=(SumsTo("revenue", "revenue"), SumsTo("orders", "counting_orders")),
    evidence=Evidence(
        "orders",
        reads=("orders",),
        rows=lambda shop: counting_orders(shop).with_columns(year=year()),
        sums={"revenue": AMOUNT, "orders": ROWS},
        rejected=lambda _, rows: rows.with_columns(year=year()),
        is_partition=True,
    ),
)
'''


def write(folder: Path, source: str = SALES_BY_YEAR, name: str = "sales_by_year.py") -> str:
    """The setting for a folder with this file."""
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / name).write_text(source)
    return str(folder / "mine")


def line_of(text: str, source: str) -> int:
    return next(at for at, line in enumerate(source.splitlines(), 1) if text in line)


def test_an_added_file_is_an_insight_after_the_built_in_ones(tmp_path: Path) -> None:
    settings = load_settings(insights=[write(tmp_path)])
    write(tmp_path, "raise ValueError\n", "test_sales_by_year.py")
    assert list(insights_of(own_insights(settings))) == [*INSIGHTS, "sales_by_year"]


@pytest.mark.parametrize("text", ['insights = ["mine"]', '[insights]\nfiles = ["mine/sales_by_year.py"]'])
def test_files_are_named_alone_or_in_the_table(tmp_path: Path, text: str) -> None:
    write(tmp_path)
    Path("shopsight.toml").write_text(f"{text}\n")
    (own,) = own_insights(load_settings())
    assert own.path == tmp_path / "mine" / "sales_by_year.py"


def test_the_environment_hands_insights_and_options_to_a_child_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SALES_BY_YEAR.replace("    key=", '    options={"weeks": 4},\n    key=')
    Path("shopsight.toml").write_text('[insights]\nfiles = ["mine"]\n[insights.sales_by_year]\nweeks = 12\n')
    write(tmp_path, source)
    handed = settings_environment(load_settings())["SHOPSIGHT_INSIGHTS"]
    Path("shopsight.toml").unlink()
    monkeypatch.chdir("/")
    monkeypatch.setenv("SHOPSIGHT_INSIGHTS", handed)
    assert insights_of(own_insights(load_settings()))["sales_by_year"].options == {"weeks": 12}


def test_an_option_reaches_the_function(tmp_path: Path) -> None:
    source = SALES_BY_YEAR.replace("_options", "options").replace(
        "    key=", '    options={"least": 0},\n    key='
    )
    source = source.replace('.sort("year")', '.filter(nw.col("orders") >= options.own["least"]).sort("year")')
    source = re.sub(r"identities=\(.*\),", "", source)
    given = {"files": [write(tmp_path, source)], "sales_by_year": {"least": 9}}
    assert not len(read(staged(tmp_path, literal_shop(), insights=given), "marts/insights/sales_by_year"))


@pytest.mark.parametrize(
    ("usual", "given", "fits"),
    [(0.5, 1, True), (1, 0.5, False), (1, True, False), (0.5, True, False), (["a"], ["b", "c"], True)],
)
def test_an_option_is_of_the_kind_of_its_default(tmp_path: Path, usual: Any, given: Any, fits: bool) -> None:
    files = [
        write(tmp_path, SALES_BY_YEAR.replace("    key=", f'    options={{"least": {usual!r}}},\n    key='))
    ]
    settings = load_settings(insights={"files": files, "sales_by_year": {"least": given}})
    with nullcontext() if fits else pytest.raises(ConfigurationError, match="is not a value like"):
        assert own_insights(settings)[0].insight.options == {"least": given}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sales_by_year": {"weeks": 1}}, r"\[insights.sales_by_year\].*weeks = 1 is not one of none"),
        ({"sales_by_yaer": {}}, r"\[insights.sales_by_yaer\].* unknown own insight"),
        ({"sales_by_year": 3}, "the options of each insight are a table"),
        ({"sales_by_year": {"since": date(2024, 1, 1)}}, "options of sales_by_year are text, numbers"),
        ({"sales_by_year": {"near": {"km": 1}}}, "options of sales_by_year are text, numbers"),
    ],
)
def test_options_that_no_insight_has_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        own_insights(load_settings(insights={"files": [write(tmp_path)], **options}))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("import narwhals as nw", "import polars as pl", "import polars", "imports polars"),
        ("import narwhals as nw", "import nowhere", "import nowhere", "ModuleNotFoundError"),
        ("def year()", "def year)", "def year)", "expected|invalid|unmatched"),
        ("INSIGHT = Insight(", "INSIGHTS = Insight(", None, "no INSIGHT"),
        ('id="sales_by_year"', 'id="monthly_sales"', "INSIGHT =", "is taken by shopsight"),
        ('id="sales_by_year"', 'id="Sales by year"', "INSIGHT =", "not made of small letters"),
        ('id="sales_by_year"', "id=2024", "INSIGHT =", "the id 2024"),
        ('id="sales_by_year"', 'id="customer_metrics"', "INSIGHT =", "or is one of files, customer_metrics,"),
        ('SumsTo("revenue", "revenue"), SumsTo(', "SumsTo(", "INSIGHT =", r"identities=\(…,\)"),
        (
            "    key=",
            "    options={'of': ('a',)},\n    key=",
            "INSIGHT =",
            "option of is .* options are text",
        ),
        ("        InsightColumn(", "        (", "INSIGHT =", "AttributeError"),
        ('key=("year",)', 'key=("year")', "INSIGHT =", "key is not a tuple"),
        ('key=("year",)', 'key=("yaer",)', "INSIGHT =", "the key 'yaer' is not among its columns"),
        ('"year", "count"', '"year", "whole"', "INSIGHT =", "is of the kind 'whole'"),
        ('SumsTo("orders", "counting', 'SumsTo("number", "counting', "INSIGHT =", "names 'number'"),
        ('"orders", "counting_orders"', '"orders", "all_orders"', "INSIGHT =", "no total 'all_orders'"),
        ('nw.col("order_date")', 'nw.col("date")', "orders.group_by(", "cannot be computed"),
        ("shop.counting_orders", "shop.good_orders", "shop.good_orders", "AttributeError"),
        ("compute=sales_by_year", "compute=__import__('functools').partial(print)", "INSIGHT =", "'select'"),
        ('.alias("orders")', '.alias("number")', "orders.group_by(", "cannot be computed"),
    ],
)
def test_a_faulty_file_stops_a_run_with_file_and_line_before_anything_is_read(
    tmp_path: Path, old: str, new: str, line: str | None, message: str
) -> None:
    source = SALES_BY_YEAR.replace(old, new, 1)
    settings = load_settings(
        insights=[write(tmp_path, source)], source_url="sqlite:///nowhere.db", workdir=tmp_path / "runs"
    )
    with pytest.raises(ConfigurationError, match=message) as caught, open_run(settings, publishes=False):
        pass
    file = tmp_path / "mine" / "sales_by_year.py"
    named = re.search(rf"{file}, line (\d+):", caught.value.message)
    assert named
    if line != "orders.group_by(":  # an engine may find a fault only after the function has ended
        assert int(named[1]) == (line_of(line, source) if line else 1)


def test_a_folder_without_an_insight_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigurationError, match="no insight in"):
        own_insights(load_settings(insights=["mine"]))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine" / "a_folder.py").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*a_folder\.py"):
        own_insights(load_settings(insights=["mine"]))


def test_an_open_folder_is_warned_of_because_everybody_may_add_an_insight(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bind_structlog()
    folder = write(tmp_path)
    Path(folder).chmod(0o777)
    own_insights(load_settings(insights=[folder]))
    (warned,) = [one.getMessage() for one in caplog.records if "every user" in one.getMessage()]
    assert folder in warned


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigurationError, match="the id 'sales_by_year' is taken by"):
        own_insights(load_settings(insights=[write(tmp_path, name="again.py")]))


def test_an_entry_point_declares_an_insight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    found = tmp_path / "mine" / "mine-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (found / "entry_points.txt").write_text("[shopsight.insights]\nby_year = sales_by_year\n")
    monkeypatch.syspath_prepend(tmp_path / "mine")
    assert "sales_by_year" in insights_of(own_insights(load_settings()))


def test_an_entry_point_whose_package_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "gone-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1\n")
    (found / "entry_points.txt").write_text("[shopsight.insights]\nby_year = gone.sales_by_year\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=r"'by_year' .* names 'gone\.sales_by_year'"):
        own_insights(load_settings())


def test_an_added_insight_is_computed_proven_and_explained(tmp_path: Path) -> None:
    made = staged(tmp_path, literal_shop(), insights=[write(tmp_path)])
    rows = read(made, "marts/insights/sales_by_year")
    assert rows.schema == {"year": pl.Int64, "revenue": pl.Decimal(38, 2), "orders": pl.Int64}
    assert made.record.proof[2].compared["sales_by_year"] == 3
    run = TracedRun.open(tmp_path, made.run_id)
    for key in (None, "2024"):
        trace = explain_insight(run, "sales_by_year", key, made.insights)
        assert trace.holds
        assert [figure.added_up for figure in trace.sums] == [rows[0, "revenue"], rows[0, "orders"]]


def test_the_record_says_what_is_proved_of_an_own_insight_and_what_is_not(tmp_path: Path) -> None:
    settings = load_settings(insights=[write(tmp_path)], workdir=tmp_path / "runs")
    with open_run(settings, publishes=False) as run:
        (own,) = RunRecord.from_document(run.record.as_document()).own_insights
    assert (own.id, own.file) == ("sales_by_year", "sales_by_year.py")
    assert own.sha256 == hashlib.sha256(SALES_BY_YEAR.encode()).hexdigest()
    assert own.proved == (
        "Proved: each row has a key of its own; sum(revenue) is the shop's revenue; sum(orders) is the shop's"
        " counting_orders. Not counted again, row by row: year, revenue, orders."
    )
    assert run.insights["sales_by_year"].description.endswith(own.proved)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'SumsTo("orders", "counting_orders")',
            'SumsTo("orders", "orders")',
            r"sum\(orders\) should be 5 and is 4",
        ),
        (
            '.sort("year")',
            ".with_columns(year=nw.lit(None))",
            "rows with a key of their own should be 1 and is 0",
        ),
    ],
)
def test_an_added_insight_that_breaks_its_identity_breaks_the_proof(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    wrong = SALES_BY_YEAR.replace(old, new)
    with pytest.raises(ProofBroken, match=f"sales_by_year: {message}"):
        staged(tmp_path, literal_shop(), insights=[write(tmp_path, wrong)])


FAILS_ON_THE_SHOP = SALES_BY_YEAR.replace("nw.len()", 'nw.col("status").cast(nw.Int64).sum()').replace(
    "shop.counting_orders", "shop.orders"
)


def test_an_insight_that_fails_on_the_shop_alone_is_named_without_the_shops_values(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line \d+: it cannot be computed: \w+\.$") as caught:
        staged(tmp_path, literal_shop(), insights=[write(tmp_path, FAILS_ON_THE_SHOP)])
    assert "sales_by_year.py" in caught.value.message


def test_an_error_that_the_engine_knows_is_not_blamed_on_an_insight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def losing(*given: Any) -> Iterator[Any]:
        with open_engine(*given) as engine:
            try:
                yield engine
            except pl.exceptions.PolarsError as error:
                raise EngineUnavailable("lost") from error

    monkeypatch.setattr(stages, "open_engine", losing)
    with pytest.raises(EngineUnavailable):
        staged(tmp_path, literal_shop(), insights=[write(tmp_path, FAILS_ON_THE_SHOP)])


def test_a_resumed_run_computes_again_what_a_changed_file_says(tmp_path: Path) -> None:
    given = [write(tmp_path)]
    run = staged(tmp_path, literal_shop(), insights=given)
    again = Run(
        load_settings(workdir=tmp_path, insights=given, min_rejected_rows=10**9), run.workspace, run.record
    )
    assert stages.insights(again).is_kept
    write(tmp_path, SALES_BY_YEAR.replace('"Sales by year"', '"By year"'))
    again = Run(again.settings, run.workspace, run.record)
    assert not stages.insights(again).is_kept


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "changed"])
def test_an_old_run_is_explained_without_the_file_that_made_it(tmp_path: Path, is_gone: bool) -> None:
    given = [write(tmp_path)]
    made = staged(tmp_path, literal_shop(), insights=given)
    made.record.own_insights = [own.as_record() for own in made.own_insights]
    made.workspace.write_record(made.record)
    write(tmp_path, SALES_BY_YEAR + "# changed\n")
    if is_gone:
        (tmp_path / "mine" / "sales_by_year.py").unlink()
    run = TracedRun.open(tmp_path, made.run_id)
    trace = explain_insight(run, "sales_by_year", None, insights_in(made.settings, run.record))
    assert (len(trace.published), trace.insight.evidence) == (1, None)
    assert "has changed since the run or is gone" in trace.insight.description
    assert [column.kind for column in trace.insight.columns] == ["count", "money", "count"]


def test_an_insight_without_evidence_says_that_it_declares_no_rows(tmp_path: Path) -> None:
    start, end = SALES_BY_YEAR.index("    evidence="), SALES_BY_YEAR.rindex(")")
    made = staged(
        tmp_path, literal_shop(), insights=[write(tmp_path, SALES_BY_YEAR[:start] + SALES_BY_YEAR[end:])]
    )
    run = TracedRun.open(tmp_path, made.run_id)
    for key in (None, "2024"):
        trace = explain_insight(run, "sales_by_year", key, made.insights)
        assert (trace.behind, trace.sums, trace.rows, len(trace.published)) == ([], [], None, 1)
        shown = [str(part) for part in trace_view(trace, None) if isinstance(part, str | Text)]
        assert "This insight declares no rows behind it." in shown
