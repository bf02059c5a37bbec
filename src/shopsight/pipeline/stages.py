"""The six stages as functions of an opened run; each does its work once and finds it whole the next time.

A stage is kept when its manifest is whole and it was made from the very manifest of the stage before, by this
version, under the settings that matter to it. So a stage that is done again makes all later ones stale, and a
resumed run never mixes two snapshots.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import structlog

from shopsight import __version__, publish
from shopsight.audit import guards, proof
from shopsight.audit.customer_checks import customer_checks
from shopsight.audit.ledger import build_ledger, read_totals
from shopsight.audit.parquet import count_rows, read_batches
from shopsight.audit.shop_files import ShopFiles
from shopsight.audit.watch import Figures, watch
from shopsight.clean import RULES, CleaningPolicy, clean_shop
from shopsight.contract import ORDERS, TABLES
from shopsight.engine.opening import open_engine
from shopsight.engine.protocol import Engine
from shopsight.errors import ConfigurationError, PublishError, ShopsightError
from shopsight.errors.redaction import redact
from shopsight.extract import extract as extract_source
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.customers import customers
from shopsight.marts.insights import Insight, InsightOptions, Shop, compute_insights
from shopsight.pipeline.databases import source_address
from shopsight.pipeline.own_insights import LoadedInsight, blame, insights_of, own_insights
from shopsight.pipeline.workspace import Stage, Workspace, file_hash
from shopsight.publish.privacy import Privacy
from shopsight.record import RunRecord, Snapshot
from shopsight.settings import Settings
from shopsight.settings.table_mapping import UNMAPPED

Progress = Callable[[str, str, int], None]

log = structlog.stdlib.get_logger("shopsight")


@dataclass
class Run:
    """What the stages work on.

    Attributes:
        target: where to publish; None for a run that only plans.
        served: the generation that was served when the run began, if any is known.
        allow_shrink: publish even if the figures are much smaller than those served.
        allow_older: publish even if a younger snapshot is served.
        unpin: serve the new generation even if another one is pinned.
        on_progress: called as ``(stage, table, rows)``.
    """

    settings: Settings
    workspace: Workspace
    record: RunRecord
    target: publish.Target | None = None
    allow_shrink: bool = False
    allow_older: bool = False
    unpin: bool = False
    on_progress: Progress | None = None
    served: int | None = None

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that extraction took."""
        if self.record.snapshot is None:
            raise RuntimeError("no stage may ask for the snapshot before extraction")
        return self.record.snapshot

    @cached_property
    def own_insights(self) -> list[LoadedInsight]:
        """The user's own insights, loaded and checked once."""
        return own_insights(self.settings)

    @cached_property
    def insights(self) -> dict[str, Insight]:
        """Built-in and own insights by id, in the order of the report."""
        return insights_of(self.own_insights)

    @property
    def state(self) -> str:
        """A sentence for messages on what is published and served."""
        if self.record.pinned is not None:
            kept = f"Generation {self.record.generation} is proven and kept"
            return f"{kept}; generation {self.record.pinned} is pinned and stays served."
        if self.record.generation is not None:
            return f"Generation {self.record.generation} is published and served."
        if self.served is not None:
            return f"Nothing was published; generation {self.served} is still served."
        return "Nothing was published."

    def progress(self, stage: str, table: str, rows: int) -> None:
        """Report how many rows of a table a stage has done so far."""
        if self.on_progress is not None:
            self.on_progress(stage, table, rows)


@dataclass(frozen=True)
class StageResult:
    """A stage's row counts. ``seconds`` is set for a kept stage: the time it took when it was done."""

    rows_in: int | None = None
    rows_out: int | None = None
    rejected: int | None = None
    is_kept: bool = False
    seconds: float | None = None


