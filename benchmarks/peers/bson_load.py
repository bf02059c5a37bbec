"""The customers' documents, encoded before the clock starts, into MongoDB: two threads, unordered.

Its inserts wait for what ours wait for, the primary's memory, and are not tried again if they are cut off:
the driver's defaults, most members' journals and a note of each batch for a second try, would cost it more.
Neither waits for the disk at the end.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern

from benchmarks.peers.task import INPUT, TARGET_DATABASE, TARGET_URL, measured_within

BATCH = 5_000
IN_MEMORY = WriteConcern(w=1, j=False)


def main() -> None:
    with (INPUT / "customers.bson").open("rb") as stream:
        encoded = [RawBSONDocument(document.raw) for document in bson.decode_file_iter(stream, RAW)]
    with MongoClient(TARGET_URL, retryWrites=False) as client:
        client[TARGET_DATABASE].create_collection("customer_metrics")
        collection = client[TARGET_DATABASE].get_collection("customer_metrics", write_concern=IN_MEMORY)
        batches = [encoded[first : first + BATCH] for first in range(0, len(encoded), BATCH)]
        with measured_within(), ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda batch: collection.insert_many(batch, ordered=False), batches):
                pass


RAW = bson.codec_options.CodecOptions(document_class=RawBSONDocument)

if __name__ == "__main__":
    main()
