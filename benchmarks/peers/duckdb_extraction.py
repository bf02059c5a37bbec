"""The six tables to Parquet by DuckDB's PostgreSQL scanner, in one transaction."""

from __future__ import annotations

from benchmarks.peers.duckdb_source import connect
from benchmarks.peers.task import OUTPUT, TABLES


def main() -> None:
    connection = connect()
    connection.execute("BEGIN")
    for table in TABLES:
        (OUTPUT / table).mkdir()
        target = OUTPUT / table / "part-0.parquet"
        connection.execute(f"COPY shop.public.{table} TO '{target}' (FORMAT parquet, COMPRESSION lz4)")
    connection.execute("COMMIT")


if __name__ == "__main__":
    main()