def extract(run: Run) -> StageResult:
    """Read the six tables in one snapshot into ``raw``.

    Raises:
        ConfigurationError: the resumed run has a snapshot of another database.
        LeaseHeld: another run publishes now, so this one would work for nothing.
    """
    settings = run.settings
    source = {
        "url": redact(settings.source_url.get_secret_value()),
        "schema": settings.source_schema,
        "tables": settings.shown("tables"),
        "time_zone": settings.shop_time_zone,
    }

    def work() -> dict[str, Any]:
        if run.target is not None:
            publish.refuse_if_held(run.target, run.run_id)
        with source_address(settings) as url:
            snapshot = extract_source(
                url,
                run.workspace.folder("raw"),
                schema=settings.source_schema,
                connections=settings.extract_connections,
                batch_rows=settings.batch_rows,
                connect_timeout=settings.connect_timeout,
                tables=settings.tables,
                time_zone=settings.shop_time_zone,
                on_rows=_tally(run, "extract"),
            )
        return {"snapshot": snapshot.as_details(), "source": source}

    details, is_kept, seconds = _once(run.workspace.raw, None, {}, work)
    if details["source"] != source:
        raise ConfigurationError(
            f"Run {run.run_id} has a snapshot of {_named(details['source'])}, and the settings name"
            f" {_named(source)}. Nothing was changed.",
            remedy="Give the same --source, --source-schema, tables and time zone, or start a new run without"
            " --resume.",
        )
    run.record.snapshot = Snapshot.from_details(details["snapshot"])
    rows = sum(table.rows for table in run.snapshot.tables.values())
    return StageResult(rows, _rows(run, "raw"), None, is_kept, seconds)


def clean(run: Run) -> StageResult:
    """Apply the rules to ``raw``: what is kept to ``clean``, what is not to ``rejected``.

    Raises:
        DataQualityError: a table exceeds its rejection limit, or orders have several currencies.
    """
    settings, folder = run.settings, run.workspace.folder
    policy = cleaning_policy(settings, run.snapshot)
    inputs = {
        "today": policy.today.isoformat(),
        "excluded_order_statuses": sorted(policy.excluded_order_statuses),
        "negative_amounts": policy.negative_amounts,
        "currency": policy.currency,
    }

    def work() -> dict[str, Any]:
        with open_engine(settings, folder("scratch")) as engine:
            clean_shop(
                engine,
                folder("raw"),
                folder("clean"),
                folder("rejected"),
                policy,
                on_table=lambda table: run.progress("clean", table, count_rows(folder("raw") / table)),
            )
            return {"engine": dict(engine.versions)}

    details, is_kept, seconds = _once(run.workspace.clean, run.workspace.raw, inputs, work)
    run.record.versions |= details["engine"]
    rejected = {table: count_rows(folder("rejected") / table) for table in TABLES}
    entered = {table: count_rows(folder("raw") / table) for table in TABLES}
    if settings.time_zone is None:
        _warn_of_early_orders(run)
    guards.check_rejected_share(entered, rejected, settings, folder("rejected"))
    return StageResult(sum(entered.values()), _rows(run, "clean"), sum(rejected.values()), is_kept, seconds)


def cleaning_policy(settings: Settings, snapshot: Snapshot) -> CleaningPolicy:
    """What cleaning has to know of the settings and the snapshot."""
    return CleaningPolicy(
        today=snapshot.today,
        excluded_order_statuses=settings.excluded_order_statuses,
        negative_amounts=settings.negative_amounts,
        time_zone=snapshot.time_zone,
        currency=settings.tables.get(ORDERS.name, UNMAPPED).currency,
    )


def _warn_of_early_orders(run: Run) -> None:
    early = guards.orders_ahead_of_utc(run.workspace.folder("rejected") / "orders", run.snapshot.as_of)
    if early:
        warning = f"{early:,} orders dated tomorrow (UTC) were rejected; in the shop that day may have begun"
        log.warning("time_zone", run_id=run.run_id, warning=warning, remedy="Set time_zone.")


def metrics(run: Run) -> StageResult:
    """Work out one row per customer from ``clean``."""
    clean_folder, target = run.workspace.folder("clean"), run.workspace.folder("marts/customer_metrics")

    def work() -> dict[str, Any]:
        names = ("customers", "orders", "order_items", "reviews")
        with open_engine(run.settings, run.workspace.folder("scratch")) as engine:
            frame = customer_metrics(*(engine.scan(clean_folder / name) for name in names))
            # In the order of the key, so that generations can be compared by merging.
            engine.sink({target: frame.sort("customer_id")})
            return {"engine": dict(engine.versions)}

    details, is_kept, seconds = _once(run.workspace.metrics, run.workspace.clean, {}, work)
    run.record.versions |= details["engine"]
    return StageResult(_rows(run, "clean"), count_rows(target), None, is_kept, seconds)


