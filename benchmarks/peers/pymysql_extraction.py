"""The six tables from MariaDB to Parquet by a plain script: fetch rows, make a table of them, write it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
from pymysql.cursors import SSCursor

from benchmarks.peers.mariadb_source import connect
from benchmarks.peers.task import OUTPUT, TABLES

ROWS = 100_000


def main() -> None:
    with connect(cursorclass=SSCursor) as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        for table in TABLES:
            (OUTPUT / table).mkdir()
            cursor.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            writer = None
            while rows := cursor.fetchmany(ROWS):
                columns = [pa.array(column) for column in zip(*rows, strict=True)]
                batch = pa.table(columns, names)
                writer = writer or pq.ParquetWriter(OUTPUT / table / "part-0.parquet", batch.schema)
                # The first rows say how many digits an amount has, and later ones may have more.
                writer.write_table(batch.cast(writer.schema))
            assert writer is not None
            writer.close()


if __name__ == "__main__":
    main()
