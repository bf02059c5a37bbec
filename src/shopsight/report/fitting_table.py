"""Tables that fit the width they are shown in.

Figures stand to the right and are never cut. Names give way first: they end in an ellipsis, and columns that
can be spared, such as keys whose name stands beside them, are left out where there is no room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

#: A name that is cut to less than this says nothing.
_LEAST_NAME = 16


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes:
        heading: what stands above it; several words may stand on several lines.
        is_figure: set to the right and never cut.
        is_whole: never cut, though it is no figure.
        spared: left out where there is no room, those with the greatest number first; 0 never.
    """

    heading: str
    is_figure: bool = False
    is_whole: bool = False
    spared: int = 0

    @property
    def gives_way(self) -> bool:
        """Whether it holds names, which may be cut."""
        return not (self.is_figure or self.is_whole)


@dataclass
class FittingTable:
    """A table that chooses its columns by the width it gets.

    The rows are texts; a row of None begins a new section.
    """

    title: str
    fields: Sequence[Field]
    rows: list[list[Text] | None] = field(default_factory=list)
    caption: str = ""

    def add(self, *cells: str | Text) -> None:
        """One more row."""
        self.rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """A blank line, and the rich table for the width at hand."""
        yield ""
        yield self.fitted(options.max_width)

    def fitted(self, width: int) -> Table:
        """The rich table for a width, in cells."""
        shown = self._shown(width)
        table = Table(
            box=box.SIMPLE_HEAD,
            title=Text(self.title, style="bold", no_wrap=True, overflow="ellipsis") if self.title else None,
            title_justify="left",
            caption=self.caption or None,
            caption_justify="left",
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="dim",
        )
        for index, column_width in self._widths(shown, width).items():
            column = self.fields[index]
            table.add_column(
                column.heading, justify="right" if column.is_figure else "left", width=column_width
            )
        for row in self.rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*(self._cell(row[index], index) for index in shown))
        return table

    def _cell(self, text: Text, index: int) -> Text:
        cell = text.copy()
        # Sentences may go on in a second line, set by a line break; nothing else wraps.
        cell.no_wrap, cell.overflow = "\n" not in cell.plain, "ellipsis"
        cell.justify = "right" if self.fields[index].is_figure else "left"
        return cell

    def _texts(self, index: int) -> Iterable[str]:
        return (line for row in self.rows if row for line in row[index].plain.split("\n"))

    def _least(self, index: int) -> int:
        """The narrowest a column may be: its longest figure, and the longest word of its heading."""
        words = (cell_len(word) for word in self.fields[index].heading.split())
        return max([*(cell_len(text) for text in self._texts(index)), *words], default=1)

    def _most(self, index: int) -> int:
        lines = [self.fields[index].heading, *self._texts(index)]
        return max(cell_len(line) for line in lines)

    def _shown(self, width: int) -> list[int]:
        """The columns for which there is room, so that names beside them can still be read."""
        shown = list(range(len(self.fields)))
        for rank in sorted({column.spared for column in self.fields} - {0}, reverse=True):
            if self._needed(shown) > width:
                shown = [index for index in shown if self.fields[index].spared != rank]
        return shown

    def _needed(self, shown: list[int]) -> int:
        """The width at which every figure is whole and every name can be read."""
        widths = (
            min(self._most(index), _LEAST_NAME) if self.fields[index].gives_way else self._least(index)
            for index in shown
        )
        return sum(widths) + _gaps(shown)

    def _widths(self, shown: list[int], width: int) -> dict[int, int]:
        """How wide each column is, in the order shown.

        Figures get what they need, names an even share of the rest (short ones less), and what is then left
        goes to headings of several words.
        """
        names = [index for index in shown if self.fields[index].gives_way]
        widths = {index: self._least(index) for index in shown}
        left = width - _gaps(shown) - sum(widths[index] for index in shown if index not in names)
        for done, index in enumerate(sorted(names, key=self._most)):
            widths[index] = max(min(self._most(index), left // (len(names) - done)), 1)
            left -= widths[index]
        for index in shown:
            more = min(self._most(index) - widths[index], max(left, 0))
            widths[index] += more
            left -= more
        return widths


def _gaps(shown: list[int]) -> int:
    """What rich puts between columns: two cells, none at the edges."""
    return 2 * (len(shown) - 1)