def insights(run: Run) -> StageResult:
    """Work out the insights, and what is published of each customer, from ``clean`` and the metrics.

    Raises:
        ConfigurationError: one of the user's own cannot be computed.
    """
    settings = run.settings
    options = InsightOptions(
        top_n=settings.top_n, basket_pairs_n=settings.basket_pairs_n, as_of=run.snapshot.today
    )
    folder, of_customers = run.workspace.folder("marts/insights"), run.workspace.folder("marts/customers")

    @contextmanager
    def opened() -> Iterator[tuple[Engine, Shop]]:
        with open_engine(settings, run.workspace.folder("scratch")) as engine:
            tables = {name: engine.scan(run.workspace.folder("clean") / name) for name in TABLES}
            metrics = engine.scan(run.workspace.folder("marts/customer_metrics"))
            yield engine, Shop(**tables, customer_metrics=metrics)

    def work() -> dict[str, Any]:
        try:
            with opened() as (engine, shop):
                frames = compute_insights(shop, options, run.insights)
                every = {of_customers: customers(shop, options.as_of).sort("customer_id")}
                engine.sink({folder / name: frame for name, frame in frames.items()} | every)
                return {"engine": dict(engine.versions)}
        except ShopsightError:
            raise  # a full disk or a lost engine is no insight's fault
        except Exception:
            with opened() as (_, shop):
                blame(run.own_insights, shop, options)
            raise

    inputs = {
        "top_n": options.top_n,
        "basket_pairs_n": options.basket_pairs_n,
        "as_of": str(options.as_of),
        "own": {own.insight.id: [own.sha256, dict(own.insight.options)] for own in run.own_insights},
    }
    details, is_kept, seconds = _once(run.workspace.insights, run.workspace.metrics, inputs, work)
    run.record.versions |= details["engine"]
    rows_out = sum(count_rows(folder / name) for name in run.insights)
    return StageResult(_rows(run, "clean"), rows_out, None, is_kept, seconds)


def prove(run: Run) -> StageResult:
    """Write the ledger and prove links 1 to 3, always again, because files may have changed since.

    Raises:
        ProofBroken: two figures that must be equal are not.
    """
    folder, record = run.workspace.folder, run.record
    sentences = {rule.id: (str(rule.action), rule.sentence) for rule in RULES.values()}
    totals = read_totals(
        run.workspace.root, is_ascii=not run.snapshot.is_utf8, time_zone=run.snapshot.time_zone
    )
    record.ledger = build_ledger(run.workspace.root, sentences, totals)
    record.proof = [proof.require(proof.prove_extraction(run.snapshot, totals))]
    record.proof.append(proof.require(proof.prove_cleaning(record.ledger, totals)))
    files = ShopFiles(folder("clean"), folder("marts"), tuple(run.insights.values()), run.settings)
    record.totals = proof.clean_totals(files)
    record.newest_order = proof.newest_order(files)
    checks = customer_checks(files, totals["customers"].clean, run.snapshot.today)
    record.proof.append(proof.require(proof.prove_marts(record.totals, files, checks)))
    return StageResult(rows_in=_rows(run, "raw"), rows_out=_rows(run, "clean"))


def publish_generation(run: Run) -> StageResult:
    """Under the lease: write a new generation beside the served one, prove link 4, flip, and sweep.

    If the served one is pinned, the new one is kept instead of flipped to.

    Raises:
        LeaseHeld: another run publishes now.
        LeaseLost: another run took over.
        SnapshotAhead, SnapshotOutdated: the snapshot's moment is not between the served one's and now.
        ShrinkRefused: the new figures are suspiciously small.
        ProofBroken: MongoDB says something else than the marts.
    """
    if run.target is None:
        raise RuntimeError("a run that was opened without a target cannot publish")
    with publish.hold_lease(run.target, run.run_id, run.settings.lease_duration) as lease:
        publish.heal_views(run.target)
        _guard(run, run.target)
        written = publish.write_generation(
            run.target,
            lease,
            marts=run.workspace.folder("marts"),
            rejected=run.workspace.folder("rejected"),
            record=run.record,
            insights=run.insights.values(),
            privacy=Privacy.of(run.settings),
            keep_rejected=run.settings.keep_rejected,
            on_rows=_tally(run, "publish"),
        )
        _prove_written(run, run.target, lease, written)
        served, valid_for = publish.served(run.target), run.settings.valid_for
        if served is None or served.pinned is None or run.unpin:
            publish.flip(run.target, lease, written, run.record, valid_for=valid_for)
        else:
            pinned = served.generation
            publish.keep(run.target, lease, written, run.record, pinned=pinned, valid_for=valid_for)
            log.warning("pinned", run_id=run.run_id, kept=written.generation, served=pinned)
        try:
            publish.save_run(run.target, run.record)
            publish.keep_figures(run.target, keep_for=run.settings.keep_history)
            publish.sweep(run.target, lease, keep=run.settings.keep_generations)
        except PublishError as error:
            # The generation is served, and the next run does what is left undone.
            log.warning("sweep", run_id=run.run_id, error=str(error))
        _watch(run, run.target, served)
    return StageResult(rows_in=_rows(run, "marts"), rows_out=written.documents)


