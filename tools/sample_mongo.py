"""What publishing samples/sql/shop.sql gives, as extended JSON: writes samples/mongo/*.json.

One document a line, by ``_id``, as mongoimport reads it. What differs from run to run, its id and clock, is
set to fixed values, so that the files can be compared.

    .venv/bin/python tools/sample_mongo.py
"""

from __future__ import annotations

import dataclasses
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps

from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight.settings import load_settings
from shopsight_demo import servers

SAMPLES = Path(__file__).parents[1] / "samples"
COLLECTIONS = ("customer_metrics", "customers", "insights", "rejected_rows")
RUN_ID = "20260101T000000Z-5a3c1e"
#: The day from which recency is counted, and after which an order lies in the future.
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def load_sqlite(path: Path) -> str:
    """The small dirty shop in a SQLite file; returns its URL."""
    connection = sqlite3.connect(path)
    connection.executescript((SAMPLES / "sql" / "shop.sql").read_text())
    connection.close()
    return f"sqlite:///{path}"


def published_sample(source: str, target: str, database: str, workdir: Path) -> dict[str, str]:
    """Publish the sample and read it back.

    Args:
        source: where the sample was loaded.
        target: a MongoDB.
        database: a database of it, empty.
        workdir: for the run.

    Returns:
        By collection, its documents as canonical extended JSON, one a line.
    """
    settings = load_settings(source_url=source, target_url=target, target_database=database, workdir=workdir)
    with open_run(settings, RUN_ID) as run:
        run_stage(run, "extract")
        run.record.snapshot = dataclasses.replace(run.snapshot, as_of=AS_OF)
        for stage in STAGES[1:]:
            run_stage(run, stage)
        if run.target is None:
            raise RuntimeError("the run has no target")
        return {name: _lines(run.target.db[name].find(sort=[("_id", 1)])) for name in COLLECTIONS}


def _lines(documents: Any) -> str:
    return "".join(
        f"{dumps(document, json_options=CANONICAL_JSON_OPTIONS, ensure_ascii=False)}\n"
        for document in documents
    )


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.server("target", Path(folder)) as target,
    ):
        source = load_sqlite(Path(folder) / "shop.db")
        for name, lines in published_sample(source, target.url, "sample", Path(folder)).items():
            (SAMPLES / "mongo" / f"{name}.json").write_text(lines)
        target.remove()


if __name__ == "__main__":
    main()
