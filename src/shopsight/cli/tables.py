"""Tables for the terminal: figures stay whole, names end in an ellipsis, spare columns go first.

Every text in a table is made safe for the terminal (:func:`one_line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_LEAST_NAME = 16
_GAP = 2


def one_line(text: str) -> str:
    """The text on one line, without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes:
        heading: its heading; where there is little room, each word has a line of its own.
        is_figure: set to the right and never cut.
        is_whole: never cut, although it is not a figure.
        spared: left out where there is no room, the greatest number first; 0 never.
    """

    heading: str
    is_figure: bool = False
    is_whole: bool = False
    spared: int = 0

    @property
    def may_be_cut(self) -> bool:
        """Whether it holds names."""
        return not (self.is_figure or self.is_whole)


def figures(*headings: str) -> list[Field]:
    """Columns of figures."""
    return [Field(heading, is_figure=True) for heading in headings]


@dataclass
class FittingTable:
    """A table that chooses its columns by the width it gets."""

    title: str
    fields: Sequence[Field]
    rows: list[list[Text]] = field(default_factory=list)
    caption: str = ""

    def add(self, *cells: str | Text) -> None:
        """Add a row. Only a line break in a :class:`Text` begins another line."""
        row = [cell.copy() if isinstance(cell, Text) else Text(one_line(cell)) for cell in cells]
        for cell in row:
            cell.plain = "\n".join(map(one_line, cell.plain.split("\n")))
            cell.no_wrap, cell.overflow = True, "ellipsis"
        self.rows.append(row)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """A blank line, the title, the rich table for the width at hand, what it left out, the caption."""
        shown = list(range(len(self.fields)))
        is_narrow = self._needed(shown, is_narrow=False) > options.max_width
        for rank in sorted({column.spared for column in self.fields} - {0}, reverse=True):
            if is_narrow and self._needed(shown, is_narrow=True) > options.max_width:
                shown = [index for index in shown if self.fields[index].spared != rank]
        left_out = [column.heading for index, column in enumerate(self.fields) if index not in shown]
        yield Text("")
        if self.title:
            yield Text(one_line(self.title), style="bold", no_wrap=True, overflow="ellipsis")
        yield self._fitted(shown, is_narrow=is_narrow)
        if left_out:
            yield Text(f"Too narrow for: {', '.join(left_out)}.", style="dim")
        if self.caption:
            yield Text(self.caption, style="italic dim")

    def _fitted(self, shown: list[int], *, is_narrow: bool) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
        )
        for index in shown:
            column = self.fields[index]
            table.add_column(
                self._heading(index, is_narrow=is_narrow),
                justify="right" if column.is_figure else "left",
                # Rich takes room from columns that may wrap; their cells do not wrap but are cut.
                no_wrap=not column.may_be_cut,
                min_width=None if column.may_be_cut else self._width(index, is_narrow=is_narrow),
            )
        for row in self.rows:
            table.add_row(*(row[index] for index in shown))
        return table

    def _heading(self, index: int, *, is_narrow: bool) -> Text:
        heading = one_line(self.fields[index].heading)
        is_broken = is_narrow and not self.fields[index].may_be_cut
        return Text(heading.replace(" ", "\n") if is_broken else heading)

    def _width(self, index: int, *, is_narrow: bool) -> int:
        """The least width of a column; where there is little room, names may be cut to 16 cells."""
        cells = [self._heading(index, is_narrow=is_narrow), *(row[index] for row in self.rows)]
        width = max(cell_len(line) for cell in cells for line in cell.plain.split("\n"))
        return min(width, _LEAST_NAME) if is_narrow and self.fields[index].may_be_cut else width

    def _needed(self, shown: list[int], *, is_narrow: bool) -> int:
        return sum(self._width(index, is_narrow=is_narrow) for index in shown) + _GAP * (len(shown) - 1)
