"""Sets of ids, and numbers by id, for whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

#: The widest range of ids, in bytes, that a table of flags is made for.
LARGEST_TABLE = 2**25

#: Two places, or a place and a day, are one number that can be sorted fast: the second has these bits.
LOW_BITS = 32


def is_new(values: Integers | Small) -> Flags:
    """Which values differ from the one before; the first does.

    >>> is_new(np.array([7, 7, 8])).tolist(), is_new(np.array([], np.int64)).tolist()
    ([True, False, True], [])
    """
    flags: Flags = np.append(True, values[1:] != values[:-1])[: len(values)]
    return flags


class Ids:
    """A set of ids in which batches of ids are looked up: in a table of flags or, if sparse, by search."""

    def __init__(self, ids: Iterable[int] | Integers) -> None:
        self.sorted: Integers = np.unique(np.fromiter(ids, np.int64))
        span = int(self.sorted[-1]) - int(self.sorted[0]) + 1 if len(self.sorted) else 0
        self._flags = np.zeros(span, np.bool_) if span <= LARGEST_TABLE else None
        if self._flags is not None and span:
            self._flags[self.sorted - self.sorted[0]] = True

    def has(self, ids: Integers) -> Flags:
        """Which of the ids are in the set."""
        if not len(self.sorted):
            return np.zeros(len(ids), np.bool_)
        if self._flags is None:
            places = np.minimum(np.searchsorted(self.sorted, ids), len(self.sorted) - 1)
            found: Flags = self.sorted[places] == ids
            return found
        is_within: Flags = (ids >= self.sorted[0]) & (ids <= self.sorted[-1])
        is_within &= self._flags.take(ids - self.sorted[0], mode="clip")
        return is_within


class Lookup:
    """A number for each id: in a table where ids are dense, as a shop's mostly are, or else by search.

    Attributes:
        numbers: by place; the last place is that of all ids that are not there.
    """

    def __init__(self, ids: Integers, missing: int) -> None:
        self._missing = missing
        self._first, self._last = (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)
        span = self._last - self._first + 1
        self._is_dense = span <= 8 * len(ids)
        # An empty slice would keep all ids in memory.
        self._ids = np.empty(0, np.int64) if self._is_dense else np.sort(ids)
        self.numbers: Small = np.full((span if self._is_dense else len(ids)) + 1, missing, np.int32)

    def put(self, ids: Integers, numbers: Integers | Small) -> None:
        """Give some of the lookup's ids their numbers; until then they are missing."""
        self.numbers[self.places(ids)] = numbers

    def places(self, ids: Integers) -> Integers:
        """The ids' places."""
        last = len(self.numbers) - 1
        if self._is_dense:
            is_within = (ids >= self._first) & (ids <= self._last)
            return np.where(is_within, ids - self._first, last)
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[places] == ids, places, last)

    def of(self, ids: Integers) -> Small:
        """The ids' numbers."""
        found: Small = self.numbers[self.places(ids)]
        return found

    def has(self, ids: Integers) -> Flags:
        """Which of the ids were given a number."""
        found: Flags = self.of(ids) != self._missing
        return found


def places_of(ids: Integers) -> Lookup:
    """The place of each id among the ids; their number for an unknown one."""
    places = Lookup(ids, missing=len(ids))
    places.put(ids, np.arange(len(ids)))
    return places
