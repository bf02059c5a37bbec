"""The first stage: six tables to raw Parquet in one snapshot, and what the database itself says of them.

With the argument ``mariadb``, the same shop from MariaDB.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from benchmarks.peers.mariadb_source import MARIADB_URL
from benchmarks.peers.task import OUTPUT, SOURCE_URL, TABLES
from shopsight.extract import extract
from shopsight.settings import load_settings


def main() -> None:
    settings = load_settings()
    snapshot = extract(
        MARIADB_URL if sys.argv[1:] == ["mariadb"] else SOURCE_URL,
        OUTPUT,
        schema=None,
        connections=settings.extract_connections,
        batch_rows=settings.batch_rows,
        connect_timeout=timedelta(seconds=10),
    )
    assert set(snapshot.tables) == set(TABLES)


if __name__ == "__main__":
    main()
