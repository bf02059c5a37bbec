"""What a collection holds, for tests that compare two generations of the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import bson

from shopsight import publish

#: The fields in which two generations of the same content differ.
OF_THE_RUN = frozenset({"run_id", "as_of"})


def read_documents(
    target: publish.Target, collection: str, *, ignoring: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """A collection's or view's documents as plain values, in the order of ``_id``."""
    without = dict.fromkeys(ignoring, 0) or None
    for document in target.db[collection].find({}, without, sort=[("_id", 1)]):
        yield publish.plain(document)


def content_digest(target: publish.Target, collection: str, *, ignoring: Collection[str] = OF_THE_RUN) -> str:
    """Equal for collections of equal documents, the ignored top-level fields left out."""
    digest = hashlib.sha256()
    for document in target.db[collection].find({}, dict.fromkeys(ignoring, 0) or None, sort=[("_id", 1)]):
        digest.update(bson.encode(document))
    return digest.hexdigest()


def differing_ids(
    target: publish.Target, left: str, right: str, *, ignoring: Collection[str] = OF_THE_RUN
) -> list[Any]:
    """The ids of the documents that two collections do not share."""
    one, other = (
        {document["_id"]: document for document in read_documents(target, name, ignoring=ignoring)}
        for name in (left, right)
    )
    return sorted(id_ for id_ in {**one, **other} if one.get(id_) != other.get(id_))
