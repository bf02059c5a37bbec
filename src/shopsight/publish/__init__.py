"""Publishing to MongoDB: a generation is written beside the served one, then flipped to.

In: the run's marts and rejected rows as Parquet, and its record. Out: ``customer_metrics``, ``insights`` and
``rejected_rows``, views of the served generation's collections; ``published``, which names them;
``pipeline_runs``. Nobody sees a generation before it is whole, and at most one run publishes (``lease``).
"""

from shopsight.publish.comparing import differences_from
from shopsight.publish.content import Difference, content_digest, differences, read_documents
from shopsight.publish.digest import read_digests
from shopsight.publish.documents import run_documents
from shopsight.publish.figures import read_back
from shopsight.publish.generations import Generation, flip, list_generations, rollback, sweep
from shopsight.publish.history import find_run, latest_run, list_runs, save_run
from shopsight.publish.lease import Lease, held_until, hold_lease, refuse_if_held
from shopsight.publish.probe import TargetCheck, check_target
from shopsight.publish.target import Target, connect, redacted_url, translated
from shopsight.publish.values import plain, to_bson
from shopsight.publish.views import (
    Served,
    generation_note,
    heal_views,
    served,
    served_figures,
    shown_collections,
)
from shopsight.publish.writing import WrittenGeneration, write_generation

__all__ = [
    "Difference",
    "Generation",
    "Lease",
    "Served",
    "Target",
    "TargetCheck",
    "WrittenGeneration",
    "check_target",
    "connect",
    "content_digest",
    "differences",
    "differences_from",
    "find_run",
    "flip",
    "generation_note",
    "heal_views",
    "held_until",
    "hold_lease",
    "latest_run",
    "list_generations",
    "list_runs",
    "plain",
    "read_back",
    "read_digests",
    "read_documents",
    "redacted_url",
    "refuse_if_held",
    "rollback",
    "run_documents",
    "save_run",
    "served",
    "served_figures",
    "shown_collections",
    "sweep",
    "to_bson",
    "translated",
    "write_generation",
]
