"""A run's Parquet files as BSON documents, in bounded batches.

==================  ============================  ==================================================
collection          one document is               ``_id``
==================  ============================  ==================================================
customer_metrics    a customer                    customer_id
customers           a customer, with more fields  customer_id
insights            an insight                    the insight's id
rejected_rows       a row that cleaning rejected  ``<rule>:<key>:<n>``
==================  ============================  ==================================================

The same rows make the same documents in any order, so a repeated run ends in the same content: ``n`` counts
the rows of one rule and key, from 1, in the order of their values. A key with an e-mail address is left out.

A MongoDB document holds 16 MB. A text longer than :data:`LONGEST_TEXT` is therefore cut and ends in a mark
with its length. The rows of an insight end at :data:`LARGEST_ROWS` bytes, and its document says so.

Names and addresses are protected (:mod:`shopsight.publish.privacy`) as they are read from the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from bson.raw_bson import RawBSONDocument

from shopsight.audit.identities import DeclaredInsight
from shopsight.contract import TABLES
from shopsight.publish import naming
from shopsight.publish.bson import Pieces, constant, documents, element, subdocument
from shopsight.publish.privacy import ADDRESS, Privacy

log = structlog.stdlib.get_logger("shopsight.publish")

BATCH_ROWS = 20_000
#: In characters; of four bytes each they take 64 KiB.
LONGEST_TEXT = 16_384
#: In bytes of BSON, of all rows of one insight.
LARGEST_ROWS = 12 * 2**20

_TEXT = pa.large_string()
_NOTHING, _COLON, _MARK, _MARK_END = (
    pa.scalar(text, _TEXT) for text in ("", ":", "… [cut from ", " characters]")
)

#: Called with an insight's id and the number of its rows that are published, if some are not.
OnTruncated = Callable[[str, int], None]


def run_documents(
    marts: Path,
    rejected: Path,
    insights: Iterable[DeclaredInsight],
    *,
    run_id: str,
    as_of: datetime,
    privacy: Privacy,
    rejected_until: datetime | None = None,
    on_truncated: OnTruncated | None = None,
) -> dict[str, Iterator[list[bytes]]]:
    """The encoded documents of a run's files by view, in the order in which they are written.

    Customers come in the order of the mart, the others in no particular order.

    Args:
        marts: holds ``customer_metrics``, ``customers`` and ``insights/<id>``.
        rejected: holds one folder per table.
        insights: the text and columns of the insights, in the order of the report.
        run_id: the run that the documents name.
        as_of: the moment of its snapshot.
        privacy: what becomes of names and addresses.
        rejected_until: when MongoDB removes the rejected rows; None for never.
        on_truncated: called for each insight whose rows are not all published.
    """
    return {
        naming.CUSTOMER_METRICS: customer_documents(marts / "customer_metrics", privacy),
        naming.CUSTOMERS: customer_documents(marts / "customers", privacy),
        naming.INSIGHTS: insight_documents(
            marts / "insights",
            insights,
            run_id=run_id,
            as_of=as_of,
            privacy=privacy,
            on_truncated=on_truncated,
        ),
        naming.REJECTED_ROWS: rejected_documents(
            rejected, run_id=run_id, privacy=privacy, until=rejected_until
        ),
    }


def customer_documents(folder: Path, privacy: Privacy) -> Iterator[list[bytes]]:
    """One document per customer: ``_id``, then the mart's columns."""
    for batch in _batches(folder, privacy):
        pieces = [*element("_id", batch["customer_id"]), *_elements(batch, batch.schema.names)]
        yield documents(pieces, batch.num_rows)


def insight_documents(
    folder: Path,
    insights: Iterable[DeclaredInsight],
    *,
    run_id: str,
    as_of: datetime,
    privacy: Privacy,
    on_truncated: OnTruncated | None = None,
) -> Iterator[list[bytes]]:
    """One document per insight, ``rows`` in the mart's order; see :func:`run_documents`."""
    for insight in insights:
        rows, total = _bounded_rows(folder / insight.id, privacy)
        description, extra = insight.description, {}
        if len(rows) < total:
            description += f" Only the first {len(rows):,} of {total:,} rows are published."
            extra = {"rows_total": total, "is_truncated": True}
            log.warning("insight truncated", insight=insight.id, rows=len(rows), rows_total=total)
            if on_truncated is not None:
                on_truncated(insight.id, len(rows))
        document = {
            "_id": insight.id,
            "title": insight.title,
            "description": description,
            "columns": [{"name": c.name, "kind": str(c.kind), "label": c.label} for c in insight.columns],
            "rows": rows,
            **extra,
            "run_id": run_id,
            "as_of": as_of,
        }
        yield [bson.encode(document)]


