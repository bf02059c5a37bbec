"""Alter data between the stages as faulty code would, and see which link of the proof notices.

A small dirty shop is extracted, cleaned, worked out and proven once. Then, one alteration at a time, a folder
of the run is changed, its manifest closed again, and the run goes on to the end: the stages after the altered
one are done again. What is published is compared with what the unaltered run publishes.

``make tamper`` does all alterations and writes the table in docs/proof.md.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import bson
import polars as pl
from bson.decimal128 import Decimal128
from pymongo import MongoClient

from shopsight import publish
from shopsight.contract import TABLES
from shopsight.errors import ProofBroken
from shopsight.logs import configure_logging
from shopsight.marts.insights import INSIGHTS
from shopsight.pipeline import publishing
from shopsight.pipeline.run import STAGES, open_run, run_stage
from shopsight.pipeline.workspace import Stage, Workspace, new_run_id
from shopsight.settings import Settings, load_settings
from shopsight_demo.seed import ShopSize, seed
from shopsight_demo.servers import MongoServer

PAGE = Path(__file__).parents[1] / "docs" / "proof.md"
BEGIN, END = "<!-- tamper: begin -->\n", "<!-- tamper: end -->\n"

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Alteration:
    """One way to alter one table between two stages.

    Attributes:
        station: ``raw``, ``clean``, ``marts`` or ``documents``: what is altered.
        table: the table, mart or collection.
        what: what is done to it.
        change: from the rows as they are to the altered ones; None for an alteration in MongoDB.
    """

    station: str
    table: str
    what: str
    change: Change | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of an alteration: ``link`` is the one that noticed it, None if it was published."""

    alteration: Alteration
    link: str | None
    is_harmless: bool = False

    @property
    def is_missed(self) -> bool:
        """Whether something else than the unaltered run's content was published."""
        return self.link is None and not self.is_harmless


def swapped(column: str) -> Change:
    """The values of the first two rows that differ change places."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = rows[column].to_list()
        first = next(n for n, value in enumerate(values) if value is not None)
        other = next(n for n, value in enumerate(values) if value is not None and value != values[first])
        values[first], values[other] = values[other], values[first]
        return rows.with_columns(pl.Series(column, values, rows.schema[column]))

    return change


def shifted(column: str) -> Change:
    """Every value stands one row too low."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = rows[column].to_list()
        return rows.with_columns(pl.Series(column, [*values[-1:], *values[:-1]], rows.schema[column]))

    return change


def changed(column: str, to: Callable[[Any], Any]) -> Change:
    """The first value that is there becomes another."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = rows[column].to_list()
        at = next(n for n, value in enumerate(values) if value is not None and to(value) != value)
        values[at] = to(values[at])
        return rows.with_columns(pl.Series(column, values, rows.schema[column]))

    return change


def moved_unit(column: str) -> Change:
    """One unit goes from one row to another: the plain sum stays as it is."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = rows[column].to_list()
        first, second = [n for n, value in enumerate(values) if value is not None][:2]
        values[first], values[second] = values[first] - 1, values[second] + 1
        return rows.with_columns(pl.Series(column, values, rows.schema[column]))

    return change


