"""NumPy to Arrow for the generator: nulls, exact money, gathered text, and the change of single rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shopsight_demo.seed.dirt import Numbers
from shopsight_demo.seed.messy_text import cycled

#: The Arrow types that a binary COPY into INT, DATE and DECIMAL(10,2) needs.
KEY = COUNT = pa.int32()
DATE = pa.date32()
MONEY = pa.decimal128(10, 2)


def money(cents: Numbers) -> pa.Array:
    """Whole cents as DECIMAL(10, 2), by viewing and not by division.

    >>> money(np.array([1999, -5])).to_pylist()
    [Decimal('19.99'), Decimal('-0.05')]
    """
    halves = np.empty((len(cents), 2), np.int64)
    halves[:, 0] = cents
    halves[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(halves)])


def gather(pool: Sequence[str] | pa.Array, codes: npt.NDArray[np.integer]) -> pa.Array:
    """The pool's entries at these places."""
    return pa.array(pool, pa.string()).take(pa.array(codes))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts side by side."""
    return pc.binary_join_element_wise(*parts, "")


def dates(days: Numbers) -> pa.Array:
    """Days since 1970-01-01 as dates."""
    return pa.array(days.astype(np.int32)).view(DATE)


def numbers(values: Numbers) -> pa.Array:
    """Whole numbers as INT."""
    return pa.array(values.astype(np.int32))


class Draft:
    """One block of a table while it is made dirty: Arrow columns whose single rows can be changed.

    Args:
        columns: by name, in the table's order; the key first.
    """

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        self._columns = dict(columns)
        self._repeats: list[pa.RecordBatch] = []

    def texts(self, column: str, rows: Numbers) -> list[str]:
        """A text column's values in these rows."""
        values: list[str] = self._columns[column].take(pa.array(rows)).to_pylist()
        return values

    def blank(self, column: str, rows: Numbers) -> None:
        """Make the column null in these rows."""
        self._replace(column, rows, pa.nulls(len(rows), self._columns[column].type))

    def put(self, column: str, rows: Numbers, values: pa.Array | Sequence[str]) -> None:
        """Give the column these values in these rows, in order."""
        self._replace(column, rows, pa.array(values, self._columns[column].type))

    def change(self, column: str, rows: Numbers, mess: Callable[[list[str]], list[str]]) -> None:
        """Change the column's texts in these rows."""
        self.put(column, rows, mess(self.texts(column, rows)))

    def cycle(self, column: str, rows: Numbers, values: Sequence[str]) -> None:
        """Give the column these values in turn in these rows."""
        self.put(column, rows, cycled(values, len(rows)))

    def _replace(self, column: str, rows: Numbers, values: pa.Array) -> None:
        if not len(rows):
            return
        order = np.argsort(rows, kind="stable")
        mask = np.zeros(len(self._columns[column]), np.bool_)
        mask[rows] = True
        self._columns[column] = pc.replace_with_mask(
            self._columns[column], pa.array(mask), values.take(pa.array(order))
        )

    def repeat(self, rows: Numbers, **changed: pa.Array) -> None:
        """Add a copy of these rows at the end, with the changed columns' values instead of theirs."""
        if not len(rows):
            return
        copy = self._batch().take(pa.array(rows))
        for name, values in changed.items():
            place = copy.schema.get_field_index(name)
            copy = copy.set_column(place, name, pa.array(values, copy.schema.types[place]))
        self._repeats.append(copy)

    def as_text(self) -> None:
        """Turn every column into text, as a database would print it."""
        self._columns = {name: pc.cast(values, pa.string()) for name, values in self._columns.items()}
        self._repeats = [
            pa.record_batch([pc.cast(values, pa.string()) for values in batch.columns], batch.schema.names)
            for batch in self._repeats
        ]

    def rows(self) -> pa.RecordBatch:
        """The block's rows, and after them the repeated ones."""
        return pa.concat_batches([self._batch(), *self._repeats])

    def _batch(self) -> pa.RecordBatch:
        return pa.record_batch(list(self._columns.values()), list(self._columns))
