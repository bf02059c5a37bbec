"""``python -m benchmarks``: make the shop, take turns, write the results and the tables."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import document
from benchmarks.contenders import MARIADB, ROOT, chosen_contenders
from benchmarks.results import by_group, describe, write_results
from benchmarks.rounds import Rounds
from benchmarks.shop import MeasuredShop, measured_shop, running_servers


def main() -> None:
    options = _options()
    if options.write_only:
        document.write()
        return
    contenders = chosen_contenders(options.peers)
    on_mariadb = any(one.group == MARIADB and not one.missing for one in contenders)
    with running_servers(options.folder, with_mariadb=on_mariadb) as servers:
        for scale in map(float, options.scale.split(",")):
            shop = measured_shop(servers, scale)
            print(f"Scale {scale:g}: {shop.all_rows:,} rows, {options.rounds} rounds", flush=True)
            rounds = Rounds(servers, shop, contenders, compares=not options.no_comparison)

            def keep(number: int, shop: MeasuredShop = shop, rounds: Rounds = rounds) -> None:
                measured = describe(servers, shop, rounds.taken, number)
                if options.keep:
                    write_results(f"{shop.scale:g}", measured)
                    document.write()
                else:
                    print(document.tables(by_group(measured)), flush=True)

            rounds.run(options.rounds, keep)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    given = os.environ.get
    parser.add_argument(
        "--scale",
        default=given("SCALE") or "1",
        help="1 is 22.5 million rows; several, with commas between, are measured in turn [SCALE, 1]",
    )
    parser.add_argument(
        "--peers",
        default=given("PEERS") or "all",
        help="all, none, or some of psql,duckdb,duckdb-best,polars,pandas,dlt,outfile,pymysql,spark,"
        "spark-engine,spark-engine-one-core,bson [PEERS, all]",
    )
    parser.add_argument(
        "--rounds", type=int, default=int(given("ROUNDS") or 3), help="measured rounds [ROUNDS, 3]"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".shopsight" / "bench",
        help="where the servers and all work lie [.shopsight/bench]",
    )
    parser.add_argument(
        "--no-comparison", action="store_true", help="do not compare results again, which takes a while"
    )
    parser.add_argument(
        "--dry",
        dest="keep",
        action="store_false",
        help="print the tables; leave results.json and docs/performance.md as they are",
    )
    parser.add_argument(
        "--write-only", action="store_true", help="measure nothing; write the tables from results.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