def given_to_one(column: str) -> Change:
    """Every row gets the first row's value."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        value = rows[column].drop_nulls()[0]
        return rows.with_columns(pl.lit(value, rows.schema[column]).alias(column))

    return change


def column_ways(column: str, dtype: pl.DataType, rows: pl.DataFrame) -> Iterator[tuple[str, Change]]:
    """The ways to alter a column, as far as its values let them change something."""
    distinct = rows[column].drop_nulls().n_unique()
    if distinct > 1:
        yield f"{column}: two rows swap it", swapped(column)
        yield f"{column}: shifted by one row", shifted(column)
        yield f"{column}: all rows have the first row's", given_to_one(column)
    if distinct == 0:
        return
    yield f"{column}: one value lost", changed(column, lambda _: None)
    if dtype == pl.String:
        yield (
            f"{column}: one letter changed",
            changed(column, lambda text: text[:-1] + ("a" if text[-1:] != "a" else "b")),
        )
        if any(text.upper() != text for text in rows[column].drop_nulls()):
            yield f"{column}: upper case", changed(column, str.upper)
    elif dtype == pl.Date:
        yield f"{column}: one day off", changed(column, lambda day: day + timedelta(days=1))
        yield f"{column}: all one day off", lambda rows: rows.with_columns(pl.col(column) + timedelta(days=1))
    elif dtype == pl.Boolean:
        yield f"{column}: one turned round", changed(column, lambda flag: not flag)
    else:
        yield f"{column}: one off by one", changed(column, lambda number: number + 1)
        if rows[column].drop_nulls().len() > 1:
            yield f"{column}: one unit moved to another row", moved_unit(column)


def row_ways(rows: pl.DataFrame) -> Iterator[tuple[str, Change]]:
    """The ways to alter which rows there are."""
    yield "one row lost", lambda rows: rows[1:]
    yield "one row twice", lambda rows: pl.concat([rows, rows[:1]])
    yield "empty", lambda rows: rows[:0]
    if rows.height > 40:
        yield "a page read twice", lambda rows: pl.concat([rows, rows[10:30]])
        yield "a range left out", lambda rows: pl.concat([rows[:10], rows[30:]])
    alike = [name for name, dtype in rows.schema.items() if dtype == pl.Int64]
    if len(alike) > 2:
        one, other = alike[-2:]
        yield (
            f"{one} and {other} mistaken for each other",
            lambda rows: rows.with_columns(pl.col(one).alias(other), pl.col(other).alias(one)),
        )


def alterations(root: Path) -> Iterator[Alteration]:
    """All alterations of the run whose directory is ``root``, and of what it publishes."""
    folders = [(station, table, root / station / table) for station in ("raw", "clean") for table in TABLES]
    folders += [("clean", "order_units", root / "clean" / "order_units")]
    folders += [("marts", name, root / "marts" / name) for name in ("customer_metrics", "customers")]
    folders += [("marts", f"insights/{name}", root / "marts" / "insights" / name) for name in INSIGHTS]
    for station, table, folder in folders:
        rows = pl.read_parquet(folder / "*.parquet")
        for what, change in row_ways(rows):
            yield Alteration(station, table, what, change)
        for column, dtype in rows.schema.items():
            for what, change in column_ways(column, dtype, rows):
                yield Alteration(station, table, what, change)
    for view in ("customers", "insights", "rejected_rows"):
        for what in ("a document lost", "a document added", "a figure changed", "a text changed"):
            yield Alteration("documents", view, what)


class Ground:
    """A proven run that can be altered and published, in a folder and a MongoDB of its own."""

    def __init__(self, folder: Path, target_url: str, orders: int = 1_000) -> None:
        self._folder = folder
        self._target_url = target_url
        url = f"sqlite:///{folder / 'shop.db'}"
        seed(url, ShopSize(customers=orders // 10, orders=orders), dirt=0.05, seed=11, constraints=False)
        self._settings = {
            "source_url": url,
            "target_url": target_url,
            "min_rejected_rows": 10**9,
            "retries": 0,
        }
        with open_run(self._settings_at(folder / "base"), new_run_id(), publishes=False) as run:
            for stage in STAGES[:-1]:
                run_stage(run, stage)
            self.run_id, self.root = run.run_id, run.workspace.root
        link, self._digests = self._published(folder / "base", None)
        if link is not None:
            raise RuntimeError(f"the unaltered run breaks link {link}")

    def outcome(self, alteration: Alteration) -> Outcome:
        """What comes of an alteration."""
        place = self._folder / "altered"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self._folder / "base", place)
        if alteration.change is not None:
            self._alter(Workspace(place, self.run_id), alteration, alteration.change)
        link, digests = self._published(place, alteration if alteration.change is None else None)
        return Outcome(alteration, link, link is None and digests == self._digests)

    def _settings_at(self, workdir: Path) -> Settings:
        return load_settings(workdir=workdir, target_database=f"tamper_{workdir.name}", **self._settings)

    def _alter(self, workspace: Workspace, alteration: Alteration, change: Change) -> None:
        folder = workspace.root / alteration.station / alteration.table
        rows = pl.read_parquet(folder / "*.parquet")
        after = change(rows).cast(rows.schema)
        for path in folder.glob("*.parquet"):
            path.unlink()
        after.write_parquet(folder / "part-00000.parquet")
        stage = _stage(workspace, alteration)
        details = self._details[stage.name]
        stage.close(details)

    @property
    def _details(self) -> dict[str, dict[str, Any]]:
        base = Workspace(self._folder / "base", self.run_id)
        found = {stage.name: stage.details() for stage in (base.raw, base.clean, base.metrics, base.insights)}
        return {name: details for name, details in found.items() if details is not None}

    def _published(self, workdir: Path, in_target: Alteration | None) -> tuple[str | None, dict[str, str]]:
        """Publish the run in a working directory: the link that breaks, or the digests of the content."""
        settings = self._settings_at(workdir)
        with MongoClient[dict[str, Any]](self._target_url) as client:
            client.drop_database(settings.target_database)
        try:
            with altered_documents(in_target), open_run(settings, self.run_id) as run:
                for stage in STAGES:
                    run_stage(run, stage)
        except ProofBroken as broken:
            return broken.link.partition(" ")[0], {}
        with MongoClient[dict[str, Any]](self._target_url) as client:
            note = client[settings.target_database]["generations"].find_one() or {}
        return None, note["digests"]


def _stage(workspace: Workspace, alteration: Alteration) -> Stage:
    if alteration.station == "marts":
        return workspace.metrics if alteration.table == "customer_metrics" else workspace.insights
    return workspace.raw if alteration.station == "raw" else workspace.clean


@contextmanager
def altered_documents(alteration: Alteration | None) -> Iterator[None]:
    """Within this, a generation that was written is altered before it is read back."""
    write = publish.write_generation

    def write_and_alter(target: publish.Target, *arguments: Any, **options: Any) -> publish.WrittenGeneration:
        written = write(target, *arguments, **options)
        if alteration is not None:
            _alter_document(target.db[written.collections[alteration.table]], alteration.what)
        return written

    publishing.publish.write_generation = write_and_alter  # type: ignore[attr-defined]
    try:
        yield
    finally:
        publishing.publish.write_generation = write  # type: ignore[attr-defined]


def _alter_document(collection: Any, what: str) -> None:
    document = collection.find_one()
    if what == "a document lost":
        collection.delete_one({"_id": document["_id"]})
    elif what == "a document added":
        collection.insert_one({**document, "_id": bson.ObjectId()})
    else:
        kinds = (str,) if what == "a text changed" else (int, float, Decimal128)
        path, value = next(_leaves(document, kinds))
        collection.update_one({"_id": document["_id"]}, {"$set": {path: _another(value)}})


def _leaves(value: Any, kinds: tuple[type, ...], path: str = "") -> Iterator[tuple[str, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if name != "_id":
            yield from _leaves(part, kinds, f"{path}.{name}" if path else str(name))
    if path and isinstance(value, kinds) and not isinstance(value, bool):
        yield path, value


def _another(value: Any) -> Any:
    if isinstance(value, str):
        return value + "x"
    return Decimal128(value.to_decimal() + 1) if isinstance(value, Decimal128) else value + 1


def table(outcomes: list[Outcome]) -> str:
    """Counts by what was altered, and every alteration that was missed."""
    lines = [
        "| altered | ways | noticed by link | changed nothing that is published | missed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for station in ("raw", "clean", "marts", "documents"):
        own = [outcome for outcome in outcomes if outcome.alteration.station == station]
        links = Counter(outcome.link for outcome in own if outcome.link is not None)
        noticed = ", ".join(f"{link}: {count}" for link, count in sorted(links.items()))
        harmless, missed = sum(o.is_harmless for o in own), sum(o.is_missed for o in own)
        lines.append(f"| {station} | {len(own)} | {noticed} | {harmless} | {missed} |")
    missed_ones = [o.alteration for o in outcomes if o.is_missed]
    lines += ["", *(f"Missed: {a.station}/{a.table}: {a.what}" for a in missed_ones)]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="alterations whose station, table or way contains this")
    only = parser.parse_args().only
    configure_logging(level="CRITICAL")
    with (
        tempfile.TemporaryDirectory(prefix="shopsight-tamper-") as folder,
        MongoServer(Path(folder) / "mongo") as server,
    ):
        ground = Ground(Path(folder), server.url)
        outcomes = []
        for alteration in alterations(ground.root):
            name = f"{alteration.station}/{alteration.table}: {alteration.what}"
            if only in name:
                outcomes.append(ground.outcome(alteration))
                said = outcomes[-1].link or ("changes nothing" if outcomes[-1].is_harmless else "MISSED")
                print(f"{said:16}{name}", flush=True)
    print("\n" + table(outcomes))
    if not only:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + table(outcomes) + END + rest.partition(END)[2])
    if any(outcome.is_missed for outcome in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
