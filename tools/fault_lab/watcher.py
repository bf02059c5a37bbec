"""The reader who looks on: all four names, and the generation as a whole, again and again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from shopsight.reader import ServedGeneration, open_generation

PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Whole:
    """What a reader sees of one whole generation: by name, how many documents, and which money."""

    customers: int
    spent: Decimal
    insights: int
    revenue: Decimal
    rejected: int


@dataclass
class Watcher:
    """Polls in a thread while the context lasts.

    Attributes:
        known: by the shop's name, what its whole generation looks like; may grow meanwhile.
        looks: how often everything was read.
        unanswered: how often MongoDB did not answer (it was killed).
        generations: the run ids that were seen served.
        apart: looks in which the views, read one after the other, showed two generations: whole each, which
            is what a flip looks like to a reader who does not ask ``published``.
        mixtures: what was not whole, in words. There must be none.
    """

    url: str
    database: str
    known: Mapping[str, Whole]
    pause_seconds: float = PAUSE_SECONDS
    looks: int = 0
    unanswered: int = 0
    apart: int = 0
    generations: set[str] = field(default_factory=set)
    mixtures: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._poll, name="watcher", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(30)

    def _poll(self) -> None:
        with MongoClient[dict[str, Any]](
            self.url, serverSelectionTimeoutMS=500, socketTimeoutMS=10_000, retryReads=False
        ) as client:
            while not self._ended.wait(self.pause_seconds):
                try:
                    self.look(client[self.database])
                except PyMongoError:
                    self.unanswered += 1

    def look(self, db: Database[dict[str, Any]]) -> None:
        """Read each name by itself, then one generation as a whole."""
        customers, spent = _customers(db["customer_metrics"])
        insights, run_ids, revenue = _insights(db["insights"])
        rejected = db["rejected_rows"].count_documents({})
        whole = list(self.known.values())
        self._judge(
            any((customers, spent) == (w.customers, w.spent) for w in whole), "customer_metrics", customers
        )
        self._judge(
            len(run_ids) == 1 and any((insights, revenue) == (w.insights, w.revenue) for w in whole),
            "insights",
            run_ids,
        )
        self._judge(any(rejected == w.rejected for w in whole), "rejected_rows", rejected)
        if not any((customers, revenue, rejected) == (w.customers, w.revenue, w.rejected) for w in whole):
            self.apart += 1
        self._look_at(db, open_generation(db), whole)
        self.looks += 1

    def _look_at(
        self, db: Database[dict[str, Any]], generation: ServedGeneration, whole: list[Whole]
    ) -> None:
        customers, spent = _customers(generation.customer_metrics)
        insights, run_ids, revenue = _insights(generation.insights)
        seen = Whole(customers, spent, insights, revenue, generation.rejected_rows.count_documents({}))
        self._judge(
            seen in whole and spent == revenue and run_ids == {generation.run_id},
            f"generation {generation.number}",
            seen,
        )
        record = db["pipeline_runs"].find_one({"_id": generation.run_id}) or {}
        self._judge(record.get("kind") in ("run", "rollback"), "pipeline_runs", generation.run_id)
        self.generations.add(generation.run_id)

    def _judge(self, is_whole: bool, what: str, seen: object) -> None:
        if not is_whole:
            self.mixtures.append(f"{what}: {seen}")


def whole_generation(generation: ServedGeneration) -> Whole:
    """What a reader sees of it."""
    customers, spent = _customers(generation.customer_metrics)
    insights, _, revenue = _insights(generation.insights)
    return Whole(customers, spent, insights, revenue, generation.rejected_rows.count_documents({}))


def _customers(collection: Collection[Any]) -> tuple[int, Decimal]:
    group = {"$group": {"_id": None, "rows": {"$sum": 1}, "spent": {"$sum": "$total_amount_spent"}}}
    for answer in collection.aggregate([group]):
        return answer["rows"], answer["spent"].to_decimal()
    return 0, Decimal(0)


def _insights(collection: Collection[Any]) -> tuple[int, set[str], Decimal]:
    """How many, of which runs, and the revenue of all months."""
    documents = list(collection.find({}, {"run_id": 1, "rows.revenue": 1}))
    months = [
        row["revenue"].to_decimal() for d in documents if d["_id"] == "monthly_sales" for row in d["rows"]
    ]
    return len(documents), {document["run_id"] for document in documents}, sum(months, Decimal(0))
