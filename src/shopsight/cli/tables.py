"""The report's tables on a terminal: figures stay whole, names end in an ellipsis, spare columns go first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from shopsight.cli.output import one_line
from shopsight.report import ReportTable, run_tables
from shopsight.report.drawings import fits
from shopsight.report.report_table import FIGURE_KINDS, column

_STYLES = {
    **{"repair": "cyan", "flag": "yellow", "merge": "blue", "reject": "red"},
    **{"succeeded": "green", "kept": "yellow", "failed": "red", "refused": "yellow", "running": "cyan"},
    **{"yes": "green", "no": "yellow", "✓": "green", "✗": "bold red"},
}
#: Kinds whose values are never cut although they are no figures.
_WHOLE_KINDS = ("id", "word", "flag", "minute", "tick")
#: Kinds that only a page has room for.
_PAGE_KINDS = ("bar", "prose")
_LEAST_NAME = 16
_GAP = 2
#: A note lists no more columns that were left out than this.
_MOST_NAMED = 4


def terminal_table(table: ReportTable) -> TerminalTable:
    """The table for the terminal, in its own order. A key can be spared where its name is beside it."""
    names = table.column_names
    columns = [
        {**shown, "spared": shown.get("spared", int(_name_of(shown) in names))}
        for shown in table.columns
        if shown["kind"] not in _PAGE_KINDS
    ]
    rows = [[_cell(table, row, shown) for shown in columns] for row in table.rows]
    return TerminalTable(table.title, columns, rows, table.footnote or ("" if rows else "no rows"))


def insight_table(table: ReportTable) -> TerminalTable:
    """An insight, as a matrix if the report draws one; where there is no room, without its last columns."""
    chart = table.chart
    if chart is None or chart.kind != "heat" or not table.rows or not fits(table, chart):
        return terminal_table(table)
    cells = {(row[chart.label], row[chart.across]): row for row in table.rows}
    across = sorted({place for _, place in cells}, key=lambda place: (place is None, place))
    name, place_name = table.namer(chart.label), table.namer(chart.across)
    columns = [column(chart.label, "word", table.column(chart.label)["label"])]
    columns += (column(str(place), "figure", place_name(place), spared=at) for at, place in enumerate(across))
    if chart.size:
        columns[1]["label"] = table.column(chart.size)["label"]
    rows: dict[Any, dict[str, str]] = {}
    for (label, place), row in cells.items():
        shown = chart.size if chart.size and place == across[0] else chart.figures[0]
        value, text = row[shown], table.text(row, shown)
        if value is not None and table.column(shown)["kind"] == "share":
            text = f"{value:.0%}"  # a matrix has no room for decimals
        empty = dict.fromkeys(map(str, across), "")
        rows.setdefault(label, {chart.label: name(label), **empty})[str(place)] = text
    note = f"{table.column(chart.figures[0])['label']} by {table.column(chart.across)['label'].lower()}."
    return terminal_table(replace(table, columns=columns, rows=list(rows.values()), footnote=note))


def glimpse(table: ReportTable) -> TerminalTable:
    """Three rows of an insight without keys: the last ones of a series in time, the first ones of a list."""
    first, *others = (shown for shown in table.columns if shown["kind"] != "key")
    rows = table.rows[-3:] if first["kind"] == "date" else table.rows[:3]
    columns = [{**first, "label": table.title}, *others]
    return replace(terminal_table(replace(table, title="", columns=columns, rows=rows)), is_glimpse=True)


def _name_of(key: Mapping[str, Any]) -> str:
    """The column that names what a key stands for: ``product_a_name`` for ``product_a_id``."""
    if key["kind"] != "key":
        return ""
    return "name" if key["name"] == "customer_id" else key["name"].removesuffix("_id") + "_name"


def _cell(table: ReportTable, row: Mapping[str, Any], shown: Mapping[str, Any]) -> Text:
    text = one_line(table.text(row, shown["name"]))
    if shown["kind"] == "tick":
        text = "✓" if row[shown["name"]] else "✗"
    is_styled = shown["kind"] in ("word", "flag", "tick", "figure")
    cell = Text(text, style=_STYLES.get(text, "") if is_styled else "")
    if note := table.note(row, shown):
        # Only a line break at the beginning of a note begins another line.
        gap = "\n" if note.startswith("\n") else " "
        cell.append(gap + one_line(note.removeprefix(gap)), style="red" if note == "failed" else "dim")
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def run_views(record: dict[str, Any]) -> list[TerminalTable | Group]:
    """A run's stages, ledger, rules and proof."""
    amounts = terminal_table(_transposed(run_tables.amounts(record)))
    return [
        terminal_table(run_tables.stages(record)),
        Group(terminal_table(run_tables.ledger(record)), amounts),
        terminal_table(run_tables.rules(record)),
        terminal_table(run_tables.proof(record)),
    ]


