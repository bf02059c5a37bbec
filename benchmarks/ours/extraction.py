"""The first stage: six tables to raw Parquet in one snapshot, and what the database itself says of them.

With the argument ``mariadb``, the same shop from MariaDB.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from benchmarks.peers.mariadb_source import MARIADB_URL
from benchmarks.peers.task import OUTPUT, SOURCE_URL, TABLES
from shopsight.extract import Source, extract
from shopsight.settings import load_settings


def main() -> None:
    settings = load_settings()
    url = MARIADB_URL if sys.argv[1:] == ["mariadb"] else SOURCE_URL
    snapshot = extract(
        Source(url, None, timedelta(seconds=10)),
        OUTPUT,
        connections=settings.extract_connections,
        batch_rows=settings.batch_rows,
    )
    assert set(snapshot.tables) == set(TABLES)


if __name__ == "__main__":
    main()
