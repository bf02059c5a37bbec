"""Rows that share a key: finding them cheaply, and keeping one of each.

Usually hardly any key repeats, so finding costs a small aggregation rather than a hash table of all keys.
Only the rows whose key does repeat are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import narwhals as nw
from narwhals import col

from shopsight.clean.parse import raw_name
from shopsight.contract import Table
from shopsight.engine.protocol import Frame, is_distributed, is_empty, materialize

_BUCKET = 16

#: Separates values that are compared side by side; tidied text cannot hold it.
_SEPARATOR = "\x1f"
#: Stands for a missing value, which differs from an empty one.
_MISSING = "\x1e"


def repeated_keys(rows: Frame, key: str) -> Frame | None:
    """The keys that several rows share; None if there are none.

    Grain: one row per repeated key, held in memory. Null is no key.

    Keys are dealt into buckets of 16 neighbours, and each is 2 to the power of its place in the bucket. A
    sum of n powers of two has n binary ones exactly if all are different, so a bucket's count and sum tell
    whether a key in it repeats. Only the keys of such buckets are counted one by one. Counting every key, by
    ranges of keys, takes 1.7 times the CPU: 1.5 s more in the 28 s of a run with 5 million orders and 15
    million items.

    >>> import polars as pl
    >>> orders = nw.from_native(pl.LazyFrame({"order_id": [1, 2, 2, -40, None, None]}))
    >>> repeated_keys(orders, "order_id").collect()["order_id"].to_list()
    [2]
    """
    if is_distributed(rows):
        # Every step is a job there, and counting all keys is spread over the machines.
        counted = rows.filter(~col(key).is_null()).group_by(key).agg(nw.len().alias("rows"))
        several = materialize(counted.filter(col("rows") > 1).select(key))
        return None if is_empty(several) else several
    keys = rows.filter(~col(key).is_null()).select(key, (col(key) // _BUCKET).alias("bucket"))
    place = col(key) - col("bucket") * _BUCKET
    buckets = (
        keys.with_columns((nw.lit(2, dtype=nw.Int64) ** place).cast(nw.Int64).alias("power"))
        .group_by("bucket")
        .agg(nw.len().cast(nw.Int64).alias("keys"), col("power").sum())
    )
    ones = nw.sum_horizontal(*((col("power") // 2**bit) % 2 for bit in range(_BUCKET)))
    suspicious = materialize(buckets.filter(ones != col("keys")).select("bucket"))
    if is_empty(suspicious):
        return None
    counted = keys.join(suspicious, on="bucket", how="semi").group_by(key).agg(nw.len().alias("rows"))
    return materialize(counted.filter(col("rows") > 1).select(key))


def mark_duplicates(
    rows: Frame,
    table: Table,
    evaluate: Callable[[Frame], Frame],
    repeated: Frame | None,
    preference: Sequence[str],
) -> Frame:
    """The rows evaluated, with ``is_identical`` and ``is_conflict``; both are false for the row that is kept.

    Grain: the given rows, each once.

    Among the sound rows with one key, the row with the greatest values is kept. Values are compared column
    by column in the order of ``preference``; a missing value is the least. Rows with the same values are
    compared by their raw text. The other sound rows are identical to the kept one, once cleaned, or conflict
    with it. A row that is not sound is neither.

    The rows whose key repeats are held in memory.

    Args:
        rows: as read.
        table: their table.
        evaluate: adds the columns that rules look at, ``is_sound`` included, to rows as read.
        repeated: what :func:`repeated_keys` gives for the rows.
        preference: all columns of the table but the key.
    """
    if repeated is None:
        return _unmarked(evaluate(rows))
    repeating = materialize(rows.join(repeated, on=table.key, how="semi"))
    differing = _differing_keys(repeating, table.key)
    return nw.concat(
        [
            _unmarked(evaluate(rows.join(repeated, on=table.key, how="anti"))),
            _mark_copies(repeating.join(differing, on=table.key, how="anti"), table.key, evaluate),
            _mark_conflicts(evaluate(repeating.join(differing, on=table.key, how="semi")), table, preference),
        ]
    )


def is_candidate() -> nw.Expr:
    """Whether a row passes all rules on its own and is the kept one of its key."""
    return col("is_sound") & ~col("is_conflict") & ~col("is_identical")


def _unmarked(checked: Frame) -> Frame:
    return checked.with_columns(is_identical=nw.lit(False), is_conflict=nw.lit(False))


def _differing_keys(rows: Frame, key: str) -> Frame:
    """The keys whose raw rows are not all the same, nulls and writing included.

    Grain: one row per such key, held in memory.
    """
    others = [name for name in rows.collect_schema().names() if name != key]
    bits = [col(name).is_null().cast(nw.Int64) * 2**bit for bit, name in enumerate(others)]
    others.append("nulls")
    extremes = (
        rows.with_columns(nw.sum_horizontal(*bits).alias("nulls"))
        .group_by(key)
        .agg(
            *(col(name).min().alias(f"least_{name}") for name in others),
            *(col(name).max().alias(f"greatest_{name}") for name in others),
        )
    )
    differs = (col(f"least_{name}") != col(f"greatest_{name}") for name in others)
    return materialize(extremes.filter(nw.any_horizontal(*differs, ignore_nulls=True)).select(key))


def _mark_copies(rows: Frame, key: str, evaluate: Callable[[Frame], Frame]) -> Frame:
    """Marks rows that share a key and are the same: any one of them is kept."""
    place = col(key).cum_count().over(key, order_by=key)
    checked = evaluate(materialize(rows.with_columns((place > 1).alias("is_extra"))))
    is_identical = col("is_sound") & col("is_extra")
    return checked.with_columns(is_identical=is_identical, is_conflict=nw.lit(False)).drop("is_extra")


def _mark_conflicts(checked: Frame, table: Table, preference: Sequence[str]) -> Frame:
    """Marks rows that share a key and differ: the last one in the order of preference is kept."""
    names = checked.collect_schema().names()
    rows = checked.with_columns(
        _side_by_side(preference).alias("content"),
        _side_by_side([raw_name(name) for name in table.column_names]).alias("writing"),
        col("is_sound").cast(nw.Int64).alias("soundness"),
        # Engines do not agree on where a missing value comes in an order.
        *((~col(name).is_null()).cast(nw.Int64).alias(f"has_{name}") for name in preference),
    )
    order = ["soundness", *(part for name in preference for part in (f"has_{name}", name)), "writing"]
    rows = rows.with_columns(
        col(table.key).cum_count().over(table.key, order_by=order).alias("place"),
        nw.len().over(table.key).alias("places"),
    )
    is_last = col("place") == col("places")
    rows = rows.with_columns(nw.when(is_last).then(col("content")).alias("kept_content"))
    rows = rows.with_columns(col("kept_content").max().over(table.key))
    is_same = col("content") == col("kept_content")
    is_other = col("is_sound") & ~is_last
    return rows.with_columns(is_identical=is_other & is_same, is_conflict=is_other & ~is_same).select(
        *names, "is_identical", "is_conflict"
    )


def _side_by_side(names: Sequence[str]) -> nw.Expr:
    texts = (col(name).cast(nw.String).fill_null(_MISSING) for name in names)
    return nw.concat_str(*texts, separator=_SEPARATOR)
