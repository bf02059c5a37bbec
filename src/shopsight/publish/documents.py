"""A run's Parquet files as BSON documents, in bounded batches.

Grain and ``_id``:

==================  ============================  ==================================================
collection          one document is               ``_id``
==================  ============================  ==================================================
customer_metrics    a customer                    customer_id
insights            an insight                    the insight's id
rejected_rows       a row that was set aside      ``<rule>:<key>:<n>``
==================  ============================  ==================================================

The same rows make the same documents in whatever order they come, so that a run that is done again ends in
the same content: ``n`` counts the rows of one rule and key, from 1, in the order of their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import bson
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bson.raw_bson import RawBSONDocument

from shopsight.contract import TABLES
from shopsight.errors import PublishError
from shopsight.publish import naming
from shopsight.publish.encoding import Pieces, constant, documents, element, subdocument

BATCH_ROWS = 20_000
LARGEST_DOCUMENT = 16 * 1024 * 1024

_NOTHING, _COLON = pa.scalar("", pa.large_string()), pa.scalar(":", pa.large_string())


class InsightColumn(Protocol):
    """A column of an insight, as its document describes it to readers."""

    @property
    def name(self) -> str:
        """The field's name in ``rows``."""

    @property
    def kind(self) -> str:
        """key, text, date, money, count, share or number."""

    @property
    def label(self) -> str:
        """The heading."""


class InsightText(Protocol):
    """What an insight says of itself."""

    @property
    def id(self) -> str:
        """The ``_id``."""

    @property
    def title(self) -> str:
        """A heading."""

    @property
    def description(self) -> str:
        """What one row is and how it is worked out."""

    @property
    def columns(self) -> Iterable[InsightColumn]:
        """In the order in which they are shown."""


def run_documents(
    marts: Path, rejected: Path, insights: Iterable[InsightText], *, run_id: str, as_of: datetime
) -> dict[str, Iterator[list[bytes]]]:
    """By view, in the order in which they are written, the documents of a run's files.

    Customers come in the order of ``_id`` if the mart is in that of its key, the others in no such order.

    Args:
        marts: holds ``customer_metrics`` and ``insights/<id>``.
        rejected: holds one folder per table.
        insights: what the insights say of themselves, in the order of the report.
        run_id: the run they are of.
        as_of: the moment they are of.

    Raises:
        PublishError: an insight has more rows than one document can hold.
    """
    return {
        naming.CUSTOMER_METRICS: customer_documents(marts / "customer_metrics"),
        naming.INSIGHTS: insight_documents(marts / "insights", insights, run_id=run_id, as_of=as_of),
        naming.REJECTED_ROWS: rejected_documents(rejected, run_id=run_id),
    }


def customer_documents(folder: Path) -> Iterator[list[bytes]]:
    """One document per customer: ``_id``, then the mart's columns as they stand."""
    for batch in _batches(folder):
        pieces = [*element("_id", batch["customer_id"]), *_elements(batch, batch.schema.names)]
        yield documents(pieces, batch.num_rows).to_pylist()


def insight_documents(
    folder: Path, insights: Iterable[InsightText], *, run_id: str, as_of: datetime
) -> Iterator[list[bytes]]:
    """One document per insight, ``rows`` in the mart's order.

    Args:
        folder: holds one folder per insight.
        insights: in the order of the report.
        run_id: the run they are of.
        as_of: the moment they are of.

    Raises:
        PublishError: an insight has more rows than one document can hold.
    """
    for insight in insights:
        rows = [RawBSONDocument(row) for batch in _batches(folder / insight.id) for row in _rows(batch)]
        document = bson.encode(
            {
                "_id": insight.id,
                "title": insight.title,
                "description": insight.description,
                "columns": [{"name": c.name, "kind": str(c.kind), "label": c.label} for c in insight.columns],
                "rows": rows,
                "run_id": run_id,
                "as_of": as_of,
            }
        )
        if len(document) > LARGEST_DOCUMENT:
            raise PublishError(
                f"The insight {insight.id} has {len(rows):,} rows, {len(document) / 2**20:.0f} MB; a MongoDB"
                " document holds 16 MB.",
                remedy="Look at the values by which it groups (`shopsight explain`): so many of them are"
                " rarely meant. Lower top_n or basket_pairs_n if it is one of those.",
            )
        yield [document]


