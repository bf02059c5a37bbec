"""The content of a generation's collections: sums, digests, and differences document by document.

A collection's digest is the SHA-256 of its documents' SHA-256s, sorted. It does not depend on their order,
and shows a document that was changed, lost or added even if all sums agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import bson
import numpy as np
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from shopsight.publish import naming
from shopsight.publish.bson import plain
from shopsight.publish.target import Document, Target
from shopsight.record import Figure

#: Batches of the server's own 16 MB take twice as long.
BATCH_DOCUMENTS = 5_000

_SIZE = hashlib.sha256().digest_size
_CUSTOMER_FIGURES = ("total_amount_spent", "total_orders", "average_order_value", "total_products_ordered")
_ORDER_FIGURES = ("days_since_last_order", "recency_score", "frequency_score", "monetary_score")

MartFigures = dict[str, Figure]


class Stored(Protocol):
    """A generation, written or served."""

    @property
    def collections(self) -> Mapping[str, str]:
        """By view, the collection that holds it."""


class ContentDigest:
    """The digest of documents that are added one after the other; holds 32 bytes of each.

    >>> one, other = ContentDigest(), ContentDigest()
    >>> one.add([b"ann", b"bob"])
    >>> other.add([b"bob"])
    >>> other.add([b"ann"])
    >>> one.hexdigest() == other.hexdigest()
    True
    """

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, documents: Iterable[bytes]) -> None:
        """Add documents as they are encoded in BSON."""
        self._digests += b"".join([hashlib.sha256(document).digest() for document in documents])

    def hexdigest(self) -> str:
        """The digest of all documents so far."""
        # Sorted in place: a copy would be the most memory that publishing takes.
        np.frombuffer(self._digests, f"S{_SIZE}").sort()
        return hashlib.sha256(self._digests).hexdigest()


def read_digests(target: Target, generation: Stored) -> dict[str, str]:
    """By view, the digest of the documents that MongoDB hands out; each is read once.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    digests = {}
    for view, collection in naming.with_documents(target, generation.collections).items():
        digest = ContentDigest()
        for batch in raw_batches(target, collection):
            digest.add(batch)
        digests[view] = digest.hexdigest()
    return digests


def raw_batches(target: Target, collection: str) -> Iterator[Iterator[bytes]]:
    """All of a collection's documents as they are encoded, in no particular order.

    Asked for by commands: the driver's ``find_raw_batches`` makes an object of every document and drops it,
    which doubles the time of a digest. The driver would also try the first read a second time.
    """
    options = CodecOptions(document_class=RawBSONDocument)
    size = {"batchSize": BATCH_DOCUMENTS}
    command = {"find": collection, **size, "readConcern": {"level": "majority"}}
    with target.translated(), target.client.start_session() as session:
        while command:
            answer = target.db.command(command, codec_options=options, session=session)
            documents, cursor = split_cursor(bytes(answer["cursor"].raw))
            yield documents
            command = {"getMore": cursor, "collection": collection, **size} if cursor else {}


def split_cursor(cursor: bytes) -> tuple[Iterator[bytes], Int64]:
    """The documents in a server's answer, and the number of the cursor; 0 if there are no more.

    Args:
        cursor: the BSON of the answer's field ``cursor``: an array that is called ``firstBatch`` or
            ``nextBatch``, and ``id`` before or behind it.

    >>> documents, number = split_cursor(bson.encode({"id": Int64(7), "nextBatch": [{"_id": 1}, {"_id": 2}]}))
    >>> [bson.decode(document) for document in documents], number
    ([{'_id': 1}, {'_id': 2}], 7)
    """
    start = cursor.index(b"Batch\0") + len(b"Batch\0")
    end = start + _length(cursor, start)
    others = cursor[:start] + cursor[end:]
    at = others.index(b"\x12id\0") + len(b"\x12id\0")
    return _elements(cursor[start:end]), Int64(int.from_bytes(others[at : at + 8], "little", signed=True))


def _elements(array: bytes) -> Iterator[bytes]:
    """An array's documents; each follows a type and a number in text, and begins with its length."""
    at = 4
    while at < len(array) - 1:
        start = array.index(0, at) + 1
        at = start + _length(array, start)
        yield array[start:at]


def _length(encoded: bytes, at: int) -> int:
    return int.from_bytes(encoded[at : at + 4], "little")


