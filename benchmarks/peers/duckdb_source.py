"""DuckDB with its PostgreSQL scanner, offline."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from benchmarks.peers.task import SOURCE_URL


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the shop attached as ``shop``, read-only.

    The extension comes from PyPI (duckdb-extension-postgres-scanner), so that nothing is fetched at run time.
    The scanner reads a table over as many connections as DuckDB has threads, all on one exported snapshot.
    """
    spec = find_spec("duckdb_extension_postgres_scanner")
    if spec is None or spec.origin is None:
        raise SystemExit("duckdb-extension-postgres-scanner is not installed: make .venv-bench")
    folder = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}"
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    # Recommended where order does not matter: less memory, more parallel work.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"LOAD '{folder / 'postgres_scanner.duckdb_extension'}'")
    connection.execute(f"ATTACH '{SOURCE_URL}' AS shop (TYPE postgres, READ_ONLY)")
    return connection
