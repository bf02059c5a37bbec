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
from pathlib import Path
from typing import Any

import bson
import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.parquet import read_batches
from shopsight.contract import TABLES
from shopsight.errors import ConfigurationError
from shopsight.publish import naming
from shopsight.publish.digest import ContentDigest, raw_batches, raw_documents
from shopsight.publish.generations import sweep
from shopsight.publish.history import recorded, save_run
from shopsight.publish.lease import Lease
from shopsight.publish.privacy import ADDRESS, ADDRESSES, NAMES, Privacy, tidied
from shopsight.publish.target import Document, Target
from shopsight.record import Forgotten, RunRecord

#: Customers come last, because a repeated ``forget`` finds the rest through them.
_ORDER = (naming.REJECTED_ROWS, naming.INSIGHTS, naming.CUSTOMERS, naming.CUSTOMER_METRICS)
_BATCH_BYTES = 8 * 2**20
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
            held = naming.with_documents(target, naming.collections_of(generation))
            for view in (view for view in _ORDER if view in held):
                for documents in _portions(target, view, generation, person):
                    lease.check()
                    _replace(target, record, generation, view, documents)
    return record


def require_known(
    target: Target,
    customer_id: int | None,
    email: str | None,
    *,
    privacy: Privacy,
    raw: Iterable[Path],
) -> None:
    """Refuse a person who is in no kept generation and in no run's files, most likely a misspelled one.

    Args:
        target: where.
        customer_id: see :func:`forget`.
        email: see :func:`forget`.
        privacy: see :func:`forget`.
        raw: the folders with what the runs read, one folder a table in each.

    Raises:
        ConfigurationError: nobody has this id or address.
        TargetUnavailable: MongoDB does not answer.
    """
    with target.translated():
        stored = sorted(naming.stored_generations(target.db))
        is_unfinished = target.db[naming.GENERATIONS].find_one({"forgetting": {"$exists": True}})
    person = _find(target, stored, customer_id, email, privacy)
    is_known = is_unfinished or any(_is_in_generation(target, number, person) for number in stored)
    if not is_known and not any(_is_in_files(folder, person) for folder in raw):
        raise ConfigurationError(
            f"Nobody has this {'id' if email is None else 'address'} in generations"
            f" {', '.join(map(str, stored)) or '(none)'} and the kept run directories. Nothing was changed.",
            remedy="Check it for a misspelling. Where addresses are not published, or were forgotten already,"
            " give the id.",
        )


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

    def is_in(self, rows: pa.RecordBatch) -> bool:
        """Whether rows as they were read hold one of the ids or addresses."""
        if "customer_id" in rows.schema.names:
            found = pc.utf8_trim_whitespace(rows["customer_id"].cast(pa.string()))
            if pc.any(pc.is_in(found, pa.array(map(str, self.ids), pa.string()))).as_py():
                return True
        texts = (column for column in rows.columns if pa.types.is_string(column.type))
        return any(
            self.named_in(text)
            for column in texts
            for text in column.filter(pc.match_substring(column, "@")).to_pylist()
        )

    def blanked(self, row: Document, *, is_theirs: bool) -> Document:
        """A row without their addresses, and without name and any address if the row is theirs."""
        return {
            name: None if self.named_in(value) or (is_theirs and _is_personal(name, value)) else value
            for name, value in row.items()
        }

    def blanked_document(self, view: str, document: Document) -> Document:
        if view in naming.OF_CUSTOMERS:
            return self.blanked(document, is_theirs=document["_id"] in self.ids)
        if view == naming.INSIGHTS:
            rows = [
                self.blanked(row, is_theirs=row.get("customer_id") in self.ids) for row in document["rows"]
            ]
            return {**document, "rows": rows}
        row, key = document["row"], str(document["key"])
        if is_customer := document["table"] == "customers":
            is_theirs = key in map(str, self.ids) or any(map(self.named_in, row.values()))
        else:
            is_theirs = str(row.get("customer_id")).strip() in map(str, self.ids)
        return {
            **document,
            "key": self.blanked({"key": document["key"]}, is_theirs=is_theirs and is_customer)["key"],
            "row": self.blanked(row, is_theirs=is_theirs),
        }


def _is_personal(column: str, value: Any) -> bool:
    return column in _PERSONAL or (isinstance(value, str) and re.search(ADDRESS, value) is not None)


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


def _is_in_generation(target: Target, generation: int, person: _Person) -> bool:
    customers = target.db[naming.collections_of(generation)[naming.CUSTOMER_METRICS]]
    with target.translated():
        if customers.find_one({"_id": {"$in": [*person.ids]}}):
            return True
    return any(True for view in _ORDER for _ in _portions(target, view, generation, person))


def _is_in_files(raw: Path, person: _Person) -> bool:
    try:
        return any(person.is_in(rows) for table in TABLES for rows in read_batches(raw / table, None))
    except (OSError, pa.ArrowException):
        return True  # the half-written file of a killed run may hold anybody


def _portions(target: Target, view: str, generation: int, person: _Person) -> Iterator[list[Document]]:
    """The changed documents, in batches that fit into the generation's note, a document of at most 16 MB."""
    collection = naming.collections_of(generation)[view]
    only = {"_id": {"$in": [*person.ids]}} if view in naming.OF_CUSTOMERS else {}
    batch: list[Document] = []
    size = 0
    for raw in raw_documents(target, collection, only):
        document = bson.decode(raw.raw)
        blanked = person.blanked_document(view, document)
        if blanked != document:
            if batch and size + len(raw.raw) > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(blanked)
            size += len(raw.raw)
    if batch:
        yield batch


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
        # A digest that was already wrong stays wrong; only the mark is removed.
        note.update_one({"_id": generation}, done)
