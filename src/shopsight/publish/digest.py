"""The content of a collection as one short text: the fourth link's check of every single document.

A collection's digest is the SHA-256 of its documents' SHA-256s, sorted. So it does not depend on the order in
which documents are stored, equal content has equal digests, and sums that come out right cannot hide a
document that was changed, lost, added or put in another's place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, cast

import numpy as np

from shopsight.publish.target import Target

#: Batches of the server's own 16 MB take twice as long.
BATCH_DOCUMENTS = 5_000

_SIZE = hashlib.sha256().digest_size


class ContentDigest:
    """The digest of documents that come one after the other; holds 32 bytes of each.

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
        """Take in some more documents, as they are encoded in BSON."""
        self._digests += b"".join([hashlib.sha256(document).digest() for document in documents])

    def hexdigest(self) -> str:
        """The digest of all documents so far."""
        digests = np.frombuffer(self._digests, f"S{_SIZE}")
        return hashlib.sha256(np.sort(digests).tobytes()).hexdigest()


class Stored(Protocol):
    """A generation, written or served."""

    @property
    def collections(self) -> Mapping[str, str]:
        """By view, the collection that holds it."""


def read_digests(target: Target, generation: Stored) -> dict[str, str]:
    """By view, the digest of the documents that MongoDB hands out; each is read once.

    Raises:
        TargetUnavailable: MongoDB does not answer.
    """
    digests = {}
    for view, collection in generation.collections.items():
        digest = ContentDigest()
        with target.translated():
            for batch in target.db[collection].find_raw_batches({}, batch_size=BATCH_DOCUMENTS):
                digest.add(split_batch(cast(bytes, batch)))  # typed as documents by the driver
        digests[view] = digest.hexdigest()
    return digests


def split_batch(batch: bytes) -> Iterator[bytes]:
    """The documents of a raw batch, which follow each other, each beginning with its length."""
    at = 0
    while at < len(batch):
        end = at + int.from_bytes(batch[at : at + 4], "little")
        yield batch[at:end]
        at = end
