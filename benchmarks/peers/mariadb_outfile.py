"""The six tables written to files of text by MariaDB itself, as mariadb-dump --tab does it."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.peers.mariadb_source import connect
from benchmarks.peers.task import TABLES

#: A folder that the server may write in.
FOLDER = Path(os.environ.get("BENCH_MARIADB_FOLDER", "."))


def main() -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        for table in TABLES:
            file = FOLDER / f"{table}.txt"
            file.unlink(missing_ok=True)
            cursor.execute(f"SELECT * FROM {table} INTO OUTFILE '{file}'")
            file.unlink()


if __name__ == "__main__":
    main()
