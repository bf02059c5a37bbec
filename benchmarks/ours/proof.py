"""What proving asks of the databases beside reading and writing: the source's figures, MongoDB's content."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.peers.task import SOURCE_URL, TARGET_DATABASE, TARGET_URL, measured_within
from shopsight.contract import TABLES
from shopsight.extract import Source, source_totals
from shopsight.publish import connect, read_back, read_digests, served

TIMEOUT = timedelta(seconds=10)


def main() -> None:
    native: dict[str, dict[str, str]] = {name: {} for name in TABLES}
    with measured_within("source_totals"):
        source_totals(Source(SOURCE_URL, None, TIMEOUT), native)
    with connect(TARGET_URL, TARGET_DATABASE, TIMEOUT) as target:
        generation = served(target)
        assert generation is not None, "no run has published to this database yet"
        with measured_within("read_back"):
            read_back(target, generation)
            read_digests(target, generation)


if __name__ == "__main__":
    main()
