"""Removing one person from every kept generation.

Names and addresses are set to null in place. Documents, ids and figures stay, so totals and the proof hold.
For each change of a collection

1. the run of kind ``forget`` in ``pipeline_runs`` notes the collection's digest before and after it;
2. the generation's note gets the new documents, as ``forgetting``;
3. they replace the old ones;
4. the note's digest becomes the one after, and ``forgetting`` is removed.

The next ``forget`` finishes what a killed one left at step 2 or 3. A digest that was already wrong is
kept, so ``verify`` still reports the tampering.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import bson

from shopsight.publish import naming
from shopsight.publish.digest import ContentDigest, raw_batches, raw_documents
from shopsight.publish.generations import sweep
from shopsight.publish.history import save_run
from shopsight.publish.lease import Lease
from shopsight.publish.privacy import ADDRESSES, NAMES, Privacy, tidied
from shopsight.publish.rollback import recorded
from shopsight.publish.target import Document, Target
from shopsight.record import Forgotten, RunRecord

#: ``customer_metrics`` comes last, because a repeated ``forget`` finds the rest through it.
_ORDER = (naming.REJECTED_ROWS, naming.INSIGHTS, naming.CUSTOMER_METRICS)
_PERSONAL = NAMES | ADDRESSES


def forget(
    target: Target, lease: Lease, customer_id: int | None, email: str | None, *, privacy: Privacy, keep: int
) -> RunRecord:
    """Blank a person's name and address in all generations; recorded as ``forget``, without the person.

    Args:
        target: where.
        lease: held for this.
        customer_id: the person's id in ``customer_metrics``.
        email: the person's address, in place of the id.
        privacy: with its key, addresses that were published as an HMAC are found.
        keep: how many generations are kept; leftovers of dead runs are dropped.

    Raises:
        LeaseLost: another run took over.
        TargetUnavailable: MongoDB does not answer; call again.
    """
    sweep(target, lease, keep=keep)
    with target.translated():
        stored = sorted(naming.stored_generations(target.db))
        unfinished = list(
            target.db[naming.GENERATIONS].find({"_id": {"$in": stored}, "forgetting": {"$exists": True}})
        )
    with recorded(target, lease, "forget") as record:
        for note in unfinished:
            _finish(target, note["_id"], note["forgetting"])
        person = _find(target, stored, customer_id, email, privacy)
        for generation in stored:
            for view in _ORDER:
                for documents in _portions(target, view, generation, person):
                    lease.check()
                    _replace(target, record, generation, view, documents)
    return record


def forgotten_in(target: Target, generation: int) -> list[Forgotten]:
    """What ``forget`` noted of a generation, the oldest first."""
    with target.translated():
        found = target.db[naming.PIPELINE_RUNS].find({"forgotten.generation": generation})
        runs = found.sort("started_at", 1)
        entries = [Forgotten(**entry) for run in runs for entry in run["forgotten"]]
    return [entry for entry in entries if entry.generation == generation]


@dataclass(frozen=True)
class _Person:
    """The ids and addresses of one person, addresses as they are published."""

    ids: frozenset[int]
    addresses: frozenset[str]

    @cached_property
    def _any_address(self) -> re.Pattern[str]:
        either = "|".join(map(re.escape, self.addresses)) or r"(?!)"
        return re.compile(rf"(?<![\w.+-])(?:{either})(?![\w-]|\.\w)")

    def named_in(self, text: Any) -> bool:
        """Whether a text holds one of the addresses."""
        return isinstance(text, str) and self._any_address.search(tidied(text).lower()) is not None

    def blanked(self, row: Document, *, is_theirs: bool) -> Document:
        """A row without their addresses, and without name and address if the row is theirs."""
        return {
            name: None if self.named_in(value) or (is_theirs and name in _PERSONAL) else value
            for name, value in row.items()
        }

    def blanked_document(self, view: str, document: Document) -> Document:
        if view == naming.CUSTOMER_METRICS:
            return self.blanked(document, is_theirs=document["_id"] in self.ids)
        if view == naming.INSIGHTS:
            rows = [
                self.blanked(row, is_theirs=row.get("customer_id") in self.ids) for row in document["rows"]
            ]
            return {**document, "rows": rows}
        row, key = document["row"], str(document["key"])
        is_theirs = key in map(str, self.ids) or any(map(self.named_in, row.values()))
        is_theirs = is_theirs and document["table"] == "customers"
        return {
            **document,
            "key": None if self.named_in(key) else document["key"],
            "row": self.blanked(row, is_theirs=is_theirs),
        }


def _find(
    target: Target, stored: Iterable[int], customer_id: int | None, email: str | None, privacy: Privacy
) -> _Person:
    """The person under every id and address that a kept generation has for the given one."""
    ids = set() if customer_id is None else {customer_id}
    addresses = set()
    if email is not None:
        by_key = Privacy("hmac", "hmac", privacy.key)
        addresses = {tidied(email).lower(), *([by_key.protect("email", email)] if privacy.key else [])}
    customers = [target.db[naming.collections_of(number)[naming.CUSTOMER_METRICS]] for number in stored]
    with target.translated():
        # Twice: a generation may have the id under another address, and that one under another id.
        for collection in 2 * customers:
            ids |= {row["_id"] for row in collection.find({"email": {"$in": [*addresses]}}, {"_id": 1})}
            addresses |= {row["email"] for row in collection.find({"_id": {"$in": [*ids]}}, {"email": 1})}
            addresses -= {None}
    return _Person(frozenset(ids), frozenset(addresses))


def _portions(target: Target, view: str, generation: int, person: _Person) -> Iterator[list[Document]]:
    """The changed documents, in batches that fit into the generation's note."""
    collection = naming.collections_of(generation)[view]
    only = {"_id": {"$in": [*person.ids]}} if view == naming.CUSTOMER_METRICS else {}
    changed = []
    for raw in raw_documents(target, collection, only):
        document = bson.decode(raw.raw)
        blanked = person.blanked_document(view, document)
        if blanked != document:
            changed.append(blanked)
    yield from ([document] for document in changed) if view == naming.INSIGHTS else filter(None, [changed])


