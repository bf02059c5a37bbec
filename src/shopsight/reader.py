"""For applications that read what shopsight publishes: all collections of one and the same generation.

The views ``customer_metrics``, ``customers``, ``insights`` and ``rejected_rows`` show what is served. To read
several of them, or one of them several times, without a flip in between, open a generation and read from it::

    from pymongo import MongoClient
    from shopsight.reader import open_generation

    generation = open_generation(MongoClient("mongodb://localhost").shopsight)
    best = generation.customer_metrics.find().sort("total_amount_spent", -1).limit(5)

A generation stays readable until it is swept: with the default settings for two more publications. Open one
for each request or job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.database import Database

from shopsight.errors import ConfigurationError

__all__ = ["ServedGeneration", "open_generation"]


@dataclass(frozen=True)
class ServedGeneration:
    """The collections of one generation, and its state.

    Attributes:
        number: its number; later generations have greater ones, with gaps.
        run_id: the run that made it; the ``_id`` of its document in ``pipeline_runs``.
        as_of: the moment of the snapshot, UTC.
        valid_until: a newer one should have come by then, UTC.
        customer_metrics: one document per customer, ``_id`` = customer_id.
        customers: the same, with dates, scores, segment and cohort beside the nine fields; those alone if a
            version without this collection wrote the generation.
        insights: one document per insight, ``_id`` = the insight's id.
        rejected_rows: one document per row that cleaning rejected.
    """

    number: int
    run_id: str
    as_of: datetime
    valid_until: datetime
    customer_metrics: Collection[Any]
    customers: Collection[Any]
    insights: Collection[Any]
    rejected_rows: Collection[Any]

    @property
    def is_fresh(self) -> bool:
        """Whether ``valid_until`` is still to come, by this machine's clock."""
        return datetime.now(UTC) < self.valid_until


def open_generation(db: Database[Any]) -> ServedGeneration:
    """The generation that is served at this moment.

    Args:
        db: the database that shopsight publishes to, with the caller's own options.

    Raises:
        ConfigurationError: nothing is published in it yet.
        pymongo.errors.PyMongoError: MongoDB cannot be read.
    """
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
    published = db.get_collection("published", codec_options=options).find_one({"_id": "current"})
    if published is None:
        raise ConfigurationError(
            f"Nothing is published in the database {db.name!r} yet.",
            remedy="Start a run with `shopsight run`, or check that this is the database it publishes to.",
        )
    collections = published["collections"]
    return ServedGeneration(
        number=published["generation"],
        run_id=published["run_id"],
        as_of=published["as_of"],
        valid_until=published["valid_until"],
        customer_metrics=db[collections["customer_metrics"]],
        customers=db[collections.get("customers", collections["customer_metrics"])],
        insights=db[collections["insights"]],
        rejected_rows=db[collections["rejected_rows"]],
    )
