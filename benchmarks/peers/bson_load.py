"""The customers' documents, encoded before the clock starts, into MongoDB: two threads, unordered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from benchmarks.peers.task import INPUT, TARGET_DATABASE, TARGET_URL, measured_within

BATCH = 5_000


def main() -> None:
    with (INPUT / "customers.bson").open("rb") as stream:
        encoded = [RawBSONDocument(document.raw) for document in bson.decode_file_iter(stream, RAW)]
    with MongoClient(TARGET_URL) as client:
        collection = client[TARGET_DATABASE].create_collection("customer_metrics")
        batches = [encoded[first : first + BATCH] for first in range(0, len(encoded), BATCH)]
        with measured_within(), ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda batch: collection.insert_many(batch, ordered=False), batches):
                pass


RAW = bson.codec_options.CodecOptions(document_class=RawBSONDocument)

if __name__ == "__main__":
    main()