def _replace(
    target: Target, record: RunRecord, generation: int, view: str, documents: list[Document]
) -> None:
    collection, before, after = naming.collections_of(generation)[view], ContentDigest(), ContentDigest()
    new = {document["_id"]: bson.encode(document) for document in documents}
    old = {doc.raw: new[doc["_id"]] for doc in raw_documents(target, collection, {"_id": {"$in": [*new]}})}
    for batch in raw_batches(target, collection):
        before.add(stored := list(batch))
        after.add(old.get(document, document) for document in stored)
    entry = Forgotten(generation, view, len(documents), before.hexdigest(), after.hexdigest())
    record.forgotten.append(entry)
    save_run(target, record)
    forgetting = {**asdict(entry), "replacements": documents}
    with target.translated():
        target.db[naming.GENERATIONS].update_one({"_id": generation}, {"$set": {"forgetting": forgetting}})
    _finish(target, generation, forgetting)


def _finish(target: Target, generation: int, forgetting: Document) -> None:
    view = forgetting["view"]
    collection = target.db[naming.collections_of(generation)[view]]
    digest = {f"digests.{view}": forgetting["after"]}
    note, done = target.db[naming.GENERATIONS], {"$unset": {"forgetting": ""}}
    with target.translated():
        for document in forgetting["replacements"]:
            collection.replace_one({"_id": document["_id"]}, document)
        note.update_one(
            {"_id": generation, f"digests.{view}": forgetting["before"]}, {"$set": digest, **done}
        )
        # Still there where the digest was not right before: it stays wrong.
        note.update_one({"_id": generation}, done)
