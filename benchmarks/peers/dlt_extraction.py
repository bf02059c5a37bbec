"""The six tables to Parquet by dlt's sql_database source, on its fastest backend here (see BACKEND)."""

from __future__ import annotations

import os

import dlt
from dlt.sources.sql_database import sql_database
from sqlalchemy import create_engine

from benchmarks.peers.task import OUTPUT, SOURCE_URL, TABLES

BACKEND = os.environ.get("BENCH_DLT_BACKEND", "connectorx")


def main() -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # What dlt's own performance guide asks for with Arrow backends: no identifiers added to rows, no second
    # pass over the files.
    os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID"] = "false"
    pipeline = dlt.pipeline(
        "extraction",
        pipelines_dir=str(OUTPUT / "dlt"),
        destination=dlt.destinations.filesystem(bucket_url=OUTPUT.as_uri()),
        dataset_name="raw",
    )
    if BACKEND == "connectorx":
        source = sql_database(
            SOURCE_URL.replace("postgresql://", "postgresql+psycopg://", 1),
            table_names=list(TABLES),
            backend="connectorx",
            # connectorx takes no address without a host; it tries this one in vain, and then the socket.
            backend_kwargs={"conn": SOURCE_URL.replace("@/", "@localhost/", 1), "return_type": "arrow"},
            reflection_level="full_with_precision",
        )
    else:
        engine = create_engine(SOURCE_URL.replace("postgresql://", "postgresql+psycopg://", 1))
        source = sql_database(
            engine,
            table_names=list(TABLES),
            backend="pyarrow",
            chunk_size=100_000,
            reflection_level="full_with_precision",
        )
    pipeline.run(source, loader_file_format="parquet", write_disposition="replace")


if __name__ == "__main__":
    main()
