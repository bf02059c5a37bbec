"""What proving asks of the databases beside reading and writing: the source's figures, MongoDB's content."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.peers.task import SOURCE_URL, TARGET_DATABASE, TARGET_URL, measured_within
from shopsight.extract import source_figures
from shopsight.publish import connect, read_back, read_digests, served

TIMEOUT = timedelta(seconds=10)


def main() -> None:
    with measured_within("source_figures"):
        source_figures(SOURCE_URL, schema=None, connect_timeout=TIMEOUT)
    with connect(TARGET_URL, TARGET_DATABASE, TIMEOUT) as target:
        generation = served(target)
        assert generation is not None, "no run has published to this database yet"
        with measured_within("read_back"):
            read_back(target, generation)
            read_digests(target, generation)


if __name__ == "__main__":
    main()
