"""Names as categories, products and customers have them: never missing, tidied, and not too long."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.clean.parse import with_raw
from shopsight.clean.policy import NAME_LENGTH_LIMIT
from shopsight.clean.rule import Rule, repair
from shopsight.clean.text import shortened, tidied
from shopsight.engine.protocol import Frame


def clean_names(rows: Frame, column: str, entity: str) -> Frame:
    """The rows with clean names, and the columns that :func:`name_rules` look at.

    Adds ``has_no_name`` and ``is_name_long``.

    Args:
        rows: as read.
        column: the names' column.
        entity: what a row is called in the name of one without; its key is ``<entity>_id``.

    >>> import polars as pl
    >>> rows = pl.LazyFrame({"product_id": [1, 2, 3], "product_name": [" Pen ", "", "x" * 10_001]})
    >>> names = clean_names(nw.from_native(rows), "product_name", "product").collect()
    >>> [name[-20:] for name in names["product_name"]]
    ['Pen', 'Unknown product 2', 'xxxxxxxxxxxxxxxxxxx…']
    """
    rows = with_raw(rows, column).with_columns(tidied(col(column)).alias(column))
    stand_in = nw.concat_str(nw.lit(f"Unknown {entity} "), col(f"{entity}_id").cast(nw.String))
    return rows.with_columns(
        nw.coalesce(shortened(col(column), NAME_LENGTH_LIMIT), stand_in).alias(column),
        has_no_name=col(column).is_null(),
        is_name_long=(col(column).str.len_chars() > NAME_LENGTH_LIMIT).fill_null(False),
    )


def name_rules(column: str, entity: str) -> tuple[Rule, ...]:
    """The repairs of a table's names."""
    is_changed = col(column) != col(f"raw_{column}")
    return (
        repair(
            "name_missing",
            f"No name: called `Unknown {entity} <id>`.",
            column=column,
            when=col("has_no_name"),
        ),
        repair(
            "name_tidied",
            "Blanks folded and trimmed, invisible characters removed.",
            column=column,
            when=is_changed & ~col("has_no_name") & ~col("is_name_long"),
        ),
        repair(
            "name_shortened",
            "A tidied name of more than 10,000 characters: cut to that length, with `…` at its end.",
            column=column,
            when=col("is_name_long"),
        ),
    )