def rejected_documents(folder: Path, *, run_id: str) -> Iterator[list[bytes]]:
    """One document per rejected row of all six tables: table, key, rule, measure, the row as it was, run_id.

    Args:
        folder: holds one folder per table.
        run_id: the run that rejected them.
    """
    for name, table in TABLES.items():
        repeated = _repeated_ids(folder / name, table.key)
        held_back = []
        for batch in _batches(folder / name):
            ids = _id_stems(batch, table.key)
            is_repeated = pc.is_in(ids, value_set=repeated)
            if pc.any(is_repeated).as_py():
                held_back.append(pa.Table.from_batches([batch.filter(is_repeated)]))
                batch = batch.filter(pc.invert(is_repeated))  # noqa: PLW2901 - the rest of it
            if batch.num_rows:
                counted = np.ones(batch.num_rows, np.int64)
                yield _rejected(name, table.key, batch, counted, run_id)
        if held_back:
            rows, counted = _counted(pa.concat_tables(held_back), table.key)
            for first in range(0, rows.num_rows, BATCH_ROWS):
                batch = rows.slice(first, BATCH_ROWS).combine_chunks().to_batches()[0]
                yield _rejected(name, table.key, batch, counted[first : first + BATCH_ROWS], run_id)


def _rejected(table: str, key: str, batch: pa.RecordBatch, counted: Any, run_id: str) -> list[bytes]:
    rows = batch.num_rows
    ids = pc.binary_join_element_wise(
        _id_stems(batch, key), pa.array(counted).cast(pa.large_string()), _NOTHING
    )
    names = [name for name in batch.schema.names if name not in ("rule", "measure")]
    pieces = [
        *element("_id", ids),
        *constant("table", table),
        *element("key", batch[key]),
        *element("rule", batch["rule"]),
        *element("measure", batch["measure"]),
        *subdocument("row", _elements(batch, names), rows),
        *constant("run_id", run_id),
    ]
    encoded: list[bytes] = documents(pieces, rows).to_pylist()
    return encoded


def _id_stems(batch: pa.RecordBatch, key: str) -> pa.Array:
    """``<rule>:<key>:`` by row; a null key is left out."""
    keys = batch[key].cast(pa.large_string()).fill_null("")
    return pc.binary_join_element_wise(batch["rule"].cast(pa.large_string()), keys, _NOTHING, _COLON)


def _repeated_ids(folder: Path, key: str) -> pa.Array:
    """The stems that several rows share. Only rule and key are read, and only stems are held."""
    stems = [_id_stems(batch, key) for batch in _batches(folder, [key, "rule"])]
    if not stems:
        return pa.array([], pa.large_string())
    counts = pc.value_counts(pa.chunked_array(stems))
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def _counted(rows: pa.Table, key: str) -> tuple[pa.Table, Any]:
    """The rows in the order of stem and values, and each one's number among those of its stem."""
    stems = pa.concat_arrays([_id_stems(batch, key) for batch in rows.to_batches()])
    columns = ("_stem", *rows.column_names)
    ordered = rows.append_column("_stem", stems).sort_by([(name, "ascending") for name in columns])
    run_ends = pc.run_end_encode(ordered.column("_stem").combine_chunks()).run_ends.to_numpy()
    starts = np.concatenate([[0], run_ends[:-1]])
    counted = np.arange(rows.num_rows) - np.repeat(starts, run_ends - starts) + 1
    return ordered.drop_columns("_stem"), counted


def _rows(batch: pa.RecordBatch) -> Iterable[bytes]:
    encoded: list[bytes] = documents(_elements(batch, batch.schema.names), batch.num_rows).to_pylist()
    return encoded


def _elements(batch: pa.RecordBatch, names: Iterable[str]) -> Pieces:
    return [piece for name in names for piece in element(name, batch[name])]


def _batches(folder: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                if batch.num_rows:
                    yield batch
