"""Every kind of dirt that the generator makes, and the rows that get it.

One row in each stretch of a table is dirty, at a random place in it, and the kinds of dirt take turns. So the
share is exact to the row, and every kind occurs once there are as many dirty rows as kinds. Which rows are
dirty depends on the seed and the row's number, not on how the rows are grouped into batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from shopsight_demo.seed.pools import DIRT_KINDS

Numbers = npt.NDArray[np.int64]


class Needs(StrEnum):
    """The freedom that a database must give for a kind of dirt to be in it."""

    NOTHING = "nothing"
    LOOSE = "tables without constraints"
    TEXT = "columns of text"
    NUL = "NUL in text"


@dataclass(frozen=True)
class Dirt:
    """One kind of dirt. ``weight`` is how often it comes in the table's round."""

    table: str
    kind: str
    needs: Needs = Needs.NOTHING
    weight: int = 1


DIRT = tuple(
    Dirt(table, kind.partition("*")[0], Needs[need.upper()], int(kind.partition("*")[2] or 1))
    for table, needs in DIRT_KINDS.items()
    for need, kinds in needs.items()
    for kind in kinds
)


class Spread:
    """Evenly spread rows, one in each stretch of ``1 / share`` rows, at a place of chance inside it.

    Args:
        share: the share of rows that are taken, between 0 and 1.
        salt: what the places depend on, beside the stretch's number.
    """

    def __init__(self, share: float, salt: Sequence[int]) -> None:
        self._share = share
        self._salt = np.random.SeedSequence(salt).generate_state(1, np.uint64)[0]

    def block(self, start: int, stop: int) -> tuple[Numbers, Numbers]:
        """The stretches with rows from ``start`` to ``stop``, and these rows, counted from ``start``."""
        if not self._share:
            return no_rows(), no_rows()
        stretch = 1 / self._share
        numbers = np.arange(max(0, int(start / stretch) - 1), int(stop / stretch) + 2)
        first, beyond = np.ceil(numbers * stretch), np.ceil((numbers + 1) * stretch)
        rows = (first + np.floor(self._chance(numbers) * (beyond - first))).astype(np.int64)
        inside = (rows >= start) & (rows < stop)
        return numbers[inside], rows[inside] - start

    def _chance(self, numbers: Numbers) -> npt.NDArray[np.float64]:
        """A number in [0, 1) for each stretch, from its own number alone (splitmix64)."""
        mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + self._salt
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) / 2**53


class DirtPlan:
    """The dirty rows of one table, and their kinds of dirt.

    Args:
        table: the table's name.
        share: the share of rows that are dirty, between 0 and 1.
        seed: the shop's seed.
        allowed: what the database allows.

    Attributes:
        round: the kinds in the order in which the dirty rows get them, over and over.
        counts: how many rows of each kind were handed out so far.
    """

    def __init__(self, table: str, share: float, seed: int, allowed: frozenset[Needs]) -> None:
        kinds = [dirt for dirt in DIRT if dirt.table == table and dirt.needs in allowed]
        self._spread = Spread(share, [seed, *table.encode()])
        # Heavier kinds come again in later laps, so that the first lap alone holds every kind.
        laps = max((dirt.weight for dirt in kinds), default=0)
        self.round = [dirt.kind for lap in range(laps) for dirt in kinds if dirt.weight > lap]
        self.counts: Counter[str] = Counter()

    def block(self, start: int, stop: int) -> Hits:
        """The dirty rows among those numbered ``start`` to ``stop`` (exclusive)."""
        hits = Hits()
        if self.round:
            stretches, rows = self._spread.block(start, stop)
            for turn, kind in enumerate(self.round):
                hits.add(kind, rows[stretches % len(self.round) == turn])
        self.counts.update({kind: len(rows) for kind, rows in hits.items()})
        return hits


class Hits(dict[str, Numbers]):
    """The dirty rows of one block by kind, counted from its first row; none for a kind that is not there."""

    def __missing__(self, kind: str) -> Numbers:
        return no_rows()

    def add(self, kind: str, rows: Numbers) -> None:
        """More rows of a kind."""
        if rows.size:
            self[kind] = np.concatenate([self[kind], rows])

    def of(self, *kinds: str) -> Numbers:
        """The rows of all these kinds."""
        return np.concatenate([self[kind] for kind in kinds])


def no_rows() -> Numbers:
    """No row numbers."""
    return np.empty(0, np.int64)
