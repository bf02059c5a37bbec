"""Rows that share a key: finding them cheaply, and keeping one of each.

Finding is made for the usual case, in which no key or hardly any repeats, and costs a small aggregation
rather than a hash table of all keys. Only the rows whose key does repeat are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import narwhals as nw

from shopsight.clean.parse import raw_name
from shopsight.contract import Table
from shopsight.engine.protocol import Frame, is_empty, materialize

_BUCKET = 16

#: Stands between values that are put side by side; tidied text cannot hold it.
_BETWEEN = "\x1f"
#: Stands for a missing value, which is written otherwise than an empty one.
_MISSING = "\x1e"


def repeated_keys(rows: Frame, key: str) -> Frame | None:
    """The keys that more than one row has; None if there is none.

    Grain: one row per repeated key, held in memory. Null is no key.

    Keys are dealt into buckets of 16 neighbours, and each stands for a power of two: 2 to its place in the
    bucket. The sum of n powers of two has n binary ones exactly if all are different, so a bucket's count and
    sum tell whether a key in it repeats. Keys that lie close together so take a sixteenth of the groups that
    counting each would take; only the keys of buckets that fail are counted one by one.

    >>> import polars as pl
    >>> orders = nw.from_native(pl.LazyFrame({"order_id": [1, 2, 2, -40, None, None]}))
    >>> repeated_keys(orders, "order_id").collect()["order_id"].to_list()
    [2]
    """
    keys = rows.filter(~nw.col(key).is_null()).select(key, (nw.col(key) // _BUCKET).alias("bucket"))
    place = nw.col(key) - nw.col("bucket") * _BUCKET
    buckets = (
        keys.with_columns((nw.lit(2, dtype=nw.Int64) ** place).cast(nw.Int64).alias("power"))
        .group_by("bucket")
        .agg(nw.len().cast(nw.Int64).alias("keys"), nw.col("power").sum())
    )
    ones = nw.sum_horizontal(*((nw.col("power") // 2**bit) % 2 for bit in range(_BUCKET)))
    suspicious = materialize(buckets.filter(ones != nw.col("keys")).select("bucket"))
    if is_empty(suspicious):
        return None
    counted = keys.join(suspicious, on="bucket", how="semi").group_by(key).agg(nw.len().alias("rows"))
    return materialize(counted.filter(nw.col("rows") > 1).select(key))


def with_duplicates_judged(
    rows: Frame,
    table: Table,
    judge: Callable[[Frame], Frame],
    repeated: Frame | None,
    preference: Sequence[str],
) -> Frame:
    """The judged rows, with ``is_identical`` and ``is_conflict``: neither is true of the row that stays.

    Grain: the given rows, each once.

    Of the sound rows with one key, the one stays whose values are greatest, column by column in the order of
    ``preference`` (a missing value is the least; rows that differ only in how they were written, by their
    text). Sound rows that are the same once cleaned are identical to it; the others conflict. A row that is
    not sound anyway is neither.

    The rows whose key repeats are held in memory.

    Args:
        rows: as read.
        table: their table.
        judge: makes of read rows judged ones: all columns clean, and ``is_sound``.
        repeated: what :func:`repeated_keys` gives for the rows.
        preference: all columns of the table but the key.
    """
    if repeated is None:
        return _alone(judge(rows))
    shared = materialize(rows.join(repeated, on=table.key, how="semi"))
    differing = _differing_keys(shared, table.key)
    twins = shared.join(differing, on=table.key, how="anti")
    rivals = shared.join(differing, on=table.key, how="semi")
    return nw.concat(
        [
            _alone(judge(rows.join(repeated, on=table.key, how="anti"))),
            _twins_judged(twins, table.key, judge),
            _rivals_compared(judge(rivals), table, preference),
        ]
    )


def _alone(judged: Frame) -> Frame:
    return judged.with_columns(is_identical=nw.lit(False), is_conflict=nw.lit(False))


def _differing_keys(shared: Frame, key: str) -> Frame:
    """The keys whose rows are not all the same as they came: values, nulls and writing.

    Grain: one row per such key, held in memory.
    """
    others = [name for name in shared.collect_schema().names() if name != key]
    bits = (nw.col(name).is_null().cast(nw.Int64) * 2**bit for bit, name in enumerate(others))
    spread = (
        shared.with_columns(nw.sum_horizontal(*bits).alias("nulls"))
        .group_by(key)
        .agg(
            *(nw.col(name).min().alias(f"least_{name}") for name in (*others, "nulls")),
            *(nw.col(name).max().alias(f"most_{name}") for name in (*others, "nulls")),
        )
    )
    differs = (nw.col(f"least_{name}") != nw.col(f"most_{name}") for name in (*others, "nulls"))
    return materialize(spread.filter(nw.any_horizontal(*differs, ignore_nulls=True)).select(key))


def _twins_judged(twins: Frame, key: str, judge: Callable[[Frame], Frame]) -> Frame:
    """Rows that are all the same for each key: which of them stays makes no difference."""
    place = nw.col(key).cum_count().over(key, order_by=key)
    judged = judge(materialize(twins.with_columns((place > 1).alias("is_extra"))))
    is_identical = nw.col("is_sound") & nw.col("is_extra")
    return judged.with_columns(is_identical=is_identical, is_conflict=nw.lit(False)).drop("is_extra")


def _rivals_compared(rivals: Frame, table: Table, preference: Sequence[str]) -> Frame:
    names = rivals.collect_schema().names()
    rivals = rivals.with_columns(
        _side_by_side(preference).alias("content"),
        _side_by_side([raw_name(name) for name in table.column_names]).alias("writing"),
        nw.col("is_sound").cast(nw.Int64).alias("soundness"),
        # A missing value comes before all others in every engine only if we say so.
        *((~nw.col(name).is_null()).cast(nw.Int64).alias(f"has_{name}") for name in preference),
    )
    order = ["soundness", *(part for name in preference for part in (f"has_{name}", name)), "writing"]
    rivals = rivals.with_columns(
        nw.col(table.key).cum_count().over(table.key, order_by=order).alias("place"),
        nw.len().over(table.key).alias("places"),
        nw.col("content").last().over(table.key, order_by=order).alias("kept_content"),
    )
    is_beside = nw.col("is_sound") & (nw.col("place") != nw.col("places"))
    is_same = nw.col("content") == nw.col("kept_content")
    return rivals.with_columns(is_identical=is_beside & is_same, is_conflict=is_beside & ~is_same).select(
        *names, "is_identical", "is_conflict"
    )


def _side_by_side(names: Sequence[str]) -> nw.Expr:
    texts = (nw.col(name).cast(nw.String).fill_null(_MISSING) for name in names)
    return nw.concat_str(*texts, separator=_BETWEEN)
