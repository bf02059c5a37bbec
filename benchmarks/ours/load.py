"""The customers' mart into MongoDB as publishing does it: Parquet to BSON, two threads; no indexes.

No wait for the disk either, which publishing waits for once, after the last collection (`flush`).
"""

from __future__ import annotations

from datetime import timedelta

from benchmarks.peers.task import INPUT, TARGET_DATABASE, TARGET_URL, measured_within
from shopsight.publish import connect
from shopsight.publish.documents import customer_documents
from shopsight.publish.load import load_collection
from shopsight.publish.privacy import Privacy


def main() -> None:
    with connect(TARGET_URL, TARGET_DATABASE, timedelta(seconds=10)) as target, measured_within():
        documents = customer_documents(INPUT / "customer_metrics", Privacy())
        load_collection(target, "customer_metrics", documents, guard=lambda: None)


if __name__ == "__main__":
    main()
