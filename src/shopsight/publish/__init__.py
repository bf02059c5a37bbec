"""Publishing to MongoDB: a generation is written beside the served one, then flipped to.

In: the run's marts and rejected rows as Parquet, and its record. Out: ``customer_metrics``, ``customers``,
``insights`` and ``rejected_rows``, views of the served generation's collections, and ``insight_<id>`` of each
insight's rows; ``published``, which names them; ``pipeline_runs`` and ``insights_history``. Readers see a
generation only when it is whole, and at most one run publishes (``lease``).

The names below are those that other packages use.
"""

from shopsight.publish.bson import plain
from shopsight.publish.digest import Difference, differences_from, read_back, read_digests
from shopsight.publish.documents import run_documents
from shopsight.publish.figures_history import figures_before, keep_figures
from shopsight.publish.flat_views import altered_flat_views
from shopsight.publish.forget import forget, forgotten_in, require_known
from shopsight.publish.generations import flip, keep, list_generations, sweep
from shopsight.publish.history import find_run, latest_run, list_runs, save_run
from shopsight.publish.lease import Lease, held_until, hold_lease, refuse_if_held
from shopsight.publish.load import WrittenGeneration, write_generation
from shopsight.publish.probe import check_target
from shopsight.publish.rollback import pin_note, rollback, take_pin_alert, unpin
from shopsight.publish.target import Target, connect
from shopsight.publish.views import (
    Served,
    baseline,
    generation_note,
    heal_views,
    newest_waiting,
    served,
    shown_collections,
    shows_its_customers,
)

__all__ = [
    "Difference",
    "Lease",
    "Served",
    "Target",
    "WrittenGeneration",
    "altered_flat_views",
    "baseline",
    "check_target",
    "connect",
    "differences_from",
    "figures_before",
    "find_run",
    "flip",
    "forget",
    "forgotten_in",
    "generation_note",
    "heal_views",
    "held_until",
    "hold_lease",
    "keep",
    "keep_figures",
    "latest_run",
    "list_generations",
    "list_runs",
    "newest_waiting",
    "pin_note",
    "plain",
    "read_back",
    "read_digests",
    "refuse_if_held",
    "require_known",
    "rollback",
    "run_documents",
    "save_run",
    "served",
    "shown_collections",
    "shows_its_customers",
    "sweep",
    "take_pin_alert",
    "unpin",
    "write_generation",
]
