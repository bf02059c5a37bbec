"""The indexes of a new generation: built while its content is proven, and there before it is served.

The server builds them in one thread, for about as long as the proof then takes to read every document: one
after the other would leave half of a machine idle for both.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from pymongo import ASCENDING, IndexModel

from shopsight.publish import naming
from shopsight.publish.target import Target

#: What readers look up by, beside ``_id``.
INDEXES = {
    naming.CUSTOMER_METRICS: ("total_amount_spent", "country", "email"),
    naming.INSIGHTS: (),
    naming.REJECTED_ROWS: ("table", "rule"),
}


class IndexBuild:
    """The indexes of a view's collection in the making, all of them in one pass over its documents."""

    def __init__(self, target: Target, view: str, collection: str) -> None:
        self._built: Future[None] = Future()
        # Not of a pool: a run that is stopped or fails leaves, and does not wait for the server.
        threading.Thread(
            target=self._build, args=(target, view, collection), name=f"shopsight-index-{view}", daemon=True
        ).start()

    def wait(self) -> None:
        """Go on when they are there.

        Raises:
            TargetUnavailable: MongoDB went away.
            PublishError: it refuses, its disk is full, or somebody dropped the collection.
        """
        self._built.result()

    def _build(self, target: Target, view: str, collection: str) -> None:
        try:
            models = [IndexModel([(field, ASCENDING)], name=field) for field in INDEXES[view]]
            if models:
                with target.translated():
                    target.db[collection].create_indexes(models)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            self._built.set_exception(error)
        else:
            self._built.set_result(None)