def _transposed(table: ReportTable) -> ReportTable:
    """Columns as rows: a terminal has more room for lines than for wide amounts."""
    first, *others = table.columns
    columns = [column("part", "text", first["label"])]
    columns += (column(row["table"], "figure", row["table"]) for row in table.rows)
    rows = [{"part": "", **{row["table"]: table.note(row, first) for row in table.rows}}]
    for part in others:
        texts = {row["table"]: _cell(table, row, part).plain for row in table.rows}
        rows.append({"part": "" if part["kind"] == "tick" else part["label"], **texts})
    return replace(table, columns=columns, rows=rows)


@dataclass
class TerminalTable:
    """A table that chooses its columns by the width it gets.

    Attributes:
        columns: see :func:`shopsight.report.report_table.column`.
        rows: the cells, safe for a terminal.
    """

    title: str
    columns: list[dict[str, Any]]
    rows: list[list[Text]]
    caption: str = ""
    is_glimpse: bool = False

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """A blank line, the title, the rich table for the width at hand, what it left out, the caption."""
        shown = list(range(len(self.columns)))
        is_narrow = self._needed(shown, is_narrow=False) > options.max_width
        for rank in sorted({shown["spared"] for shown in self.columns} - {0}, reverse=True):
            if is_narrow and self._needed(shown, is_narrow=True) > options.max_width:
                shown = [index for index in shown if self.columns[index]["spared"] != rank]
        left_out = [column["label"] for index, column in enumerate(self.columns) if index not in shown]
        yield Text("")
        if self.title:
            yield Text(one_line(self.title), style="bold", no_wrap=True, overflow="ellipsis")
        yield self._fitted(shown, is_narrow=is_narrow)
        if left_out:
            if len(left_out) > _MOST_NAMED:
                left_out = [f"{left_out[0]} to {left_out[-1]}"]
            yield Text(f"Too narrow for: {', '.join(left_out)}.", style="dim")
        if self.caption:
            yield Text(self.caption, style="italic dim")

    def _fitted(self, shown: list[int], *, is_narrow: bool) -> Table:
        table = Table(
            box=None if self.is_glimpse else box.SIMPLE_HEAD,
            header_style="bold" if self.is_glimpse else "dim",
            show_edge=False,
            pad_edge=False,
            padding=(0, 1 + self.is_glimpse, 0, 0),
        )
        for index in shown:
            may_be_cut = self._may_be_cut(index)
            table.add_column(
                self._heading(index, is_narrow=is_narrow),
                justify="right" if self.columns[index]["kind"] in FIGURE_KINDS else "left",
                # Rich takes room from columns that may wrap; their cells do not wrap but are cut.
                no_wrap=not may_be_cut,
                min_width=None if may_be_cut else self._width(index, is_narrow=is_narrow),
            )
        for row in self.rows:
            table.add_row(*(row[index] for index in shown))
        return table

    def _may_be_cut(self, index: int) -> bool:
        return self.columns[index]["kind"] not in (*FIGURE_KINDS, *_WHOLE_KINDS)

    def _heading(self, index: int, *, is_narrow: bool) -> Text:
        """The heading; where there is little room, each word of a figure's has a line of its own."""
        column = self.columns[index]
        heading = "" if column["kind"] == "tick" else one_line(column["label"])
        is_broken = is_narrow and not self._may_be_cut(index)
        return Text(heading.replace(" ", "\n") if is_broken else heading)

    def _width(self, index: int, *, is_narrow: bool) -> int:
        """The least width of a column; where there is little room, names may be cut to 16 cells."""
        cells = [self._heading(index, is_narrow=is_narrow), *(row[index] for row in self.rows)]
        width = max(cell_len(line) for cell in cells for line in cell.plain.split("\n"))
        return min(width, _LEAST_NAME) if is_narrow and self._may_be_cut(index) else width

    def _needed(self, shown: list[int], *, is_narrow: bool) -> int:
        return sum(self._width(index, is_narrow=is_narrow) for index in shown) + _GAP * (len(shown) - 1)