def _watch(run: Run, target: publish.Target, served: publish.Served | None) -> None:
    """Record and log the watched figures. An error is only logged, because the generation is published.

    They are compared with nothing newer than what was served before: after a rollback, that is wrong.
    """

    def rows_of(insight: str) -> list[dict[str, Any]]:
        batches = read_batches(run.workspace.folder("marts/insights") / insight, None)
        return [row for batch in batches for row in batch.to_pylist()]

    def earlier(age: timedelta) -> Figures | None:
        moment = run.snapshot.as_of - age
        kept = publish.figures_before(target, run.run_id, min(moment, served.as_of) if served else moment)
        return Figures(kept["totals"], lambda id_: kept["insights"].get(id_, [])) if kept else None

    try:
        now = Figures(run.record.shop_figures(), rows_of)
        run.record.watched = list(watch(run.settings.watch, run.insights, now, earlier))
    except Exception as error:  # noqa: BLE001 - watching withholds nothing
        log.warning("watch", run_id=run.run_id, error=str(error))
    for figure in run.record.watched:
        if figure.alarm:
            log.warning("watch", run_id=run.run_id, alarm=figure.sentence)
        elif figure.value is None and figure.before is None:
            log.warning("watch", run_id=run.run_id, no_figure=figure.rule, remedy="Look at its key.")


def _guard(run: Run, target: publish.Target) -> None:
    as_of, figures = publish.baseline(target) or (None, None)
    guards.check_age(run.snapshot.as_of, as_of, target.clock(), allow_older=run.allow_older)
    if not run.allow_shrink:
        guards.check_shrink(guards.guarded_figures(run.record), figures, run.settings)


def _prove_written(
    run: Run, target: publish.Target, lease: publish.Lease, written: publish.WrittenGeneration
) -> None:
    marts = run.workspace.folder("marts")
    expected = {name: proof.mart_figures(marts / name) for name in ("customer_metrics", "customers")}
    expected |= {name: proof.mart_figures(marts / "insights" / name) for name in run.insights}
    # The digest covers a truncated insight; its sums are not those of the mart.
    expected |= {name: {"rows": rows} for name, rows in written.truncated.items()}
    expected["rejected_rows"] = proof.rejected_figures(run.record.ledger)
    run.record.figures = proof.with_digests(expected, written.digests)
    link = proof.prove_target(
        run.record.figures,
        lambda: proof.with_digests(publish.read_back(target, written), publish.read_digests(target, written)),
    )
    # If another run took the lease and removed these documents, report the lost lease, not a broken proof.
    lease.check()
    run.record.proof.append(link)
    proof.require(link)


#: In the order in which they run.
STAGES: dict[str, Callable[[Run], StageResult]] = {
    "extract": extract,
    "clean": clean,
    "metrics": metrics,
    "insights": insights,
    "prove": prove,
    "publish": publish_generation,
}


def _named(source: dict[str, Any]) -> str:
    parts = ("url", "{}"), ("schema", "schema {}"), ("tables", "tables {}"), ("time_zone", "time zone {}")
    return ", ".join(words.format(source[name]) for name, words in parts if source.get(name))


def _tally(run: Run, stage: str) -> Callable[[str, int], None]:
    """A callback that reports the running row count."""
    so_far: Counter[str] = Counter()

    def count(table: str, rows: int) -> None:
        so_far[table] += rows
        run.progress(stage, table, so_far[table])

    return count


def _rows(run: Run, folder: str) -> int:
    """All rows in the Parquet files under a folder of the run."""
    root = run.workspace.folder(folder)
    return sum(count_rows(path) for path in sorted({file.parent for file in root.rglob("*.parquet")}))


def _once(
    stage: Stage, before: Stage | None, inputs: dict[str, Any], work: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool, float | None]:
    """Do a stage's work unless it is whole and was made from the same inputs.

    Returns:
        The stage's details; whether it was kept; if so, the seconds that it took when it was done.
    """
    inputs = {
        **inputs,
        "version": __version__,
        "before": file_hash(before.manifest_path) if before is not None else None,
    }
    details = stage.details()
    if details is not None and details.get("inputs") == inputs:
        return details, True, details["seconds"]
    started = time.perf_counter()
    stage.begin()
    details = {**work(), "inputs": inputs, "seconds": round(time.perf_counter() - started, 3)}
    stage.close(details)
    return details, False, None
