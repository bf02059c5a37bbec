"""A collection against the documents that a run's files make, byte by byte: for ``verify`` and ``plan``."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from bson.raw_bson import RawBSONDocument

from shopsight.publish.content import Difference, decoded, raw_documents
from shopsight.publish.target import Target


def differences_from(
    target: Target, collection: str | None, documents: Iterable[list[bytes]], *, in_order: bool
) -> Iterator[Difference]:
    """What differs between a collection (left) and encoded documents (right); only what differs is decoded.

    Args:
        target: where the collection is.
        collection: a collection or a view; None for one that is not there yet.
        documents: as :func:`shopsight.publish.documents.run_documents` gives them.
        in_order: whether they come in ascending order of ``_id``, whole numbers. Then both sides are merged,
            in whatever memory; otherwise all of these documents are held.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    stored = raw_documents(target, collection) if collection is not None else iter(())
    encoded = (RawBSONDocument(document) for batch in documents for document in batch)
    return _merged(stored, encoded) if in_order else _looked_up(stored, encoded)


def _merged(stored: Iterator[RawBSONDocument], encoded: Iterator[RawBSONDocument]) -> Iterator[Difference]:
    left, right = next(stored, None), next(encoded, None)
    while left is not None or right is not None:
        if left is not None and right is not None and left.raw == right.raw:
            left, right = next(stored, None), next(encoded, None)
        elif right is None or (left is not None and _is_before(left["_id"], right["_id"])):
            assert left is not None  # noqa: S101 - for the type checker; the loop's condition says so
            yield Difference(left["_id"], decoded(left), None)
            left = next(stored, None)
        elif left is None or right["_id"] < left["_id"]:
            yield Difference(right["_id"], None, decoded(right))
            right = next(encoded, None)
        else:
            yield Difference(right["_id"], decoded(left), decoded(right))
            left, right = next(stored, None), next(encoded, None)


def _is_before(stored: object, expected: int) -> bool:
    """Whether a stored ``_id`` is of no document to come; one of another type is of none at all."""
    return type(stored) is not type(expected) or stored < expected


def _looked_up(stored: Iterator[RawBSONDocument], encoded: Iterator[RawBSONDocument]) -> Iterator[Difference]:
    expected = {document["_id"]: document.raw for document in encoded}
    for document in stored:
        id_ = document["_id"]
        known = expected.pop(id_, None) if isinstance(id_, Hashable) else None
        if known is None:
            yield Difference(id_, decoded(document), None)
        elif known != document.raw:
            yield Difference(id_, decoded(document), decoded(RawBSONDocument(known)))
    for raw in expected.values():
        document = RawBSONDocument(raw)
        yield Difference(document["_id"], None, decoded(document))
