"""Two collections document by document: for ``verify``, and to show that a rerun changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from shopsight.publish.digest import BATCH_DOCUMENTS
from shopsight.publish.target import Target
from shopsight.publish.values import plain

#: What tells two generations of the same content apart.
OF_THE_RUN = frozenset({"run_id", "as_of"})


@dataclass(frozen=True)
class Difference:
    """A document that one side does not have (None), or has otherwise; plain values, the ignored left out."""

    id: Any
    left: dict[str, Any] | None
    right: dict[str, Any] | None


def read_documents(target: Target, collection: str) -> Iterator[dict[str, Any]]:
    """A collection's documents as plain values, in the order of ``_id``.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    with target.translated():
        for document in target.db[collection].find(sort=[("_id", 1)]):
            yield plain(document)


def content_digest(target: Target, collection: str, *, ignoring: Collection[str] = OF_THE_RUN) -> str:
    """The SHA-256 of a collection's documents in the order of ``_id``: equal for equal content.

    Args:
        target: where.
        collection: a collection or a view.
        ignoring: top-level fields that are left out.
    """
    digest = hashlib.sha256()
    for document in raw_documents(target, collection, ignoring):
        digest.update(document.raw)
    return digest.hexdigest()


def differences(
    target: Target, left: str, right: str, *, ignoring: Collection[str] = OF_THE_RUN
) -> Iterator[Difference]:
    """What differs between two collections, in the order of ``_id``; both are read once, side by side.

    Args:
        target: where both are.
        left: a collection or a view.
        right: another.
        ignoring: top-level fields that are not compared.
    """
    lefts, rights = raw_documents(target, left, ignoring), raw_documents(target, right, ignoring)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if one is not None and other is not None and one.raw == other.raw:
            one, other = next(lefts, None), next(rights, None)
        elif other is None or (one is not None and one["_id"] < other["_id"]):
            assert one is not None  # noqa: S101 - for the type checker; the loop's condition says so
            yield Difference(one["_id"], decoded(one), None)
            one = next(lefts, None)
        elif one is None or other["_id"] < one["_id"]:
            yield Difference(other["_id"], None, decoded(other))
            other = next(rights, None)
        else:
            yield Difference(one["_id"], decoded(one), decoded(other))
            one, other = next(lefts, None), next(rights, None)


def raw_documents(
    target: Target, collection: str, ignoring: Collection[str] = ()
) -> Iterator[RawBSONDocument]:
    """A collection's documents as they are encoded, in the order of ``_id``."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    without = dict.fromkeys(ignoring, 0)
    with target.translated():
        found = target.db.get_collection(collection, codec_options=options)
        yield from found.find({}, without or None, sort=[("_id", 1)], batch_size=BATCH_DOCUMENTS)


def decoded(document: RawBSONDocument) -> dict[str, Any]:
    """An encoded document as plain values."""
    values: dict[str, Any] = plain(bson.decode(document.raw))
    return values