def rejected_documents(
    folder: Path, *, run_id: str, privacy: Privacy, until: datetime | None = None
) -> Iterator[list[bytes]]:
    """One document per rejected row of all six tables: table, key, rule, measure, the row as it was, run_id.

    Args:
        folder: holds one folder per table.
        run_id: the run that rejected them.
        privacy: what becomes of names and addresses.
        until: when MongoDB removes them, as ``expires_at``; None for never, without that field.
    """
    ends = [*constant("run_id", run_id), *(constant("expires_at", until) if until else ())]
    for name, table in TABLES.items():
        repeated = _repeated_ids(folder / name, privacy, table.key)
        held_back = []
        for batch in _batches(folder / name, privacy):
            ids = _id_stems(batch, table.key)
            is_repeated = pc.is_in(ids, value_set=repeated)
            if pc.any(is_repeated).as_py():
                held_back.append(pa.Table.from_batches([batch.filter(is_repeated)]))
                batch = batch.filter(pc.invert(is_repeated))  # noqa: PLW2901 - the rest of it
            if batch.num_rows:
                counted = np.ones(batch.num_rows, np.int64)
                yield _rejected(name, table.key, batch, counted, ends)
        if held_back:
            rows, counted = _counted(pa.concat_tables(held_back), table.key)
            for first in range(0, rows.num_rows, BATCH_ROWS):
                batch = rows.slice(first, BATCH_ROWS).combine_chunks().to_batches()[0]
                yield _rejected(name, table.key, batch, counted[first : first + BATCH_ROWS], ends)


def _bounded_rows(folder: Path, privacy: Privacy) -> tuple[list[RawBSONDocument], int]:
    """An insight's encoded rows, as many as fit into its document, and how many there are in all."""
    rows: list[RawBSONDocument] = []
    total = size = 0
    for batch in _batches(folder, privacy):
        total += batch.num_rows
        for row in documents(_elements(batch, batch.schema.names), batch.num_rows):
            size += len(row) + len(str(len(rows))) + 2  # BSON names an array's elements by their number
            if size > LARGEST_ROWS:
                break
            rows.append(RawBSONDocument(row))
    return rows, total


def _rejected(table: str, key: str, batch: pa.RecordBatch, counted: Any, ends: Pieces) -> list[bytes]:
    rows = batch.num_rows
    ids = pc.binary_join_element_wise(_id_stems(batch, key), pa.array(counted).cast(_TEXT), _NOTHING)
    names = [name for name in batch.schema.names if name not in ("rule", "measure")]
    pieces = [
        *element("_id", ids),
        *constant("table", table),
        *element("key", batch[key]),
        *element("rule", batch["rule"]),
        *element("measure", batch["measure"]),
        *subdocument("row", _elements(batch, names), rows),
        *ends,
    ]
    return documents(pieces, rows)


def _id_stems(batch: pa.RecordBatch, key: str) -> pa.Array:
    """``<rule>:<key>:`` of each row; a null key is left empty."""
    keys = batch[key].cast(_TEXT).fill_null("")
    # An address would stay, because no document's _id can be changed.
    keys = pc.if_else(pc.match_substring_regex(keys, ADDRESS), _NOTHING, keys)
    return pc.binary_join_element_wise(batch["rule"].cast(_TEXT), keys, _NOTHING, _COLON)


def _repeated_ids(folder: Path, privacy: Privacy, key: str) -> pa.Array:
    """The stems that several rows share. Only rule and key are read, and only stems are held."""
    stems = [_id_stems(batch, key) for batch in _batches(folder, privacy, [key, "rule"])]
    if not stems:
        return pa.array([], _TEXT)
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


def _elements(batch: pa.RecordBatch, names: Iterable[str]) -> Pieces:
    return [piece for name in names for piece in element(name, batch[name])]


def _batches(folder: Path, privacy: Privacy, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a folder's files, names and addresses protected, too long texts cut."""
    cut: Counter[str] = Counter()
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                if batch.num_rows:
                    yield _with_cut_texts(_protected(batch, privacy), cut)
    for name, texts in cut.items():
        log.warning("texts cut", folder=folder.name, column=name, texts=texts, longest=LONGEST_TEXT)


def _protected(batch: pa.RecordBatch, privacy: Privacy) -> pa.RecordBatch:
    if privacy.is_plain:
        return batch
    for at, field in enumerate(batch.schema):
        values, mode = batch[at], privacy.mode_of(field.name)
        is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        if mode == "drop":
            batch = batch.set_column(at, field.name, pa.nulls(len(values), _TEXT))
        elif mode == "hmac" or (is_text and pc.any(pc.match_substring_regex(values, ADDRESS)).as_py()):
            protected = [privacy.protect(field.name, value) for value in values.to_pylist()]
            batch = batch.set_column(at, field.name, pa.array(protected, _TEXT))
    return batch


def _with_cut_texts(batch: pa.RecordBatch, cut: Counter[str]) -> pa.RecordBatch:
    """The batch with too long texts cut, which are counted by column."""
    for at, field in enumerate(batch.schema):
        is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        if not is_text or (pc.max(pc.binary_length(batch[at])).as_py() or 0) <= LONGEST_TEXT:
            continue
        texts = batch[at].cast(_TEXT)
        lengths = pc.utf8_length(texts)
        is_long = pc.fill_null(pc.greater(lengths, LONGEST_TEXT), False)
        if texts_cut := pc.sum(is_long).as_py():
            start = pc.utf8_slice_codeunits(texts, 0, LONGEST_TEXT)
            short = pc.binary_join_element_wise(start, _MARK, lengths.cast(_TEXT), _MARK_END, _NOTHING)
            batch = batch.set_column(at, field, pc.if_else(is_long, short, texts).cast(field.type))
            cut[field.name] += texts_cut
    return batch
