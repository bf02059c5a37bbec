"""``python -m benchmarks.hostile``: a whole run on shops that are hard on one of the algorithms.

Each is the benchmark's shop after a few statements. Prints a table.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.contenders import ROOT, all_contenders
from benchmarks.rounds import WHOLE_RUN, Rounds
from benchmarks.shop import Servers, measured_shop, running_servers

NAME = "hostile"

#: The order that gets more lines.
ORDER = 77

SHOPS = {
    "as it is": [],
    "orders and items in random order": [
        f"""
        CREATE TABLE shuffled AS SELECT * FROM {table} ORDER BY random();
        DROP TABLE {table} CASCADE;
        ALTER TABLE shuffled RENAME TO {table};
        """
        for table in ("orders", "order_items")
    ],
    "order_items loaded twice": [
        "ALTER TABLE order_items DROP CONSTRAINT order_items_pkey",
        "INSERT INTO order_items SELECT * FROM order_items",
    ],
    "a million more lines of 2,000 products in one order": [
        f"INSERT INTO order_items SELECT 100000000 + n, {ORDER}, 1 + n % 2000, 1, 1"
        " FROM generate_series(1, 1000000) AS n"
    ],
    "10,000 more products in one order": [
        f"INSERT INTO order_items SELECT 100000000 + n, {ORDER}, n, 1, 1 FROM generate_series(1, 10000) AS n"
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="of the shop; at least 0.5 [1]")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".shopsight" / "bench", help="as `make bench`'s"
    )
    options = parser.parse_args()
    print("| shop | seconds | CPU, own + servers | peak memory | of it not files |\n| --- |" + " ---: |" * 4)
    with running_servers(options.folder) as servers:
        shop = measured_shop(servers, options.scale)
        [ours] = [contender for contender in all_contenders() if contender.id == WHOLE_RUN]
        rounds = Rounds(servers, replace(shop, name=NAME), [ours])
        for title, statements in SHOPS.items():
            _make(servers, shop.name, statements)
            run, served = rounds.perform(ours)
            memory = f"{run.peak_bytes / 1e6:,.0f} MB | {run.peak_anonymous_bytes / 1e6:,.0f} MB"
            cpu = f"{run.cpu_seconds:.0f} + {served:.0f}"
            print(f"| {title} | {run.seconds:.0f} | {cpu} | {memory} |", flush=True)
        _drop(servers)


def _make(servers: Servers, template: str, statements: list[str]) -> None:
    _drop(servers)
    names = map(sql.Identifier, (NAME, template))
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    with psycopg.connect(servers.postgres.url_of(NAME), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _drop(servers: Servers) -> None:
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(NAME)))


if __name__ == "__main__":
    main()