def read_back(target: Target, generation: Stored) -> dict[str, MartFigures]:
    """A generation's figures by the server's own aggregation over its collections.

    Returns:
        By mart (``customer_metrics``, ``customers``, each insight by its id, ``rejected_rows``): ``rows`` and
        ``sum(<column>)``, money as Decimal, exact. For insights each column but ids and texts is summed;
        ``rejected_rows`` has ``rows(<rule>)`` and ``sum(measure, <rule>)`` for each rule as well.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    names = naming.with_documents(target, generation.collections)
    insights, figures = target.db[names[naming.INSIGHTS]], {}
    with target.translated():
        for view in names.keys() & naming.OF_CUSTOMERS:
            wanted = _CUSTOMER_FIGURES + (_ORDER_FIGURES if view == naming.CUSTOMERS else ())
            paths = {name: f"${name}" for name in wanted}
            figures[view] = _sums(target.db[names[view]].aggregate([_group(None, paths)]), paths)
        for insight in insights.find({}, {"columns": 1}):
            # An altered document must not stop verify, which reports it.
            columns = [c["name"] for c in insight.get("columns", ()) if _is_figure(c)]
            paths = {name: f"$rows.{name}" for name in columns}
            unwound: list[Document] = [{"$match": {"_id": insight["_id"]}}, {"$unwind": "$rows"}]
            figures[insight["_id"]] = _sums(insights.aggregate([*unwound, _group(None, paths)]), paths)
        by_rule = [_group("$rule", {"measure": "$measure"}), {"$sort": {"_id": 1}}]
        rejected: MartFigures = {"rows": 0}
        for rule in target.db[names[naming.REJECTED_ROWS]].aggregate(by_rule):
            rejected["rows"] += rule["rows"]
            rejected[f"rows({rule['_id']})"] = rule["rows"]
            rejected[f"sum(measure, {rule['_id']})"] = plain(rule["sum_0"])
    return {**figures, naming.REJECTED_ROWS: rejected}


def _is_figure(column: Mapping[str, str]) -> bool:
    return column["kind"] not in ("text", "date") and not column["name"].endswith("_id")


def _group(key: str | None, paths: Mapping[str, str]) -> Document:
    sums = {f"sum_{i}": {"$sum": path} for i, path in enumerate(paths.values())}
    return {"$group": {"_id": key, "rows": {"$sum": 1}, **sums}}


def _sums(found: Iterable[Document], paths: Iterable[str]) -> MartFigures:
    """The figures of a single group; without rows there is none, and all sums are 0."""
    group = next(iter(found), {})
    figures: MartFigures = {"rows": group.get("rows", 0)}
    for i, name in enumerate(paths):
        figures[f"sum({name})"] = plain(group.get(f"sum_{i}", 0))
    return figures


@dataclass(frozen=True)
class Difference:
    """A document that one side does not have (None), or has with another content; plain values."""

    id: Any
    left: dict[str, Any] | None
    right: dict[str, Any] | None


def differences_from(
    target: Target, collection: str | None, documents: Iterable[list[bytes]], *, in_order: bool
) -> Iterator[Difference]:
    """The differences between a collection (left) and encoded documents (right), in no particular order.

    Equal documents are compared byte by byte and never decoded.

    Args:
        target: where the collection is.
        collection: a collection or a view; None for one that is not there yet.
        documents: as :func:`shopsight.publish.documents.run_documents` gives them.
        in_order: whether they come in ascending order of ``_id``, whole numbers. Then both sides are merged
            in bounded memory; otherwise all of these documents are held.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    stored = raw_documents(target, collection) if collection is not None else iter(())
    encoded = (RawBSONDocument(document) for batch in documents for document in batch)
    return _merged(stored, encoded) if in_order else _looked_up(stored, encoded)


def raw_documents(
    target: Target, collection: str, only: Mapping[str, Any] | None = None
) -> Iterator[RawBSONDocument]:
    """A collection's documents, or only those, as they are encoded, in the order of ``_id``."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    with target.translated():
        found = target.db.get_collection(collection, codec_options=options)
        yield from found.find(only, sort=[("_id", 1)], batch_size=BATCH_DOCUMENTS)


def _merged(stored: Iterator[RawBSONDocument], encoded: Iterator[RawBSONDocument]) -> Iterator[Difference]:
    left, right = next(stored, None), next(encoded, None)
    while left is not None or right is not None:
        if left is not None and right is not None and left.raw == right.raw:
            left, right = next(stored, None), next(encoded, None)
        elif right is None or (left is not None and _is_before(left["_id"], right["_id"])):
            yield _difference(left, None)
            left = next(stored, None)
        elif left is None or right["_id"] < left["_id"]:
            yield _difference(None, right)
            right = next(encoded, None)
        else:
            yield _difference(left, right)
            left, right = next(stored, None), next(encoded, None)


def _is_before(stored: object, expected: int) -> bool:
    """Whether no later document can have the stored ``_id``; a document never has one of another type."""
    return type(stored) is not type(expected) or stored < expected


def _looked_up(stored: Iterator[RawBSONDocument], encoded: Iterator[RawBSONDocument]) -> Iterator[Difference]:
    expected = {document["_id"]: document for document in encoded}
    for document in stored:
        id_ = document["_id"]
        known = expected.pop(id_, None) if isinstance(id_, Hashable) else None
        if known is None or known.raw != document.raw:
            yield _difference(document, known)
    for known in expected.values():
        yield _difference(None, known)


def _difference(left: RawBSONDocument | None, right: RawBSONDocument | None) -> Difference:
    one, other = ({} if side is None else plain(bson.decode(side.raw)) for side in (left, right))
    return Difference((one or other)["_id"], one or None, other or None)
